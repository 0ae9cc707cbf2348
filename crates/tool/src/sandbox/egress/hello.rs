//! The first bytes of a TLS connection, which say whom it is for. Pure.

use rustls::server::Acceptor;

/// The longest first message that is waited for, in bytes.
const LONGEST: usize = 64 << 10;

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// The beginning of TLS; more must come.
    Part,
    /// TLS with the name of the server in lower case, where one is given.
    For(Option<String>),
    /// TLS that cannot be read.
    Broken,
    /// Something else.
    Other,
}

/// Reads the first bytes.
pub(super) fn read(bytes: &[u8]) -> Hello {
    const HANDSHAKE: u8 = 22;
    if bytes.first() != Some(&HANDSHAKE) {
        return Hello::Other;
    }
    let (mut acceptor, mut rest) = (Acceptor::default(), bytes);
    while !rest.is_empty() {
        if acceptor.read_tls(&mut rest).is_err() {
            return Hello::Broken;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
                return Hello::For(name);
            }
            Ok(None) => {}
            Err(_) => return Hello::Broken,
        }
    }
    if bytes.len() < LONGEST { Hello::Part } else { Hello::Broken }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello(name: &'static str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let name = ServerName::try_from(name).unwrap();
        let mut bytes = Vec::new();
        ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_name_is_read_however_the_bytes_come() {
        let bytes = hello("Example.org");
        assert_eq!(read(&bytes), Hello::For(Some("example.org".to_owned())));
        assert_eq!(read(&bytes[..1]), Hello::Part);
        assert_eq!(read(&bytes[..bytes.len() - 1]), Hello::Part);
        assert_eq!(read(&hello("127.0.0.1")), Hello::For(None));
    }

    #[test]
    fn what_is_not_tls_is_told_apart() {
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Hello::Other);
        assert_eq!(read(&[22, 3, 1, 0, 4, 9, 9, 9, 9]), Hello::Broken);
        assert_eq!(read(&[]), Hello::Other);
    }
}
