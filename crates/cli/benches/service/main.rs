//! What it costs to ask a model through the service, beside nginx and a bare proxy, and beside LiteLLM and Portkey where they are
//! installed; and how many runs of agents it does.
//!
//! `cargo bench -p adjutant-cli --bench service`, and `-- runs` or `-- compare` for one of the two. Everything is a process of its own: the provider, each contender, and the one that
//! asks. Prints a table, in microseconds of CPU a request (user and kernel, of the contender alone) and milliseconds of time that
//! it adds to asking the provider directly. `LITELLM` names the executable of LiteLLM, `PORTKEY` the folder that `@portkey-ai/gateway`
//! was installed in, `RATE` another rate than 200 a second.

#![expect(clippy::expect_used, reason = "a measure that cannot be taken is worth nothing")]

mod contender;
mod load;
mod provider;
mod proxy;
mod runs;

use std::net::SocketAddr;
use std::time::Duration;

use contender::{Contender, Peer};
use load::{Asked, Measured};

/// How often each is measured, in turns; the median is printed.
const ROUNDS: usize = 5;
/// How long each measure takes.
const TIME: Duration = Duration::from_secs(3);
/// The steady rate, in requests a second, where `RATE` says no other: what a small team asks at its busiest.
const USUAL_RATE: u32 = 200;
/// How many ask at the same time where each asks as fast as it is answered.
const CLIENTS: usize = 32;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let role = arguments.iter().position(|argument| argument == "--role").map(|at| arguments.get(at + 1..));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    match role.flatten() {
        Some([role, rest @ ..]) => runtime.block_on(async {
            match (role.as_str(), rest) {
                ("provider", _) => provider::serve().await,
                ("proxy", [provider, ..]) => proxy::serve(provider).await,
                _ => eprintln!("there is no role `{role}`"),
            }
        }),
        _ => runtime.block_on(async {
            let provider = contender::start_role("provider", &[]);
            let only = |part: &str| arguments.iter().any(|argument| argument == part);
            if !only("compare") {
                runs::measure(provider.address).await;
            }
            if !only("runs") {
                compare(provider.address).await;
            }
        }),
    }
}

/// Compares those who pass on what a model is asked.
async fn compare(provider: SocketAddr) {
    let mut peers: Vec<Contender> = Vec::new();
    for peer in Peer::ALL {
        match Contender::start(*peer, provider).await {
            Ok(contender) => peers.push(contender),
            Err(why) => eprintln!("{} is left out: {why}", peer.name()),
        }
    }
    let rate = std::env::var("RATE").ok().and_then(|rate| rate.parse().ok()).unwrap_or(USUAL_RATE);
    println!(
        "| asked through | streamed | CPU of a request, µs | adds at {rate}/s: median, ms | 99 %, ms | most requests/s |"
    );
    println!("|---|---|---|---|---|---|");
    for streamed in [false, true] {
        let mut rows: Vec<Vec<Row>> = peers.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            let direct = load::open(provider, &Asked::directly(streamed), rate, TIME).await;
            for (peer, rows) in peers.iter().zip(&mut rows) {
                match Row::of(peer, streamed, rate, &direct).await {
                    Ok(row) => rows.push(row),
                    Err(why) => eprintln!("{} answers wrongly: {why}", peer.peer.name()),
                }
            }
        }
        for (peer, rows) in peers.iter().zip(rows) {
            let of = |figure: fn(&Row) -> f64| median(rows.iter().map(figure).collect());
            println!(
                "| {} | {} | {:.0} | {:.2} | {:.2} | {:.0} |",
                peer.peer.name(),
                if streamed { "yes" } else { "no" },
                of(|row| row.cpu),
                of(|row| row.median),
                of(|row| row.late),
                of(|row| row.most),
            );
        }
    }
}

/// What one contender came to in one round.
struct Row {
    cpu: f64,
    median: f64,
    late: f64,
    most: f64,
}

impl Row {
    async fn of(contender: &Contender, streamed: bool, rate: u32, direct: &Measured) -> Result<Self, String> {
        let asked = contender.asked(streamed);
        let through = load::open(contender.address, &asked, rate, TIME).await;
        let before = contender.cpu();
        let full = load::closed(contender.address, &asked, CLIENTS, TIME).await;
        let cpu = contender.cpu().saturating_sub(before);
        if let Some(why) = through.failed.clone().or(full.failed.clone()) {
            return Err(why);
        }
        Ok(Self {
            cpu: cpu.as_secs_f64() * 1e6 / full.count().max(1) as f64,
            median: through.at(0.5) - direct.at(0.5),
            late: through.at(0.99) - direct.at(0.99),
            most: full.count() as f64 / TIME.as_secs_f64(),
        })
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
