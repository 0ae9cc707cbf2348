//! [`changes`]: requests that differ from one in a single fact.

use adjutant::policy::Request;
use adjutant::policy::cedar::Policies;
use adjutant::policy::facts::{Action, Evidence, Origin, Past, User};
use adjutant_core::label::Label;
use serde_json::{Map, Value, json};

use super::example::number;
use super::looks::Looks;

/// That a person agreed, in words.
const AGREED: &str = "a person had agreed to it";

/// The same request with a person who agreed to it.
pub(crate) fn agreed(request: &Request) -> (String, Request) {
    (AGREED.to_owned(), Request { approved: true, ..request.clone() })
}

/// Requests that differ from one in a single fact that policies look at, each with the fact in words.
pub(crate) fn changes(policies: &Policies, request: &Request) -> Vec<(String, Request)> {
    let looks = Looks::of(policies.set().policies());
    let mut all = Vec::new();
    let mut add = |words: String, change: &dyn Fn(&mut Request)| {
        let mut changed = request.clone();
        change(&mut changed);
        if changed != *request {
            all.push((words, changed));
        }
    };
    let trusted = Origin { evidence: Evidence::Words, label: Label::default() };
    for (name, value) in &request.arguments {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let within = format!("{pointer}/");
        add(format!("`{name}` stood in the user's words"), &|request| {
            request.origins.retain(|origin, _| !origin.starts_with(&within));
            request.origins.insert(pointer.clone(), trusted.clone());
        });
        for other in values(&looks, name, value) {
            add(format!("`{name}` were {other}"), &|request| {
                request.arguments.insert(name.clone(), other.clone());
            });
        }
    }
    add("all arguments stood in the user's words".to_owned(), &|request| {
        request.origins = request
            .arguments
            .keys()
            .map(|name| (format!("/{}", name.replace('~', "~0").replace('/', "~1")), trusted.clone()))
            .collect();
    });
    if looks.at(&["context", "run"]) {
        add("nothing untrusted had been read".to_owned(), &|request| request.label = Label::default());
    }
    add(AGREED.to_owned(), &|request| request.approved = true);
    of_session(&looks, request, &mut add);
    for path in &looks.paths {
        let [principal, user, claim] = path.as_slice() else { continue };
        if principal != "principal" || user != "user" {
            continue;
        }
        for text in &looks.texts {
            add(format!("the user's `{claim}` were \"{text}\""), &|request| {
                let user = request.principal.user.get_or_insert_with(User::default);
                user.claims.insert(claim.clone(), json!(text));
            });
        }
    }
    all
}

/// Other values of an argument: those that policies compare with, where they look at it.
fn values(looks: &Looks, name: &str, value: &Value) -> Vec<Value> {
    let looked = |part: &str| looks.at(&["context", "arguments", name, part]);
    match value {
        Value::String(_) if looked("host") => {
            looks.texts.iter().map(|host| json!(format!("https://{host}/"))).collect()
        }
        Value::String(_) if looked("domain") => {
            looks.texts.iter().map(|domain| json!(format!("someone@{domain}"))).collect()
        }
        Value::String(_) if looked("value") => looks.texts.iter().map(|text| json!(text)).collect(),
        Value::Bool(value) if looked("value") => vec![json!(!value)],
        Value::Number(_) if looked("value") => {
            let decimals = looks.decimals.iter().map(|text| number(text));
            let around = looks.numbers.iter().flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]);
            around.map(Value::from).chain(decimals).collect()
        }
        _ => Vec::new(),
    }
}

/// One call more before, or none of a tool.
fn of_session(looks: &Looks, request: &Request, add: &mut impl FnMut(String, &dyn Fn(&mut Request))) {
    for (part, tool) in looks.session() {
        if ["count", "today", "sum", "sum_today"].contains(&part) {
            add(format!("`{tool}` had not been called before"), &|request| {
                request.session.calls.retain(|call| call.tool != tool);
            });
        }
        let made = |arguments: Map<String, Value>, data: Option<Value>| Past {
            tool: tool.to_owned(),
            at: request.now,
            arguments,
            data,
            failed: false,
        };
        let fields = looks.paths.iter().filter_map(|path| match path.as_slice() {
            [_, session, of, called, field] if session == "session" && of == part && called == tool => {
                Some(field)
            }
            _ => None,
        });
        if part == "count" || part == "today" {
            let own = matches!(&request.action, Action::Tool(called) if called == tool);
            if !own {
                add(format!("`{tool}` had been called before"), &|request| {
                    request.session.calls.push(made(Map::new(), None));
                });
            }
        }
        for field in fields.filter(|_| part == "seen" || part == "returned") {
            for (name, value) in request.arguments.iter().filter(|(_, value)| !value.is_object()) {
                let record = Map::from_iter([(field.clone(), value.clone())]);
                let (words, call) = match part {
                    "seen" => ("had been called with", made(record, None)),
                    _ => ("had returned", made(Map::new(), Some(Value::Object(record)))),
                };
                add(format!("`{tool}` {words} {field} {value}, the `{name}` of this call"), &|request| {
                    request.session.calls.push(call.clone());
                });
            }
        }
    }
}
