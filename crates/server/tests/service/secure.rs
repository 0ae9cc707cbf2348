//! The service over TLS.

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::{Certificate, Settings, probe};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{StatusCode, Version};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit::Kit;

/// An authority of one's own, and where a service's certificate is.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { folder: tempfile::tempdir().unwrap(), issuer };
        authority.issue();
        authority
    }

    fn files(&self) -> Certificate {
        Certificate { chain: self.folder.path().join("a.pem"), key: self.folder.path().join("a.key") }
    }

    /// Writes a new certificate.
    fn issue(&self) {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let made = made.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.files().chain, made.pem()).unwrap();
        std::fs::write(self.files().key, key.serialize_pem()).unwrap();
    }

    fn client(&self) -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let root = reqwest::Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap()
    }
}

async fn secure(authority: &Authority) -> Kit {
    let settings = Settings { tls: Some(authority.files()), ..Settings::default() };
    Kit::with(Scripted::new([Turn::text("Yes.")]), settings).await
}

#[tokio::test]
async fn it_is_spoken_in_secret_and_by_http_2() {
    let authority = Authority::new();
    let kit = secure(&authority).await;
    let url = format!("https://localhost:{}/api/approvals", kit.address.port());
    let token = kit.client(Role::Viewer).await.token.unwrap();
    let response = authority.client().get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
    let others = Authority::new();
    assert!(others.client().get(&url).send().await.is_err(), "another authority's");
    // Whoever watches over the process asks for the service of these files, by whatever name.
    probe(kit.address, Some(&authority.files())).await.unwrap();
    assert!(probe(kit.address, Some(&others.files())).await.is_err());
    assert!(probe(kit.address, None).await.is_err());
    // In the open nothing is answered.
    let mut stream = tokio::net::TcpStream::connect(kit.address).await.unwrap();
    stream.write_all(b"GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answered = Vec::new();
    let _ = stream.read_to_end(&mut answered).await;
    assert!(!answered.starts_with(b"HTTP"), "{answered:?}");
}

#[tokio::test]
async fn a_new_certificate_holds_without_a_restart() {
    let authority = Authority::new();
    let kit = secure(&authority).await;
    let url = format!("https://localhost:{}/api/health/live", kit.address.port());
    let shown = async || {
        let client = reqwest::Client::builder().no_proxy().tls_info(true);
        let root = reqwest::Certificate::from_pem(authority.issuer.pem().as_bytes()).unwrap();
        let response = client.tls_certs_only([root]).build().unwrap().get(&url).send().await.unwrap();
        let info = response.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
        info.peer_certificate().unwrap().to_vec()
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let first = shown().await;
    assert_eq!(first, shown().await);
    authority.issue();
    let began = std::time::Instant::now();
    while shown().await == first {
        assert!(began.elapsed().as_secs() < 30);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
