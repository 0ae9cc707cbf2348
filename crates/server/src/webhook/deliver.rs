//! Addresses are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use adjutant::Adjutant;
use adjutant::durable::{Act, Recorded};
use adjutant::project::OutgoingWebhook;
use adjutant::tool::hook::Webhook;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::happening::Happening;
use super::place::{Failing, Held, name};
use super::stories::Stories;
use crate::service::Service;

/// How often it is looked which addresses there are.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait where there is nothing to tell.
const IDLE: Duration = Duration::from_millis(250);
/// How long to wait where another process tells an address, or the store fails.
const ASIDE: Duration = Duration::from_secs(5);
/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(600);
/// How much is read at a time.
const AT_ONCE: usize = 64;

/// Tells the addresses of every tenant, until the service stops.
pub(crate) async fn tell(service: Service) {
    let (mut tasks, mut running) = (JoinSet::new(), HashMap::<(Arc<str>, String), CancellationToken>::new());
    while !service.draining().is_cancelled() {
        let mut wanted = Vec::new();
        for adjutant in service.tenants().all() {
            let hooks = adjutant.project().settings().server.webhooks.clone();
            wanted.extend(hooks.into_iter().map(|hook| (adjutant.clone(), hook)));
        }
        let of = |adjutant: &Adjutant, hook: &OutgoingWebhook| {
            (Arc::clone(&adjutant.scope().tenant), format!("{hook:?}"))
        };
        running.retain(|key, stop| {
            let stays = wanted.iter().any(|(adjutant, hook)| of(adjutant, hook) == *key);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for (adjutant, hook) in wanted {
            running.entry(of(&adjutant, &hook)).or_insert_with(|| {
                let stop = service.draining().child_token();
                tasks.spawn(Teller::new(adjutant, hook, stop.clone()).run());
                stop
            });
        }
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = service.draining().cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Tells one address of one tenant.
struct Teller {
    adjutant: Adjutant,
    hook: OutgoingWebhook,
    stop: CancellationToken,
    stories: Stories,
}

impl Teller {
    fn new(adjutant: Adjutant, hook: OutgoingWebhook, stop: CancellationToken) -> Self {
        Self { adjutant, hook, stop, stories: Stories::default() }
    }

    async fn run(mut self) {
        let Ok(holder) = self.adjutant.gateway().id() else { return };
        while !self.stop.is_cancelled() {
            let taken = Held::take(self.adjutant.engine().as_ref(), name(&self.hook), &holder, now()).await;
            if let Ok(Some(mut held)) = taken {
                // Whatever fails here is of the store, or another process has taken over: it begins anew.
                match self.tell_on(&mut held).await {
                    Ok(()) => drop(held.let_go(self.adjutant.engine().as_ref()).await),
                    // What was read and not told is read again, by whoever goes on from the place.
                    Err(_) => self.stories = Stories::default(),
                }
            }
            self.wait(ASIDE).await;
        }
    }

    /// Tells what comes, for as long as the place is held.
    async fn tell_on(&mut self, held: &mut Held) -> Result<()> {
        let engine = Arc::clone(self.adjutant.engine());
        while !self.stop.is_cancelled() {
            let batch = engine.recorded(held.place.at, AT_ONCE).await?;
            if batch.is_empty() {
                if held.is_old(now()) {
                    held.keep(engine.as_ref(), now()).await?;
                }
                self.wait(IDLE).await;
                continue;
            }
            for recorded in &batch {
                let told = self.tell_of(held, recorded).await?;
                if self.stop.is_cancelled() {
                    break;
                }
                (held.place.at, held.place.failing) = (recorded.place, None);
                if told > 0 || held.is_old(now()) {
                    held.keep(engine.as_ref(), now()).await?;
                }
            }
            held.keep(engine.as_ref(), now()).await?;
        }
        Ok(())
    }

    /// Tells what a batch of records means. Returns how much of it was told.
    async fn tell_of(&mut self, held: &mut Held, recorded: &Recorded) -> Result<usize> {
        let events = self.stories.read(&self.adjutant, recorded).await?;
        let mut told = 0;
        for (number, event) in events {
            let info = match self.adjutant.engine().info(&recorded.run).await {
                Ok(info) => info,
                Err(error) if error.code() == Code::NotFound => return Ok(told),
                Err(error) => return Err(error),
            };
            let tenant = Arc::clone(&self.adjutant.scope().tenant);
            let Some(happening) = Happening::of(&tenant, &info, &event) else { continue };
            let is_wanted =
                self.hook.events.is_empty() || self.hook.events.iter().any(|kind| kind == happening.kind());
            if !is_wanted {
                continue;
            }
            let body = serde_json::to_string(&happening).map_err(|error| {
                Error::new(Code::Internal, "an event cannot be written").caused_by(&error)
            })?;
            let id = format!("{}.{}.{number}", recorded.run, event.offset.unwrap_or(recorded.first));
            self.insist(held, &id, event.at, &body).await?;
            told += 1;
        }
        Ok(told)
    }

    /// Tells it until the address has taken it, it was tried for too long, or the service stops.
    async fn insist(&self, held: &mut Held, id: &str, at: Timestamp, body: &str) -> Result<()> {
        let engine = self.adjutant.engine();
        let mut wait = Duration::from_secs(1);
        while !self.stop.is_cancelled() {
            let Err(error) = self.send(id, body).await else { return Ok(()) };
            let failing = Failing::after(held.place.failing.take(), &error, now());
            if failing.is_hopeless(self.hook.give_up_after, now()) {
                let what =
                    serde_json::json!({ "id": id, "at": at, "tries": failing.tries, "why": failing.why });
                return engine
                    .administer(
                        Act::new("adjutant", "webhook.given_up", name(&self.hook), now()).with(what.into()),
                    )
                    .await;
            }
            held.place.failing = Some(failing);
            held.keep(engine.as_ref(), now()).await?;
            let mut rest = error.retry_after().unwrap_or(wait).min(LONGEST);
            while !rest.is_zero() && !self.stop.is_cancelled() {
                // The place is held while it is waited, too.
                let some = rest.min(ASIDE);
                self.wait(some).await;
                rest -= some;
                if held.is_old(now()) {
                    held.keep(engine.as_ref(), now()).await?;
                }
            }
            wait = (wait * 2).min(LONGEST);
        }
        Ok(())
    }

    async fn send(&self, id: &str, body: &str) -> Result<()> {
        let secret = self.adjutant.project().secrets().get(&self.hook.secret)?;
        Webhook::new(self.hook.url.clone(), self.hook.private)?
            .send(id, now(), body.to_owned(), Some(&secret))
            .await
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

fn now() -> Timestamp {
    adjutant::SystemClock.now()
}
