//! The mock provider as a process of its own: it calls the first tool of each request a number of times, then answers.

use std::process::ExitCode;
use std::time::Duration;

use adjutant_core::time::parse_duration;
use adjutant_testkit::provider::MockProvider;
use clap::Parser;
use serde_json::Value;

/// Speaks OpenAI's chat completions on this machine, and prints its address.
#[derive(Parser)]
#[command(name = "mock-provider")]
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
