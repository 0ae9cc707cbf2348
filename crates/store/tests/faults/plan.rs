//! Runs made of a number: what they do, and what must come of it.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_durable::{Admission, Ctx, Effects, Host, Outcome, Program, work};
use adjutant_powerloss::Generator;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::outside::World;

/// What a run does, all of it following from a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) steps: u64,
    /// How many runs may be started within one another.
    pub(crate) depth: u64,
}

/// One step of a plan. Each gives a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Effect(Effect),
    /// Two effects at the same time.
    Both(Effect, Effect),
    /// A wait for an answer.
    Signal,
    /// A wait of so many milliseconds.
    Sleep(u64),
    Child(Plan),
    /// The segment ends, and the next begins.
    RollOver,
}

impl Plan {
    pub(crate) fn steps(self) -> Vec<Step> {
        let mut random = Generator::new(self.seed);
        (0..self.steps).map(|_| self.step(&mut random)).collect()
    }

    fn step(self, random: &mut Generator) -> Step {
        let mut effect = || [Effect::Pure, Effect::Idempotent, Effect::AtMostOnce][random.below(3) as usize];
        let (one, other) = (effect(), effect());
        match random.below(12) {
            0 => Step::Signal,
            1 => Step::Sleep(random.below(30)),
            2 if self.depth > 0 => {
                Step::Child(Self { seed: random.number(), steps: 1 + random.below(4), depth: self.depth - 1 })
            }
            3 => Step::RollOver,
            4..=6 => Step::Both(one, other),
            _ => Step::Effect(one),
        }
    }

    /// What comes of the run.
    pub(crate) fn result(self) -> u64 {
        let of = |(index, step)| match step {
            Step::Effect(_) | Step::Signal => index,
            Step::Both(..) => 2 * index,
            Step::Child(plan) => plan.result(),
            Step::Sleep(_) | Step::RollOver => 0,
        };
        (1..).zip(self.steps()).map(of).sum()
    }

    /// How many effects of a class it has, those of the runs that it starts included.
    pub(crate) fn count(self, effect: Effect) -> usize {
        let is = |other: Effect| usize::from(other == effect);
        let of = |step| match step {
            Step::Effect(one) => is(one),
            Step::Both(one, other) => is(one) + is(other),
            Step::Child(plan) => plan.count(effect),
            _ => 0,
        };
        self.steps().into_iter().map(of).sum()
    }

    pub(crate) fn admission(self, run: RunId) -> Admission {
        let input = Json::of(&self).unwrap();
        Admission::new(run, "plan", "plan", Digest::of(b"plan"), input)
    }

    /// Plans whose steps are as wanted.
    pub(crate) fn find(steps: u64, wanted: impl Fn(&[Step]) -> bool) -> impl Iterator<Item = Self> {
        let plan = move |seed| Self { seed, steps, depth: 0 };
        (0..).map(plan).filter(move |plan| wanted(&plan.steps()))
    }

    /// The number that answers a signal.
    pub(crate) fn answer(name: &str) -> Json {
        Json::parse(name.strip_prefix("signal-").unwrap_or("0")).unwrap()
    }
}

/// Brings the code of plans.
pub(crate) struct Planned(Arc<dyn World>);

impl Planned {
    /// The code of plans, over a world.
    pub(crate) fn on<W: World>(world: &Arc<W>) -> Arc<dyn Host> {
        let world: Arc<dyn World> = Arc::clone(world) as _;
        Arc::new(Self(world))
    }
}

impl Host for Planned {
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        Box::pin(async move {
            let plan: Plan = admission.input.to()?;
            let outside = Arc::clone(&self.0);
            let program: Program =
                Arc::new(move |ctx, state| Box::pin(perform(ctx, state, plan, Arc::clone(&outside))));
            Ok(program)
        })
    }
}

/// Where a segment begins: the next step, and the sum so far.
type Start = (usize, u64);

async fn perform(ctx: Ctx, state: Option<Json>, plan: Plan, outside: Arc<dyn World>) -> Outcome {
    let (first, mut sum): Start = state.map_or(Ok((0, 0)), |state| state.to())?;
    for (index, step) in plan.steps().into_iter().enumerate().skip(first) {
        let number = index as u64 + 1;
        sum += match step {
            Step::Effect(class) => effect(&ctx, class, number, &outside).await?,
            Step::Both(one, other) => {
                let (a, b) = (ctx.scope("a"), ctx.scope("b"));
                let both =
                    futures::join!(effect(&a, one, number, &outside), effect(&b, other, number, &outside));
                both.0? + both.1?
            }
            Step::Signal => ctx.signal(&format!("signal-{number}"), Json::null()).await?.to()?,
            Step::Sleep(ms) => ctx.sleep(Duration::from_millis(ms)).await.map(|()| 0)?,
            Step::Child(plan) => {
                ctx.child("child", &plan.admission(RunId::new("set by the engine"))).await?.to::<u64>()?
            }
            Step::RollOver => match ctx.roll_over(Json::of(&(index + 1, sum))?).await? {},
        };
    }
    Json::of(&sum)
}

async fn effect(ctx: &Ctx, class: Effect, number: u64, outside: &Arc<dyn World>) -> Result<u64> {
    let outside = Arc::clone(outside);
    let call = work(move |attempt| {
        let outside = Arc::clone(&outside);
        async move {
            outside.call(attempt, class).await;
            Json::of(&number)
        }
    });
    ctx.effect(class.as_str(), Effects::new(class), Json::of(&number)?, call).await?.to()
}

#[test]
fn plans_have_every_kind_of_step() {
    let steps: Vec<Step> = (0..50).flat_map(|seed| Plan { seed, steps: 12, depth: 1 }.steps()).collect();
    assert!(steps.contains(&Step::Signal));
    assert!(steps.contains(&Step::RollOver));
    assert!(steps.contains(&Step::Both(Effect::AtMostOnce, Effect::Idempotent)));
    assert!(steps.iter().any(|step| matches!(step, Step::Child(_))));
    assert!(steps.iter().any(|step| matches!(step, Step::Sleep(_))));
}
