//! What a server asks a person, as questions; and the answers, as the server reads them. Pure.

use std::collections::BTreeMap;

use adjutant_core::tool::Effect;
use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction, InputRequest, InputRequests};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::clean;
use super::connection::Unanswered;
use super::failure::Missed;
use crate::command::Redactor;
use crate::failure::Failure;
use crate::pending::{Answer, Pending, Question, Until, Wanted};

/// How long what a server asks may be, in characters.
const LONGEST: usize = 4_000;

/// How many questions one answer of a server may hold.
const MOST: usize = 20;

/// The code of an error that says that a person must have been somewhere before the call can be made.
const VISIT_FIRST: i32 = -32_042;

/// How long a task is left alone before it is looked at for the first time, in milliseconds. It doubles now and then.
const FIRST_LOOK: u64 = 500;

/// How long it is left alone between two looks in the end, in milliseconds.
const LAST_LOOK: u64 = 60_000;

/// The longest wait that a server may ask for, in milliseconds.
const MOST_ASKED: u64 = 3_600_000;

/// Where a call stands that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// The server wants answers and is then called again, or told them.
    Asked(Asked),
    /// The call is held by this process while a person answers.
    Held {
        /// Its name there.
        id: String,
        /// What is asked.
        question: Question,
    },
    /// The server works on it, under this id.
    Task(Task),
    /// The answer is lost, for this reason.
    Lost(String),
}

/// What a server wants to know before it goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// What is not answered yet, by the server's names for it. The first is being asked.
    pub(super) open: BTreeMap<String, Question>,
    /// What was answered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) answers: BTreeMap<String, Answer>,
    /// What the server wants back with the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    /// Whether the server wants nothing told: it refuses the call until that is done what it asks for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_first: bool,
    /// The task that is to be told; without one the call is made once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<Task>,
}

/// Work that goes on at the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    /// The server's id of it.
    pub(super) id: String,
    /// How often it was looked at.
    #[serde(default)]
    pub(super) looks: u32,
    /// The questions of it that were answered: it may go on to list them for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) answered: Vec<String>,
}

/// Who asks, and what must not be shown.
pub(super) struct Asker<'a> {
    pub(super) server: &'a str,
    pub(super) redactor: &'a Redactor,
}

impl Asker<'_> {
    /// What is asked, as a question; or why it cannot be put to a person.
    pub(super) fn question(&self, asked: &ElicitRequestParams) -> Result<Question, String> {
        let (message, wanted) = match asked {
            ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } => {
                let schema = serde_json::to_value(requested_schema).map_err(|error| error.to_string())?;
                (message, Wanted::Values(clean::schema(&schema, LONGEST)))
            }
            ElicitRequestParams::UrlElicitationParams { message, url, .. } => {
                let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                (
                    message,
                    Wanted::Visit(url.ok_or("it sends a person to what is no web address")?.to_string()),
                )
            }
            _ => return Err("it asks in a way that is not known here".to_owned()),
        };
        let message = self.redactor.text(clean::words(message, LONGEST));
        Ok(Question { from: format!("the MCP server `{}`", self.server), message, wanted })
    }

    /// What a server wants to know, as questions; or why that cannot be put to a person.
    pub(super) fn questions(&self, asked: &InputRequests) -> Result<BTreeMap<String, Question>, String> {
        if asked.len() > MOST {
            return Err(format!("it asks more than {MOST} questions at once"));
        }
        let question = |(name, request): (&String, &InputRequest)| match request {
            InputRequest::Elicitation(request) => Ok((name.clone(), self.question(&request.params)?)),
            _ => Err("it asks for something that it was not offered".to_owned()),
        };
        asked.iter().map(question).collect()
    }
}

impl Asker<'_> {
    /// The call that waits for a person who must have been to some addresses before it is made (the error of the revision
    /// 2025-11-25 that says so); none where something else went wrong.
    pub(super) fn visits(&self, missed: &Missed) -> Option<Failure> {
        let Missed::Unanswered(Unanswered::Refused(refusal)) = missed else { return None };
        let listed = refusal.data.as_ref().filter(|_| refusal.code.0 == VISIT_FIRST)?.get("elicitations")?;
        let listed: Vec<ElicitRequestParams> = listed
            .as_array()?
            .iter()
            .take(MOST)
            .filter_map(|asked| serde_json::from_value(asked.clone()).ok())
            .collect();
        let questions = listed.iter().filter_map(|asked| self.question(asked).ok());
        let open: BTreeMap<_, _> =
            questions.enumerate().map(|(place, asked)| (format!("{place:02}"), asked)).collect();
        Asked { open, is_first: true, ..Asked::default() }.asking()
    }
}

impl Asked {
    /// Takes the answer to the first open question.
    pub(super) fn take(&mut self, answer: Answer) {
        if let Some((name, _)) = self.open.pop_first() {
            self.answers.insert(name, answer);
        }
    }

    /// The answers as they are sent.
    pub(super) fn responses(&self) -> BTreeMap<String, Value> {
        if self.is_first {
            return BTreeMap::new();
        }
        let response = |answer: &Answer| serde_json::to_value(result(answer.clone())).unwrap_or_default();
        self.answers.iter().map(|(name, answer)| (name.clone(), response(answer))).collect()
    }

    /// The call that waits for the first open question; none where all are answered.
    pub(super) fn asking(&self) -> Option<Failure> {
        let question = self.open.values().next()?.clone();
        // A task is told once what it was told twice.
        let effect = self.task.as_ref().map(|_| Effect::Idempotent);
        Some(pending(Until::Answered(question), State::Asked(self.clone()), effect))
    }
}

impl Task {
    /// The call that waits until the task is looked at again: after what the server asks for, and the longer the more often
    /// it was looked at in vain.
    pub(super) fn pending(mut self, asked_ms: Option<u64>, note: Option<&str>) -> Failure {
        let patience = FIRST_LOOK.saturating_mul(1 << (self.looks / 3).min(16)).min(LAST_LOOK);
        let after_ms = asked_ms.unwrap_or_default().clamp(patience, MOST_ASKED);
        self.looks = self.looks.saturating_add(1);
        let note = note.map(|note| clean::line(note, 300)).filter(|note| !note.is_empty());
        pending(Until::Later { after_ms, note }, State::Task(self), Some(Effect::Idempotent))
    }
}

/// The call whose answer is lost. That is said in a step of the kind that the call itself is, so that what must not be
/// repeated waits for a person.
pub(super) fn lost(why: String) -> Failure {
    pending(Until::Later { after_ms: 0, note: None }, State::Lost(why), None)
}

/// A call that is not over.
pub(super) fn pending(until: Until, state: State, effect: Option<Effect>) -> Failure {
    match serde_json::to_value(state) {
        Ok(state) => Pending { until, state, effect }.into(),
        Err(error) => Failure::Unknown(format!("where the call stands cannot be recorded: {error}")),
    }
}

/// An answer as a server reads it.
pub(super) fn result(answer: Answer) -> ElicitResult {
    match answer {
        Answer::Accept(content) => {
            let accepted = ElicitResult::new(ElicitationAction::Accept);
            content.map_or(accepted.clone(), |content| accepted.with_content(content.into()))
        }
        Answer::Decline => ElicitResult::new(ElicitationAction::Decline),
        Answer::Cancel => ElicitResult::new(ElicitationAction::Cancel),
    }
}
