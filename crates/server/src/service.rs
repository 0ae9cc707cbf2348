//! [`Service`]: what every request finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adjutant::Adjutant;
use adjutant::durable::RunState;
use adjutant_core::hash::Digest;
use adjutant_core::{Code, Error, Result};
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::access::{Caller, Keys, Who, credential};
use crate::limits::Traffic;
use crate::metrics::Metrics;
use crate::openai::responses::Background;
use crate::passage::Witness;
use crate::settings::Settings;
use crate::tenants::Tenants;

/// How often it is looked whether those who listen to streams are still who they were.
const LOOK: Duration = Duration::from_secs(3);

/// What every request finds. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service(Arc<Inner>);

struct Inner {
    tenants: Tenants,
    keys: Keys,
    settings: Settings,
    traffic: Traffic,
    metrics: Metrics,
    streams: Arc<Semaphore>,
    background: Background,
    /// How many runs wait for their turn, as of a moment ago.
    queued: AtomicU64,
    /// Cancelled when the service is about to stop.
    leaving: CancellationToken,
    /// Cancelled when nothing new is begun any more.
    draining: CancellationToken,
}

impl Service {
    pub(crate) fn new(adjutant: Adjutant, settings: Settings) -> Result<Self> {
        let streams = Arc::new(Semaphore::new(most_streams(&settings)));
        let (traffic, metrics) = (Traffic::new(&settings), Metrics::new());
        let keys = Keys::new(&adjutant, &settings)?;
        let (leaving, draining) = (CancellationToken::new(), CancellationToken::new());
        let tenants = Tenants::new(adjutant);
        Ok(Self(Arc::new(Inner {
            tenants,
            keys,
            settings,
            traffic,
            metrics,
            streams,
            background: Background::default(),
            queued: AtomicU64::new(0),
            leaving,
            draining,
        })))
    }

    /// Opens the part of every tenant that has something to drive.
    pub(crate) async fn open(&self) -> Result<()> {
        let first = self.tenants().first();
        for tenant in first.keys().tenants().await? {
            self.tenants().of(&tenant)?;
        }
        self.tenants().of(&first.scope().tenant)?;
        Ok(())
    }

    /// Who makes a request. Fails with [`Code::Unauthenticated`] where nobody says who it is, with [`Code::KeyRefused`] where what they
    /// say is wrong, and with [`Code::TooManyRequests`] where they ask too often.
    pub(crate) async fn identify(&self, parts: &Parts) -> Result<Caller> {
        let Some(shown) = credential(&parts.headers)? else {
            if let Some(role) = self.settings().anonymous {
                is_of_this_machine(&parts.headers, parts.uri.host())?;
                let who = Who::anonymous(role, &self.tenants().first().scope().tenant);
                return Ok(Caller::new(Arc::new(who), self.tenants().first(), None));
            }
            return Err(Error::new(Code::Unauthenticated, "the request does not say who asks")
                .with_help("send a key of `adjutant keys create`: `Authorization: Bearer KEY`"));
        };
        let witness = parts.extensions.get::<Arc<Witness>>();
        let who = self.who(shown, witness).await?;
        if let Some(witness) = witness {
            witness.is_of(&who);
        }
        if let Some(standing) = self.traffic().count(&who.counted_as) {
            if let Some(witness) = witness {
                witness.stands(standing);
            }
            if let Some(wait) = standing.wait {
                return Err(Error::new(Code::TooManyRequests, format!("`{}` asks too often", who.name))
                    .with_retry_after(wait));
            }
        }
        let adjutant = self.0.tenants.of(&who.tenant)?;
        let who = match who.claims.is_empty() {
            true => who,
            false => Arc::new(known(&who, &adjutant)?),
        };
        Ok(Caller::new(who, &adjutant, Some(shown)))
    }

    /// Waits until what somebody showed holds no more: a key was taken back, or a token's time is over. What cannot be found out is taken to
    /// be as it was.
    pub(crate) async fn refuses(&self, caller: &Caller) {
        let Some(shown) = caller.shown() else { return std::future::pending().await };
        loop {
            tokio::time::sleep(LOOK).await;
            if self.0.keys.verify(shown.expose()).await.is_err_and(|error| is_a_bad_credential(&error)) {
                return;
            }
        }
    }

    /// Who shows a credential. A bad one counts against the address that it comes from.
    async fn who(&self, shown: &str, witness: Option<&Arc<Witness>>) -> Result<Arc<Who>> {
        let (network, credential) = (witness.map(|witness| witness.network()), Digest::of(shown.as_bytes()));
        if let Some(network) = network {
            self.traffic().is_looked_at(network, credential)?;
        }
        let who = self.0.keys.verify(shown).await;
        match (&who, network) {
            (Ok(_), _) => self.traffic().is_good(credential),
            (Err(error), Some(network)) if is_a_bad_credential(error) => {
                self.traffic().count_stranger(network);
            }
            (Err(_), _) => {}
        }
        who
    }

    /// Writes down what is otherwise written down now and then.
    pub(crate) async fn settle(&self) -> Result<()> {
        for adjutant in self.tenants().all() {
            adjutant.gateway().close().await?;
        }
        self.0.keys.settle().await
    }

    /// Fails with [`Code::Overloaded`] where as many runs wait for their turn as may.
    pub(crate) fn takes_runs(&self) -> Result<()> {
        match self.0.queued.load(Ordering::Relaxed) {
            queued if queued < self.settings().most_queued => Ok(()),
            queued => Err(Error::new(
                Code::Overloaded,
                format!("{queued} runs wait for their turn, as many as may"),
            )),
        }
    }

    /// Counts the runs that wait for their turn, of all tenants.
    pub(crate) async fn count_queued(&self) -> Result<()> {
        let mut queued = 0;
        for tenant in self.tenants().all() {
            let tally = tenant.engine().tally().await?;
            queued += tally
                .iter()
                .filter(|(state, _)| *state == RunState::Ready)
                .map(|(_, runs)| runs)
                .sum::<u64>();
        }
        self.0.queued.store(queued, Ordering::Relaxed);
        Ok(())
    }

    /// A place for a stream, for as long as it is held. Fails with [`Code::Overloaded`] where there is none.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.0.streams).try_acquire_owned().map_err(|_| {
            Error::new(Code::Overloaded, "as many streams are open as the service has places for")
        })
    }

    /// The responses that go on without their clients.
    pub(crate) fn background(&self) -> &Background {
        &self.0.background
    }

    /// How many streams are open.
    pub(crate) fn streams(&self) -> usize {
        most_streams(self.settings()).saturating_sub(self.0.streams.available_permits())
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The largest body that is taken where an operation says nothing, in bytes.
    pub(crate) fn largest_body(&self) -> usize {
        self.0.settings.largest_body
    }

    /// Cancelled when the service is about to stop: it takes what comes, but who can is to ask elsewhere.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.0.leaving
    }

    /// Cancelled when nothing new is begun any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    pub(crate) fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }
}

/// Somebody of whom policies are told what they may ask, of all that the identity provider says.
fn known(who: &Who, adjutant: &Adjutant) -> Result<Who> {
    let mut who = who.clone();
    match adjutant.project().policies()? {
        Some(policies) => who.claims.retain(|name, value| policies.schema().check_claim(name, value).is_ok()),
        None => who.claims.clear(),
    }
    Ok(who)
}

fn most_streams(settings: &Settings) -> usize {
    settings.most_streams.min(Semaphore::MAX_PERMITS)
}

/// Whether an error says that a credential is bad, and not that it could not be looked at.
fn is_a_bad_credential(error: &Error) -> bool {
    matches!(error.code(), Code::KeyRefused | Code::Unauthenticated)
}

/// Fails with [`Code::Forbidden`] unless the request is for this machine by its own name, and no page of another site makes it. A page
/// whose name was made to lead here asks for its own name, and would else be let in as everybody is.
fn is_of_this_machine(headers: &http::HeaderMap, asked: Option<&str>) -> Result<()> {
    let is_own = |host: &str| {
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        matches!(port.map_or(host, |(name, _)| name), "localhost" | "127.0.0.1" | "[::1]")
    };
    let text = |name: http::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // HTTP/2 has it in the address instead; a browser always says it in one of them.
    let hosts = [text(http::header::HOST), asked];
    let host = hosts.iter().any(Option::is_some) && hosts.into_iter().flatten().all(is_own);
    let origin = text(http::header::ORIGIN).is_none_or(|origin| {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        is_own(host)
    });
    if host && origin {
        return Ok(());
    }
    Err(Error::new(
        Code::Forbidden,
        "without a key this service is asked from its own machine, by the name `localhost`",
    )
    .with_help("send a key of `adjutant keys create`: `Authorization: Bearer KEY`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_only_pages_of_this_machine_ask() {
        let asked = |host: &str, origin: Option<&str>| {
            let mut headers = http::HeaderMap::new();
            headers.insert(http::header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(http::header::ORIGIN, origin.parse().unwrap());
            }
            is_of_this_machine(&headers, None).is_ok()
        };
        let none = http::HeaderMap::new();
        assert!(is_of_this_machine(&none, Some("localhost")).is_ok());
        assert!(is_of_this_machine(&none, Some("evil.example")).is_err());
        assert!(is_of_this_machine(&none, None).is_err(), "it says nowhere whom it asks");
        for host in ["localhost", "localhost:8642", "127.0.0.1:8642", "[::1]:8642", "[::1]"] {
            assert!(asked(host, None), "{host}");
        }
        assert!(asked("localhost:1", Some("http://localhost:3000")));
        for (host, origin) in [
            ("evil.example:8642", None),
            ("localhost:8642", Some("http://evil.example")),
            ("localhost:8642", Some("null")),
            ("localhost.evil.example", None),
        ] {
            assert!(!asked(host, origin), "{host} {origin:?}");
        }
    }
}
