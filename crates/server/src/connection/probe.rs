//! [`probe`]: whether a service takes work, for whoever watches over its process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use axum::body::Body;
use http::Request;
use http::header::HOST;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::tls::Certificate;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a service on this machine whether it takes work; over TLS where it has a certificate, which must be the one in its files.
///
/// Fails with [`Code::Overloaded`] where it does not answer, or says that it takes none.
pub async fn probe(address: SocketAddr, certificate: Option<&Certificate>) -> Result<()> {
    let asked = async {
        let stream = TcpStream::connect(here(address)).await.map_err(|error| silent(address, &error))?;
        match certificate {
            None => ask(address, stream).await,
            Some(certificate) => {
                let name = ServerName::IpAddress(here(address).ip().into());
                let stream = connector(certificate)?.connect(name, stream).await;
                ask(address, stream.map_err(|error| silent(address, &error))?).await
            }
        }
    };
    let late =
        |_| Error::new(Code::Overloaded, format!("the service at `{address}` does not answer in time"));
    tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
}

fn silent(address: SocketAddr, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(Code::Overloaded, format!("the service at `{address}` does not answer")).caused_by(error)
}

/// Where a service is reached from this machine that listens at all its addresses.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    address: SocketAddr,
    stream: S,
) -> Result<()> {
    let failed = |error: hyper::Error| silent(address, &error);
    let (mut sender, connection) = handshake::<_, Body>(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the answer, or with the time for it.
    let connection = tokio::spawn(connection);
    let request = Request::get("/api/health/ready").header(HOST, address.to_string()).body(Body::empty());
    let request = request
        .map_err(|error| Error::new(Code::Internal, "the request cannot be made").caused_by(&error))?;
    let response = sender.send_request(request).await.map_err(failed);
    connection.abort();
    match response?.status() {
        status if status.is_success() => Ok(()),
        status => Err(Error::new(Code::Overloaded, format!("the service at `{address}` says {status}"))),
    }
}

fn connector(certificate: &Certificate) -> Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = certificate.own()?;
    let broken = |error: rustls::Error| Error::new(Code::Internal, "TLS cannot be set up").caused_by(&error);
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Exactly { own, provider }))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes one certificate and no other: what is asked is whether the service of these files answers, whatever it is called outside.
#[derive(Debug)]
struct Exactly {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exactly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match *end_entity == self.own {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
