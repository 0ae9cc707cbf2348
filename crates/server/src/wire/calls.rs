//! Calls of tools as clients want them: one after the other, and who is called is told before what with, and once.

use std::collections::{HashMap, VecDeque};

use adjutant::model::Delta;
use adjutant_core::id::CallId;

/// The calls of one answer while they arrive. Some servers tell a call's id after its arguments; nobody hears of it before. Some tell
/// several calls in turns; the second is held back until the first is whole, since a client may take a call for whole once another
/// begins.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
    /// Where the call of each number stands: looking for it each time would take a hostile answer long.
    places: HashMap<u32, usize>,
    /// The one that is being told.
    open: Option<usize>,
    /// Those of which it is known who is called, and that wait for their turn.
    waiting: VecDeque<usize>,
}

#[derive(Debug, Default)]
struct Call {
    id: Option<CallId>,
    name: Option<String>,
    held: String,
    is_known: bool,
    seen: Seen,
}

/// What a client hears of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// It begins. The number counts the calls of the answer.
    Begin(usize, CallId, String),
    /// A piece of its arguments.
    Piece(usize, String),
    /// It is whole.
    End(usize),
}

impl Calls {
    /// Takes a piece of a call; a delta that is none says nothing.
    pub(crate) fn take(&mut self, delta: &Delta) -> Vec<Step> {
        let Delta::ToolCall { index, id, name, arguments } = delta else { return Vec::new() };
        let place = *self.places.entry(*index).or_insert(self.calls.len());
        if place == self.calls.len() {
            self.calls.push(Call::default());
        }
        let Some(call) = self.calls.get_mut(place) else { return Vec::new() };
        call.id = call.id.take().or_else(|| id.clone());
        call.name = call.name.take().or_else(|| name.clone());
        call.seen.read(arguments);
        call.held.push_str(arguments);
        if !call.is_known && call.id.is_some() && call.name.is_some() {
            call.is_known = true;
            self.waiting.push_back(place);
        }
        let mut steps = Vec::new();
        loop {
            self.tell(&mut steps);
            if self.waiting.is_empty() || !self.end(false, &mut steps) {
                return steps;
            }
        }
    }

    /// Something else is about to be said: the call that is being told ends, where it is whole.
    pub(crate) fn pause(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        self.end(false, &mut steps);
        steps
    }

    /// The answer is over: all calls are as whole as they will be.
    pub(crate) fn finish(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            self.tell(&mut steps);
            if !self.end(true, &mut steps) {
                return steps;
            }
        }
    }

    /// Tells what there is of the call whose turn it is.
    fn tell(&mut self, steps: &mut Vec<Step>) {
        if self.open.is_none() {
            self.open = self.waiting.pop_front();
            let call = self.open.and_then(|place| Some((place, self.calls.get(place)?)));
            if let Some((place, Call { id: Some(id), name: Some(name), .. })) = call {
                steps.push(Step::Begin(place, id.clone(), name.clone()));
            }
        }
        if let Some(place) = self.open
            && let Some(call) = self.calls.get_mut(place)
            && !call.held.is_empty()
        {
            steps.push(Step::Piece(place, std::mem::take(&mut call.held)));
        }
    }

    /// Ends the call that is being told, where it is whole or nothing more can come. Returns whether it did.
    fn end(&mut self, is_over: bool, steps: &mut Vec<Step>) -> bool {
        let calls = &self.calls;
        let is_whole =
            |place: &mut usize| is_over || calls.get(*place).is_some_and(|call| call.seen.is_whole());
        let ended = self.open.take_if(is_whole);
        steps.extend(ended.map(Step::End));
        ended.is_some()
    }
}

/// How far the JSON object of some arguments has been seen.
#[derive(Debug, Default)]
struct Seen {
    depth: usize,
    has_begun: bool,
    in_text: bool,
    is_escaped: bool,
}

impl Seen {
    fn read(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match (byte, self.in_text) {
                _ if std::mem::take(&mut self.is_escaped) => {}
                (b'\\', true) => self.is_escaped = true,
                (b'"', _) => self.in_text = !self.in_text,
                (b'{' | b'[', false) => {
                    self.depth += 1;
                    self.has_begun = true;
                }
                (b'}' | b']', false) => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.has_begun && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Delta {
        Delta::ToolCall {
            index,
            id: id.map(CallId::from),
            name: name.map(str::to_owned),
            arguments: arguments.into(),
        }
    }

    #[test]
    fn a_call_is_told_once_it_is_known_who_is_called() {
        let mut calls = Calls::default();
        assert_eq!(calls.take(&piece(7, None, Some("look"), "{\"a\"")), []);
        assert_eq!(
            calls.take(&piece(3, Some("b"), Some("find"), "{}")),
            [Step::Begin(1, "b".into(), "find".into()), Step::Piece(1, "{}".into())]
        );
        assert_eq!(
            calls.take(&piece(7, Some("a"), None, ":1}")),
            [Step::End(1), Step::Begin(0, "a".into(), "look".into()), Step::Piece(0, "{\"a\":1}".into())]
        );
        assert_eq!(calls.take(&Delta::Text("x".into())), []);
        assert_eq!(calls.finish(), [Step::End(0)]);
        assert_eq!(calls.finish(), []);
    }

    #[test]
    fn calls_that_are_told_in_turns_are_heard_one_after_the_other() {
        let mut calls = Calls::default();
        assert_eq!(
            calls.take(&piece(0, Some("a"), Some("look"), "")),
            [Step::Begin(0, "a".into(), "look".into())]
        );
        assert_eq!(calls.take(&piece(1, Some("b"), Some("look"), "")), []);
        assert_eq!(
            calls.take(&piece(0, None, None, "{\"q\":\"}\\\"")),
            [Step::Piece(0, "{\"q\":\"}\\\"".into())]
        );
        assert_eq!(calls.pause(), [], "a bracket in a text ends nothing");
        assert_eq!(calls.take(&piece(1, None, None, "{")), []);
        assert_eq!(
            calls.take(&piece(0, None, None, "\"}")),
            [
                Step::Piece(0, "\"}".into()),
                Step::End(0),
                Step::Begin(1, "b".into(), "look".into()),
                Step::Piece(1, "{".into())
            ]
        );
        assert_eq!(calls.take(&piece(2, Some("c"), Some("now"), "")), []);
        let ends = [Step::End(1), Step::Begin(2, "c".into(), "now".into()), Step::End(2)];
        assert_eq!(calls.finish(), ends);
    }
}
