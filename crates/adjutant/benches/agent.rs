//! What an agent's turn costs, against a provider in another process. Prints one line per measure.
//!
//! `cargo xtask bench`, or by hand: build `mock-provider` (`cargo build --release -p adjutant-testkit`) and
//! `adjutant`, then `cargo bench -p adjutant --bench agent`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adjutant::agent::definition::ContextWindow;
use adjutant::model::openai::OPENAI;
use adjutant::model::provider::Config;
use adjutant::prelude::*;
use adjutant::{Code, Error, Result};
use futures::StreamExt;

const STEPS: u32 = 10;

/// Gives back what it is given.
#[tool(pure)]
async fn echo(
    /// The number of the step.
    step: u32,
) -> String {
    format!("step {step} done")
}

/// Looks something up, and says a lot about it.
#[tool(pure)]
async fn read_page(
    /// The number of the step.
    step: u32,
) -> String {
    format!("{step} {}", "x".repeat(1_000))
}

/// The provider as a process of its own, so that its work is not measured as ours.
struct Provider {
    process: Child,
    address: String,
}

impl Provider {
    fn start(steps: u32, latency: &str) -> Result<Self> {
        let missing = |error: &std::io::Error| {
            Error::new(Code::NotFound, "the mock provider cannot be started")
                .caused_by(error)
                .with_help("build it: cargo build --release -p adjutant-testkit")
        };
        let mut process = Command::new(beside("mock-provider"))
            .args(["--steps", &steps.to_string(), "--latency", latency, "--arguments", r#"{"step":0}"#])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| missing(&error))?;
        let mut address = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut address).map_err(|error| missing(&error))?;
        }
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A binary of the same build.
fn beside(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.ancestors().nth(2).unwrap_or(Path::new(".")).join(name)
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn agent(turns: u32) -> Agent {
    Agent::new("bench").instructions("Do the steps.").limit(steps(turns + 5)).limit(repeats(1_000))
}

fn adjutant(store: Option<&Path>, provider: &Provider) -> Result<Adjutant> {
    let model = OPENAI.model(&Config::new("mock/mock", &provider.address, "mock"))?;
    let builder = Adjutant::builder().model("main", model);
    match store {
        Some(path) => builder.store(path).build(),
        None => builder.in_memory().build(),
    }
}

/// CPU and wall time of one step (a model call and its pure tool call), with `runs` runs at a time.
async fn turns(
    name: &str,
    store: Option<&Path>,
    provider: &Provider,
    runs: usize,
    total: usize,
) -> Result<()> {
    let adjutant = adjutant(store, provider)?;
    let desk = agent(STEPS).tool(echo);
    adjutant.add(&desk)?;
    let stop = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn({
        let (adjutant, stop) = (adjutant.clone(), stop.clone());
        async move { adjutant.serve(stop).await }
    });
    let mut figures = Vec::new();
    for _ in 0..5 {
        let (wall, before) = (Instant::now(), cpu());
        let asked = futures::stream::iter(0..total).map(|_| adjutant.run(&desk, "Go."));
        let replies: Vec<_> = asked.buffer_unordered(runs).collect().await;
        for reply in replies {
            reply?;
        }
        let count = (total * STEPS as usize) as f64;
        figures.push((wall.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64() * 1e3 / count));
    }
    stop.cancel();
    let _ = serving.await;
    let wall = median(figures.iter().map(|(wall, _)| *wall).collect());
    let cpu = median(figures.iter().map(|(_, cpu)| *cpu).collect());
    println!(
        "{name:<44} {runs:>3} runs  {cpu:>8.3} ms CPU a step  {:>8.3} ms wall a step  {:>7.1} runs/s",
        wall * 1e3 / (total * STEPS as usize) as f64,
        total as f64 / wall
    );
    Ok(())
}

/// What 400 model calls over a growing transcript leave on the disk.
async fn transcript(folder: &Path) -> Result<()> {
    let provider = Provider::start(400, "0ms")?;
    let path = folder.join("transcript.db");
    let adjutant = adjutant(Some(&path), &provider)?;
    let window = ContextWindow { tokens: Some(10_000_000), ..ContextWindow::default() };
    let reader = agent(420).tool(read_page).limit(tokens(u64::MAX)).context(window);
    let began = Instant::now();
    let reply = adjutant.run(&reader, "Read.").await?;
    let took = began.elapsed();
    drop(adjutant);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let size = std::fs::metadata(&path).map(|file| file.len()).unwrap_or_default();
    println!(
        "{:<44} {:>8.3} MB on disk for 0.4 MB of results, {} turns in {:.2} s",
        "400 model calls over a growing transcript",
        size as f64 / 1e6,
        reply.turns,
        took.as_secs_f64()
    );
    Ok(())
}

/// From the start of the binary to its first answer, on an existing store.
fn first_answer(folder: &Path) -> Result<()> {
    let project = folder.join("project");
    let write = |name: &str, text: &str| std::fs::write(project.join(name), text);
    let made = std::fs::create_dir_all(project.join("agents"))
        .and_then(|()| write("agents/assistant.md", "---\nmodel: offline\n---\nHelp.\n"))
        .and_then(|()| write("adjutant.toml", "[project]\nname = \"bench\"\n"));
    made.map_err(|error| Error::new(Code::FileUnreadable, "no project for the bench").caused_by(&error))?;
    let mut times = Vec::new();
    for _ in 0..21 {
        let began = Instant::now();
        let output = Command::new(beside("adjutant"))
            .arg("run")
            .arg(&project)
            .arg("Hello")
            .output()
            .map_err(|error| Error::new(Code::NotFound, "`adjutant` is not built").caused_by(&error))?;
        if !output.status.success() {
            return Err(Error::new(Code::Internal, String::from_utf8_lossy(&output.stderr)));
        }
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    println!("{:<44} {:>8.1} ms (median of 21)", "start of the binary to its first answer", median(times));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("adjutant-agent-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .map_err(|error| Error::new(Code::FileUnreadable, "no folder for the bench").caused_by(&error))?;
    let fast = Provider::start(STEPS, "0ms")?;
    turns("model call and pure tool call, no disk", None, &fast, 1, 50).await?;
    turns("the same, durable", Some(&folder.join("one.db")), &fast, 1, 50).await?;
    turns("the same, durable", Some(&folder.join("many.db")), &fast, 32, 320).await?;
    drop(fast);
    let slow = Provider::start(STEPS, "20ms")?;
    turns("provider of 20 ms, durable", Some(&folder.join("slow.db")), &slow, 64, 640).await?;
    drop(slow);
    transcript(&folder).await?;
    first_answer(&folder)?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}
