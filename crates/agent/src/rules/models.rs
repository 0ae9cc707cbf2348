//! Which models a run may ask, and with what.

use std::sync::Arc;

use adjutant_core::label::Label;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Ctx;

use super::forbids::Gate;
use super::log::Log;
use super::release::refusal;
use crate::runtime::Runtime;

/// Marks runs in which every model is decided on that they ask, and again once it is sent something of another label. Older
/// ones decided on that of the agent, as they began.
const EACH: &str = "each-model-decided";

/// Begins a segment: decides on the model of the agent with what was said up to now. Fails with [`Code::RunDenied`].
pub(crate) async fn begin(ctx: &Ctx, agent: &Arc<Runtime>, log: &Log, said: &Label) -> Result<()> {
    choose(ctx, agent, log, &agent.definition.model, said).await
}

/// Says whether the run decides on each model. It is the first thing that a segment does.
pub(crate) async fn prepare(ctx: &Ctx, agent: &Runtime, log: &Log) -> Result<()> {
    if agent.policies.is_some() && ctx.version(EACH).await? {
        log.decide_each_model();
    }
    Ok(())
}

/// Decides whether a model may be asked with something of this label, whoever asks it and for what, and gives what it is asked
/// behind. Fails with [`Code::RunDenied`].
pub(crate) async fn admit_model(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    log: &Log,
    model: &str,
    label: &Label,
) -> Result<Gate> {
    if log.decides_each_model() {
        choose(ctx, agent, log, model, label).await?;
    }
    Ok(Gate::of_model(ctx, agent, log, model, label))
}

/// Decides on a model, once in a segment for each label of what it is sent.
async fn choose(ctx: &Ctx, agent: &Arc<Runtime>, log: &Log, model: &str, label: &Label) -> Result<()> {
    if agent.policies.is_none() {
        return Ok(());
    }
    let refusal = match log.chosen(model, label) {
        Some(known) => known,
        None => {
            let refusal = refusal(&ctx.scope("model_choice"), agent, model, label, log).await?;
            log.choose(model, label, refusal.clone());
            refusal
        }
    };
    match refusal {
        None => Ok(()),
        Some(why) => Err(Error::new(Code::RunDenied, format!("the model `{model}` may not be asked: {why}"))
            .with_help("`adjutant policy explain` shows which policies decided; give the agent another model, or change them")),
    }
}
