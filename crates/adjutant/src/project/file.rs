//! Reading files, with the path in every error.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use adjutant_core::{Code, Error, Result};

/// Reads a text file of at most `most` bytes. Fails with [`Code::FileUnreadable`].
pub(super) fn read(path: &Path, most: u64) -> Result<String> {
    let unreadable =
        |why: &str| Error::new(Code::FileUnreadable, format!("`{}` cannot be read: {why}", path.display()));
    let failed = |error: &std::io::Error| unreadable(&error.to_string());
    // Before it is opened: opening a pipe would wait for somebody who writes into it.
    let kind = std::fs::metadata(path).map_err(|error| failed(&error))?.file_type();
    if kind.is_dir() {
        return Err(unreadable("it is a folder"));
    }
    if !kind.is_file() {
        return Err(unreadable("it is no regular file"));
    }
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(unreadable(&format!("it is longer than {most} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unreadable(&format!("it is not UTF-8 text (byte {at})"))
    })
}
