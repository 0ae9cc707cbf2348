//! The engine of one tenant and project.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{
    Act, Admission, Admitted, Advance, Amount, Asking, Changed, Conversation, Cursor, Document, Draft,
    Engine, Expected, Fired, Firing, Fork, Forked, Grant, Host, Link, Mail, Observed, Occurrence, Page,
    Record, Recorded, Revoked, RunFilter, RunInfo, RunState, Serve, Spending, Verified, Verify, Version,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::chain::Chain;
use crate::connection::fault;
use crate::day::Day;
use crate::store::{Daily, Inner};
use crate::watcher::{LOOK, Watcher};
use crate::worker::Service;
use crate::{
    audit, chain, claim, deeds, document, erase, fork, grant, listing, query, spending, trigger, version,
};

/// Runs of one tenant and project on SQLite.
pub(crate) struct SqliteEngine {
    store: Arc<Inner>,
    scope: Scope,
    /// What all runs may take on one day.
    daily: Daily,
}

impl SqliteEngine {
    pub(crate) fn new(store: Arc<Inner>, scope: Scope, daily: Daily) -> Self {
        Self { store, scope, daily }
    }
}

impl Engine for SqliteEngine {
    fn start(&self, admission: Admission) -> BoxFuture<'_, Result<Admitted>> {
        let (scope, now, daily) = (self.scope.clone(), self.store.options.clock.now(), self.daily.get());
        Box::pin(async move {
            let run = admission.run.clone();
            let admit = move |connection: &Connection| {
                let admitted = claim::admit(connection, &scope, &admission, now)?;
                if let (Some(daily), (_, true)) = (daily, admitted) {
                    Day { scope: &scope, at: now }.check(connection, daily)?;
                }
                Ok(admitted)
            };
            let (_, new) = self.store.writer.call(admit).await?;
            self.store.wake_workers();
            Ok(Admitted { run, new })
        })
    }

    fn send<'a>(&'a self, run: &'a RunId, mail: Mail) -> BoxFuture<'a, Result<bool>> {
        let (scope, to, now) = (self.scope.clone(), run.clone(), self.store.options.clock.now());
        // What comes from outside never has the id of what one run sends another.
        let mail = Mail { id: format!("outside:{}", mail.id), ..mail };
        Box::pin(async move {
            let post = move |connection: &Connection| {
                let new = claim::post(connection, &scope, &to, &mail, now)?;
                if let (true, Some(deed)) = (new, mail.deed) {
                    deeds::record(connection, &scope, &to, deed, now)?;
                }
                Ok(new)
            };
            let new = self.store.writer.call(post).await?;
            self.store.ring(&self.scope, run);
            self.store.wake_workers();
            Ok(new)
        })
    }

    fn fork(&self, fork: Fork) -> BoxFuture<'_, Result<Forked>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        Box::pin(async move {
            let forked =
                self.store.writer.call(move |connection| fork::fork(connection, &scope, &fork, now)).await?;
            self.store.wake_workers();
            Ok(forked)
        })
    }

    fn info<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<RunInfo>> {
        let (scope, run) = (self.scope.clone(), run.clone());
        Box::pin(
            async move { self.store.read(move |connection| query::info(connection, &scope, &run)).await },
        )
    }

    fn history<'a>(&'a self, run: &'a RunId, from: u64) -> BoxFuture<'a, Result<Vec<Record>>> {
        let (scope, run) = (self.scope.clone(), run.clone());
        Box::pin(async move {
            self.store.read(move |connection| fork::history(connection, &scope, &run, from)).await
        })
    }

    fn watch(&self, run: &RunId, from: u64) -> BoxStream<'static, Result<Observed>> {
        let watcher = Watcher::new(Arc::clone(&self.store), self.scope.clone(), run.clone(), from);
        stream::unfold(watcher, Watcher::step).boxed()
    }

    fn states(&self, run: &RunId) -> BoxStream<'static, Result<RunState>> {
        let bell = self.store.bell(&self.scope, run);
        let standing = Standing {
            store: Arc::clone(&self.store),
            scope: self.scope.clone(),
            run: run.clone(),
            changed: bell.states(),
            _bell: bell,
            state: None,
        };
        stream::unfold(standing, Standing::step).boxed()
    }

    fn serve(
        &self,
        host: Arc<dyn Host>,
        what: Serve,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<()>> {
        let (store, scope, daily) = (Arc::clone(&self.store), self.scope.clone(), self.daily.clone());
        let service = Service { store, scope, daily, host, what, stop };
        Box::pin(service.run())
    }

    fn put_definition(&self, definition: Json) -> BoxFuture<'_, Result<Digest>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        let digest = Digest::of(definition.as_str().as_bytes());
        Box::pin(async move {
            self.store
                .writer
                .call(move |connection| {
                    connection
                        .prepare_cached(
                            "INSERT INTO definitions (tenant, project, digest, text, put) VALUES (?1, ?2, ?3, ?4, ?5)
                             ON CONFLICT DO UPDATE SET put = excluded.put",
                        )
                        .and_then(|mut insert| {
                            insert.execute(params![
                                scope.tenant,
                                scope.project,
                                digest.as_bytes(),
                                definition.as_str(),
                                now.0
                            ])
                        })
                        .map(|_| digest)
                        .map_err(fault)
                })
                .await
        })
    }

    fn definition(&self, digest: Digest) -> BoxFuture<'_, Result<Json>> {
        let scope = self.scope.clone();
        Box::pin(async move {
            self.store
                .read(move |connection| {
                    let text: Option<String> = connection
                        .prepare_cached(
                            "SELECT text FROM definitions WHERE tenant = ?1 AND project = ?2 AND digest = ?3",
                        )
                        .and_then(|mut select| {
                            select
                                .query_row(params![scope.tenant, scope.project, digest.as_bytes()], |row| {
                                    row.get(0)
                                })
                                .optional()
                        })
                        .map_err(fault)?;
                    let text = text.ok_or_else(|| {
                        Error::new(
                            Code::RunDefinitionMissing,
                            format!("there is no definition `{}`", digest.short()),
                        )
                    })?;
                    Json::parse(&text)
                })
                .await
        })
    }

    fn turns<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<RunInfo>>> {
        let (scope, session) = (self.scope.clone(), session.clone());
        Box::pin(async move {
            self.store.read(move |connection| query::turns(connection, &scope, &session)).await
        })
    }

    fn runs(&self, most: usize) -> BoxFuture<'_, Result<Vec<RunInfo>>> {
        let scope = self.scope.clone();
        Box::pin(
            async move { self.store.read(move |connection| query::newest(connection, &scope, most)).await },
        )
    }

    fn list_runs(
        &self,
        filter: RunFilter,
        after: Option<Cursor>,
        most: usize,
    ) -> BoxFuture<'_, Result<Page<RunInfo>>> {
        let scope = self.scope.clone();
        Box::pin(
            self.store
                .read(move |connection| listing::runs(connection, &scope, &filter, after.as_ref(), most)),
        )
    }

    fn list_sessions<'a>(
        &'a self,
        user: Option<&'a str>,
        after: Option<Cursor>,
        most: usize,
    ) -> BoxFuture<'a, Result<Page<Conversation>>> {
        let (scope, user) = (self.scope.clone(), user.map(str::to_owned));
        Box::pin(self.store.read(move |connection| {
            listing::sessions(connection, &scope, user.as_deref(), after.as_ref(), most)
        }))
    }

    fn beginning<'a>(&'a self, prefix: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<RunInfo>>> {
        let (scope, prefix) = (self.scope.clone(), prefix.to_owned());
        Box::pin(self.store.read(move |connection| listing::beginning(connection, &scope, &prefix, most)))
    }

    fn tally(&self) -> BoxFuture<'_, Result<Vec<(RunState, u64)>>> {
        let scope = self.scope.clone();
        Box::pin(async move { self.store.read(move |connection| query::tally(connection, &scope)).await })
    }

    fn asking<'a>(&'a self, prefix: &'a str, run: Option<&'a RunId>) -> BoxFuture<'a, Result<Vec<Asking>>> {
        let (scope, prefix, run) = (self.scope.clone(), prefix.to_owned(), run.cloned());
        Box::pin(async move {
            self.store.read(move |connection| query::asking(connection, &scope, &prefix, run.as_ref())).await
        })
    }

    fn grant(&self, grant: Grant) -> BoxFuture<'_, Result<bool>> {
        let scope = self.scope.clone();
        Box::pin(async move {
            self.store.writer.call(move |connection| grant::put(connection, &scope, &grant)).await
        })
    }

    fn grants<'a>(&'a self, tool: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Grant>>> {
        let (scope, tool) = (self.scope.clone(), tool.map(str::to_owned));
        Box::pin(async move {
            self.store.read(move |connection| grant::list(connection, &scope, tool.as_deref())).await
        })
    }

    fn revoke<'a>(&'a self, id: &'a str, revoked: Revoked) -> BoxFuture<'a, Result<Grant>> {
        let (scope, id) = (self.scope.clone(), id.to_owned());
        Box::pin(async move {
            self.store.writer.call(move |connection| grant::revoke(connection, &scope, &id, &revoked)).await
        })
    }

    fn publish(&self, version: Version) -> BoxFuture<'_, Result<bool>> {
        let scope = self.scope.clone();
        Box::pin(async move {
            self.store.writer.call(move |connection| version::publish(connection, &scope, &version)).await
        })
    }

    fn versions<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Version>>> {
        let (scope, name) = (self.scope.clone(), name.map(str::to_owned));
        Box::pin(async move {
            self.store.read(move |connection| version::list(connection, &scope, name.as_deref())).await
        })
    }

    fn relabel(&self, changed: Changed) -> BoxFuture<'_, Result<()>> {
        let scope = self.scope.clone();
        Box::pin(async move {
            self.store.writer.call(move |connection| version::relabel(connection, &scope, &changed)).await
        })
    }

    fn label_changes<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Changed>>> {
        let (scope, name) = (self.scope.clone(), name.map(str::to_owned));
        Box::pin(async move {
            self.store.read(move |connection| version::changes(connection, &scope, name.as_deref())).await
        })
    }

    fn since<'a>(
        &'a self,
        trigger: &'a str,
        schedule: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Timestamp>> {
        let (scope, name, schedule) = (self.scope.clone(), trigger.to_owned(), schedule.to_owned());
        Box::pin(async move {
            let since =
                move |connection: &Connection| trigger::since(connection, &scope, &name, &schedule, now);
            self.store.writer.call(since).await
        })
    }

    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<Fired>> {
        let (scope, now, daily) = (self.scope.clone(), self.store.options.clock.now(), self.daily.get());
        Box::pin(async move {
            let fire = move |connection: &Connection| {
                let fired = trigger::fire(connection, &scope, &firing, now)?;
                if let (Some(daily), Fired::Recorded, Some(_)) = (daily, &fired, &firing.admission) {
                    Day { scope: &scope, at: now }.check(connection, daily)?;
                }
                Ok(fired)
            };
            let fired = self.store.writer.call(fire).await?;
            self.store.wake_workers();
            Ok(fired)
        })
    }

    fn occurrences<'a>(
        &'a self,
        trigger: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Occurrence>>> {
        let (scope, name) = (self.scope.clone(), trigger.map(str::to_owned));
        Box::pin(async move {
            self.store.read(move |connection| trigger::list(connection, &scope, name.as_deref(), most)).await
        })
    }

    fn put_document(&self, draft: Draft) -> BoxFuture<'_, Result<u64>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        Box::pin(self.store.writer.call(move |connection| document::put(connection, &scope, &draft, now)))
    }

    fn document<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Document>>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        let (kind, key) = (kind.to_owned(), key.to_owned());
        Box::pin(self.store.read(move |connection| document::find(connection, &scope, &kind, &key, now)))
    }

    fn documents<'a>(
        &'a self,
        kind: &'a str,
        prefix: &'a str,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Document>>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        let (kind, prefix, after) = (kind.to_owned(), prefix.to_owned(), after.map(str::to_owned));
        Box::pin(self.store.read(move |connection| {
            document::list(connection, &scope, (&kind, &prefix, after.as_deref()), most, now)
        }))
    }

    fn delete_document<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<bool>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        let (kind, key) = (kind.to_owned(), key.to_owned());
        Box::pin(
            self.store
                .writer
                .call(move |connection| document::delete(connection, &scope, (&kind, &key), expected, now)),
        )
    }

    fn advance(&self, least: Amount, most: Amount) -> BoxFuture<'_, Result<Advance>> {
        let (scope, at, limit) = (self.scope.clone(), self.store.options.clock.now(), self.daily.get());
        Box::pin(
            self.store
                .writer
                .call(move |connection| Day { scope: &scope, at }.advance(connection, limit, (least, most))),
        )
    }

    fn settle(&self, rest: Advance, beyond: Amount) -> BoxFuture<'_, Result<()>> {
        let scope = self.scope.clone();
        Box::pin(self.store.writer.call(move |connection| {
            let at = Day::begins(rest.day);
            Day { scope: &scope, at }.give_back(connection, rest.amount, beyond)
        }))
    }

    fn spending(&self, from: i64, until: i64) -> BoxFuture<'_, Result<Vec<Spending>>> {
        let scope = self.scope.clone();
        Box::pin(self.store.read(move |connection| spending::list(connection, &scope, (from, until))))
    }

    fn prune<'a>(&'a self, keep: Duration, by: &'a str) -> BoxFuture<'a, Result<u64>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        Box::pin(async move {
            let mut gone = 0;
            loop {
                let (scope, by) = (scope.clone(), by.to_owned());
                let prune = move |connection: &Connection| erase::prune(connection, &scope, (now, keep), &by);
                match self.store.writer.call(prune).await? {
                    0 => return Ok(gone),
                    some => gone += some,
                }
            }
        })
    }

    fn erase_user<'a>(&'a self, user: &'a str, by: &'a str) -> BoxFuture<'a, Result<u64>> {
        let (scope, now) = (self.scope.clone(), self.store.options.clock.now());
        let (user, by) = (user.to_owned(), by.to_owned());
        Box::pin(async move {
            let gone = self
                .store
                .writer
                .call(move |connection| erase::user(connection, &scope, &user, (now, &by)))
                .await?;
            self.store.writer.checkpoint().await?;
            Ok(gone)
        })
    }

    fn administer(&self, act: Act) -> BoxFuture<'_, Result<()>> {
        let scope = self.scope.clone();
        Box::pin(self.store.writer.call(move |connection| chain::act(connection, &scope, &act)))
    }

    fn links(
        &self,
        before: Option<u64>,
        most: usize,
        effects: &'static [&'static str],
    ) -> BoxFuture<'_, Result<Vec<Link>>> {
        let scope = self.scope.clone();
        Box::pin(self.store.read(move |connection| audit::links(connection, &scope, before, most, effects)))
    }

    fn recorded(&self, after: u64, most: usize) -> BoxFuture<'_, Result<Vec<Recorded>>> {
        let scope = self.scope.clone();
        Box::pin(self.store.read(move |connection| audit::recorded(connection, &scope, after, most)))
    }

    fn recorded_until(&self) -> BoxFuture<'_, Result<u64>> {
        let scope = self.scope.clone();
        Box::pin(
            self.store
                .read(move |connection| Ok(Chain::find(connection, &scope)?.map_or(0, |chain| chain.last))),
        )
    }

    fn verify(&self, verify: Verify) -> BoxFuture<'_, Result<Verified>> {
        let scope = self.scope.clone();
        Box::pin(self.store.read(move |connection| audit::verify(connection, &scope, verify)))
    }
}

/// One who only wants to know how a run stands.
struct Standing {
    store: Arc<Inner>,
    scope: Scope,
    run: RunId,
    changed: watch::Receiver<u64>,
    _bell: Arc<crate::store::Bell>,
    state: Option<RunState>,
}

impl Standing {
    async fn step(mut self) -> Option<(Result<RunState>, Self)> {
        if self.state == Some(RunState::Ended) {
            return None;
        }
        loop {
            self.changed.mark_unchanged();
            let (scope, run) = (self.scope.clone(), self.run.clone());
            let look = move |connection: &Connection| {
                query::state_of(connection, claim::row_of(connection, &scope, &run)?)
            };
            match self.store.read(look).await {
                Ok(state) if self.state == Some(state) => {}
                Ok(state) => {
                    self.state = Some(state);
                    return Some((Ok(state), self));
                }
                Err(error) => {
                    self.state = Some(RunState::Ended);
                    return Some((Err(error), self));
                }
            }
            tokio::select! {
                _ = self.changed.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}
