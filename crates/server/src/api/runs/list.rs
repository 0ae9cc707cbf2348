//! Runs are listed.

use adjutant::durable::{RunFilter, RunState};
use adjutant_core::role::Right;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TAG;
use crate::api::view;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get("/api/runs", "listRuns", "The runs", Right::View).for_own()
            .of(TAG)
            .said(
                "The newest first, a page at a time: what begins meanwhile moves nothing. A page may hold fewer than `limit` where there \
                 are more: those that the key is confined away from are left out.",
            )
            .fails(&[Code::InputInvalid]),
        list,
    )
}

/// Which runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those of this agent or workflow.
    agent: Option<String>,
    /// Those that are turns of this conversation.
    session: Option<String>,
    /// Those for this person.
    user: Option<String>,
    /// Those that stand so; `open` is all that are not over.
    state: Option<State>,
    /// Only those that no other run has started.
    roots: Option<bool>,
    /// Those that were recorded at that time or later.
    since: Option<i64>,
    /// Those that were recorded before that time.
    before: Option<i64>,
    /// The most to give; 50 where it is not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// The cursor of the page: `next` of the one before.
    after: Option<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum State {
    Open,
    Ready,
    Running,
    Waiting,
    Paused,
    Halted,
    Ended,
}

impl State {
    fn states(self) -> Vec<RunState> {
        match self {
            Self::Open => RunFilter::open().states,
            Self::Ready => vec![RunState::Ready],
            Self::Running => vec![RunState::Running],
            Self::Waiting => vec![RunState::Waiting],
            Self::Paused => vec![RunState::Paused],
            Self::Halted => vec![RunState::Halted],
            Self::Ended => vec![RunState::Ended],
        }
    }
}

/// A page of runs.
#[derive(JsonSchema, Serialize)]
struct Runs {
    runs: Vec<view::Run>,
    /// The cursor of the page that follows; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn list(call: Call<Nothing, Which>) -> Result<Found<Runs>> {
    let Which { agent, session, user, state, roots, since, before, limit, after } = call.query;
    let paging = view::Paging::read(limit, after)?;
    let who = call.caller.who();
    // The store looks for their own at once; for those of another it finds nothing that they see.
    let user = user.or_else(|| who.user.clone().filter(|_| who.own_only));
    let filter = RunFilter {
        states: state.map(State::states).unwrap_or_default(),
        name: agent,
        session: session.map(|session| session.as_str().into()),
        user,
        roots: roots.unwrap_or_default(),
        since: since.map(Timestamp),
        before: before.map(Timestamp),
    };
    let page = call.caller.adjutant().run_page(filter, paging.after, paging.most).await?;
    let theirs = page.items.into_iter().filter(|run| who.sees(&run.name, run.user.as_deref()));
    let next = page.next.map(|next| next.to_string());
    Ok(Found(Runs { runs: theirs.map(Into::into).collect(), next }))
}
