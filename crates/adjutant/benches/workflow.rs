//! What workflows cost: wide ones, deep ones, and many small steps. Prints one line per measure.
//!
//! `cargo bench -p adjutant --bench workflow`.

use std::time::{Duration, Instant};

use adjutant::prelude::*;
use adjutant::workflow::pattern::{Fan, parallel};
use adjutant::workflow::{Planned, plan};
use adjutant::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

/// How often each is measured; the median is printed.
const ROUNDS: usize = 5;

/// Gives back what it is given.
#[tool(pure)]
async fn echo(number: usize) -> usize {
    number
}

/// A plan of that text.
fn planned(name: &str, text: &str) -> Result<Workflow> {
    let parsed = plan::parse(name, text).map_err(|mut errors| match errors.is_empty() {
        true => Error::new(Code::Internal, "the plan was refused without a reason"),
        false => errors.swap_remove(0),
    })?;
    Ok(Workflow::new(name.trim_end_matches(".yaml")).tool(echo).directed_by(Planned::new(parsed.plan)))
}

/// So many values, one after the other: no step of them is recorded.
fn values(count: usize) -> String {
    let mut text = "steps:\n  - value: 1\n".to_owned();
    for _ in 1..count {
        text.push_str("  - value: '= last + 1'\n");
    }
    text
}

/// A call within so many patterns, one in the other.
fn nested(stage: Stage, depth: usize) -> BoxFuture<'static, Result<Item>> {
    async move {
        if depth == 0 {
            let arguments = json!({ "number": 1 }).as_object().cloned().unwrap_or_default();
            return stage.call("echo", arguments).await;
        }
        let made = parallel(&stage, Fan::default(), [move |stage: Stage| nested(stage, depth - 1)]).await?;
        Ok(made.into_iter().flatten().next().unwrap_or_default())
    }
    .boxed()
}

/// So many calls, at the same time or one after the other.
fn calls(count: usize, wide: bool) -> Workflow {
    Workflow::new("calls").tool(echo).run(move |stage, _| async move {
        let call = |number: usize| {
            move |stage: Stage| async move {
                let arguments = json!({ "number": number }).as_object().cloned().unwrap_or_default();
                stage.call("echo", arguments).await
            }
        };
        if wide {
            parallel(&stage, Fan::default().at_a_time(64), (0..count).map(call)).await?;
        } else {
            for number in 0..count {
                call(number)(stage.clone()).await?;
            }
        }
        Ok(Item::new(count))
    })
}

async fn measure(what: &str, workflow: &Workflow, each: usize, durable: bool) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let folder =
            std::env::temp_dir().join(format!("adjutant-bench-{}-{}", std::process::id(), times.len()));
        let builder = Adjutant::builder().model("main", Offline::new());
        let adjutant = match durable {
            true => builder.store(folder.join("runs.db")),
            false => builder.in_memory(),
        };
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::new(Code::FileUnreadable, "no folder for the store").caused_by(&error))?;
        let adjutant = adjutant.build()?;
        let begin = Instant::now();
        adjutant.run(workflow, "go").await?;
        times.push(begin.elapsed());
        drop(adjutant);
        drop(std::fs::remove_dir_all(&folder));
    }
    times.sort_unstable();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    let of_each = median / u32::try_from(each).unwrap_or(1).max(1);
    println!("{what:<48} {:>9.2} ms  {:>8.4} ms each", millis(median), millis(of_each));
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[tokio::main]
async fn main() -> Result<()> {
    measure("an empty workflow, in memory", &Workflow::new("empty"), 1, false).await?;
    measure("an empty workflow, on disk", &Workflow::new("empty"), 1, true).await?;
    measure(
        "1,000 steps without a record, in memory",
        &planned("values.yaml", &values(1_000))?,
        1_000,
        false,
    )
    .await?;
    let deep = Workflow::new("deep").tool(echo).run(|stage, _| nested(stage, 50));
    measure("50 patterns deep, one call, in memory", &deep, 50, false).await?;
    measure("1,000 calls one after the other, in memory", &calls(1_000, false), 1_000, false).await?;
    measure("1,000 calls one after the other, on disk", &calls(1_000, false), 1_000, true).await?;
    measure("1,000 calls, 64 at a time, in memory", &calls(1_000, true), 1_000, false).await?;
    measure("1,000 calls, 64 at a time, on disk", &calls(1_000, true), 1_000, true).await?;
    Ok(())
}
