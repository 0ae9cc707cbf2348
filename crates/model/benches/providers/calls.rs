//! What a call costs, beside the same exchange by a bare HTTP client.

use std::sync::Arc;
use std::time::Instant;

use adjutant_core::Result;
use adjutant_model::{Call, Model, collect};
use futures::{StreamExt, TryStreamExt};

use crate::bare::Bare;
use crate::measure::{ROUNDS, cpu, median};
use crate::subject::{Manner, Subject, question};

/// CPU and wall time of one call, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    cpu: f64,
    wall: f64,
}

pub(crate) async fn measure(subject: Subject, address: &str) -> Result<()> {
    for manner in [Manner::Streamed, Manner::Whole] {
        let bare = Bare::like(subject, address, manner).await?;
        let model = subject.model(address, manner)?;
        for (at_once, calls) in [(1, 200), (64, 960)] {
            let mut rounds = Vec::new();
            // In turns, so that a noisy moment of the machine meets both; the first round only warms up.
            for _ in 0..=ROUNDS {
                let of_bare = cost(at_once, calls, || async { bare.call().await.map(drop) }).await?;
                let of_ours = cost(at_once, calls, || ask(Arc::clone(&model))).await?;
                rounds.push((of_bare, of_ours));
            }
            let rounds = rounds.get(1..).unwrap_or_default();
            let figure = |of: fn(&(Cost, Cost)) -> f64| median(rounds.iter().map(of));
            println!(
                "{:<17} {:<9} {at_once:>3} at once  {:>6.0} us CPU a call, bare {:>5.0}, {:>4.2} times  \
                 {:>6.0} us wall, bare {:>6.0}, {:>4.2} times",
                subject.provider,
                manner.name(),
                figure(|(_, ours)| ours.cpu),
                figure(|(bare, _)| bare.cpu),
                figure(|(bare, ours)| ours.cpu / bare.cpu),
                figure(|(_, ours)| ours.wall),
                figure(|(bare, _)| bare.wall),
                figure(|(bare, ours)| ours.wall / bare.wall),
            );
        }
    }
    Ok(())
}

async fn ask(model: Arc<dyn Model>) -> Result<()> {
    collect(model.stream(question(), Call::default()).await?, |_| {}).await.map(drop)
}

async fn cost<F: Future<Output = Result<()>>>(
    at_once: usize,
    calls: usize,
    call: impl Fn() -> F,
) -> Result<Cost> {
    let (began, before) = (Instant::now(), cpu());
    let made = futures::stream::iter(0..calls).map(|_| call()).buffer_unordered(at_once);
    made.try_collect::<()>().await?;
    let per_call = 1e6 / calls as f64;
    Ok(Cost {
        cpu: (cpu() - before).as_secs_f64() * per_call,
        wall: began.elapsed().as_secs_f64() * per_call,
    })
}
