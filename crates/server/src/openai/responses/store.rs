//! What is kept of responses and conversations: documents of the tenant, whose every key is an id that nobody can guess.

use adjutant::Adjutant;
use adjutant::durable::{Draft, Expected};
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The kinds of the documents.
const RESPONSE: &str = "openai.response";
const CONVERSATION: &str = "openai.conversation";

/// How long a response is kept: as long as OpenAI keeps it, in milliseconds.
pub(super) const KEPT: i64 = 30 * 86_400_000;

/// How long nobody writes down that they work on a response before it is taken for left.
const LEFT: std::time::Duration = std::time::Duration::from_secs(90);

/// A response as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What the client was told.
    pub(super) response: Value,
    /// The items that it answers.
    pub(super) input: Vec<Value>,
    /// All that was said, with the answer: what the next one follows. None while it is not whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) said: Vec<Message>,
    /// The session of the agent that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    /// The run, while an agent answers in the background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    /// The events that told it, where it can be told again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Value>,
    /// Who asked: nobody else who is confined to a person sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// What whoever asked is counted by: no other key that is confined to some things sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
}

impl Kept {
    /// Whether it is not over yet.
    pub(super) fn is_under_way(&self) -> bool {
        self.response.get("status").is_some_and(|status| status == "in_progress")
    }

    /// Has it over, for this reason.
    pub(super) fn end(&mut self, status: &str, error: Value) {
        if let Some(fields) = self.response.as_object_mut() {
            fields.insert("status".into(), status.into());
            fields.insert("error".into(), error);
        }
    }
}

/// A conversation as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Conversation {
    /// When it was made, in seconds since 1970.
    pub(super) created: i64,
    /// What the client wants to find it by.
    pub(super) metadata: Map<String, Value>,
    /// Its items.
    pub(super) items: Vec<Value>,
    /// What was said.
    pub(super) said: Vec<Message>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// What whoever made it is counted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
}

/// The responses and conversations of a tenant, as one caller sees them.
#[derive(Clone)]
pub(super) struct Shelf {
    adjutant: Adjutant,
    user: Option<String>,
    by: Option<String>,
    /// Whether only what they have made themselves is seen.
    is_confined: bool,
}

impl Shelf {
    /// Those of a caller: of one who is a person, or who is confined to some things, only their own.
    pub(super) fn of(caller: &crate::access::Caller) -> Self {
        let who = caller.who();
        Self {
            adjutant: caller.adjutant().clone(),
            user: who.user.clone(),
            by: Some(who.counted_as.clone()),
            is_confined: !who.scopes.is_empty(),
        }
    }

    /// All of a tenant, for what is done for whoever asked.
    pub(super) fn of_all(adjutant: &Adjutant) -> Self {
        Self { adjutant: adjutant.clone(), user: None, by: None, is_confined: false }
    }

    /// The same, in which what is kept is somebody's.
    pub(super) fn for_whom(self, by: Option<String>) -> Self {
        Self { by, ..self }
    }

    /// Whose they are.
    pub(super) fn adjutant(&self) -> &Adjutant {
        &self.adjutant
    }

    /// A response, by its id without what says that it is one. Fails with [`Code::NotFound`].
    pub(super) async fn response(&self, id: &str) -> Result<Kept> {
        let found = self.adjutant.engine().document(RESPONSE, id).await?;
        let kept: Option<Kept> = found.map(|document| document.body.to()).transpose()?;
        kept.filter(|kept| self.sees(kept.user.as_deref(), kept.by.as_deref()))
            .ok_or_else(|| missing("response", &format!("resp_{id}")))
    }

    /// Whether nobody works any more on a response that is under way: whoever does writes it down now and then.
    pub(super) async fn is_left(&self, id: &str) -> Result<bool> {
        let found = self.adjutant.engine().document(RESPONSE, id).await?;
        let now = self.adjutant.gateway().now();
        Ok(found.is_some_and(|document| now.since(document.updated) > LEFT))
    }

    /// Keeps a response. One that was deleted meanwhile stays so.
    pub(super) async fn keep(&self, id: &str, kept: &Kept, over: Expected) -> Result<()> {
        let expires = Some(adjutant_core::time::Timestamp(self.adjutant.gateway().now().0 + KEPT));
        let user = kept.user.clone().or_else(|| self.user.clone());
        let kept = Kept { user, by: kept.by.clone().or_else(|| self.by.clone()), ..kept.clone() };
        let draft = Draft { user: kept.user.clone(), expires, ..Draft::new(RESPONSE, id, Json::of(&kept)?) };
        match self.adjutant.engine().put_document(draft.over(over)).await {
            Err(error) if error.code() == Code::Conflict && over == Expected::Something => Ok(()),
            kept => kept.map(drop),
        }
    }

    /// Forgets a response. Fails with [`Code::NotFound`].
    pub(super) async fn forget(&self, id: &str) -> Result<()> {
        self.response(id).await?;
        self.adjutant.engine().delete_document(RESPONSE, id, Expected::Anything).await.map(drop)
    }

    /// A conversation, and its revision. Fails with [`Code::NotFound`].
    pub(super) async fn conversation(&self, id: &str) -> Result<(Conversation, u64)> {
        let found = self.adjutant.engine().document(CONVERSATION, id).await?;
        let revision = found.as_ref().map_or(0, |document| document.revision);
        let kept: Option<Conversation> = found.map(|document| document.body.to()).transpose()?;
        let kept = kept.filter(|kept| self.sees(kept.user.as_deref(), kept.by.as_deref()));
        kept.map(|kept| (kept, revision)).ok_or_else(|| missing("conversation", id))
    }

    /// Keeps a conversation over a revision of it. Fails with [`Code::Conflict`] where somebody was faster.
    pub(super) async fn converse(&self, id: &str, kept: &Conversation, over: Expected) -> Result<()> {
        let user = kept.user.clone().or_else(|| self.user.clone());
        let kept = Conversation { user, by: kept.by.clone().or_else(|| self.by.clone()), ..kept.clone() };
        let draft = Draft { user: kept.user.clone(), ..Draft::new(CONVERSATION, id, Json::of(&kept)?) };
        self.adjutant.engine().put_document(draft.over(over)).await.map(drop).map_err(|error| {
            match error.code() {
                Code::Conflict => Error::new(
                    Code::Conflict,
                    format!("another response was added to the conversation `{id}` meanwhile"),
                )
                .with_help("ask again: turns of a conversation follow each other"),
                _ => error,
            }
        })
    }

    /// Forgets a conversation. Fails with [`Code::NotFound`].
    pub(super) async fn end(&self, id: &str) -> Result<()> {
        self.conversation(id).await?;
        self.adjutant.engine().delete_document(CONVERSATION, id, Expected::Anything).await.map(drop)
    }

    fn sees(&self, user: Option<&str>, by: Option<&str>) -> bool {
        let is_theirs = self.user.is_none() || self.user.as_deref() == user;
        is_theirs && (!self.is_confined || self.by.as_deref() == by)
    }
}

fn missing(what: &str, id: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no {what} `{id}`"))
        .with_help("it was deleted, its time is over, or it was made without `store`")
}
