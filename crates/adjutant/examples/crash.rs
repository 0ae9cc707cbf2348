//! A run that is killed again and again, and loses nothing: `cargo run -p adjutant --example crash`.
//!
//! The program starts itself as a child process, which drives a run of 20 tool calls, and kills it with SIGKILL at a
//! random moment; again and again, until the run is over. Half of the calls are idempotent, half must never happen
//! twice. Each call leaves a line with its key in a ledger outside of Adjutant, so that the ledger can be counted.
//! When a call that must not happen twice was under way at the wrong moment, its outcome is reported as unknown; then
//! the program looks into the ledger, as a person would, and says what came of it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::OpenOptions;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use adjutant::durable::{Resolution, RunState, Wait};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt as _;
use serde_json::json;

/// How many tools the run calls.
const CALLS: usize = 20;
/// The longest time that a child lives, in milliseconds; the run takes about half a second.
const LONGEST_LIFE: u64 = 250;

/// A file outside of Adjutant in which effects are counted.
struct Ledger(PathBuf);

impl Ledger {
    /// Writes that an effect happened. The waits make it likely that the process dies around it.
    fn write(&self, effect: &str, key: &str) -> std::io::Result<()> {
        std::thread::sleep(Duration::from_millis(10));
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        writeln!(file, "{effect} {key}")?;
        file.sync_data()?;
        std::thread::sleep(Duration::from_millis(10));
        Ok(())
    }

    /// How often each effect happened.
    fn count(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in std::fs::read_to_string(&self.0).unwrap_or_default().lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        counts
    }
}

/// Notes something down. Noting the same again changes nothing.
#[tool(idempotent)]
fn note(number: usize, ledger: &Ledger, context: &Context) -> Result<String, ToolError> {
    ledger.write("note", context.idempotency_key())?;
    Ok(format!("noted {number}"))
}

/// Pays. Paying twice would be bad.
#[tool(at_most_once)]
fn pay(number: usize, ledger: &Ledger, context: &Context) -> Result<String, ToolError> {
    ledger.write("pay", context.idempotency_key())?;
    Ok(format!("paid {number}"))
}

/// A model that notes and pays in turn, and then says that it is done.
fn model() -> Scripted {
    Scripted::from_fn(|_, turn| match turn {
        turn if turn < CALLS => {
            let tool = if turn.is_multiple_of(2) { "note" } else { "pay" };
            Some(Turn::calls([(tool, json!({ "number": turn }))]))
        }
        _ => Some(Turn::text("Everything is noted and paid.")),
    })
}

fn open(folder: &Path) -> adjutant::Result<Adjutant> {
    let ledger = Ledger(folder.join("ledger.txt"));
    Adjutant::builder().store(folder.join("runs.db")).model("main", model()).resource(ledger).build()
}

/// The child: goes on with the run until it is over. Prints each outcome that is not known.
async fn drive(folder: &Path) -> adjutant::Result<()> {
    let clerk = Agent::new("clerk").instructions("You note and pay.").tool(note).tool(pay).limit(steps(50));
    let adjutant = open(folder)?;
    let run = adjutant.start(&clerk, Task::new("Note and pay everything.").id("the one run")).await?;
    let mut updates = run.drive();
    while let Some(update) = updates.next().await {
        if update? == Update::State(RunState::Waiting) {
            resolve(&run, &Ledger(folder.join("ledger.txt"))).await?;
        }
    }
    updates.stop().await?;
    println!("answer: {}", run.outcome().await?);
    Ok(())
}

/// Does what a person would do who is told of an effect whose outcome is not known: looks whether it happened.
async fn resolve(run: &Run, ledger: &Ledger) -> adjutant::Result<()> {
    for wait in run.waits().await? {
        let Wait::Unknown { key, reason, .. } = wait else { continue };
        println!("unknown: {key}, {reason}");
        let payment = adjutant::durable::Attempt::idempotency_key(run.id(), 0, &key);
        let happened = ledger.count().contains_key(&format!("pay {payment}"));
        let resolution = if happened {
            Resolution::Happened(json!("paid before the crash").into())
        } else {
            Resolution::Retry
        };
        run.resolve(&key, resolution).await?;
    }
    Ok(())
}

/// The parent: starts children and kills them, until one comes to the end.
fn torment(folder: &Path) -> Result<(), Box<dyn Error>> {
    let (mut kills, mut unknown) = (0, 0);
    let answer = loop {
        let mut child = Command::new(std::env::current_exe()?);
        let mut child = child.arg("drive").arg(folder).stdout(Stdio::piped()).spawn()?;
        std::thread::sleep(Duration::from_millis(random() % LONGEST_LIFE));
        let died = child.try_wait()?.is_none();
        if died {
            child.kill()?;
            kills += 1;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        unknown += said.lines().filter(|line| line.starts_with("unknown: ")).count();
        if let Some(answer) = said.lines().find_map(|line| line.strip_prefix("answer: ")) {
            break answer.to_owned();
        }
        if !died {
            return Err(format!("a child gave up: {said}").into());
        }
    };

    let counts = Ledger(folder.join("ledger.txt")).count();
    let of = |effect: &str| -> Vec<usize> {
        counts.iter().filter(|(line, _)| line.starts_with(effect)).map(|(_, count)| *count).collect()
    };
    let (notes, payments) = (of("note "), of("pay "));
    println!("the run was killed {kills} times and answered: {answer}");
    println!(
        "  {} notes, made {} times in all, each under one key",
        notes.len(),
        notes.iter().sum::<usize>()
    );
    println!("  {} payments, each made once; {unknown} outcomes were reported as unknown", payments.len());
    let is_right =
        notes.len() == CALLS / 2 && payments.len() == CALLS / 2 && payments.iter().all(|count| *count == 1);
    if is_right { Ok(()) } else { Err(format!("effects were lost or made twice: {counts:#?}").into()) }
}

/// A random number. The hasher of the standard library is seeded by the operating system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    if let (Some(_drive), Some(folder)) = (arguments.next(), arguments.next()) {
        let runtime = tokio::runtime::Runtime::new()?;
        return Ok(runtime.block_on(drive(Path::new(&folder)))?);
    }
    let folder = tempfile::tempdir()?;
    torment(folder.path())
}
