//! How many pieces of an answer one thread reads in a second, from bytes to deltas.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_model::transport::{Body, Incoming, Outgoing, Transport};
use adjutant_model::{Call, Delta, Model};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use crate::bare::Bare;
use crate::measure::{ROUNDS, cpu, median};
use crate::provider::PIECES_OF_LONG;
use crate::subject::{Manner, Subject, question};

/// How often the answer is read in one round.
const TIMES: usize = 100;

/// What a read of a busy connection gives at once.
const LARGE: usize = 16 << 10;

pub(crate) async fn measure(subject: Subject, address: &str) -> Result<()> {
    let bytes = Bytes::from(Bare::like(subject, address, Manner::Long).await?.call().await?.concat());
    let small = bytes.len() / PIECES_OF_LONG;
    let mut figures = Vec::new();
    for size in [small, LARGE] {
        let canned = Arc::new(Canned { kind: subject.content_type(), pieces: cut(&bytes, size) });
        let model = subject.over(address, Manner::Long, canned)?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let (mut pieces, before) = (0, cpu());
            for _ in 0..TIMES {
                pieces += read(&model).await?;
            }
            rounds.push(f64::from(pieces) / (cpu() - before).as_secs_f64());
        }
        figures.push(median(rounds));
    }
    println!(
        "{:<17} decoding   {:>9.0} pieces/s cut at each event, {:>9.0} in reads of 16 KiB ({small} bytes a piece)",
        subject.provider,
        figures.first().copied().unwrap_or_default(),
        figures.last().copied().unwrap_or_default(),
    );
    Ok(())
}

/// Reads an answer and counts its pieces of text.
async fn read(model: &impl Model) -> Result<u32> {
    let mut deltas = model.stream(question(), Call::default()).await?;
    let mut pieces = 0;
    while let Some(delta) = deltas.next().await {
        pieces += u32::from(matches!(delta?, Delta::Text(_)));
    }
    Ok(pieces)
}

fn cut(bytes: &Bytes, size: usize) -> Vec<Bytes> {
    (0..bytes.len()).step_by(size).map(|at| bytes.slice(at..bytes.len().min(at + size))).collect()
}

/// An answer out of memory.
#[derive(Debug)]
struct Canned {
    kind: &'static str,
    pieces: Vec<Bytes>,
}

impl Transport for Canned {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        let pieces = self.pieces.clone();
        Box::pin(async move {
            Ok(Incoming {
                status: 200,
                headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(self.kind))]),
                body: Body::new(futures::stream::iter(pieces.into_iter().map(Ok)).boxed()),
            })
        })
    }
}
