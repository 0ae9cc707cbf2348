//! When a run ends, and why: pure decisions over what is recorded.

use std::time::Duration;

use adjutant_core::limit::{Limit, Limits};
use adjutant_core::{Code, Error, Result};
use adjutant_model::StopReason;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::note::Note;
use crate::output::Form;
use crate::tally::Tally;

/// Why a run that has a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The model answered.
    Answered,
    /// A limit was reached; the reply is what the model made of what it had.
    LimitReached(Limit),
    /// The model declined to answer.
    Refused,
    /// The provider's filter held the answer back.
    Filtered,
    /// The answer reached the most tokens that one answer may have, and is cut off there.
    CutOff,
    /// The model answered nothing, also when it was asked again.
    Empty,
    /// The policies do not let the answer go out.
    Withheld,
    /// A guardrail let the input or the answer not pass.
    Blocked,
    /// It has done enough: the condition of its author holds.
    Enough,
    /// The conversation is another agent's from here on.
    HandedOver,
}

impl Stop {
    /// Why the run ended, in words.
    pub fn describe(self) -> String {
        match self {
            Self::Answered => "answered".to_owned(),
            Self::LimitReached(limit) => format!("stopped by the limit of {}", limit.as_str()),
            Self::Refused => "the model declined to answer".to_owned(),
            Self::Filtered => "the provider held the answer back".to_owned(),
            Self::CutOff => "the answer was cut off at the limit of output tokens".to_owned(),
            Self::Empty => "the model gave no answer".to_owned(),
            Self::Blocked => "held back by a guardrail".to_owned(),
            Self::Enough => "stopped by its own condition".to_owned(),
            Self::HandedOver => "handed over to another agent".to_owned(),
            Self::Withheld => "the answer was withheld by the policies".to_owned(),
        }
    }
}

/// What the loop does next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// It asks the model again.
    Continue,
    /// It tells the model something, and asks again.
    Tell(Note),
    /// It gives the model a last turn without tools.
    LastTurn(Limit),
    /// It ends, with the answer as data where there is any.
    End(Stop, Option<Value>),
}

/// What has been tried already to get a proper answer, so that each is tried once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tried {
    /// The model was asked to go on.
    pub(crate) nudge: bool,
    /// The model was told what is wrong with the form of its answer.
    pub(crate) repair: bool,
    /// The model was told that its answer could not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) malformed: bool,
    /// The model was told that its answer may not go out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) withheld: bool,
    /// The model was told what its answer claims that was not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) undone: bool,
    /// The model was given its last turn.
    pub(crate) last_turn: Option<Limit>,
}

/// What is known at the end of a turn.
pub(crate) struct Facts<'a> {
    /// What the model answered.
    pub(crate) answer: &'a Answer,
    /// Whether the answer called tools, which are done.
    pub(crate) acted: bool,
    /// Whether somebody said something meanwhile.
    pub(crate) heard: bool,
    /// What was tried already.
    pub(crate) tried: Tried,
    /// Whether the condition of its author holds.
    pub(crate) enough: bool,
    /// The limit that is reached, if any.
    pub(crate) limit: Option<Limit>,
    /// The form that the answer must have.
    pub(crate) form: Option<&'a Form>,
    /// Why the answer could not be read.
    pub(crate) malformed: Option<&'a str>,
}

/// Decides what the loop does next. Fails with [`Code::RunOutputInvalid`] when the answer has the wrong form also
/// after it was repaired.
pub(crate) fn decide(facts: &Facts<'_>) -> Result<Next> {
    let Facts { answer, tried, .. } = facts;
    if let Some(limit) = tried.last_turn {
        let data = facts.form.and_then(|form| form.read(&answer.text()).ok());
        let stop = if limit == Limit::Condition { Stop::Enough } else { Stop::LimitReached(limit) };
        return Ok(Next::End(stop, data));
    }
    match answer.response.stop {
        StopReason::Refusal => return Ok(Next::End(Stop::Refused, None)),
        StopReason::ContentFilter => return Ok(Next::End(Stop::Filtered, None)),
        _ => {}
    }
    if facts.acted || facts.heard || answer.response.stop == StopReason::Paused {
        return Ok(match facts.limit {
            Some(limit) => Next::LastTurn(limit),
            // Whoever says something then has not had enough.
            None if !facts.enough || facts.heard => Next::Continue,
            // What it said with its calls is its answer, if it said anything.
            None if facts.form.is_none() && !answer.text().trim().is_empty() => Next::End(Stop::Enough, None),
            None => Next::LastTurn(Limit::Condition),
        });
    }
    let ending = ending(facts)?;
    match (ending, facts.limit) {
        // There is no room for another turn in full.
        (Next::Tell(_), Some(limit)) => Ok(Next::LastTurn(limit)),
        (next, _) => Ok(next),
    }
}

/// Decides about an answer that calls no tools.
fn ending(facts: &Facts<'_>) -> Result<Next> {
    let Facts { answer, tried, form, .. } = facts;
    let text = answer.text();
    let cut_off = answer.response.stop == StopReason::MaxTokens;
    if let Some(why) = facts.malformed.filter(|_| !tried.malformed && !cut_off) {
        return Ok(Next::Tell(Note::Malformed(why.to_owned())));
    }
    if answer.message().is_none() {
        return Ok(match (tried.nudge, cut_off) {
            (false, _) => Next::Tell(Note::Empty),
            (true, true) => Next::End(Stop::CutOff, None),
            (true, false) => Next::End(Stop::Empty, None),
        });
    }
    let Some(form) = form else {
        return Ok(match cut_off {
            true => Next::End(Stop::CutOff, None),
            false if announces(&text) && !tried.nudge => Next::Tell(Note::Unfinished),
            false => Next::End(Stop::Answered, None),
        });
    };
    match form.read(&text) {
        Ok(data) => Ok(Next::End(Stop::Answered, Some(data))),
        Err(violations) if !tried.repair => Ok(Next::Tell(Note::Misfit(violations))),
        Err(violations) => Err(Error::new(
            Code::RunOutputInvalid,
            format!(
                "the answer does not fit the agent's output schema, also after it was repaired:\n{violations}"
            ),
        )
        .with_help("make the schema simpler, describe its fields, or use a model that enforces schemas")),
    }
}

/// Whether an answer only announces what should follow: models end a turn with "Let me look that up:" at times.
fn announces(text: &str) -> bool {
    text.trim_end().ends_with(':')
}

/// The first limit that is reached, if any. `active` is how long the run has been active.
pub fn reached(limits: &Limits, tally: &Tally, active: Duration) -> Option<Limit> {
    if let Some(full) = tally.full {
        return Some(full);
    }
    let checks = [
        (Limit::Steps, tally.turns >= limits.steps),
        (Limit::Tokens, tally.usage.total() >= limits.tokens),
        (Limit::Money, tally.cost >= limits.money),
        (Limit::WallTime, active >= limits.wall_time),
        (Limit::IdleTime, tally.idle),
        (Limit::Errors, tally.errors >= limits.errors),
        (Limit::Repeats, tally.repetitions() >= limits.repeats),
    ];
    checks.into_iter().find(|(_, reached)| *reached).map(|(limit, _)| limit)
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Message, Part, ToolCall};
    use adjutant_core::money::Money;
    use adjutant_core::usage::Usage;
    use adjutant_model::Response;
    use serde_json::json;

    use super::*;

    fn answer(text: &str, stop: StopReason) -> Answer {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
        let message = Message::assistant(parts);
        let response = Response {
            message,
            usage: None,
            stop,
            model: None,
            request_id: None,
            tried: vec![],
            instead: None,
            unknown: vec![],
        };
        Answer { response, estimate: None, cost: None, unasked: None, held_to: None }
    }

    fn facts(answer: &Answer) -> Facts<'_> {
        Facts {
            answer,
            acted: false,
            heard: false,
            tried: Tried::default(),
            enough: false,
            limit: None,
            form: None,
            malformed: None,
        }
    }

    #[test]
    fn a_models_stop_has_one_meaning() {
        use StopReason::{ContentFilter, EndTurn, MaxTokens, Refusal, StopSequence};
        let nudged = Tried { nudge: true, ..Tried::default() };
        let end = |stop| Next::End(stop, None);
        let cases = [
            ("ok", EndTurn, Tried::default(), end(Stop::Answered)),
            ("ok", StopSequence, Tried::default(), end(Stop::Answered)),
            ("ok", StopReason::Other("x".into()), Tried::default(), end(Stop::Answered)),
            ("so far", StopReason::Paused, Tried::default(), Next::Continue),
            ("", StopReason::Paused, Tried::default(), Next::Continue),
            ("half", MaxTokens, Tried::default(), end(Stop::CutOff)),
            ("no", Refusal, Tried::default(), end(Stop::Refused)),
            ("", ContentFilter, Tried::default(), end(Stop::Filtered)),
            ("", EndTurn, Tried::default(), Next::Tell(Note::Empty)),
            ("", EndTurn, nudged, end(Stop::Empty)),
            ("", MaxTokens, nudged, end(Stop::CutOff)),
            ("I look it up:", EndTurn, Tried::default(), Next::Tell(Note::Unfinished)),
            ("I look it up:", EndTurn, nudged, end(Stop::Answered)),
        ];
        for (text, stop, tried, expected) in cases {
            let answer = answer(text, stop);
            let next = decide(&Facts { tried, ..facts(&answer) }).unwrap();
            assert_eq!(next, expected, "{text} {answer:?}");
        }
    }

    #[test]
    fn a_limit_gives_one_last_turn() {
        let answer = answer("x", StopReason::EndTurn);
        let limited = Facts { limit: Some(Limit::Steps), ..facts(&answer) };
        assert_eq!(decide(&limited).unwrap(), Next::End(Stop::Answered, None));
        let acted = Facts { acted: true, limit: Some(Limit::Steps), ..facts(&answer) };
        assert_eq!(decide(&acted).unwrap(), Next::LastTurn(Limit::Steps));
        let tried = Tried { last_turn: Some(Limit::Money), ..Tried::default() };
        let over = Facts { acted: true, heard: true, tried, ..facts(&answer) };
        assert_eq!(decide(&over).unwrap(), Next::End(Stop::LimitReached(Limit::Money), None));
    }

    #[test]
    fn enough_is_enough_once_something_was_said() {
        let (said, silent) = (answer("Sent.", StopReason::ToolCalls), answer("", StopReason::ToolCalls));
        let check = |answer, heard, limit| {
            decide(&Facts { acted: true, enough: true, heard, limit, ..facts(answer) }).unwrap()
        };
        assert_eq!(check(&said, false, None), Next::End(Stop::Enough, None));
        assert_eq!(check(&silent, false, None), Next::LastTurn(Limit::Condition));
        assert_eq!(check(&said, true, None), Next::Continue);
        assert_eq!(check(&said, false, Some(Limit::Steps)), Next::LastTurn(Limit::Steps));
        let tried = Tried { last_turn: Some(Limit::Condition), ..Tried::default() };
        let last = decide(&Facts { tried, ..facts(&said) }).unwrap();
        assert_eq!(last, Next::End(Stop::Enough, None));
    }

    #[test]
    fn a_form_is_repaired_once() {
        let form = Form::new("desk", &json!({ "type": "object", "required": ["a"] })).unwrap();
        let check = |text: &str, tried, limit| {
            let answer = answer(text, StopReason::EndTurn);
            decide(&Facts { form: Some(&form), tried, limit, ..facts(&answer) })
        };
        let repaired = Tried { repair: true, ..Tried::default() };
        let last = Tried { last_turn: Some(Limit::Steps), ..Tried::default() };
        let data = json!({ "a": 1 });
        let end = Next::End(Stop::Answered, Some(data.clone()));
        assert_eq!(check(r#"{"a":1}"#, Tried::default(), None).unwrap(), end);
        assert!(matches!(check("{}", Tried::default(), None).unwrap(), Next::Tell(Note::Misfit(_))));
        assert_eq!(check("{}", repaired, None).unwrap_err().code(), Code::RunOutputInvalid);
        assert_eq!(check("{}", Tried::default(), Some(Limit::Steps)).unwrap(), Next::LastTurn(Limit::Steps));
        let limited = |data| Next::End(Stop::LimitReached(Limit::Steps), data);
        assert_eq!(check("{}", last, None).unwrap(), limited(None));
        assert_eq!(check(r#"{"a":1}"#, last, None).unwrap(), limited(Some(data)));
    }

    #[test]
    fn calls_of_a_refused_answer_do_not_count_as_said() {
        let mut refused = answer("no", StopReason::Refusal);
        let call = ToolCall { id: "1".into(), name: "pay".into(), arguments: "{}".into() };
        refused.response.message.parts.push(Part::ToolCall(call));
        assert_eq!(refused.message().unwrap().calls().count(), 0);
    }

    #[test]
    fn each_limit_is_seen() {
        let limits = Limits { steps: 2, tokens: 10, errors: 2, repeats: 2, ..Limits::default() };
        let digest = adjutant_core::hash::Digest::of(b"a");
        let check = |change: fn(&mut Tally), active: u64| {
            let mut tally = Tally::default();
            change(&mut tally);
            reached(&limits, &tally, Duration::from_secs(active))
        };
        assert_eq!(check(|_| {}, 0), None);
        assert_eq!(check(|tally| tally.turns = 2, 0), Some(Limit::Steps));
        assert_eq!(
            check(|tally| tally.usage = Usage { input: 10, ..Usage::default() }, 0),
            Some(Limit::Tokens)
        );
        assert_eq!(check(|tally| tally.cost = Money::usd(5.into()), 0), Some(Limit::Money));
        assert_eq!(check(|_| {}, 3600), Some(Limit::WallTime));
        assert_eq!(check(|tally| tally.idle = true, 0), Some(Limit::IdleTime));
        assert_eq!(check(|tally| tally.errors = 2, 0), Some(Limit::Errors));
        let mut repeated = Tally::default();
        repeated.calls(&[(digest, false), (digest, false)], 2);
        assert_eq!(reached(&limits, &repeated, Duration::ZERO), Some(Limit::Repeats));
    }
}
