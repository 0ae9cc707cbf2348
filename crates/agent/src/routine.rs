//! [`Routine`]: a tool whose work is part of the run.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::label::Label;
use adjutant_core::message::ToolCall;
use adjutant_core::tool::ToolSpec;
use adjutant_durable::Ctx;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::act;
use crate::conversation::Conversation;
use crate::flow::{Carried, Knowledge};
use crate::guard::Watch;
use crate::purse::{Allowance, Purse, Used};
use crate::returned::{Called, Returned};
use crate::rules::{self, Log, Queue};
use crate::runtime::Runtime;

/// The scope of what a routine does, beside the step of the call itself.
const WITHIN: &str = "within";

/// A tool whose work is part of the run: what it does are steps of the run, recorded, replayed and stopped as the loop's
/// own. A [`Tool`](adjutant_tool::Tool) does its work outside, in one step.
pub trait Routine: Send + Sync + 'static {
    /// What the model is told of it, and how it is pinned. Its effect and its timeout are those of its steps, so what
    /// stands here is for people.
    fn spec(&self) -> &ToolSpec;

    /// Does the work, by code over [`Scene::ctx`] that the rules of a [`Ctx`] hold for: no clocks, no chance, no waiting
    /// for anything else. What the model is to hear is a [`Returned`]; an error stops the run.
    fn call<'a>(&'a self, scene: Scene<'a>) -> BoxFuture<'a, Result<Returned>>;
}

/// What a routine works with.
pub struct Scene<'a> {
    ctx: Ctx,
    agent: &'a Arc<Runtime>,
    called: &'a Called,
    around: Around<'a>,
    queue: Queue,
}

/// What a turn lends to the calls that are made in it.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// What was said up to the calls.
    pub(crate) conversation: &'a Conversation,
    /// What agents that are asked may take together.
    pub(crate) purse: &'a Purse,
    /// Whether a program reads the results.
    pub(crate) whole: bool,
    /// What was done before, for the rules that ask about it.
    pub(crate) log: &'a Log,
    /// How many calls work at a time; no bound where whoever makes them has one. A call that waits for a person or for
    /// another call takes no place.
    pub(crate) slots: Option<&'a Semaphore>,
    /// What the guardrails of the run have learned.
    pub(crate) watch: &'a Watch,
    /// The program that makes the calls, if one does.
    pub(crate) program: Option<&'a Arc<Carried>>,
    /// The person who makes the call in the agent's place.
    pub(crate) by_hand: Option<&'a str>,
    /// How long whoever makes the call waits without any sign of life, where that is less than the agent's own limit.
    pub(crate) idle: Option<Duration>,
}

impl<'a> Scene<'a> {
    /// What stands around a call whose scope is `call`.
    pub(crate) fn new(call: &Ctx, agent: &'a Arc<Runtime>, called: &'a Called, around: Around<'a>) -> Self {
        Self { ctx: call.scope(WITHIN), agent, called, around, queue: Queue::default() }
    }

    /// The context of the work: a scope of its own within that of the call.
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// The agent that makes the call.
    pub fn agent(&self) -> &'a Arc<Runtime> {
        self.agent
    }

    /// The call.
    pub fn called(&self) -> &'a Called {
        self.called
    }

    /// What was said up to the call.
    pub fn conversation(&self) -> &'a Conversation {
        self.around.conversation
    }

    /// The join of all that is known where the call is made, also by the program that makes it.
    pub(crate) fn label(&self) -> Label {
        Knowledge::of(self.around.conversation, self.around.program).label()
    }

    /// What was done before.
    pub(crate) fn log(&self) -> &'a Log {
        self.around.log
    }

    /// How long the run has worked, with those that worked for it.
    pub(crate) fn active(&self) -> Duration {
        self.around.purse.active(self.ctx.active())
    }

    /// Takes a share of what the run has left of its limits, for a run of another agent. None where nothing is left.
    pub(crate) fn take(&self) -> Option<Allowance> {
        let left = self.agent.definition.limits.wall_time.saturating_sub(self.active());
        let idle_ms = self.around.idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX));
        Some(Allowance { idle_ms, ..self.around.purse.take(left)? })
    }

    /// What agents that are asked may take together.
    pub(crate) fn purse(&self) -> &'a Purse {
        self.around.purse
    }

    /// Counts what such a run used, and puts back the rest of its share.
    pub(crate) fn settle(&self, share: Allowance, used: &Used) {
        self.around.purse.settle(share, used);
    }

    /// As [`call`](Self::call), for a program with what it was given up to now.
    pub(crate) fn call_of<'b>(
        &'b self,
        program: &'b Arc<Carried>,
        call: &'b ToolCall,
    ) -> BoxFuture<'b, Result<Returned>> {
        self.make(
            call,
            Around { whole: true, slots: None, program: Some(program), by_hand: None, ..self.around },
        )
    }

    /// Calls a tool of the agent through the choke point, as the model itself would, for the routine to read all of the
    /// result: what the agent was not given is
    /// refused, what asks a person asks one. The future may be joined with others; make it in the order in which the
    /// calls are to be numbered.
    pub fn call<'b>(&'b self, call: &'b ToolCall) -> BoxFuture<'b, Result<Returned>> {
        self.make(call, Around { whole: true, slots: None, by_hand: None, ..self.around })
    }

    fn make<'b>(&'b self, call: &'b ToolCall, around: Around<'b>) -> BoxFuture<'b, Result<Returned>> {
        let scope = self.ctx.scope("call");
        let reach = rules::reach(&self.agent.definition, self.agent.policies.as_deref(), &call.name);
        let place = self.queue.join([reach]).pop();
        act::call(scope, self.agent, call, place, around).boxed()
    }
}
