//! Due: work that is done as soon as that is done which it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::Result;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::deep::Deep;

/// The scope of one piece of work.
const TASK: &str = "task";

/// A piece of work among others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// What it is called.
    pub(crate) id: &'a str,
    /// What must be done before.
    pub(crate) needs: &'a [String],
}

/// The pieces that wait for one another, in their order; none where all can be done. What is in `done` is.
pub(crate) fn round<'a>(pieces: &[Piece<'a>], done: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut met: BTreeSet<&str> = done.into_iter().collect();
    loop {
        let ready = |piece: &&Piece<'a>| piece.needs.iter().all(|other| met.contains(other.as_str()));
        let further: Vec<&str> = pieces
            .iter()
            .filter(|piece| !met.contains(piece.id))
            .filter(ready)
            .map(|piece| piece.id)
            .collect();
        if further.is_empty() {
            break;
        }
        met.extend(further);
    }
    pieces.iter().map(|piece| piece.id).filter(|id| !met.contains(id)).collect()
}

/// Does pieces of work, each with an equal share of what is left of the limits, and as soon as those are in `results` that it
/// needs. `work` is given the place of the piece; what it makes goes into `results`. `ended` is told of each piece that has ended,
/// and may fail for all of them. Gives the places of those that were not begun, as they need one that failed.
pub(crate) async fn due<W, R, E>(
    stage: &Stage,
    at_a_time: usize,
    pieces: &[Piece<'_>],
    results: &mut BTreeMap<String, Item>,
    work: W,
    mut ended: E,
) -> Result<Vec<usize>>
where
    W: Fn(usize, Stage, BTreeMap<String, Item>) -> R,
    R: Future<Output = Result<Item>>,
    E: FnMut(usize, &Result<Item>) -> Result<()>,
{
    stage.expect(pieces.len());
    // Their scopes are numbered in the order in which they are given, whichever begins first.
    let scoped = pieces.iter().enumerate().map(|(index, piece)| (index, piece, stage.scope(TASK)));
    let mut waiting: Vec<(usize, &Piece<'_>, Stage)> = scoped.collect();
    let mut open = FuturesUnordered::new();
    loop {
        while open.len() < at_a_time.max(1) {
            let is_due = |(_, piece, _): &(usize, &Piece<'_>, Stage)| {
                piece.needs.iter().all(|other| results.contains_key(other))
            };
            let Some(next) = waiting.iter().position(is_due) else { break };
            let (index, piece, scope) = waiting.remove(next);
            let needed = piece.needs.iter();
            let needed: BTreeMap<String, Item> =
                needed.filter_map(|other| Some((other.clone(), results.get(other)?.clone()))).collect();
            let work = &work;
            open.push(Deep(Box::pin(async move {
                let part = match scope.part() {
                    Ok(part) => part,
                    Err(error) => return (index, Err(error)),
                };
                let made = work(index, part.clone(), needed).await;
                scope.settle(&part);
                (index, made)
            })));
        }
        let Some((index, made)) = open.next().await else { break };
        ended(index, &made)?;
        if let (Ok(made), Some(piece)) = (made, pieces.get(index)) {
            results.insert(piece.id.to_owned(), made);
        }
    }
    Ok(waiting.into_iter().map(|(index, ..)| index).collect())
}
