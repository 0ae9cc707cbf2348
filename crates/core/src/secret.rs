//! Secrets: values that are used and never shown.

use std::fmt;

use crate::error::Result;

/// A key, a password or a token. It has no `Display` and is not serialised; `Debug` shows that there is one.
///
/// The memory is overwritten when it is dropped, as far as safe code can promise that.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Whoever asks for it must not log, store or return it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // Without a reader the compiler may leave the writes out.
        std::hint::black_box(&bytes);
    }
}

/// Where secrets come from: the environment, a file, a vault.
pub trait Secrets: Send + Sync + 'static {
    /// The secret of that name. Fails with [`Code::NotFound`](crate::Code::NotFound) when there is none, with the
    /// place where it was looked for as help.
    fn get(&self, name: &str) -> Result<Secret>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }
}
