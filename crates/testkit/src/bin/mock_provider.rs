//! The mock provider as a process of its own: it calls the first tool of each request a number of times, then answers.

use std::process::ExitCode;
use std::time::Duration;

use adjutant_core::time::parse_duration;
use adjutant_testkit::provider::{Interface, MockProvider};
use clap::Parser;
use serde_json::Value;

/// Speaks the interfaces of several vendors on one port of this machine, and prints the address for chat completions.
#[derive(Parser)]
#[command(name = "mock-provider", after_help = addresses())]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long each answer takes, such as `20ms`.
    #[arg(long, default_value = "0ms", value_parser = duration)]
    latency: Duration,
    /// How many tool calls a turn makes, one a step.
    #[arg(long, default_value_t = 10)]
    steps: usize,
    /// The arguments of each call; a field `step` in them is set to the number of the step.
    #[arg(long, default_value = "{}", value_parser = json)]
    arguments: Value,
    /// The key that every request must bring.
    #[arg(long)]
    key: Option<String>,
}

/// What it serves, for the help.
fn addresses() -> String {
    let interfaces = Interface::ALL.into_iter().map(|interface| {
        let paths = interface.paths().iter().chain(interface.embedding_paths());
        let paths: String = paths.map(|path| format!("  {path}\n")).collect();
        format!("{interface} (configure http://127.0.0.1:PORT{}):\n{paths}", interface.base())
    });
    format!("It serves:\n\n{}", interfaces.collect::<Vec<_>>().join("\n"))
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a duration: write it as `20ms` or `1s`"))
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { port, latency, steps, arguments, key } = Arguments::parse();
    let mut builder = MockProvider::stepping(steps, arguments).latency(latency).port(port).keep(0);
    if let Some(key) = &key {
        builder = builder.key(key);
    }
    match builder.start().await {
        Ok(mock) => {
            println!("{}", mock.base_url());
            mock.serve().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot listen on port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}
