//! What the runtime tells the model when something is the matter.

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::limit::Limit;
use adjutant_core::message::Message;
use adjutant_durable::{Ctx, Effects, work};
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::conversation::Conversation;
use crate::transcript::NOTE;

/// The name of the step that records an answer that no model of the run was asked for.
pub(crate) const MADE: &str = "made";

/// What the runtime tells the model when something is the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A limit is reached: answer now, without tools.
    LastTurn(Limit),
    /// The answer was empty.
    Empty,
    /// The answer announces something and then ends.
    Unfinished,
    /// The answer does not fit the schema, for these reasons.
    Misfit(String),
    /// The answer is written so that it is neither a call nor an answer, for this reason.
    Malformed(String),
    /// The answer may not go out, for this reason.
    Withheld(String),
    /// The answer claims or promises what was not done; this is missing.
    Undone(String),
    /// This agent hands the conversation back, with these words.
    HandedBack(String, String, Label),
    /// The conversation was not handed over to this agent, for this reason.
    Kept(String, String, Label),
    /// This person has taken the run.
    Taken(String),
    /// This person has handed it back, with these words.
    Back(String, Option<String>),
}

/// The note as a step: which, without its words, so that better words in a later version change no recorded step.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    LastTurn(Limit),
    Empty,
    Unfinished,
    Misfit,
    Malformed,
    Withheld,
    Undone,
    HandedBack,
    Kept,
    Taken,
    Back,
}

impl Note {
    /// What is known of its words.
    fn label(&self) -> Label {
        match self {
            Self::HandedBack(.., label) | Self::Kept(.., label) => label.clone(),
            _ => Label::default(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::LastTurn(limit) => Kind::LastTurn(*limit),
            Self::Empty => Kind::Empty,
            Self::Unfinished => Kind::Unfinished,
            Self::Misfit(_) => Kind::Misfit,
            Self::Malformed(_) => Kind::Malformed,
            Self::Withheld(_) => Kind::Withheld,
            Self::Undone(_) => Kind::Undone,
            Self::HandedBack(..) => Kind::HandedBack,
            Self::Kept(..) => Kind::Kept,
            Self::Taken(_) => Kind::Taken,
            Self::Back(..) => Kind::Back,
        }
    }

    /// The words that the model reads.
    pub fn text(&self) -> String {
        let text = match self {
            Self::LastTurn(Limit::Condition) => "You have done enough. Tools are no longer available. Answer now with what you \
                 have, and say what is missing."
                .to_owned(),
            Self::LastTurn(limit) => format!(
                "The limit of {} for this task is reached. Tools are no longer available. Answer now with what you \
                 have, and say what is missing.",
                limit.as_str()
            ),
            Self::Empty => "Your last answer was empty. Go on: call a tool, or answer.".to_owned(),
            Self::Unfinished => {
                "Your last answer announces something and then ends. Go on: call a tool, or give the whole answer."
                    .to_owned()
            }
            Self::Undone(missing) => format!(
                "Your last answer was looked at by another model, and claims or promises what was not done: {missing}\nDo it \
                 now and then answer, or answer again and say plainly what is not done."
            ),
            Self::HandedBack(by, words, _) => format!(
                "`{by}` hands the conversation back to you, and says: {words}\nAnswer, or hand it over to another agent."
            ),
            Self::Kept(to, why, _) => format!(
                "`{to}` has not got the conversation: {why}. Answer yourself, or find another way."
            ),
            Self::Taken(by) => format!(
                "{by} has taken over. What follows, up to the note that you go on, was done by them in your place."
            ),
            Self::Back(by, None) => format!("{by} has handed the task back to you. Go on."),
            Self::Back(by, Some(words)) => {
                format!("{by} has handed the task back to you, and says: {words}\nGo on.")
            }
            Self::Misfit(violations) => format!(
                "Your last answer does not have the required form:\n{violations}\nAnswer again, with nothing but JSON \
                 that fits the schema."
            ),
            Self::Malformed(why) => format!(
                "Your last answer could not be read: {why}. Write `Action:` with the name of a tool and below it `Action Input:` with \
                 its arguments, or write `Final Answer:` and your answer."
            ),
            Self::Withheld(why) => format!(
                "Your last answer was not given to anybody: {why}. Answer again without what must not go out, or say that \
                 you may not tell."
            ),
        };
        format!("[Note from the runtime, not from the user] {text}")
    }
}

/// Records what others have made as an answer of the agent, so that later turns of the session read it.
pub(crate) async fn say(step: &Ctx, conversation: &mut Conversation, text: &str, label: Label) -> Result<()> {
    let mut answer = Answer::of_text(text);
    answer.response.message.label = label;
    let recorded = Json::of(&answer)?;
    let input = Json::of(&Digest::of(recorded.as_str().as_bytes()).to_string())?;
    let done = work(move |_| std::future::ready(Ok(recorded.clone())));
    let recorded = step.effect(MADE, Effects::pure(), input, done).await?;
    conversation.answer(step.path().join(MADE, 0), &Answer::read(&recorded)?);
    Ok(())
}

/// What a step has recorded that the model was told.
pub(crate) fn read(recorded: &Json, step: StepKey) -> Result<Message> {
    let message = match recorded.to::<String>() {
        Ok(text) => Message::user(text),
        Err(_) => recorded.to::<Message>()?,
    };
    Ok(message.from_step(step))
}

/// Tells the model something.
pub(crate) async fn tell(step: &Ctx, conversation: &mut Conversation, note: Note) -> Result<()> {
    let key = step.path().join(NOTE, 0);
    let kind = Json::of(&note.kind())?;
    // Words of another agent are no better than what it has read.
    let said = match note.label() {
        label if label.is_default() => Json::of(&note.text())?,
        label => Json::of(&Message::user(note.text()).labelled(label))?,
    };
    let told = work(move |_| std::future::ready(Ok(said.clone())));
    let told = step.effect(NOTE, Effects::pure(), kind, told).await?;
    conversation.note(key.clone(), read(&told, key)?);
    Ok(())
}
