//! [`Server`]: answers whoever connects, until it is told to stop.

use std::net::SocketAddr;

use adjutant::Adjutant;
use adjutant_core::Result;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::{Listener, Tls};
use crate::duties;
use crate::openai::responses::take_over;
use crate::routes;
use crate::service::Service;
use crate::settings::{GRACE, Settings};
use crate::webhook;

/// A project as a service.
pub struct Server {
    service: Service,
    listener: Listener,
    /// Where what is counted is told to everybody.
    metrics: Option<Listener>,
    tls: Option<Tls>,
}

impl Server {
    /// Listens. From here on clients can connect; they are answered once it [runs](Self::run).
    ///
    /// Fails with [`Conflict`](adjutant_core::Code::Conflict) where something else listens there, with
    /// [`InputInvalid`](adjutant_core::Code::InputInvalid) where nobody can, and where its certificate cannot be used.
    pub async fn bind(address: SocketAddr, adjutant: Adjutant, settings: Settings) -> Result<Self> {
        let tls = settings.tls.clone().map(Tls::open).transpose()?;
        let acceptor = tls.as_ref().map(Tls::acceptor).transpose()?;
        let listener = Listener::bind(address, acceptor).await?;
        let metrics = match settings.metrics {
            Some(address) => Some(Listener::bind(address, None).await?),
            None => None,
        };
        Ok(Self { service: Service::new(adjutant, settings)?, listener, metrics, tls })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.address()
    }

    /// Where what is counted is told to everybody, if it is.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>> {
        self.metrics.as_ref().map(Listener::address).transpose()
    }

    /// Answers, and drives the runs of every tenant, until it is told to stop.
    ///
    /// Then it says so to those who ask whether it is ready, for as long as its settings say, and goes on as before. After that it takes
    /// no more connections and no new work, ends its streams, finishes what it was asked as far as its deadline allows, and lets go
    /// of the runs, each at its last record: whoever serves the same store goes on with them.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let Self { service, listener, metrics, tls } = self;
        service.open().await?;
        let (graceful, closed) = (GracefulShutdown::new(), CancellationToken::new());
        let mut duties = JoinSet::new();
        duties.spawn(duties::watch_triggers(service.clone()));
        duties.spawn(duties::settle(service.clone()));
        duties.spawn(take_over(service.clone()));
        let telling = tokio::spawn(webhook::tell(service.clone()));
        duties.spawn(duties::watch_queue(service.clone()));
        if service.settings().reload {
            duties.spawn(duties::watch_files(service.clone()));
        }
        if let Some(tls) = tls {
            duties.spawn(tls.watch());
        }
        if let Some(metrics) = metrics {
            let (service, closed) = (service.clone(), closed.clone());
            duties.spawn(async move {
                // What is counted is told to the last; nobody waits for those who ask for it.
                let graceful = GracefulShutdown::new();
                metrics.run(routes::measures(&service), &service, &graceful, &closed).await;
            });
        }
        let stopping = async {
            stop.cancelled().await;
            service.leaving().cancel();
            sleep(service.settings().notice).await;
            closed.cancel();
        };
        tokio::join!(listener.run(routes::router(&service), &service, &graceful, &closed), stopping);
        service.draining().cancel();
        let ends = async {
            // Who tells of what happens ends by itself, and lets other processes tell on at once.
            tokio::join!(graceful.shutdown(), service.tenants().close(), telling, finish_answers(&service))
        };
        let in_time = timeout(service.settings().drain + GRACE, ends).await.is_ok();
        if !in_time {
            tracing::warn!(target: "adjutant::service", "not everything came to its end in time");
        }
        duties.shutdown().await;
        service.settle().await
    }
}

/// Waits for answers of models in the background as far as the deadline allows, and leaves the rest to other processes.
async fn finish_answers(service: &Service) {
    let background = service.background();
    if timeout(service.settings().drain, background.finished()).await.is_err() {
        background.hand_over().await;
    }
}
