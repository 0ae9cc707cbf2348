//! Calls of tools as clients want them: who is called is told before what with, and once.

use std::collections::HashMap;

use adjutant::model::Delta;
use adjutant_core::id::CallId;

/// The calls of one answer while they arrive. Some servers tell a call's id after its arguments; nobody hears of it before.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
    /// Where the call of each number stands: looking for it each time would take a hostile answer long.
    places: HashMap<u32, usize>,
}

#[derive(Debug, Default)]
struct Call {
    id: Option<CallId>,
    name: Option<String>,
    held: String,
    told: bool,
}

/// What a client hears of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// It begins. The number counts the calls of the answer.
    Begin(usize, CallId, String),
    /// A piece of its arguments.
    Piece(usize, String),
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
        call.held.push_str(arguments);
        let mut steps = Vec::new();
        if let (false, Some(id), Some(name)) = (call.told, &call.id, &call.name) {
            call.told = true;
            steps.push(Step::Begin(place, id.clone(), name.clone()));
        }
        if call.told && !call.held.is_empty() {
            steps.push(Step::Piece(place, std::mem::take(&mut call.held)));
        }
        steps
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
            [Step::Begin(0, "a".into(), "look".into()), Step::Piece(0, "{\"a\":1}".into())]
        );
        assert_eq!(calls.take(&Delta::Text("x".into())), []);
    }
}
