//! [`Tls`]: a certificate, read anew when its file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::{Code, Error, Result};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// How often it is looked whether the files have changed.
const LOOK: Duration = Duration::from_secs(5);

/// Where the certificate of a service is, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate and those between it and its authority, in PEM, the service's own first.
    pub chain: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// The service's own certificate. Fails as [`Certificate`] does.
    pub(super) fn own(&self) -> Result<CertificateDer<'static>> {
        let provider = rustls::crypto::ring::default_provider();
        let (_, certified) = self.read(&provider)?;
        let own = certified.cert.first().cloned();
        own.ok_or_else(|| Error::new(Code::InputInvalid, "there is no certificate"))
    }

    /// What stands in the files, as one digest, and the certificate. Fails with [`Code::FileUnreadable`], and with
    /// [`Code::InputInvalid`] for what is none, or where the key is another's.
    fn read(&self, provider: &CryptoProvider) -> Result<(Digest, Arc<CertifiedKey>)> {
        let (chain, key) = (read(&self.chain)?, read(&self.key)?);
        let digest = Digest::of_parts(&[&chain, &key]);
        let wrong = |path: &Path, what: &str, error: rustls::pki_types::pem::Error| {
            Error::new(Code::InputInvalid, format!("`{}` has no {what}", path.display())).caused_by(&error)
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(&self.chain, "certificate in PEM", error))?;
        if chain.is_empty() {
            return Err(Error::new(
                Code::InputInvalid,
                format!("`{}` has no certificate in PEM", self.chain.display()),
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|error| wrong(&self.key, "private key in PEM", error))?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let (chain, key) = (self.chain.display(), self.key.display());
            let message = format!("the certificate of `{chain}` cannot be used with the key of `{key}`");
            Error::new(Code::InputInvalid, message).caused_by(&error)
        })?;
        Ok((digest, Arc::new(certified)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be read", path.display())).caused_by(&error)
    })
}

/// Speaks TLS with the certificate that stands in the files now.
#[derive(Debug)]
pub(crate) struct Tls {
    files: Certificate,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(ArcSwap<(Digest, Arc<CertifiedKey>)>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().1))
    }
}

impl Tls {
    /// Reads the files. Fails as [`Certificate`] does.
    pub(crate) fn open(files: Certificate) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let current = Arc::new(Current(ArcSwap::from_pointee(files.read(&provider)?)));
        Ok(Self { files, provider, current })
    }

    /// What takes connections. It goes on with a certificate that is read later.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| Error::new(Code::Internal, "TLS cannot be set up").caused_by(&error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files anew whenever they have changed. What cannot be used changes nothing, and is told once.
    pub(crate) async fn watch(self) {
        let mut told = None;
        loop {
            tokio::time::sleep(LOOK).await;
            match self.look() {
                Ok(false) => {}
                Ok(true) => tracing::info!(target: "adjutant::service", "the certificate was read anew"),
                Err(error) => {
                    let text = error.to_string();
                    if told.as_ref() != Some(&text) {
                        let help = "the one before stays";
                        tracing::error!(target: "adjutant::service", error = text, help, "the certificate cannot be used");
                    }
                    told = Some(text);
                    continue;
                }
            }
            told = None;
        }
    }

    /// Reads the files anew. Returns whether they have changed.
    fn look(&self) -> Result<bool> {
        let (digest, certified) = self.files.read(&self.provider)?;
        if self.current.0.load().0 == digest {
            return Ok(false);
        }
        self.current.0.store(Arc::new((digest, certified)));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &Certificate, name: &str) -> String {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(&files.chain, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.pem()
    }

    #[test]
    fn a_certificate_is_read_anew_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = Certificate { chain: folder.path().join("a.pem"), key: folder.path().join("a.key") };
        assert_eq!(Tls::open(files.clone()).unwrap_err().code(), Code::FileUnreadable);
        write(&files, "one.example");
        let tls = Tls::open(files.clone()).unwrap();
        assert!(!tls.look().unwrap());
        let chain = write(&files, "two.example");
        assert!(tls.look().unwrap() && !tls.look().unwrap());
        let before = tls.current.0.load().0;
        // Only half of it is replaced so far.
        write(&files, "three.example");
        std::fs::write(&files.chain, chain).unwrap();
        assert_eq!(tls.look().unwrap_err().code(), Code::InputInvalid);
        std::fs::write(&files.chain, "nothing").unwrap();
        assert_eq!(tls.look().unwrap_err().code(), Code::InputInvalid);
        assert_eq!(tls.current.0.load().0, before);
    }
}
