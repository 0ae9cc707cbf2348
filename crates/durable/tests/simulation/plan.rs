//! Random programs, and what runs them: an interpreter over [`Ctx`].

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::event::EventKind;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Result};
use adjutant_durable::{Admission, Ctx, Effects, Outcome, Program, RetryPolicy};
use futures::future::{BoxFuture, Either, join_all, select, select_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use crate::outside::{Errand, Outside};
use crate::random::fold;
use crate::world::World;

pub(crate) type Block = Vec<Step>;

/// One thing that a random program does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Effect {
        effect: Effect,
        fails: u32,
        attempts: u32,
        vague: bool,
    },
    Sleep(u64),
    Signal(u8),
    Child,
    Inbox,
    Random,
    Version(u8),
    Emit,
    /// Takes the time into the result, and with it into the input of every later step.
    Now,
    Scope(Block),
    Rounds(u32, Block),
    Join(Vec<Block>),
    /// Branches whose results count in the order in which they come.
    Crowd(Vec<Block>),
    /// The first branch wins, the others are dropped.
    Race(Vec<Block>),
    /// Begun and dropped at once.
    Abandon(Block),
    /// Two branches; the one that loses is waited for afterwards.
    Overtake(Block, Block),
}

/// A program: its segments, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) segments: Vec<Block>,
    /// Whether it goes on as if nothing was when the run is cancelled.
    pub(crate) stubborn: bool,
    /// Whether results count in the order of the branches, whatever comes first.
    pub(crate) calm: bool,
}

/// The code of a run that follows the plan in a world.
pub(crate) fn program(plan: &Plan, world: &World) -> Program {
    let player = Arc::new(Player {
        plan: plan.clone(),
        outside: world.outside.clone(),
        volatile: world.faults.volatile,
    });
    Arc::new(move |ctx, state| {
        let player = Arc::clone(&player);
        async move { player.segment(&ctx, state).await }.boxed()
    })
}

struct Player {
    plan: Plan,
    outside: Outside,
    volatile: bool,
}

impl Player {
    async fn segment(&self, ctx: &Ctx, state: Option<Json>) -> Outcome {
        let sum = state.map_or(Ok(0), |state| state.to())?;
        let index = ctx.segment() as usize;
        let block = self.plan.segments.get(index).map_or(&[][..], Vec::as_slice);
        let sum = self.block(ctx, block, sum).await?;
        if index + 1 < self.plan.segments.len() {
            ctx.roll_over(Json::of(&sum)?).await?;
        }
        Json::of(&sum)
    }

    fn block<'a>(&'a self, ctx: &Ctx, block: &'a [Step], mut sum: u64) -> BoxFuture<'a, Result<u64>> {
        let ctx = ctx.clone();
        async move {
            for step in block {
                sum = match self.step(&ctx, step, sum).await {
                    Ok(value) => fold(sum, &value),
                    Err(error) if error.code() == Code::RunCancelled && !self.plan.stubborn => {
                        return Err(error);
                    }
                    Err(error) => fold(sum, error.message()),
                };
            }
            Ok(sum)
        }
        .boxed()
    }

    async fn step(&self, ctx: &Ctx, step: &Step, sum: u64) -> Result<String> {
        Ok(match step {
            Step::Effect { .. } | Step::Child => self.work(ctx, step, sum).await?.to_string(),
            Step::Sleep(millis) => {
                ctx.sleep(Duration::from_millis(*millis)).await?;
                String::new()
            }
            Step::Signal(name) => ctx.signal(&format!("signal-{name}"), Json::of(&sum)?).await?.to_string(),
            Step::Inbox => format!("{:?}", ctx.inbox().await?.messages),
            Step::Random => format!("{:?}", ctx.random().await?),
            Step::Version(id) => ctx.version(&format!("change-{id}")).await?.to_string(),
            Step::Emit => {
                ctx.emit(&EventKind::Step { operation: sum.to_string() })?;
                String::new()
            }
            Step::Now => format!("{:?} {:?}", ctx.now(), ctx.active()),
            Step::Scope(block) => self.block(&ctx.scope("part"), block, sum).await?.to_string(),
            Step::Rounds(rounds, block) => {
                let mut sum = sum;
                for round in ctx.rounds(*rounds) {
                    sum = self.block(&round, block, sum).await?;
                }
                sum.to_string()
            }
            Step::Join(branches) => {
                let results = join_all(self.branches(ctx, branches, sum)).await;
                format!("{:?}", results.into_iter().collect::<Result<Vec<_>>>()?)
            }
            Step::Crowd(branches) => self.crowd(ctx, branches, sum).await?,
            Step::Race(branches) => {
                let (result, winner, losers) = select_all(self.branches(ctx, branches, sum)).await;
                drop(losers);
                format!("{winner} {}", result?)
            }
            Step::Abandon(block) => {
                let begun = self.block(&ctx.scope("begun"), block, sum);
                match select(begun, std::future::ready(())).await {
                    Either::Left((result, _)) => result?.to_string(),
                    Either::Right(_) => "dropped".to_owned(),
                }
            }
            Step::Overtake(left, right) => {
                let left = self.block(&ctx.scope("left"), left, sum);
                let right = self.block(&ctx.scope("right"), right, sum);
                let (first, results) = match select(left, right).await {
                    Either::Left((result, right)) => ("left", [result?, right.await?]),
                    Either::Right((result, left)) => ("right", [left.await?, result?]),
                };
                let first = if self.plan.calm { "" } else { first };
                format!("{first} {results:?}")
            }
        })
    }

    async fn work(&self, ctx: &Ctx, step: &Step, sum: u64) -> Result<Json> {
        let Step::Effect { effect, fails, attempts, vague } = step else {
            let definition = adjutant_core::hash::Digest::of(b"child");
            let admission = Admission::new(ctx.run().clone(), "child", "plan", definition, Json::of(&sum)?);
            return ctx.child("child", &admission).await;
        };
        let errand = Errand {
            effect: *effect,
            fails: *fails,
            vague: *vague,
            volatile: self.volatile,
            outside: self.outside.clone(),
        };
        let retry = RetryPolicy { attempts: *attempts, first_wait_ms: 5 };
        ctx.effect("call", Effects::new(*effect).retry(retry), Json::of(&sum)?, errand).await
    }

    fn branches<'a>(&'a self, ctx: &Ctx, branches: &'a [Block], sum: u64) -> Vec<BoxFuture<'a, Result<u64>>> {
        branches.iter().map(|block| self.block(&ctx.scope("branch"), block, sum)).collect()
    }

    async fn crowd(&self, ctx: &Ctx, branches: &[Block], sum: u64) -> Result<String> {
        let numbered = self.branches(ctx, branches, sum).into_iter().enumerate();
        let mut crowd: FuturesUnordered<_> =
            numbered.map(|(index, branch)| branch.map(move |result| (index, result))).collect();
        let mut results = Vec::new();
        while let Some((index, result)) = crowd.next().await {
            results.push((index, result?));
        }
        if self.plan.calm {
            results.sort_unstable();
        }
        Ok(format!("{results:?}"))
    }
}
