//! Has guardrails look at something.

use std::sync::Arc;

use adjutant_core::json::Json;
use adjutant_core::{Code, Result};
use adjutant_durable::{Ctx, Effects, work};
use adjutant_policy::detect::{Hit, canary};
use futures::future::join_all;
use serde::Serialize;

use super::check::{Around, GUARD, rule};
use super::ruling::{Blocked, Did, Ruling};
use super::subject::Subject;
use super::watch::Watch;
use super::{judge, service};
use crate::conversation::Conversation;
use crate::definition::{Action, Check, Guardrail, Point};
use crate::runtime::Runtime;

/// Where guardrails look: the place, and the tool where it is one of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<'a> {
    pub(super) point: Point,
    pub(super) tool: Option<&'a str>,
}

/// What stands in the journal as the input of a step: what is looked at stands in other records.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Asking<'a> {
    on: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    guardrails: Vec<&'a str>,
}

impl Asking<'_> {
    pub(super) fn input(&self) -> Result<Json> {
        Json::of(self)
    }
}

fn asking<'a>(at: At<'a>, guardrails: impl IntoIterator<Item = &'a Guardrail>) -> Asking<'a> {
    let names = guardrails.into_iter().map(|guardrail| guardrail.name.as_str());
    Asking { on: at.point.as_str(), tool: at.tool, guardrails: names.collect() }
}

/// What passes, or what does not.
pub(super) type Looked = Result<Subject, Blocked>;

/// Has the guardrails of a place look at something, those first that need nobody else: what they take out no judge and no
/// service reads. `beside` picks those that work beside the model.
pub(super) async fn look(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    at: At<'_>,
    subject: Subject,
    said: Option<&Conversation>,
    watch: &Watch,
    beside: bool,
) -> Result<Looked> {
    let meant = agent.definition.guardrails.iter();
    let meant =
        meant.filter(|guardrail| guardrail.looks_at(at.point, at.tool) && guardrail.parallel == beside);
    let (pure, others): (Vec<_>, Vec<_>) = meant.partition(|guardrail| guardrail.check.is_pure());
    let subject = match pure.is_empty() {
        true => subject,
        false => match by_itself(ctx, agent, at, &pure, subject, said, watch).await? {
            Ok(passed) => passed,
            Err(blocked) => return Ok(Err(blocked)),
        },
    };
    if others.is_empty() {
        return Ok(Ok(subject));
    }
    let text = subject.whole();
    let asked = others.iter().map(|guardrail| ask(ctx, agent, at, guardrail, &text, watch));
    // All come to an end, so that none is left in the middle.
    let blocked = join_all(asked).await.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().next();
    Ok(blocked.map_or(Ok(subject), Err))
}

/// What needs nobody else, in one step.
async fn by_itself(
    ctx: &Ctx,
    agent: &Runtime,
    at: At<'_>,
    guardrails: &[&Guardrail],
    subject: Subject,
    said: Option<&Conversation>,
    watch: &Watch,
) -> Result<Looked> {
    let around = Around {
        seed: seed(ctx, agent),
        canary: canary::token(ctx.run().as_str()),
        read: said.map(|said| said.messages().to_vec()).unwrap_or_default(),
        names: watch.names(),
    };
    let input = asking(at, guardrails.iter().copied()).input()?;
    let (looking, seen): (Vec<_>, _) = (guardrails.iter().copied().cloned().collect(), subject.clone());
    let ruled = work(move |_| std::future::ready(Json::of(&rule(&looking, &seen, &around))));
    let ruling: Ruling = ctx.effect(GUARD, Effects::pure(), input, ruled).await?.to()?;
    watch.learn(ruling.names);
    let stopped = ruling.verdicts.iter().find(|verdict| verdict.did == Did::Blocked);
    if let Some(guardrail) =
        stopped.and_then(|verdict| guardrails.iter().find(|one| one.name == verdict.guardrail))
    {
        return Ok(Err(blocked(guardrail, at.point, None)));
    }
    Ok(Ok(ruling.changed.unwrap_or(subject)))
}

/// Asks a judge or a service. One that gives no verdict does not agree, unless the guardrail says otherwise.
async fn ask(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    at: At<'_>,
    guardrail: &Guardrail,
    text: &str,
    watch: &Watch,
) -> Result<Option<Blocked>> {
    let asking = asking(at, [guardrail]);
    let found: Result<Vec<Hit>> = match &guardrail.check {
        Check::Judge(rubric) => judge::judge(ctx, agent, &asking, rubric, text, watch).await,
        Check::External(endpoint) => service::ask(ctx, agent, &asking, endpoint, text).await,
        _ => Ok(Vec::new()),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) if ctx.cancelled().is_some() || error.code() == Code::RunCancelled => return Err(error),
        Err(_) if guardrail.lenient => return Ok(None),
        Err(_) => return Ok(Some(blocked(guardrail, at.point, Some("could not be asked")))),
    };
    let is_sure = found.iter().any(|hit| hit.score >= guardrail.threshold);
    Ok((is_sure && guardrail.action == Action::Block).then(|| blocked(guardrail, at.point, None)))
}

fn blocked(guardrail: &Guardrail, on: Point, why: Option<&str>) -> Blocked {
    let by_itself = || match why {
        Some(why) => format!("the guardrail `{}` {why}", guardrail.name),
        None => format!("the guardrail `{}` does not let it pass", guardrail.name),
    };
    let why = guardrail.tell.clone().unwrap_or_else(by_itself);
    Blocked { guardrail: guardrail.name.clone(), on, why }
}

/// What tells the pseudonyms of a conversation from those of others: the same in all its turns.
fn seed(ctx: &Ctx, agent: &Runtime) -> String {
    agent.session.as_ref().map_or_else(|| ctx.run().to_string(), ToString::to_string)
}
