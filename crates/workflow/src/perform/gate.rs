//! Gates: what the result of a step must pass.

use adjutant_agent::workflow::{Item, Stage, is_failure};
use adjutant_core::{Code, Error, Result};
use serde_json::Value;

use super::step::called;
use super::values::Values;
use crate::fit::fits;
use crate::plan::{Function, Gate, Judge};

/// Why a result does not pass, made of all that has decided it; none where it does.
pub(super) async fn shut(stage: &Stage, gate: &Gate, result: &Item, values: &Values) -> Result<Option<Item>> {
    if let Some(schema) = &gate.schema
        && let Err(why) = fits(schema, &result.value)
    {
        return Ok(Some(result.part(format!("it does not fit the schema: {why}"))));
    }
    if let Some(condition) = &gate.when {
        let (holds, decided_by) = values.with("result", result.clone()).decide(stage, condition).await?;
        if !holds {
            let why = format!("`{}` does not hold", condition.source());
            return Ok(Some(Item::made_of(why, [result, &decided_by])));
        }
    }
    if let Some(function) = &gate.function
        && let Some(why) = refused(stage, function, result, values).await?
    {
        return Ok(Some(why));
    }
    match &gate.judge {
        Some(judge) => judged(stage, judge, result).await,
        None => Ok(None),
    }
}

/// What a tool has against a result.
async fn refused(stage: &Stage, function: &Function, result: &Item, values: &Values) -> Result<Option<Item>> {
    let seen = values.with("result", result.clone());
    let said = match called(&stage.scope("gate"), &function.tool, &function.arguments, &seen).await {
        Err(error) if is_failure(&error) => {
            let why = format!("`{}` says: {}", function.tool, error.message());
            return Ok(Some(Item::made_of(why, [result, &stage.failures()])));
        }
        said => said?,
    };
    let passes = said.value.get("passes").unwrap_or(&said.value);
    if *passes != Value::Bool(false) && passes.as_str() != Some("false") {
        return Ok(None);
    }
    let why = match said.value.get("reason").and_then(Value::as_str) {
        Some(reason) => format!("`{}` says: {reason}", function.tool),
        None => format!("`{}` does not let it pass", function.tool),
    };
    Ok(Some(Item::made_of(why, [result, &said])))
}

/// What a judge has against a result.
async fn judged(stage: &Stage, judge: &Judge, result: &Item) -> Result<Option<Item>> {
    let task = format!("The rubric:\n{}\n\nThe work:\n{}", judge.rubric, result.text());
    let stage = stage.apart("judge", [result]);
    let verdict = stage.ask(&judge.agent, Item::made_of(task, [result])).await?;
    let passes = verdict.value.get("passes").and_then(Value::as_bool);
    let reason = verdict.value.get("reason").and_then(Value::as_str).unwrap_or_default();
    match passes {
        Some(true) => Ok(None),
        Some(false) => {
            let why = format!("the judge says: {reason}");
            Ok(Some(Item::made_of(why, [result, &verdict])))
        }
        None => Err(Error::new(Code::ToolFailed, "the judge has not said whether it passes")),
    }
}
