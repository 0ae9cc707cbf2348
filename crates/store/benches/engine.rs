//! What durability costs: steps, storage, parked runs, replay. Prints one line per measure.
//!
//! `cargo bench -p adjutant-store --bench engine`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_durable::{
    Admission, Ctx, Effects, Engine, Host, Letter, Mail, Outcome, Program, RunState, Serve, work,
};
use adjutant_store::{Options, Store};
use futures::StreamExt;
use futures::future::{BoxFuture, join_all};
use tokio_util::sync::CancellationToken;

struct OneProgram(Program);

impl Host for OneProgram {
    fn program<'a>(&'a self, _: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let program = Arc::clone(&self.0);
        Box::pin(async move { Ok(program) })
    }
}

fn host<F, R>(code: F) -> Arc<dyn Host>
where
    F: Fn(Ctx) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Arc::new(OneProgram(Arc::new(move |ctx, _| Box::pin(code(ctx)))))
}

/// `steps` pure effects one after the other, each with a result of about `size` bytes.
fn steps(steps: u32, size: usize) -> Arc<dyn Host> {
    let result = Json::of(&"x".repeat(size)).unwrap_or_default();
    host(move |ctx| {
        let result = result.clone();
        async move {
            for step in 0..steps {
                let result = result.clone();
                let echo = work(move |_| {
                    let result = result.clone();
                    async move { Ok(result) }
                });
                ctx.effect("step", Effects::pure(), Json::of(&step)?, echo).await?;
            }
            Ok(Json::null())
        }
    })
}

async fn start(engine: &Arc<dyn Engine>, number: u64) -> Result<RunId> {
    let run = RunId::new(format!("{number:0>16}"));
    let admission = Admission::new(run, "bench", "bench", Digest::of(b""), Json::null());
    Ok(engine.start(admission).await?.run)
}

/// Waits for the end of a run.
async fn end(engine: &Arc<dyn Engine>, run: &RunId) {
    engine.states(run).any(|state| async move { matches!(state, Ok(RunState::Ended)) }).await;
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map(|file| file.len()).unwrap_or_default()
}

struct Serving(CancellationToken, tokio::task::JoinHandle<Result<()>>);

fn serve(engine: &Arc<dyn Engine>, host: Arc<dyn Host>) -> Serving {
    let stop = CancellationToken::new();
    Serving(stop.clone(), tokio::spawn(engine.serve(host, Serve::All, stop)))
}

impl Serving {
    async fn stop(self) {
        self.0.cancel();
        let _ = self.1.await;
    }
}

/// CPU and wall time of one step, with `runs` runs at a time.
async fn step_cost(name: &str, store: &Store, runs: u64) -> Result<()> {
    const STEPS: u32 = 500;
    const ROUNDS: u64 = 5;
    let engine = store.engine(Scope::default());
    let serving = serve(&engine, steps(STEPS, 100));
    let mut figures = Vec::new();
    for round in 0..ROUNDS {
        let (wall, before) = (Instant::now(), cpu());
        let ids = join_all((0..runs).map(|run| start(&engine, round * runs + run))).await;
        let ids = ids.into_iter().collect::<Result<Vec<_>>>()?;
        join_all(ids.iter().map(|run| end(&engine, run))).await;
        let steps = f64::from(STEPS) * runs as f64;
        figures
            .push((wall.elapsed().as_secs_f64() * 1e3 / steps, (cpu() - before).as_secs_f64() * 1e3 / steps));
    }
    serving.stop().await;
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let wall = median(figures.iter().map(|(wall, _)| *wall).collect());
    let cpu = median(figures.iter().map(|(_, cpu)| *cpu).collect());
    println!("{name:<44} {runs:>3} runs  {wall:>8.4} ms wall a step  {cpu:>8.4} ms CPU a step");
    Ok(())
}

/// What one run leaves on the disk.
async fn storage(folder: &Path) -> Result<()> {
    let path = folder.join("storage.db");
    let store = Store::open(&path, Options::default())?;
    let engine = store.engine(Scope::default());
    let serving = serve(&engine, steps(400, 1_000));
    let run = start(&engine, 1).await?;
    end(&engine, &run).await;
    serving.stop().await;
    drop((engine, store));
    tokio::time::sleep(Duration::from_millis(300)).await;
    println!(
        "{:<44} {:>8.3} MB on disk for 0.4 MB of results",
        "400 steps of 1 kB",
        size(&path) as f64 / 1e6
    );
    Ok(())
}

/// Starts runs and waits until all of them wait.
async fn park(engine: &Arc<dyn Engine>, numbers: std::ops::Range<u64>) -> Result<()> {
    const AT_ONCE: u64 = 200;
    let mut first = numbers.start;
    while first < numbers.end {
        let block = first..(first + AT_ONCE).min(numbers.end);
        first = block.end;
        let ids =
            join_all(block.map(|run| start(engine, run))).await.into_iter().collect::<Result<Vec<_>>>()?;
        for run in ids {
            while engine.info(&run).await?.state != RunState::Waiting {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    Ok(())
}

/// Runs that wait for an answer: what they hold in memory, and how soon one is awake.
async fn parked(folder: &Path) -> Result<()> {
    const RUNS: u64 = 10_000;
    let store = Store::open(folder.join("parked.db"), Options::default())?;
    let engine = store.engine(Scope::default());
    let serving = serve(
        &engine,
        host(|ctx| async move {
            ctx.effect("think", Effects::pure(), Json::null(), work(|_| async { Ok(Json::null()) })).await?;
            ctx.signal("go", Json::null()).await
        }),
    );
    // What the process takes once (caches, threads) is not what a waiting run takes.
    park(&engine, 0..1_000).await?;
    let before = resident();
    let began = Instant::now();
    park(&engine, 1_000..1_000 + RUNS).await?;
    let parked = began.elapsed();
    let grown = resident().saturating_sub(before);
    let mut wakes = Vec::new();
    for number in 0..100 {
        let run = RunId::new(format!("{:0>16}", number * 97));
        let began = Instant::now();
        let letter = Letter::Signal { name: "go".into(), payload: Json::null() };
        engine.send(&run, Mail::new("go", letter)).await?;
        end(&engine, &run).await;
        wakes.push(began.elapsed().as_secs_f64() * 1e3);
    }
    wakes.sort_by(f64::total_cmp);
    let wake = wakes.get(50).copied().unwrap_or_default();
    println!(
        "{:<44} {:>8} bytes resident a run, {:.2} ms to start and park one",
        "10,000 parked runs",
        grown / RUNS,
        parked.as_secs_f64() * 1e3 / RUNS as f64
    );
    println!("{:<44} {wake:>8.2} ms from answer to end (median of 100)", "waking one of them");
    serving.stop().await;
    Ok(())
}

/// A run of 2,000 steps that goes on: how long until it has caught up.
async fn replay(folder: &Path) -> Result<()> {
    let store = Store::open(folder.join("replay.db"), Options::default())?;
    let engine = store.engine(Scope::default());
    let code = || {
        host(|ctx| async move {
            for step in 0..2_000u32 {
                let echo = work(move |_| async move { Json::of(&step) });
                ctx.effect("step", Effects::pure(), Json::of(&step)?, echo).await?;
            }
            ctx.signal("go", Json::null()).await
        })
    };
    let serving = serve(&engine, code());
    let mut wakes = Vec::new();
    for number in 0..5 {
        let run = start(&engine, number).await?;
        while engine.info(&run).await?.state != RunState::Waiting {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let began = Instant::now();
        let letter = Letter::Signal { name: "go".into(), payload: Json::null() };
        engine.send(&run, Mail::new("go", letter)).await?;
        end(&engine, &run).await;
        wakes.push(began.elapsed().as_secs_f64() * 1e3);
    }
    serving.stop().await;
    wakes.sort_by(f64::total_cmp);
    let wake = wakes.get(2).copied().unwrap_or_default();
    println!("{:<44} {wake:>8.2} ms from answer to end (median of 5)", "replay of 2,000 steps");
    Ok(())
}

/// Watching a run of 10,000 steps that is over: from its beginning, and on from near its end.
async fn watching(folder: &Path) -> Result<()> {
    let store = Store::open(folder.join("watching.db"), Options::default())?;
    let engine = store.engine(Scope::default());
    let serving = serve(&engine, steps(10_000, 100));
    let run = start(&engine, 1).await?;
    end(&engine, &run).await;
    serving.stop().await;
    let records = engine.watch(&run, 0).count().await as u64;
    for (name, from) in
        [("watching 10,000 steps from the beginning", 0), ("and from near the end", records - 20)]
    {
        let mut times = Vec::new();
        for _ in 0..11 {
            let began = Instant::now();
            engine.watch(&run, from).count().await;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{name:<44} {:>8.2} ms (median of 11)", times.get(5).copied().unwrap_or_default());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("adjutant-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| {
        adjutant_core::Error::new(adjutant_core::Code::FileUnreadable, "no folder for the bench")
            .caused_by(&error)
    })?;
    for runs in [1, 32] {
        step_cost("step without a disk", &Store::in_memory()?, runs).await?;
        let store = Store::open(folder.join(format!("steps-{runs}.db")), Options::default())?;
        step_cost("step, durable", &store, runs).await?;
    }
    storage(&folder).await?;
    replay(&folder).await?;
    watching(&folder).await?;
    parked(&folder).await?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}
