//! What a solver found, as a request that an agent could make.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adjutant::policy::Request;
use adjutant::policy::cedar::Schema;
use adjutant::policy::facts::{Action, Evidence, Origin, Past, Principal, Session, User};
use adjutant_core::label::{Integrity, Label, Readers, Sources};
use adjutant_core::time::Timestamp;
use cedar_policy_symcc::Env;
use serde_json::{Map, Value, json};

use super::looks::Looks;

/// The moment of an example that no policy asks the time of: noon of the first of January 2026.
pub(super) const NOON: Timestamp = Timestamp(1_767_268_800_000);

/// How long ago a call was made that is not of the last day.
const LONG_AGO: Duration = Duration::from_secs(72 * 60 * 60);

/// More calls than these in an example are no example.
const MOST_CALLS: i64 = 1000;

/// Makes a request of what a solver found, such that it shows what it is to show. None where no agent could make it:
/// a solver does not know that the host of an address follows from the address.
pub(super) fn of(
    found: &Env,
    looks: &Looks,
    schema: &Schema,
    shows: impl Fn(&Request) -> bool,
) -> Option<Request> {
    let reading = Reading::of(found, looks, schema)?;
    let mut plain = reading.request(false)?;
    let mut candidates = vec![plain.clone()];
    candidates.extend(reading.request(true));
    // People read names more easily than nothing between quotes.
    if let (Some(agent), Some(named)) =
        (plain.principal.agents.first_mut(), schema.vocabulary().agents.first())
        && agent.is_empty()
    {
        agent.clone_from(named);
        candidates.insert(0, plain);
    }
    candidates.into_iter().find(|request| shows(request)).map(|request| fewest(request, shows))
}

/// A request with as few earlier calls as it takes to show the same.
pub(super) fn fewest(mut request: Request, shows: impl Fn(&Request) -> bool) -> Request {
    let mut part = request.session.calls.len();
    while part > 0 {
        let mut from = 0;
        while from < request.session.calls.len() {
            let mut fewer = request.clone();
            let end = (from + part).min(fewer.session.calls.len());
            fewer.session.calls.drain(from..end);
            match shows(&fewer) {
                true => request = fewer,
                false => from = end,
            }
        }
        part /= 2;
    }
    request
}

/// The name of an action in policies.
pub(super) fn action(action: &Action) -> &str {
    match action {
        Action::Tool(tool) => tool,
        Action::Agent(_) => "run.agent",
        Action::Model(_) => "run.model",
        Action::Resource { .. } => "run.resource",
        Action::Remember(_) => "run.remember",
        Action::Answer => "run.answer",
    }
}

/// What a solver found, as JSON.
struct Reading<'a> {
    looks: &'a Looks,
    schema: &'a Schema,
    principal: Entity,
    user: Option<Entity>,
    session: Option<Entity>,
    action: String,
    resource: String,
    context: Value,
}

#[derive(Clone, Debug, Default)]
struct Entity {
    id: String,
    attributes: Map<String, Value>,
    /// Type and id of what it is in.
    parents: Vec<(String, String)>,
}

impl<'a> Reading<'a> {
    fn of(found: &Env, looks: &'a Looks, schema: &'a Schema) -> Option<Self> {
        let entities = found.entities.to_json_value().ok()?;
        let context = found.request.context()?.to_json_value().ok()?;
        let entity = |kind: &str, id: &str| {
            let mut all = entities.as_array().into_iter().flatten();
            let written =
                all.find(|one| one.get("uid").and_then(named) == Some((kind.to_owned(), id.to_owned())));
            let attributes = written.and_then(|one| one.get("attrs")).and_then(Value::as_object);
            let parents = written.and_then(|one| one.get("parents")).and_then(Value::as_array);
            Entity {
                id: id.to_owned(),
                attributes: attributes.cloned().unwrap_or_default(),
                parents: parents.into_iter().flatten().filter_map(named).collect(),
            }
        };
        let id = |uid: Option<&cedar_policy::EntityUid>| Some(uid?.id().unescaped().to_owned());
        let principal = entity("Agent", &id(found.request.principal())?);
        let user = principal.attributes.get("user").and_then(named);
        let session = context.get("session").and_then(named);
        Some(Self {
            user: user.map(|(kind, id)| entity(&kind, &id)),
            session: session.map(|(kind, id)| entity(&kind, &id)),
            action: id(found.request.action())?,
            resource: id(found.request.resource())?,
            looks,
            schema,
            principal,
            context,
        })
    }

    /// The request; `whole` takes each value as it was found, also where policies look at a part of it alone.
    fn request(&self, whole: bool) -> Option<Request> {
        let mut arguments = Map::new();
        let mut origins = BTreeMap::new();
        let action = match self.action.as_str() {
            "run.answer" => Action::Answer,
            "run.model" => Action::Model(self.resource.clone()),
            "run.agent" => Action::Agent(self.resource.clone()),
            "run.remember" => Action::Remember(self.resource.clone()),
            "run.resource" => {
                let server = self.context.get("server").and_then(Value::as_str).unwrap_or_default();
                let host = self.context.get("host").and_then(Value::as_str).unwrap_or_default();
                let uri = match !whole && self.looks.at(&["context", "host"]) {
                    true => format!("https://{host}/"),
                    false => self.resource.clone(),
                };
                Action::Resource { server: server.to_owned(), uri }
            }
            tool => {
                let found = self.context.get("arguments").and_then(Value::as_object);
                let at = vec!["context".to_owned(), "arguments".to_owned()];
                arguments = self.arguments(found?, &at, "", whole, &mut origins);
                self.roles(tool, &mut arguments, &mut origins);
                Action::Tool(tool.to_owned())
            }
        };
        let looked = |name: &str| self.looks.at(&["context", name]);
        let now = self.context.get("now").filter(|_| looked("now")).and_then(moment).unwrap_or(NOON);
        let run = self.context.get("run").filter(|_| looked("run"));
        let session = Session { calls: self.calls(&action, &mut arguments, now)?.into() };
        Some(Request {
            principal: self.principal(),
            action,
            arguments,
            origins,
            label: run.map(label).unwrap_or_default(),
            session,
            now,
            approved: looked("approved") && self.context.get("approved") == Some(&Value::Bool(true)),
            within_task: None,
        })
    }

    fn principal(&self) -> Principal {
        let parent =
            |kind: &str| self.principal.parents.iter().find(|(of, _)| of == kind).map(|(_, id)| id.clone());
        let known = self.user.as_ref().map(|user| (user.id.clone(), user.attributes.clone()));
        let user = known.or_else(|| Some((parent("User")?, Map::new())));
        let asked = |claim: &str| self.looks.at(&["principal", "user", claim]);
        Principal {
            tenant: parent("Tenant").unwrap_or_else(|| "local".to_owned()),
            user: user.map(|(id, claims)| User {
                id,
                claims: claims
                    .into_iter()
                    .filter(|(claim, _)| asked(claim))
                    .map(|(claim, value)| (claim, plain(&value)))
                    .collect(),
            }),
            agents: vec![self.principal.id.clone()],
        }
    }

    /// The arguments within a record, and where they came from.
    fn arguments(
        &self,
        found: &Map<String, Value>,
        at: &[String],
        above: &str,
        whole: bool,
        origins: &mut BTreeMap<String, Origin>,
    ) -> Map<String, Value> {
        let mut arguments = Map::new();
        for (name, slot) in found {
            let pointer = format!("{above}/{}", name.replace('~', "~0").replace('/', "~1"));
            let here: Vec<String> = at.iter().cloned().chain([name.clone()]).collect();
            let inner = slot.get("value").and_then(Value::as_object).filter(|inner| is_labelled(inner));
            let value = match inner {
                Some(inner) => {
                    let here: Vec<String> = here.iter().cloned().chain(["value".to_owned()]).collect();
                    Value::Object(self.arguments(inner, &here, &pointer, whole, origins))
                }
                None => self.value(slot, &here, whole),
            };
            if inner.is_none() {
                origins.insert(pointer, Origin { evidence: evidence(slot), label: label(slot) });
            }
            arguments.insert(name.clone(), value);
        }
        arguments
    }

    /// One value, such that the part of it that policies look at is what was found.
    fn value(&self, slot: &Value, here: &[String], whole: bool) -> Value {
        let part = |name: &str| {
            let path: Vec<&str> = here.iter().map(String::as_str).chain([name]).collect();
            let asked = !whole && self.looks.paths.iter().any(|seen| seen == &path);
            slot.get(name).filter(|_| asked)
        };
        let address = |host: &Value| json!(format!("https://{}/", host.as_str().unwrap_or_default()));
        let mail = |domain: &Value| json!(format!("someone@{}", domain.as_str().unwrap_or_default()));
        let all = |parts: &Value, of: &dyn Fn(&Value) -> Value| {
            Value::Array(parts.as_array().into_iter().flatten().map(of).collect())
        };
        let made = part("host").map(address);
        let made = made.or_else(|| part("domain").map(mail));
        let made = made.or_else(|| part("hosts").map(|parts| all(parts, &address)));
        let made = made.or_else(|| part("domains").map(|parts| all(parts, &mail)));
        let made = made
            .or_else(|| part("text").filter(|_| slot.get("value").is_some_and(Value::is_string)).cloned());
        made.unwrap_or_else(|| slot.get("value").map(plain).unwrap_or_default())
    }

    /// What is known of all arguments of a role together is what is known of each.
    fn roles(&self, tool: &str, arguments: &mut Map<String, Value>, origins: &mut BTreeMap<String, Origin>) {
        for (name, role) in self.schema.roles(tool) {
            let Some(found) = self.context.get("roles").and_then(|roles| roles.get(role)) else { continue };
            let pointer = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
            if ["trusted", "from", "readers", "public"]
                .iter()
                .any(|part| self.looks.at(&["context", "roles", role, part]))
            {
                let evidence = origins.get(&pointer).map_or(Evidence::None, |origin| origin.evidence);
                origins.insert(pointer, Origin { evidence, label: label(found) });
            }
            if self.looks.at(&["context", "roles", role, "values"])
                && let Some(value) = arguments.get_mut(name).filter(|value| value.is_string())
                && let Some(first) = found.get("values").and_then(|values| values.get(0))
            {
                *value = first.clone();
            }
        }
    }

    /// The calls that were made before. None where no calls have such counts and sums.
    fn calls(
        &self,
        action: &Action,
        arguments: &mut Map<String, Value>,
        now: Timestamp,
    ) -> Option<Vec<Past>> {
        let asked = self.looks.session();
        let Some(session) = self.session.as_ref().filter(|_| !asked.is_empty()) else {
            return Some(Vec::new());
        };
        let part = |part: &str, tool: &str| session.attributes.get(part)?.get(tool).cloned();
        let tools: BTreeSet<&str> = asked.iter().map(|(_, tool)| *tool).collect();
        let mut calls = Vec::new();
        for tool in tools {
            let number = |name: &str| part(name, tool).filter(|_| asked.contains(&(name, tool)))?.as_i64();
            let fields = |name: &str| {
                let found = part(name, tool).unwrap_or_default();
                let found = found.as_object().cloned().unwrap_or_default();
                let path = |field: &str| self.looks.at(&["context", "session", name, tool, field]);
                found
                    .into_iter()
                    .filter(|(field, _)| asked.contains(&(name, tool)) && path(field))
                    .collect::<Vec<_>>()
            };
            let (seen, returned) = (fields("seen"), fields("returned"));
            let sums: Vec<(String, Value)> = fields("sum").into_iter().chain(fields("sum_today")).collect();
            let most_seen = seen.iter().filter_map(|(_, values)| values.as_array().map(Vec::len)).max();
            let returns =
                returned.iter().any(|(_, values)| values.as_array().is_some_and(|values| !values.is_empty()));
            let needed = i64::try_from(most_seen.unwrap_or(0)).ok()?.max(i64::from(returns));
            let today = number("today");
            let count = number("count").or(today).unwrap_or(needed).max(today.unwrap_or(0));
            if !(0..=MOST_CALLS).contains(&count) {
                return None;
            }
            let mut made: Vec<Past> = (0..count)
                .map(|index| {
                    let recent = index < today.unwrap_or(count);
                    let ago = if recent { Duration::from_secs(60) } else { LONG_AGO };
                    let seen = seen.iter().filter_map(|(name, values)| {
                        let values = values.as_array()?;
                        let value = usize::try_from(index).ok().and_then(|index| values.get(index));
                        Some((name.clone(), plain(value.or_else(|| values.first())?)))
                    });
                    Past {
                        tool: tool.to_owned(),
                        at: now.minus(ago),
                        arguments: seen.collect(),
                        data: None,
                        failed: false,
                    }
                })
                .collect();
            if let Some(first) = made.first_mut().filter(|_| returns) {
                let data = returned.iter().map(|(name, values)| (name.clone(), plain(values)));
                first.data = Some(Value::Object(data.collect()));
            }
            let own = matches!(action, Action::Tool(called) if called == tool);
            for (name, sum) in sums {
                let sum = plain(&sum);
                let this = arguments.get(&name).filter(|_| own).cloned().unwrap_or_else(|| json!(0));
                match made.first_mut() {
                    Some(first) => {
                        first.arguments.insert(name, difference(&sum, &this)?);
                    }
                    None if own => {
                        arguments.insert(name, sum);
                    }
                    None => {}
                }
            }
            calls.extend(made);
        }
        calls.sort_by_key(|call| call.at);
        Some(calls)
    }
}

/// Type and id of an entity, however it is written.
fn named(value: &Value) -> Option<(String, String)> {
    let value = value.get("__entity").unwrap_or(value);
    let part = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    part("type").zip(part("id"))
}

/// Whether the fields of a record have labels of their own.
fn is_labelled(fields: &Map<String, Value>) -> bool {
    !fields.is_empty() && fields.values().all(|field| field.get("trusted").is_some_and(Value::is_boolean))
}

fn label(found: &Value) -> Label {
    let texts = |name: &str| -> BTreeSet<String> {
        let values = found.get(name).and_then(Value::as_array).into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let is = |name: &str| found.get(name) == Some(&Value::Bool(true));
    Label {
        integrity: if is("trusted") { Integrity::Trusted } else { Integrity::Untrusted },
        readers: if is("public") { Readers::Anyone } else { Readers::Only(texts("readers")) },
        sources: Sources::Known(texts("from")),
    }
}

fn evidence(slot: &Value) -> Evidence {
    let written = slot.get("evidence").cloned().unwrap_or_default();
    serde_json::from_value(written).unwrap_or(Evidence::None)
}

/// A value as tools take it.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => match fields.get("__extn") {
            Some(call) => call.get("arg").and_then(Value::as_str).map(number).unwrap_or_default(),
            None => fields.iter().map(|(name, field)| (name.clone(), plain(field))).collect(),
        },
        value => value.clone(),
    }
}

/// The number that a `decimal` is written as.
pub(super) fn number(text: &str) -> Value {
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or_else(|| text.into(), Value::Number)
}

fn difference(a: &Value, b: &Value) -> Option<Value> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.checked_sub(b).map(Value::from),
        // Four digits after the point are all that a policy sees.
        _ => Some(json!(((a.as_f64()? - b.as_f64()?) * 10_000.0).round() / 10_000.0)),
    }
}

/// The moment that a `datetime` is written as: a date, or one and an offset in milliseconds.
fn moment(value: &Value) -> Option<Timestamp> {
    let call = value.get("__extn")?;
    let arguments: Vec<&Value> = match call.get("args") {
        Some(arguments) => arguments.as_array()?.iter().collect(),
        None => vec![call.get("arg")?],
    };
    match (call.get("fn")?.as_str()?, arguments.as_slice()) {
        ("datetime", [text]) => {
            let text = text.as_str()?;
            let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
            whole.parse::<jiff::Timestamp>().ok().map(|moment| Timestamp(moment.as_millisecond()))
        }
        ("offset", [from, by]) => {
            let by = by.get("__extn")?.get("arg")?.as_str()?.strip_suffix("ms")?;
            Some(Timestamp(moment(from)?.0.checked_add(by.parse().ok()?)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let date = json!({ "__extn": { "fn": "datetime", "arg": "1970-01-02" } });
        assert_eq!(moment(&date), Some(Timestamp(86_400_000)));
        let by = json!({ "__extn": { "fn": "duration", "arg": "-1ms" } });
        let offset = json!({ "__extn": { "fn": "offset", "args": [date, by] } });
        assert_eq!(moment(&offset), Some(Timestamp(86_399_999)));
    }
}
