//! What tool search costs. Prints one line per measure.
//!
//! `cargo bench -p adjutant-tool --bench search`

use std::path::Path;
use std::time::{Duration, Instant};

use adjutant_tool::search::{Index, Vectors};
use adjutant_tool::{Effect, ToolSpec};
use serde_json::Value;

/// How many tools there are.
const TOOLS: usize = 10_000;

/// The functions of BFCL, again and again under other names, until there are enough.
fn tools(folder: &Path) -> Vec<ToolSpec> {
    let text = std::fs::read_to_string(folder.join("tools.jsonl")).unwrap_or_default();
    let read: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let spec = |(number, value): (usize, &Value)| ToolSpec {
        name: format!("{}_{number}", told(value, "name")),
        description: told(value, "description"),
        parameters: value.get("parameters").cloned().unwrap_or_default(),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    };
    read.iter().cycle().take(if read.is_empty() { 0 } else { TOOLS }).enumerate().map(spec).collect()
}

fn queries(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("held-out.jsonl")).unwrap_or_default();
    let read = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    read.filter_map(|value| Some(value.get("query")?.as_str()?.to_owned())).collect()
}

/// The time that this thread has had a processor; none where the system does not tell it.
fn worked() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The middle and the greatest of some times.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().map_or(f64::NAN, milliseconds);
    let last = times.len().saturating_sub(1);
    format!(
        "{:.2} ms (median), {:.2} ms (99 %), {:.2} ms (slowest)",
        at(last / 2),
        at(last * 99 / 100),
        at(last)
    )
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../evals/tool-search/bfcl");
    let (tools, queries) = (tools(&folder), queries(&folder));
    let mut index = Index::default();
    let built = (0..5).map(|_| {
        let began = Instant::now();
        index = Index::new(&tools);
        began.elapsed()
    });
    println!("index of {} tools: {}", tools.len(), spread(built.collect()));
    let before = worked();
    let asked = queries.iter().map(|query| {
        let began = Instant::now();
        std::hint::black_box(index.search(query, 5));
        began.elapsed()
    });
    println!("a query, {} of them: {}", queries.len(), spread(asked.collect()));
    if let Some(worked) = before.zip(worked()).map(|(before, after)| after.saturating_sub(before)) {
        let mean = milliseconds(worked) / queries.len().max(1) as f64;
        println!("a query, in the mean: {mean:.2} ms of a processor");
    }

    // The numbers do not matter for how long it takes.
    let vector = |seed: usize| {
        (0..1024).map(|place| ((seed * 31 + place * 17) % 97) as f32 / 97.0).collect::<Vec<f32>>()
    };
    let vectors = Vectors::new((0..tools.len()).map(|tool| Some(vector(tool).into())).collect());
    let near = (0..100).map(|seed| {
        let query = vector(seed);
        let began = Instant::now();
        std::hint::black_box(vectors.nearest(&query, 50));
        began.elapsed()
    });
    println!("the nearest vectors of 1024 numbers: {}", spread(near.collect()));
}
