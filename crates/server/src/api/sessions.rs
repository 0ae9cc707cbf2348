//! Conversations.

use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::view;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Sessions";

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get("/api/sessions", "listSessions", "The conversations", Right::View)
                .for_own()
                .of(TAG)
                .said("Those in which somebody last said something first, a page at a time."),
            list,
        )
        .on(
            Operation::get("/api/sessions/{session}", "showSession", "A conversation", Right::View)
                .for_own()
                .of(TAG)
                .fails(&[Code::NotFound]),
            show,
        )
        .on(
            Operation::get(
                "/api/sessions/{session}/messages",
                "listSessionMessages",
                "What was said in it",
                Right::View,
            )
            .for_own()
            .of(TAG)
            .said("Without the instructions of agents.")
            .fails(&[Code::NotFound]),
            messages,
        )
}

/// One conversation.
#[derive(Deserialize, JsonSchema)]
struct SessionPath {
    /// Its id.
    session: String,
}

/// A conversation.
#[derive(JsonSchema, Serialize)]
struct Session {
    /// Its id.
    id: String,
    /// What people find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Its turns, the oldest first.
    turns: Vec<view::Run>,
}

impl SessionPath {
    /// The session and its turns. Fails with [`Code::NotFound`] where there is none that the caller reaches.
    async fn session<Q, B>(
        call: &Call<Self, Q, B>,
    ) -> Result<(adjutant::Session, Vec<adjutant::durable::RunInfo>)> {
        let id = call.path.session.as_str();
        let session = call.caller.adjutant().session(id);
        let turns = session.turns().await?;
        if turns.is_empty() || !call.caller.reaches_session(session.id()).await? {
            return Err(Error::new(Code::NotFound, format!("there is no session `{id}`")));
        }
        Ok((session, turns))
    }
}

/// Which conversations.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those whose latest turn is for this person.
    user: Option<String>,
    /// The most to give; 50 where it is not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// The cursor of the page: `next` of the one before.
    after: Option<String>,
}

/// A page of conversations.
#[derive(JsonSchema, Serialize)]
struct Sessions {
    sessions: Vec<Listed>,
    /// The cursor of the page that follows; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A conversation at a glance.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "SessionListed")]
struct Listed {
    /// Its id.
    id: String,
    /// What people find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// The agent of its latest turn.
    agent: String,
    /// How many turns it has.
    turns: u64,
    /// When it was last written to.
    updated: i64,
}

async fn list(call: Call<Nothing, Which>) -> Result<Found<Sessions>> {
    let Which { user, limit, after } = call.query;
    let paging = view::Paging::read(limit, after)?;
    let who = call.caller.who();
    let user = user.or_else(|| who.user.clone().filter(|_| who.own_only));
    let page = call.caller.adjutant().session_page(user.as_deref(), paging.after, paging.most).await?;
    let mut sessions = Vec::with_capacity(page.items.len());
    for session in page.items {
        if call.caller.reaches_session(&session.id).await? {
            sessions.push(Listed {
                id: session.id.to_string(),
                title: session.title,
                agent: session.agent,
                turns: session.turns,
                updated: session.updated.0,
            });
        }
    }
    Ok(Found(Sessions { sessions, next: page.next.map(|next| next.to_string()) }))
}

async fn show(call: Call<SessionPath>) -> Result<Found<Session>> {
    let (session, turns) = SessionPath::session(&call).await?;
    let (id, title) = (session.id().to_string(), session.title().await?);
    Ok(Found(Session { id, title, turns: turns.into_iter().map(Into::into).collect() }))
}

/// What was said.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "SessionMessages")]
struct Messages {
    /// Each with `role`, `parts`, the `step` that made it, and its `label`.
    messages: Vec<Value>,
}

async fn messages(call: Call<SessionPath>) -> Result<Found<Messages>> {
    let (session, _) = SessionPath::session(&call).await?;
    let messages = session.history().await?;
    let messages = messages.iter().map(|message| serde_json::to_value(message).unwrap_or_default()).collect();
    Ok(Found(Messages { messages }))
}
