//! The loop of Adjutant: agents as data, and what runs them.
//!
//! A [`Definition`] is an agent as a run knows it; a [`Runtime`] is that agent with its model and its tools; and
//! [`turn`] is the way of one turn: perceive, plan, act, remember, and so on until it is time to answer. It is plain
//! async code over a [`Ctx`](adjutant_durable::Ctx), so it survives its process.
//!
//! - `act` is the one choke point of all tool calls; [`approval`] is what a person is asked before one.
//! - [`rules`] is what decides there: the policies that a run has pinned, and what is forbidden by now.
//! - [`termination`] holds the limits and every reason to stop, `output` the form of an answer, `context` what happens
//!   when a conversation outgrows its model.
//! - [`AgentHost`] brings the code of runs that are agents; [`start`](mod@start) starts them and speaks to them.
//! - [`Subtask`] says which model does the small work around an answer; [`title`] is what people find a run by.
//! - [`link`] is how a growing transcript is recorded without being written again. [`history`] rebuilds it, and
//!   [`session`] what was said over several turns.
//! - [`workflow`] is the other way to direct a run: by code instead of by a model.
//! - [`View`] is the journal of a run as events, [`Summary`] the run at a glance.

mod act;
mod answer;
pub mod approval;
mod builder;
mod code;
mod compact;
mod context;
mod conversation;
pub mod definition;
mod delegation;
mod ending;
mod extract;
pub mod files;
mod flow;
mod gone;
mod guard;
pub mod handoff;
mod hands;
pub mod history;
mod host;
pub mod input;
mod lesson;
pub mod link;
mod memory;
mod models;
mod narrow;
mod note;
mod output;
mod patience;
mod pending;
mod permitted;
mod promise;
mod purse;
pub mod question;
mod reply;
mod returned;
mod room;
mod routine;
pub mod rules;
mod runtime;
mod score;
mod search;
pub mod session;
mod shorten;
pub mod start;
mod subtask;
pub mod summary;
pub mod takeover;
mod tally;
pub mod termination;
mod think;
pub mod title;
mod transcript;
mod turn;
mod view;
pub mod workflow;

pub use answer::Answer;
pub use builder::Agent;
pub use conversation::{Conversation, Earlier};
pub use definition::{Definition, Source};
pub use ending::{Ending, Figures};
pub use guard::{
    Blocked, Did, Direct as DirectGuards, Found, Opinion, Ruling as GuardRuling, Verdict as GuardVerdict,
};
pub use hands::{Hand, Hands};
pub use host::AgentHost;
pub use input::Input;
pub use lesson::Lesson;
pub use memory::Memory;
pub use models::Models;
pub use narrow::Narrow;
pub use note::Note;
pub use purse::Allowance;
pub use reply::Reply;
pub use returned::{Called, LONGEST_RESULT, Returned};
pub use routine::{Routine, Scene};
pub use runtime::{Runtime, UNKNOWN_WINDOW};
pub use start::Start;
pub use subtask::Subtask;
pub use summary::Summary;
pub use tally::Tally;
pub use termination::Stop;
pub use transcript::Transcript;
pub use turn::{Begin, turn};
pub use view::View;
