//! What the promises are tried with: code for runs, effects that are counted and held up, and patience.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::{Harness, Instance};
use crate::admission::Admission;
use crate::ctx::Ctx;
use crate::engine::{Engine, Host, Program, RunInfo, RunState};
use crate::mail::{Letter, Mail, Resolution};
use crate::operation::Effects;
use crate::record::{Outcome, Record};
use crate::work::work;

/// How long something that must happen may take, in real time.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long something that must not happen is waited for, in real time.
const DOUBT: Duration = Duration::from_millis(150);

/// The one function that is the code of every run of a host.
struct Function<F>(Arc<F>);

impl<F, R> Host for Function<F>
where
    F: Fn(Ctx, Admission, Option<Json>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let (function, admission) = (Arc::clone(&self.0), admission.clone());
        let program: Program = Arc::new(move |ctx, state| function(ctx, admission.clone(), state).boxed());
        Box::pin(async move { Ok(program) })
    }
}

/// A host whose runs all have this code.
pub(super) fn host<F, R>(function: F) -> Arc<dyn Host>
where
    F: Fn(Ctx, Admission, Option<Json>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Arc::new(Function(Arc::new(function)))
}

/// A host whose runs end with what they were given.
pub(super) fn echo() -> Arc<dyn Host> {
    host(|_, admission, _| async move { Ok(admission.input) })
}

/// A host whose runs wait for the signal `go` and end with its answer.
pub(super) fn asking() -> Arc<dyn Host> {
    host(|ctx, _, _| async move { ctx.signal("go", Json::null()).await })
}

/// Counts what effects do, and can hold them up.
#[derive(Clone)]
pub(super) struct Outside {
    done: Arc<Mutex<HashMap<Arc<str>, u32>>>,
    /// How many executions are let through.
    most: Arc<watch::Sender<u32>>,
}

impl Outside {
    /// Where effects run through.
    pub(super) fn new() -> Self {
        Self { done: Arc::default(), most: Arc::new(watch::channel(u32::MAX).0) }
    }

    /// Where effects are counted and then wait until it is opened.
    pub(super) fn shut() -> Self {
        let outside = Self::new();
        outside.allow(0);
        outside
    }

    pub(super) fn open(&self) {
        self.allow(u32::MAX);
    }

    /// Lets so many executions through in all; those after them are counted and then wait.
    pub(super) fn allow(&self, most: u32) {
        self.most.send_replace(most);
    }

    /// Does something once more under a key.
    pub(super) async fn execute(&self, key: &Arc<str>) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner).entry(Arc::clone(key)).or_default() += 1;
        let total = self.total();
        // The sender lives in this value.
        let _ = self.most.subscribe().wait_for(|most| total <= *most).await;
    }

    /// How often each thing was done.
    pub(super) fn counts(&self) -> Vec<u32> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
    }

    pub(super) fn total(&self) -> u32 {
        self.counts().iter().sum()
    }

    /// Waits until so much was done in all.
    pub(super) async fn until(&self, total: u32) -> Result<()> {
        eventually(&format!("{total} executions"), async || {
            let done = self.total();
            Ok((done >= total, format!("{done}")))
        })
        .await
    }

    /// An effect that is counted, and answers with a number.
    pub(super) async fn call(&self, ctx: &Ctx, name: &str, effects: Effects, answer: u64) -> Result<u64> {
        let outside = self.clone();
        let errand = work(move |attempt| {
            let outside = outside.clone();
            async move {
                outside.execute(&attempt.idempotency_key).await;
                Json::of(&answer)
            }
        });
        ctx.effect(name, effects, Json::null(), errand).await?.to()
    }
}

/// An instance for the usual tenant and project.
pub(super) async fn open<H: Harness>(harness: &H) -> Result<H::Instance> {
    harness.open(Scope::default()).await
}

/// An instance that serves.
pub(super) async fn serve<H: Harness>(harness: &H, host: Arc<dyn Host>) -> Result<H::Instance> {
    let instance = open(harness).await?;
    instance.serve(host);
    Ok(instance)
}

/// The id of a run by a name.
pub(super) fn run_id(name: &str) -> RunId {
    let mut bytes = [0; 10];
    bytes.iter_mut().zip(Digest::of(name.as_bytes()).as_bytes()).for_each(|(to, from)| *to = *from);
    RunId::from_bytes(bytes)
}

/// An admission whose definition is kept.
pub(super) async fn admission(engine: &dyn Engine, name: &str, input: Json) -> Result<Admission> {
    let definition = engine.put_definition(Json::of("probe")?).await?;
    Ok(Admission::new(run_id(name), name, "probe", definition, input))
}

/// Starts a run with nothing special about it.
pub(super) async fn start(engine: &dyn Engine, name: &str, input: Json) -> Result<RunId> {
    let admission = admission(engine, name, input).await?;
    Ok(engine.start(admission).await?.run)
}

pub(super) async fn signal<T: serde::Serialize>(
    engine: &dyn Engine,
    run: &RunId,
    id: &str,
    payload: T,
) -> Result<()> {
    let letter = Letter::Signal { name: "go".to_owned(), payload: Json::of(&payload)? };
    engine.send(run, Mail::new(id, letter)).await.map(drop)
}

pub(super) async fn cancel(engine: &dyn Engine, run: &RunId) -> Result<()> {
    engine.send(run, Mail::new("cancel", Letter::Cancel { reason: "enough".to_owned() })).await.map(drop)
}

pub(super) async fn resolve(
    engine: &dyn Engine,
    run: &RunId,
    key: &StepKey,
    resolution: Resolution,
) -> Result<()> {
    engine.send(run, Mail::new("resolve", Letter::Resolve { key: key.clone(), resolution })).await.map(drop)
}

/// Waits until a run stands so.
pub(super) async fn until(engine: &dyn Engine, run: &RunId, state: RunState) -> Result<RunInfo> {
    eventually(&format!("the run is {}", state.as_str()), async || {
        let info = engine.info(run).await?;
        Ok((info.state == state, format!("{info:?}")))
    })
    .await?;
    engine.info(run).await
}

/// Waits until a run is over, and says what came of it.
pub(super) async fn outcome(engine: &dyn Engine, run: &RunId) -> Result<Outcome> {
    let info = until(engine, run, RunState::Ended).await?;
    info.outcome.ok_or_else(|| broken("an ended run has no outcome"))
}

/// Waits until a run is over, and checks what came of it.
pub(super) async fn ends_with<T: serde::Serialize>(engine: &dyn Engine, run: &RunId, value: T) -> Result<()> {
    same("the outcome", outcome(engine, run).await?, Json::of(&value))
}

/// Checks that a run stands so, also a little later.
pub(super) async fn stays(engine: &dyn Engine, run: &RunId, state: RunState) -> Result<()> {
    tokio::time::sleep(DOUBT).await;
    same("the state", engine.info(run).await?.state, state)
}

/// The records of a run that say something.
pub(super) async fn records(
    engine: &dyn Engine,
    run: &RunId,
    says: impl Fn(&Record) -> bool,
) -> Result<usize> {
    Ok(engine.history(run, 0).await?.iter().filter(|record| says(record)).count())
}

/// Waits until something holds; what is seen instead is told when patience ends.
pub(super) async fn eventually(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<(bool, String)>,
) -> Result<()> {
    let begin = std::time::Instant::now();
    loop {
        let (holds, seen) = look().await?;
        if holds {
            return Ok(());
        }
        if begin.elapsed() > PATIENCE {
            return Err(broken(&format!("waited in vain: {what}; there is {seen}")));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what is compared is mostly made for it")]
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should_be: T) -> Result<()> {
    check(is == should_be, || format!("{what} is {is:?} and should be {should_be:?}"))
}

pub(super) fn check(holds: bool, message: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(broken(&message())) }
}

/// Checks that something fails, and how.
pub(super) fn fails<T: std::fmt::Debug>(result: Result<T>, code: Code) -> Result<()> {
    match result {
        Err(error) if error.code() == code => Ok(()),
        other => Err(broken(&format!("it should fail with {code}, and gave {other:?}"))),
    }
}

pub(super) fn broken(message: &str) -> Error {
    Error::new(Code::Internal, message)
}
