//! [`Proxy`]: answers on the socket of one sandbox.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::hosts::{Hosts, Target};
use super::log::{Log, Sink};
use super::metered::Metered;
use super::{forward, tunnel};
use crate::sandbox::machine::unavailable;

/// How many connections a sandbox has at a time. More wait.
const CONNECTIONS: usize = 64;

/// How long the head of a request may take to come.
const HEAD: Duration = Duration::from_secs(20);

/// How long making a connection may take, with finding its address.
const CONNECT: Duration = Duration::from_secs(15);

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// What the proxy answers with.
pub(super) type Body = BoxBody<Bytes, hyper::Error>;

/// Answers on the socket of one sandbox until it is dropped; every connection ends with it.
#[derive(Debug)]
pub(in crate::sandbox) struct Proxy {
    log: Arc<Log>,
    ended: CancellationToken,
}

/// What all connections of a sandbox share.
pub(super) struct Gate {
    pub(super) log: Arc<Log>,
    hosts: Hosts,
    ended: CancellationToken,
}

/// Why there is no connection.
pub(super) enum Refusal {
    /// It may not be made.
    Forbidden(String),
    /// It could not be made.
    Failed(String),
}

impl Proxy {
    /// Begins to answer on a socket that it makes at `path`. `bytes` is how much may be sent and received in all.
    ///
    /// Fails with [`Code::SandboxUnavailable`](adjutant_core::Code::SandboxUnavailable) where there is no socket, or no
    /// tokio runtime that it could run on.
    pub(in crate::sandbox) fn begin(path: &Path, hosts: Hosts, bytes: u64) -> Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| {
            unavailable("the proxy of a sandbox with `hosts` runs on tokio, and no runtime of it is there")
                .caused_by(&error)
        })?;
        let within = runtime.enter();
        let listener = bind(path)
            .map_err(|error| unavailable("the proxy of the sandbox has no socket").caused_by(&error))?;
        drop(within);
        let (log, ended) = (Arc::new(Log::new(bytes)), CancellationToken::new());
        let gate = Arc::new(Gate { log: Arc::clone(&log), hosts, ended: ended.clone() });
        runtime.spawn(ended.clone().run_until_cancelled_owned(accept(listener, gate)));
        Ok(Self { log, ended })
    }

    /// Tells every refusal from now on.
    pub(in crate::sandbox) fn listen(&self, sink: Sink) {
        self.log.listen(sink);
    }

    /// All that was refused.
    pub(in crate::sandbox) fn refused(&self) -> Vec<String> {
        self.log.refused()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// Makes the socket. The address of a socket is short, and a path may be long: it is named from its folder.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let folder = std::fs::File::open(path.parent().ok_or_else(invalid)?)?;
    let name = path.file_name().ok_or_else(invalid)?;
    UnixListener::bind(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

async fn accept(listener: UnixListener, gate: Arc<Gate>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => gate.run(serve(stream, Arc::clone(&gate), Arc::new(slot))),
            // This process has too many files open; that passes.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(stream: UnixStream, gate: Arc<Gate>, slot: Arc<OwnedSemaphorePermit>) {
    let service = service_fn(move |request| {
        let (gate, slot) = (Arc::clone(&gate), Arc::clone(&slot));
        async move { Ok::<_, Infallible>(answer(request, &gate, slot).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LARGEST_HEAD);
    // Whatever goes wrong goes wrong in the sandbox, which sees it.
    let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn answer(
    request: Request<Incoming>,
    gate: &Arc<Gate>,
    slot: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    let answered = match request.method() {
        &Method::CONNECT => tunnel::open(request, gate, slot).await,
        _ => forward::send(request, gate).await,
    };
    answered.unwrap_or_else(|refusal| {
        let (status, why) = match refusal {
            Refusal::Forbidden(why) => {
                gate.log.refuse(&why);
                (StatusCode::FORBIDDEN, why)
            }
            Refusal::Failed(why) => (StatusCode::BAD_GATEWAY, why),
        };
        let body = Full::new(Bytes::from(format!("adjutant: {why}\n"))).map_err(|never| match never {});
        let mut response = Response::new(body.boxed());
        *response.status_mut() = status;
        response
    })
}

impl Gate {
    /// Does something until it is done or the sandbox is over.
    pub(super) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.ended.clone().run_until_cancelled_owned(work));
    }

    /// Makes a connection to a target, if it may be made.
    pub(super) async fn connect(&self, target: &Target) -> Result<Metered, Refusal> {
        if !self.hosts.lists(target) {
            return Err(Refusal::Forbidden(format!("`{target}` is not among the hosts of the sandbox")));
        }
        let late = |_| Refusal::Failed(format!("`{target}` does not answer"));
        let stream = tokio::time::timeout(CONNECT, self.reach(target)).await.map_err(late)??;
        let _ = stream.set_nodelay(true);
        Ok(Metered::new(stream, Arc::clone(&self.log)))
    }

    /// Connects to an address that was checked.
    async fn reach(&self, target: &Target) -> Result<TcpStream, Refusal> {
        let failed = |error: io::Error| Refusal::Failed(format!("`{target}` cannot be reached: {error}"));
        let addresses = match target.address() {
            Some(address) => vec![SocketAddr::new(address, target.port)],
            None => {
                let name = target.host.to_string();
                tokio::net::lookup_host((name.as_str(), target.port)).await.map_err(failed)?.collect()
            }
        };
        if let Some(address) = addresses.iter().find(|address| !self.hosts.reaches(target, address.ip())) {
            let why = format!("`{target}` leads to {}, which is not on the public internet", address.ip());
            return Err(Refusal::Forbidden(why));
        }
        TcpStream::connect(&*addresses).await.map_err(failed)
    }
}
