//! What was done in a session, as policies ask for it.

use std::time::Duration;

use cedar_policy_core::ast::Value as Fact;

use super::ledger::{Done, Ledger};
use super::needs::Needs;
use super::schema::{Schema, Tool, is_number};
use super::types::Type;
use super::value::{Unfit, decimal_of, record};
use crate::facts::{Action, Request};

/// How far back `today` reaches: it has no midnight, so no time zone either.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The attributes of the session that are looked at.
pub(super) fn attributes(
    request: &Request,
    schema: &Schema,
    needs: &Needs,
) -> Result<Vec<(&'static str, Fact)>, Unfit> {
    let calls = &request.session.calls;
    calls.ask(|ledger| {
        let parts = ["count", "today", "sum", "sum_today", "seen", "returned"];
        let asked = parts.into_iter().filter_map(|part| Some((part, needs.get(part)?)));
        asked.map(|(part, needs)| Ok((part, attribute(part, request, schema, needs, ledger)?))).collect()
    })
}

/// One attribute: what it says of each tool.
fn attribute(
    part: &str,
    request: &Request,
    schema: &Schema,
    needs: &Needs,
    ledger: &mut Ledger,
) -> Result<Fact, Unfit> {
    // By what is asked for, not by what there is: a project may have hundreds of tools.
    let named = needs.names().filter_map(|(name, needs)| Some((schema.tools.get_key_value(name)?, needs)));
    let all = schema.tools.iter().filter(|_| needs.is_whole()).map(|tool| (tool, needs));
    let asked = named.filter(|_| !needs.is_whole()).chain(all);
    let since = if part.ends_with("today") { request.now.minus(DAY).0 } else { i64::MIN };
    let mut tools = Vec::new();
    for ((name, tool), needs) in asked {
        let mut done = ledger.of(name, &request.session.calls);
        let value = match part {
            "count" | "today" => Some(done.count(since).into()),
            "sum" | "sum_today" => {
                let is_this = matches!(&request.action, Action::Tool(this) if this == name);
                sums(is_this.then_some(request), tool, since, &mut done, needs)?
            }
            "seen" => seen(tool, &mut done, needs)?,
            _ => Some(record(needs.names().map(|(field, _)| (field, done.returned(field))))),
        };
        tools.extend(value.map(|value| (name.as_str(), value)));
    }
    Ok(record(tools))
}

/// The sums of each number over the calls, with that of the call that is decided.
fn sums(
    this: Option<&Request>,
    tool: &Tool,
    since: i64,
    done: &mut Done<'_>,
    needs: &Needs,
) -> Result<Option<Fact>, Unfit> {
    let mut numbers = tool.arguments.iter().filter(|(_, slot)| is_number(&slot.kind)).peekable();
    if numbers.peek().is_none() {
        return Ok(None);
    }
    let mut sums = Vec::new();
    for (argument, slot) in numbers.filter(|(argument, _)| needs.get(argument).is_some()) {
        let this = this.and_then(|request| request.arguments.get(argument));
        let sum = done.sum(argument, &slot.kind, since, this)?;
        let sum = match slot.kind {
            Type::Long => sum.into(),
            _ => decimal_of(sum)?,
        };
        sums.push((argument.as_str(), sum));
    }
    Ok(Some(record(sums)))
}

/// What earlier calls that did not fail were made with.
fn seen(tool: &Tool, done: &mut Done<'_>, needs: &Needs) -> Result<Option<Fact>, Unfit> {
    let mut plain = tool.arguments.iter().filter(|(_, slot)| slot.kind.element().is_scalar()).peekable();
    if plain.peek().is_none() {
        return Ok(None);
    }
    let asked = plain.filter(|(argument, _)| needs.get(argument).is_some());
    let seen =
        asked.map(|(argument, slot)| Ok((argument.as_str(), done.seen(argument, slot.kind.element())?)));
    Ok(Some(record(seen.collect::<Result<Vec<_>, Unfit>>()?)))
}
