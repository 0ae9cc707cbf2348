//! Replays a journal that is over: the code must ask for exactly what is recorded, and come to the same end.

use std::collections::VecDeque;
use std::time::Duration;

use adjutant_core::id::{Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Error, Result};
use adjutant_durable::{
    Asked, Ctx, Delivery, Driven, Entry, Moment, Next, Outcome, Program, Record, Replay, Request, Session,
    drive,
};

use crate::life::poll;
use crate::world::World;

/// A session that answers from the journal alone and writes nothing.
struct Verifier {
    replay: Replay,
    segment: Vec<Record>,
    rest: VecDeque<Vec<Record>>,
    ended: bool,
}

/// Checks that a replay of the whole journal reaches the recorded end and would add nothing.
pub(crate) fn verify(world: &World, program: &Program) {
    let mut segments: VecDeque<Vec<Record>> = VecDeque::new();
    for record in world.records() {
        let at = record.segment as usize;
        segments.resize_with(segments.len().max(at + 1), Vec::new);
        segments[at].push(record);
    }
    let start = Moment { at: world.journal[0].record.at, active: Duration::ZERO };
    let first = segments.pop_front().expect("a journal has a record");
    let replay = Replay::new(first.clone(), start);
    let mut verifier = Verifier { replay, segment: first, rest: segments, ended: false };
    let ctx = Ctx::new(world.run.clone(), Scope::default(), 0, start);
    let driven = poll(drive(&mut verifier, program, ctx, None)).expect("a replay waits for nothing");
    assert_eq!(driven.expect("a replay does not fail"), Driven::Ended);
    assert!(verifier.ended && verifier.rest.is_empty(), "the replay ended before the journal");
}

impl Verifier {
    fn last(&self) -> &Record {
        self.segment.last().expect("a segment has a record")
    }

    /// Everything recorded was asked for, taken back and delivered.
    fn check_through(&mut self) -> Result<()> {
        let left = self.replay.deliver()?;
        assert!(left.is_none(), "recorded, but not delivered: {left:?}");
        self.replay.caught_up().map_err(Error::from)
    }
}

impl Session for Verifier {
    async fn issue(&mut self, Request { key, operation, .. }: Request) -> Result<()> {
        let asked = self.replay.ask(&key, &operation)?;
        assert_eq!(asked, Asked::Settled, "`{key}` is not settled");
        Ok(())
    }

    async fn withdraw(&mut self, key: StepKey) -> Result<()> {
        assert!(self.replay.withdraw(&key), "the journal does not have the drop of `{key}`");
        Ok(())
    }

    async fn next(&mut self) -> Result<Next> {
        match self.replay.deliver()? {
            Some(Delivery::Completed { key, outcome, moment }) => Ok(Next::Done { key, outcome, moment }),
            Some(Delivery::Cancelled { reason, moment }) => Ok(Next::Cancelled { reason, moment }),
            None => panic!("the code waits for more than is recorded"),
        }
    }

    async fn finish(&mut self, outcome: Outcome) -> Result<Driven> {
        self.check_through()?;
        assert_eq!(self.last().entry, Entry::Ended(outcome));
        self.ended = true;
        Ok(Driven::Ended)
    }

    async fn roll_over(&mut self, state: Json) -> Result<Option<Moment>> {
        self.check_through()?;
        let Record { at, entry: Entry::RolledOver { state: recorded, active_ms }, .. } = self.last() else {
            panic!("the code rolls over where the journal does not");
        };
        assert_eq!(*recorded, state);
        let start = Moment { at: *at, active: Duration::from_millis(*active_ms) };
        self.segment = self.rest.pop_front().expect("another segment");
        self.replay = Replay::new(self.segment.clone(), start);
        Ok(Some(start))
    }

    async fn halt(&mut self, error: Error) -> Result<()> {
        panic!("the replay halts: {error:?}");
    }
}
