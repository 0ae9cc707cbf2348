//! [`Listener`]: connections as they come, and what each is answered with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Layer;

use super::idle::{Counted, Idle};
use super::patient::Patient;
use crate::passage::Peer;
use crate::service::Service;
use crate::settings::Settings;

/// How long to wait before the next connection is taken, where the system has no more room for one.
const PAUSE: Duration = Duration::from_millis(100);

/// The least that HTTP/1 needs to read a head, in bytes.
const SMALLEST_HEAD: usize = 8 << 10;

/// The most of what a client asks at the same time over one connection.
const MOST_STREAMS_OF_A_CONNECTION: u32 = 128;

/// Takes connections at one address.
pub(crate) struct Listener {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Listens. Fails with [`Code::Conflict`] where something else listens there, and with [`Code::InputInvalid`] where nobody can.
    pub(crate) async fn bind(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::AddrInUse => Code::Conflict,
                _ => Code::InputInvalid,
            };
            Error::new(code, format!("nobody can listen at `{address}`"))
                .caused_by(&error)
                .with_help("choose another address: `--listen 127.0.0.1:8080`; port 0 takes any that is free")
        })?;
        Ok(Self { listener, tls })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| {
            Error::new(Code::Internal, "the address of the service is not known").caused_by(&error)
        })
    }

    /// Takes connections, and answers each in a task of its own, until it is told to stop.
    pub(crate) async fn run(
        self,
        router: Router,
        service: &Service,
        graceful: &GracefulShutdown,
        stop: &CancellationToken,
    ) {
        let Self { listener, tls } = self;
        let settings = service.settings();
        let places = Arc::new(Semaphore::new(settings.most_connections.min(Semaphore::MAX_PERMITS)));
        let http = http(settings);
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                taken = take(&listener, &places) => taken,
            };
            let Some((stream, peer, place)) = taken else { continue };
            let stream = Patient::new(stream, settings.write_patience, settings.head_patience);
            let (router, service, http) = (router.clone(), service.clone(), http.clone());
            let (watcher, tls) = (graceful.watcher(), tls.clone());
            let open = Open::new(&service, place);
            tokio::spawn(async move {
                let _open = open;
                let (peer, idle) = (Peer::new(peer, tls.is_some()), service.settings().idle_patience);
                match tls {
                    None => converse(&http, stream, router, peer, (watcher, idle)).await,
                    Some(tls) => match timeout(service.settings().head_patience, tls.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            // It has begun to speak TLS, but no HTTP yet.
                            let Settings { write_patience, head_patience, .. } = *service.settings();
                            let stream = Patient::new(stream, write_patience, head_patience);
                            converse(&http, stream, router, peer, (watcher, idle)).await;
                        }
                        _ => service.metrics().handshake_failed(),
                    },
                }
            });
        }
    }
}

/// The next connection, once there is a place for it. None where it was lost before it began.
async fn take(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Pieces of a stream are small, and wait for nothing.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            // There may be no file descriptor left; those that are open end by and by.
            tracing::warn!(target: "adjutant::service", %error, "a connection could not be taken");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// A connection that is open.
struct Open {
    service: Service,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(service: &Service, place: OwnedSemaphorePermit) -> Self {
        service.metrics().connections().inc();
        Self { service: service.clone(), _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.service.metrics().connections().dec();
    }
}

/// How HTTP is spoken.
fn http(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_patience)
        .max_buf_size(settings.largest_head.max(SMALLEST_HEAD));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS_OF_A_CONNECTION)
        .max_header_list_size(u32::try_from(settings.largest_head).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(settings.heartbeat))
        .keep_alive_timeout(settings.head_patience);
    builder
}

/// Answers what is asked over one connection, until it is closed or the service stops.
async fn converse<S>(
    http: &auto::Builder<TokioExecutor>,
    stream: S,
    router: Router,
    peer: Peer,
    (watcher, patience): (Watcher, Duration),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let idle = Idle::new();
    let router = Counted::new(TowerToHyperService::new(Extension(peer).layer(router)), &idle);
    let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), router).into_owned();
    tokio::select! {
        // A client that goes away is no error of the service.
        _ = watcher.watch(connection) => {}
        // One that is there and asks nothing would keep a place for ever.
        () = idle.over(patience) => {}
    }
}
