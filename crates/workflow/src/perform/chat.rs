//! Has several speak in one conversation, as somebody wrote it in a plan.

use std::sync::{Mutex, PoisonError};

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::{Code, Error, Result, nearest};
use serde_json::{Value, json};

use super::step::person;
use super::values::Values;
use crate::pattern::{self, Conversation, Said, in_turn};
use crate::plan::chat::NOBODY;
use crate::plan::{Chatting, Next};

/// Whom what a conversation begins with is said by.
const OPENING: &str = "opening";

/// Has several speak in turn. What they make is all that they have said, or what is made of it.
pub(super) async fn chat(stage: &Stage, chatting: &Chatting, values: &Values) -> Result<Item> {
    let opening = values.evaluate(stage, &chatting.opening).await?;
    // What has decided who spoke, and when it was over, had a say in what was said.
    let decided = Mutex::new(Item::default());
    let decided = &decided;
    let decide = |by: &Item| {
        let mut decided = decided.lock().unwrap_or_else(PoisonError::into_inner);
        *decided = Item::made_of(Value::Null, [&*decided, by]).condensed("decided");
    };
    let decide = &decide;
    let next = |stage: Stage, said: Conversation| async move {
        let seen = over(values, &said);
        if let Some(until) = &chatting.until {
            let (is_over, decided_by) = seen.decide(&stage, until).await?;
            decide(&decided_by);
            if is_over {
                return Ok(None);
            }
        }
        let next = match &chatting.next {
            Next::Round => {
                let speakers: Vec<&str> = chatting.speakers.iter().map(String::as_str).collect();
                return Ok(in_turn(&speakers, &said));
            }
            Next::Rule(rule) => seen.evaluate(&stage.scope("next"), rule).await?,
            Next::Chosen(chooser) => {
                let shown = said.as_item();
                let task = shown.part(to_choose(&stage, chatting, &shown));
                let answer = stage.apart("next", [&shown]).ask(chooser, &task).await?;
                answer.part(answer.value.get("next").cloned().unwrap_or_default())
            }
        };
        decide(&next);
        speaker(chatting, &next.text()).inspect_err(|_| stage.failed_for(&next))
    };
    let speak = |stage: Stage, who: String, said: Conversation| async move {
        let decided_by = decided.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shown = said.as_item().influenced_by([&decided_by]).condensed("conversation");
        let stage = stage.under([&shown]);
        let made = if who == Chatting::PERSON {
            let answer = json!({
                "type": "object",
                "properties": { "answer": { "type": "string" } },
                "required": ["answer"],
            });
            person(&stage, &shown.text(), &answer).await?
        } else {
            let turn = format!("{}\n\nYou speak as `{who}`. It is your turn.", shown.text());
            stage.apart("ask", [&shown]).ask(&who, shown.part(turn)).await?
        };
        Ok(made.influenced_by([&shown]))
    };
    let opening = vec![Said { who: OPENING.to_owned(), what: opening }];
    let said = pattern::chat(stage, chatting.turns, opening, next, speak).await?;
    let decided_by = decided.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let all = said.as_item().influenced_by([&decided_by]);
    let Some(output) = &chatting.output else { return Ok(all) };
    Ok(over(values, &said).evaluate(stage, output).await?.influenced_by([&all]))
}

/// The values that can be named over a conversation.
fn over(values: &Values, said: &Conversation) -> Values {
    let all = said.as_item();
    let list = said.said().iter().map(|said| json!({ "who": said.who, "what": said.what.value }));
    let turns = said.said().len().saturating_sub(1);
    let last = said.said().last().map(|said| said.what.clone()).unwrap_or_default();
    values
        .with("said", all.part(Value::Array(list.collect())))
        .with("turns", all.part(turns))
        .with("speaker", all.part(said.last_speaker().unwrap_or_default()))
        .with("last", last)
}

/// What whoever chooses a speaker is told.
fn to_choose(stage: &Stage, chatting: &Chatting, said: &Item) -> String {
    let mut text = "The speakers:".to_owned();
    for speaker in &chatting.speakers {
        let agents = stage.definition().agents.iter().map(|agent| &agent.definition);
        let known = agents.clone().find(|definition| definition.name == *speaker);
        let about = match known {
            Some(definition) => definition.description.as_str(),
            None => "A person.",
        };
        text.push_str(&format!("\n- {speaker}: {about}"));
    }
    format!("{text}\n\nWhat was said:\n{}", said.text())
}

/// The speaker of a name; none where nobody speaks any more.
fn speaker(chatting: &Chatting, name: &str) -> Result<Option<String>> {
    if name.is_empty() || name == NOBODY {
        return Ok(None);
    }
    if chatting.speakers.iter().any(|speaker| speaker == name) {
        return Ok(Some(name.to_owned()));
    }
    let error = Error::new(Code::ToolFailed, format!("`{name}` is to speak next, and is no speaker"));
    Err(match nearest(name, chatting.speakers.iter().map(String::as_str)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error.with_help(format!("the speakers are {}", chatting.speakers.join(", "))),
    })
}
