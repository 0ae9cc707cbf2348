//! [`Server`]: takes connections and answers them, until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adjutant::Adjutant;
use adjutant_core::{Code, Error, Result};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::duties;
use crate::routes;
use crate::service::Service;
use crate::settings::Settings;
use crate::webhook;

/// How long to wait before the next connection is taken, where the system has no more room for one.
const PAUSE: Duration = Duration::from_millis(100);

/// The most of what a client asks at the same time over one connection.
const MOST_STREAMS_OF_A_CONNECTION: u32 = 128;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// A project as a service.
pub struct Server {
    service: Service,
    listener: TcpListener,
}

impl Server {
    /// Listens. From here on clients can connect; they are answered once it [runs](Self::run).
    ///
    /// Fails with [`Code::Conflict`] where something else listens there, and with [`Code::InputInvalid`] where nobody can.
    pub async fn bind(address: SocketAddr, adjutant: Adjutant, settings: Settings) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::AddrInUse => Code::Conflict,
                _ => Code::InputInvalid,
            };
            Error::new(code, format!("nobody can listen at `{address}`"))
                .caused_by(&error)
                .with_help("choose another address: `--listen 127.0.0.1:8080`; port 0 takes any that is free")
        })?;
        Ok(Self { service: Service::new(adjutant, settings), listener })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| {
            Error::new(Code::Internal, "the address of the service is not known").caused_by(&error)
        })
    }

    /// Answers, and drives the runs of every tenant, until it is told to stop. Then it takes no more connections and no new work,
    /// finishes what it was asked as far as its deadline allows, and lets go of the runs, each at its last record.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let Self { service, listener } = self;
        service.open().await?;
        let router = routes::router(&service);
        let connections =
            Arc::new(Semaphore::new(service.settings().most_connections.min(Semaphore::MAX_PERMITS)));
        let duties = [
            tokio::spawn(duties::watch_triggers(service.clone())),
            tokio::spawn(duties::settle(service.clone())),
        ];
        let telling = tokio::spawn(webhook::tell(service.clone()));
        let graceful = GracefulShutdown::new();
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                taken = take(&listener, &connections) => taken,
            };
            let Some((stream, permit)) = taken else { continue };
            answer(stream, permit, router.clone(), &service, &graceful);
        }
        drop(listener);
        service.draining().cancel();
        duties.iter().for_each(tokio::task::JoinHandle::abort);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = tokio::time::sleep(service.settings().drain) => {}
        }
        // It ends by itself, and lets other processes tell on at once.
        let _ = tokio::time::timeout(service.settings().drain, telling).await;
        service.tenants().close().await;
        service.settle().await
    }
}

/// The next connection, once there is a place for it. None where it was lost before it began.
async fn take(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Pieces of a stream are small, and wait for nothing.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(_) => {
            // There may be no file descriptor left; those that are open end by and by.
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// Answers one connection in a task of its own.
fn answer(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    router: Router,
    service: &Service,
    graceful: &GracefulShutdown,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(service.settings().head_patience)
        .max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS_OF_A_CONNECTION)
        .max_header_list_size(LARGEST_HEAD as u32)
        .keep_alive_interval(Some(service.settings().heartbeat));
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router))
        .into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // A client that goes away is no error of the service.
        let _ = connection.await;
        drop(permit);
    });
}
