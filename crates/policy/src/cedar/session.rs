//! What was done in a session, as policies ask for it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cedar_policy::RestrictedExpression as Expression;
use serde_json::{Map, Value};

use super::needs::Needs;
use super::schema::{Schema, Tool, is_number};
use super::types::Type;
use super::value::{Unfit, decimal, decimal_of, long, plain, record, text, texts};
use crate::facts::{Action, Past, Request};

/// How far back `today` reaches: it has no midnight, so no time zone either.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The attributes of the session that are looked at.
pub(super) fn attributes(
    request: &Request,
    schema: &Schema,
    needs: &Needs,
) -> Result<HashMap<String, Expression>, Unfit> {
    let mut attributes = HashMap::new();
    for part in ["count", "today", "sum", "sum_today", "seen", "returned"] {
        let Some(needs) = needs.get(part) else { continue };
        // By what is asked for, not by what there is: a project may have hundreds of tools.
        let named =
            needs.names().filter_map(|(name, needs)| Some((schema.tools.get_key_value(name)?, needs)));
        let all = schema.tools.iter().filter(|_| needs.is_whole()).map(|tool| (tool, needs));
        let asked = named.filter(|_| !needs.is_whole()).chain(all);
        let mut tools = Vec::new();
        for ((name, tool), needs) in asked {
            let since = if part.ends_with("today") { request.now.minus(DAY).0 } else { i64::MIN };
            // A tool that says that it failed has done nothing that counts.
            let done = request.session.calls.iter().filter(|call| !call.failed && call.at.0 > since);
            let calls: Vec<&Past> = done.filter(|call| call.tool == *name).collect();
            let value = match part {
                "count" | "today" => {
                    Some(Expression::new_long(i64::try_from(calls.len()).unwrap_or(i64::MAX)))
                }
                "sum" | "sum_today" => sums(request, name, tool, &calls, needs)?,
                "seen" => seen(tool, &calls, needs)?,
                _ => Some(returned(&calls, needs)?),
            };
            tools.extend(value.map(|value| (name.clone(), value)));
        }
        attributes.insert(part.to_owned(), record(tools)?);
    }
    Ok(attributes)
}

/// The sums of each number over the calls, with that of the call that is decided.
fn sums(
    request: &Request,
    name: &str,
    tool: &Tool,
    calls: &[&Past],
    needs: &Needs,
) -> Result<Option<Expression>, Unfit> {
    let this = matches!(&request.action, Action::Tool(tool) if tool == name).then_some(&request.arguments);
    let all: Vec<&Map<String, Value>> = calls.iter().map(|call| &call.arguments).chain(this).collect();
    let numbers: Vec<_> = tool.arguments.iter().filter(|(_, slot)| is_number(&slot.kind)).collect();
    if numbers.is_empty() {
        return Ok(None);
    }
    let mut sums = Vec::new();
    for (argument, slot) in numbers.into_iter().filter(|(argument, _)| needs.get(argument).is_some()) {
        let values =
            all.iter().filter_map(|arguments| arguments.get(argument)).filter(|value| !value.is_null());
        let read: fn(&Value) -> Result<i64, Unfit> = if slot.kind == Type::Long { long } else { decimal };
        let mut sum = 0_i64;
        for value in values {
            let value = read(value).map_err(|Unfit(why)| Unfit(format!("`{argument}` {why}")))?;
            sum = sum
                .checked_add(value)
                .ok_or_else(|| Unfit(format!("the sum of `{argument}` is too large")))?;
        }
        let sum = match slot.kind {
            Type::Long => Expression::new_long(sum),
            _ => decimal_of(sum)?,
        };
        sums.push((argument.clone(), sum));
    }
    record(sums).map(Some)
}

/// What earlier calls that did not fail were made with.
fn seen(tool: &Tool, calls: &[&Past], needs: &Needs) -> Result<Option<Expression>, Unfit> {
    let plain_ones: Vec<_> =
        tool.arguments.iter().filter(|(_, slot)| slot.kind.element().is_scalar()).collect();
    if plain_ones.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for (argument, slot) in plain_ones.into_iter().filter(|(argument, _)| needs.get(argument).is_some()) {
        let values =
            calls.iter().filter_map(|call| call.arguments.get(argument)).flat_map(|value| match value {
                Value::Array(items) => items.iter().collect(),
                Value::Null => Vec::new(),
                value => vec![value],
            });
        let values = values.map(|value| plain(slot.kind.element(), value)).collect::<Result<Vec<_>, _>>();
        let values = values.map_err(|Unfit(why)| Unfit(format!("`{argument}` of an earlier call {why}")))?;
        all.push((argument.clone(), Expression::new_set(values)));
    }
    record(all).map(Some)
}

/// What the fields of earlier results held, as text.
fn returned(calls: &[&Past], needs: &Needs) -> Result<Expression, Unfit> {
    let mut all = Vec::new();
    for (field, _) in needs.names() {
        let mut values = BTreeSet::new();
        for data in calls.iter().filter_map(|call| call.data.as_ref()) {
            let records = match data {
                Value::Array(items) => items.iter().collect(),
                one => vec![one],
            };
            for value in records.into_iter().filter_map(|record| record.get(field)) {
                match value {
                    Value::Array(items) => values.extend(items.iter().map(text)),
                    Value::Null => {}
                    value => {
                        values.insert(text(value));
                    }
                }
            }
        }
        all.push((field.to_owned(), texts(values)));
    }
    record(all)
}
