//! What is kept of responses and conversations: documents of the tenant, whose every key is an id that nobody can guess.

use adjutant::Adjutant;
use adjutant::durable::{Draft, Expected};
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::Who;

/// The kinds of the documents.
const RESPONSE: &str = "openai.response";
const CONVERSATION: &str = "openai.conversation";
const SESSION: &str = "openai.session";

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
    /// All that was said up to it, and the answer once it is whole: what the next one follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) said: Vec<Message>,
    /// The session of the agent that answered, or that answered the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<Session>,
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

/// The session in which an agent answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Its name.
    pub(super) name: String,
    /// The response that was its last turn, without what says that it is one.
    pub(super) at: String,
    /// How many of the messages that were said up to then, its answer included, it has heard.
    pub(super) heard: usize,
}

impl Session {
    /// The name of a session that begins with a response or is a conversation.
    pub(super) fn named(id: &str) -> String {
        format!("v1-{id}")
    }
}

impl Kept {
    /// Whether it has an answer that can be followed.
    pub(super) fn is_whole(&self) -> bool {
        let status = self.response.get("status").and_then(Value::as_str);
        matches!(status, Some("completed" | "incomplete"))
    }

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
    /// How many items clients have added, which the ids of these count.
    #[serde(default)]
    pub(super) added: usize,
    /// What was said.
    pub(super) said: Vec<Message>,
    /// How many of these messages agents have heard, whose session it is.
    #[serde(default)]
    pub(super) heard: usize,
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
    /// Who asks; none for what is done for whoever asked.
    who: Option<Who>,
}

impl Shelf {
    /// Those of a caller: of one who is a person, or who is confined to some things, only their own.
    pub(super) fn of(caller: &crate::access::Caller) -> Self {
        let who = caller.who();
        Self {
            adjutant: caller.adjutant().clone(),
            user: who.user.clone(),
            by: Some(who.counted_as.clone()),
            who: Some(who.clone()),
        }
    }

    /// All of a tenant, for what is done for whoever asked.
    pub(super) fn of_all(adjutant: &Adjutant) -> Self {
        Self { adjutant: adjutant.clone(), user: None, by: None, who: None }
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

    /// Goes on in a session with another response. False where it has gone on with one already: what is said in it is one thread, and two
    /// answers to the same are not.
    pub(super) async fn go_on(&self, session: &Session, response: &str) -> Result<bool> {
        let found = self.adjutant.engine().document(SESSION, &session.name).await?;
        let (last, over) = match &found {
            Some(document) => (document.body.to()?, Expected::Revision(document.revision)),
            None => (session.at.clone(), Expected::Nothing),
        };
        let is_first = found.is_some() || session.name == Session::named(&session.at);
        if last != session.at || !is_first {
            return Ok(false);
        }
        let expires = Some(adjutant_core::time::Timestamp(self.adjutant.gateway().now().0 + KEPT));
        let draft = Draft {
            user: self.user.clone(),
            expires,
            ..Draft::new(SESSION, &session.name, Json::of(&response)?)
        };
        match self.adjutant.engine().put_document(draft.over(over)).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Code::Conflict => Ok(false),
            Err(error) => Err(error),
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
        let is_confined = self.who.as_ref().is_some_and(|who| !who.scopes.is_empty());
        is_theirs && (!is_confined || self.by.as_deref() == by)
    }

    /// Whether whoever asks may go on, on behalf of the person that they name, with what was said by another: as in a session.
    fn goes_on(&self, named: Option<&str>, owner: Option<&str>) -> bool {
        self.who.as_ref().is_none_or(|who| who.speaks(named, std::iter::once(owner)))
    }

    /// A response that is followed on behalf of a person. Fails with [`Code::NotFound`], also where it is another's.
    pub(super) async fn response_for(&self, id: &str, named: Option<&str>) -> Result<Kept> {
        let kept = self.response(id).await?;
        match self.goes_on(named, kept.user.as_deref()) {
            true => Ok(kept),
            false => Err(missing("response", &format!("resp_{id}"))),
        }
    }

    /// A conversation in which something is said on behalf of a person. Fails with [`Code::NotFound`], also where it is another's.
    pub(super) async fn conversation_for(&self, id: &str, named: Option<&str>) -> Result<Conversation> {
        let (conversation, _) = self.conversation(id).await?;
        match self.goes_on(named, conversation.user.as_deref()) {
            true => Ok(conversation),
            false => Err(missing("conversation", id)),
        }
    }
}

fn missing(what: &str, id: &str) -> Error {
    Error::new(Code::NotFound, format!("there is no {what} `{id}`"))
        .with_help("it was deleted, its time is over, or it was made without `store`")
}
