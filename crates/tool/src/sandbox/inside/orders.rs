//! [`Orders`]: what is to be done within the sandbox, as arguments. Pure.

use std::ffi::OsString;
use std::path::PathBuf;

use super::WITHIN;

const SOCKET: &str = "--socket";
const READ: &str = "--read";
const WRITE: &str = "--write";
const END: &str = "--";

/// What is to be done within the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Orders {
    /// The socket of the proxy, as it is seen there.
    pub(in crate::sandbox) socket: Option<PathBuf>,
    /// What the command may read and run.
    pub(in crate::sandbox) read: Vec<PathBuf>,
    /// What it may also write to.
    pub(in crate::sandbox) write: Vec<PathBuf>,
    pub(in crate::sandbox) program: OsString,
    pub(in crate::sandbox) arguments: Vec<OsString>,
}

impl Orders {
    /// The arguments that say it.
    pub(in crate::sandbox) fn write(&self) -> Vec<OsString> {
        let mut words = vec![WITHIN.into()];
        let paths = |key: &'static str, paths: &[PathBuf]| -> Vec<OsString> {
            paths.iter().flat_map(|path| [key.into(), path.clone().into()]).collect()
        };
        words.extend(self.socket.iter().flat_map(|path| paths(SOCKET, std::slice::from_ref(path))));
        words.extend(paths(READ, &self.read));
        words.extend(paths(WRITE, &self.write));
        words.extend([END.into(), self.program.clone()]);
        words.extend(self.arguments.iter().cloned());
        words
    }

    /// Reads what follows the first argument.
    pub(super) fn read(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut orders = Self::default();
        while let Some(word) = words.next() {
            let mut path = || words.next().map(PathBuf::from).ok_or("an argument has no value");
            match word.to_str() {
                Some(SOCKET) => orders.socket = Some(path()?),
                Some(READ) => orders.read.push(path()?),
                Some(WRITE) => orders.write.push(path()?),
                Some(END) => {
                    orders.program = words.next().ok_or("there is no command")?;
                    orders.arguments = words.collect();
                    return Ok(orders);
                }
                _ => return Err(format!("`{}` means nothing here", word.to_string_lossy())),
            }
        }
        Err("there is no command".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let orders = Orders {
            socket: Some("/run/adjutant/proxy".into()),
            read: vec!["/usr".into(), "--".into()],
            write: vec!["/session".into()],
            program: "sh".into(),
            arguments: vec!["-c".into(), "--read".into(), "--".into()],
        };
        assert_eq!(Orders::read(orders.write().into_iter().skip(1)), Ok(orders));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for words in [&["--read"][..], &["--"], &[], &["--other", "x", "--", "sh"]] {
            Orders::read(words.iter().map(OsString::from)).unwrap_err();
        }
    }
}
