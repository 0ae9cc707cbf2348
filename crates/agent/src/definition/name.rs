//! What agents may be called.

use adjutant_core::{Code, Error, Result};

/// Checks the name of an agent: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`. It stands in file names, addresses
/// and policies. Fails with [`Code::ProjectInvalid`].
pub fn check(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(fits) {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(Error::new(Code::ProjectInvalid, format!("`{shown}` cannot be the name of an agent"))
        .with_help("use 1 to 64 characters of a-z, 0-9, - and _"))
}
