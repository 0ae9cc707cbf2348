//! The embedded engine, from outside.
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{
    Admission, Ctx, Effects, Engine, Entry, Host, Letter, Mail, Observed, Outcome, Program, Resolution,
    RunState, Serve, work,
};
use adjutant_store::{Options, Store};
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// A host with one program.
struct OneProgram(Program);

impl Host for OneProgram {
    fn program<'a>(&'a self, _: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let program = Arc::clone(&self.0);
        Box::pin(async move { Ok(program) })
    }
}

fn host<F, R>(code: F) -> Arc<dyn Host>
where
    F: Fn(Ctx, Option<Json>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Arc::new(OneProgram(Arc::new(move |ctx, state| Box::pin(code(ctx, state)))))
}

fn run_id(text: &str) -> RunId {
    RunId::new(format!("{text:0>16}"))
}

async fn start(engine: &Arc<dyn Engine>, id: &str) -> RunId {
    let definition = Digest::of(b"none");
    let admitted =
        engine.start(Admission::new(run_id(id), "test", "test", definition, Json::null())).await.unwrap();
    admitted.run
}

async fn until(engine: &Arc<dyn Engine>, run: &RunId, state: RunState) -> adjutant_durable::RunInfo {
    for _ in 0..500 {
        let info = engine.info(run).await.unwrap();
        if info.state == state {
            return info;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still {:?}", engine.info(run).await.unwrap());
}

struct Serving {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

fn serve(engine: &Arc<dyn Engine>, host: Arc<dyn Host>) -> Serving {
    let stop = CancellationToken::new();
    Serving { task: tokio::spawn(engine.serve(host, Serve::All, stop.clone())), stop }
}

impl Serving {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// As if the process had died.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn open(folder: &tempfile::TempDir) -> Arc<dyn Engine> {
    Store::open(folder.path().join("a.db"), Options::default()).unwrap().engine(Scope::default())
}

async fn echo(ctx: &Ctx, text: &str) -> Result<String> {
    let value = Json::of(text)?;
    let reply = value.clone();
    let done = ctx.effect(
        "echo",
        Effects::pure(),
        value,
        work(move |_| {
            let reply = reply.clone();
            async move { Ok(reply) }
        }),
    );
    done.await?.to()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_with_what_its_code_returns() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let serving = serve(
        &engine,
        host(|ctx, _| async move {
            let (a, b) = (ctx.scope("a"), ctx.scope("b"));
            let (a, b) = futures::join!(echo(&a, "one"), echo(&b, "two"));
            Json::of(&format!("{} {}", a?, b?))
        }),
    );
    let run = start(&engine, "1").await;
    let observed: Vec<_> = engine.watch(&run, 0).map(Result::unwrap).collect().await;
    let info = until(&engine, &run, RunState::Ended).await;
    assert_eq!(info.outcome.unwrap().unwrap().as_str(), "\"one two\"");
    let history = engine.history(&run, 0).await.unwrap();
    let seen = observed.iter().filter(|observed| matches!(observed, Observed::Record(_))).count();
    assert_eq!(seen, history.len());
    assert!(history.iter().enumerate().all(|(index, record)| record.offset == index as u64));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_outlives_its_process_and_is_woken_by_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let code = || {
        let calls = Arc::clone(&calls);
        host(move |ctx, _| {
            let calls = Arc::clone(&calls);
            async move {
                let count = work(move |_| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    async { Ok(Json::null()) }
                });
                ctx.effect("pay", Effects::new(Effect::AtMostOnce), Json::null(), count).await?;
                ctx.signal("go", Json::of("may I?")?).await
            }
        })
    };
    let engine = open(&folder);
    let serving = serve(&engine, code());
    let run = start(&engine, "1").await;
    until(&engine, &run, RunState::Waiting).await;
    serving.kill().await;
    drop(engine);

    let engine = open(&folder);
    let serving = serve(&engine, code());
    let letter = Letter::Signal { name: "go".into(), payload: Json::of("yes").unwrap() };
    engine.send(&run, Mail::new("1", letter.clone())).await.unwrap();
    let info = until(&engine, &run, RunState::Ended).await;
    assert_eq!(info.outcome.unwrap().unwrap().as_str(), "\"yes\"");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let error = engine.send(&run, Mail::new("2", letter)).await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_whose_answer_is_lost_waits_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let code = || {
        let calls = Arc::clone(&calls);
        host(move |ctx, _| {
            let calls = Arc::clone(&calls);
            async move {
                let pay = work(move |_| {
                    let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
                    async move { if first { std::future::pending().await } else { Json::of("again") } }
                });
                ctx.effect("pay", Effects::new(Effect::AtMostOnce), Json::null(), pay).await
            }
        })
    };
    for (id, resolution, expected) in [
        ("1", Resolution::Happened(Json::of("paid").unwrap()), Ok("\"paid\"")),
        ("2", Resolution::Retry, Ok("\"again\"")),
        ("3", Resolution::Abort, Err(Code::RunCancelled)),
    ] {
        calls.store(0, Ordering::SeqCst);
        let engine = open(&folder);
        let serving = serve(&engine, code());
        let run = start(&engine, id).await;
        while calls.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        serving.kill().await;
        drop(engine);
        let engine = open(&folder);
        let serving = serve(&engine, code());
        until(&engine, &run, RunState::Waiting).await;
        let waits = adjutant_durable::waits(&run, &engine.history(&run, 0).await.unwrap());
        let [adjutant_durable::Wait::Unknown { key, .. }] = waits.as_slice() else { panic!("{waits:?}") };
        let letter = Letter::Resolve { key: key.clone(), resolution };
        engine.send(&run, Mail::new("r", letter)).await.unwrap();
        let outcome = until(&engine, &run, RunState::Ended).await.outcome.unwrap();
        assert_eq!(outcome.as_ref().map(Json::as_str).map_err(Error::code), expected);
        serving.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_program_halts_and_the_right_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let serving = serve(
        &engine,
        host(|ctx, _| async move {
            echo(&ctx, "old").await?;
            ctx.signal("go", Json::null()).await
        }),
    );
    let run = start(&engine, "1").await;
    until(&engine, &run, RunState::Waiting).await;
    serving.stop().await;

    let go = Letter::Signal { name: "go".into(), payload: Json::null() };
    engine.send(&run, Mail::new("go", go)).await.unwrap();
    let serving = serve(
        &engine,
        host(|ctx, _| async move {
            echo(&ctx, "new").await?;
            ctx.signal("go", Json::null()).await
        }),
    );
    let info = until(&engine, &run, RunState::Halted).await;
    let halted = info.halted.unwrap();
    assert_eq!(halted.code(), Code::RunDiverged);
    assert!(halted.message().contains("old") && halted.message().contains("new"), "{halted}");
    serving.stop().await;

    engine.send(&run, Mail::new("resume", Letter::Resume)).await.unwrap();
    let serving = serve(
        &engine,
        host(|ctx, _| async move {
            echo(&ctx, "old").await?;
            ctx.signal("go", Json::null()).await
        }),
    );
    until(&engine, &run, RunState::Ended).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let serving = serve(
        &engine,
        host(|ctx, _| async move {
            for _ in 0..50 {
                echo(&ctx, "x").await?;
                ctx.sleep(Duration::from_millis(20)).await?;
            }
            Ok(Json::null())
        }),
    );
    let run = start(&engine, "1").await;
    until(&engine, &run, RunState::Running).await;
    engine.send(&run, Mail::new("p", Letter::Pause { reason: "look".into() })).await.unwrap();
    until(&engine, &run, RunState::Paused).await;
    let records = engine.info(&run).await.unwrap().records;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(engine.info(&run).await.unwrap().records, records);
    engine.send(&run, Mail::new("r", Letter::Resume)).await.unwrap();
    until(&engine, &run, RunState::Ended).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_begin_anew_for_each_of_many_children() {
    const CHILDREN: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let serving = serve(&engine, Arc::new(Family));
    let parent = start(&engine, "1").await;
    until(&engine, &parent, RunState::Waiting).await;
    let history = engine.history(&parent, 0).await.unwrap();
    for wait in adjutant_durable::waits(&parent, &history) {
        let adjutant_durable::Wait::Child { run: child, .. } = wait else { panic!("{wait:?}") };
        let go = Letter::Signal { name: "go".into(), payload: Json::of(&1).unwrap() };
        engine.send(&child, Mail::new("go", go)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let info = until(&engine, &parent, RunState::Ended).await;
    assert_eq!(info.outcome.unwrap().unwrap().to::<u32>().unwrap(), CHILDREN);
    let history = engine.history(&parent, 0).await.unwrap();
    let begun = history.iter().filter(|record| matches!(record.entry, Entry::Activated { .. })).count();
    assert!(begun < 40, "the parent of {CHILDREN} began {begun} times");
    serving.stop().await;
}

/// A run starts 200 others, each of which waits for a signal, and ends with the sum of their answers.
struct Family;

impl Host for Family {
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let admission = admission.clone();
        Box::pin(async move {
            let program: Program = Arc::new(move |ctx, _| {
                let child = Admission { name: "child".to_owned(), ..admission.clone() };
                let is_child = admission.origin.is_some();
                Box::pin(async move {
                    if is_child {
                        return ctx.signal("go", Json::null()).await;
                    }
                    let children = (0..200).map(|_| ctx.child("child", &child));
                    let answers = futures::future::try_join_all(children).await?;
                    Json::of(&answers.iter().map(Json::to::<u32>).sum::<Result<u32>>()?)
                })
            });
            Ok(program)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_results_are_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let serving = serve(
        &engine,
        host(|ctx, _| async move {
            let text = "x".repeat(100_000);
            for _ in 0..10 {
                ctx.effect("big", Effects::pure(), Json::null(), {
                    let text = text.clone();
                    work(move |_| {
                        let text = text.clone();
                        async move { Json::of(&text) }
                    })
                })
                .await?;
            }
            Ok(Json::null())
        }),
    );
    let run = start(&engine, "1").await;
    until(&engine, &run, RunState::Ended).await;
    serving.stop().await;
    let history = engine.history(&run, 0).await.unwrap();
    let long =
        |entry: &Entry| matches!(entry, Entry::Completed { outcome: Ok(json), .. } if json.len() > 100_000);
    assert_eq!(history.iter().filter(|record| long(&record.entry)).count(), 10);
    drop(engine);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let size = std::fs::metadata(folder.path().join("a.db")).unwrap().len();
    assert!(size < 400_000, "{size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_stops_a_run_where_it_is_and_a_resume_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let serving = serve(
        &engine,
        host(move |ctx, _| {
            let calls = Arc::clone(&counted);
            async move {
                let think = work(move |_| {
                    let down = calls.fetch_add(1, Ordering::SeqCst) == 0;
                    async move {
                        match down {
                            true => Err(Error::new(Code::ModelUnreachable, "nobody answers")),
                            false => Json::of("thought"),
                        }
                    }
                });
                ctx.effect("model", Effects::pure().halting(), Json::null(), think).await
            }
        }),
    );
    let run = start(&engine, "1").await;
    let info = until(&engine, &run, RunState::Halted).await;
    assert_eq!(info.halted.unwrap().code(), Code::ModelUnreachable);
    assert!(engine.send(&run, Mail::new("again", Letter::Resume)).await.unwrap());
    let info = until(&engine, &run, RunState::Ended).await;
    assert_eq!(info.outcome.unwrap().unwrap().as_str(), "\"thought\"");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_of_mail_is_told_from_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let run = start(&engine, "1").await;
    let answer = |text: &str| Letter::Signal { name: "go".into(), payload: Json::of(text).unwrap() };
    assert!(engine.send(&run, Mail::new("answer", answer("yes"))).await.unwrap());
    assert!(!engine.send(&run, Mail::new("answer", answer("no"))).await.unwrap());
    let serving = serve(&engine, host(|ctx, _| async move { ctx.signal("go", Json::null()).await }));
    let info = until(&engine, &run, RunState::Ended).await;
    assert_eq!(info.outcome.unwrap().unwrap().as_str(), "\"yes\"");
    serving.stop().await;
}
