//! How many runs of agents the service does, over HTTP and on disk, and what those take that wait.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use crate::contender::{Contender, Peer};
use crate::load::{self, Asked};
use crate::{ROUNDS, median};

/// How long each measure takes.
const TIME: Duration = Duration::from_secs(5);
/// How many clients start runs and wait for their ends.
const CLIENTS: usize = 64;
/// How many conversations are open at the end.
const OPEN: usize = 10_000;

/// Measures, and prints a table.
pub(crate) async fn measure(provider: SocketAddr) {
    let service = match Contender::start(Peer::Adjutant, provider).await {
        Ok(service) => service,
        Err(why) => return eprintln!("the service does not start: {why}"),
    };
    println!(
        "| runs, {CLIENTS} clients | runs/s | median, ms | 99 %, ms | CPU of a run, ms |\n|---|---|---|---|---|"
    );
    for (agent, about) in [
        ("desk", "one call of a model that takes 20 ms"),
        ("steps", "10 such calls, 9 of a tool between them"),
    ] {
        let mut rounds: Vec<[f64; 4]> = Vec::new();
        for _ in 0..ROUNDS {
            let before = service.cpu();
            let asked = start(&service, agent, "?wait=60", "\"stop\":\"answered\"");
            let measured = load::closed(service.address, &asked, CLIENTS, TIME).await;
            assert!(measured.failed.is_none(), "{:?}", measured.failed);
            let (count, cpu) = (measured.count() as f64, service.cpu().saturating_sub(before));
            rounds.push([
                count / TIME.as_secs_f64(),
                measured.at(0.5),
                measured.at(0.99),
                cpu.as_secs_f64() * 1e3 / count.max(1.0),
            ]);
        }
        let [rate, middle, late, cpu] = [0, 1, 2, 3].map(|figure: usize| {
            median(rounds.iter().filter_map(|round| round.get(figure)).copied().collect())
        });
        println!("| {about} | {rate:.0} | {middle:.0} | {late:.0} | {cpu:.2} |");
    }
    let before = service.memory();
    let asked = start(&service, "asks", "", "\"state\"");
    load::count(service.address, &asked, CLIENTS, OPEN).await;
    // They come to where they wait for a person.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let grown = service.memory().saturating_sub(before) as f64 / OPEN as f64 / 1e3;
    println!("\n{OPEN} conversations that wait for a person: {grown:.1} kB of memory each\n");
}

/// A run that is started.
fn start(service: &Contender, agent: &str, query: &str, says: &'static str) -> Asked {
    let body = json!({ "agent": agent, "input": "How much is it?" }).to_string();
    Asked::of(&format!("/api/runs{query}"), service.token.as_deref().unwrap_or_default(), body, says)
}
