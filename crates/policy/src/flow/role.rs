//! [`role`]: what an argument is for.

use adjutant_core::tool::{Role, ToolSpec};
use serde_json::Value;

use super::name;

/// What the argument at a JSON pointer (`/to`, `/items/0/id`) is for: what the tool or the project says of it, otherwise
/// what its schema and its name say. What says nothing is a target, which has to be known: that is the careful side.
pub fn role(spec: &ToolSpec, pointer: &str) -> Role {
    declared(spec, pointer).unwrap_or_else(|| derived(pointer, schema(spec, pointer)))
}

/// What somebody has said of the argument, or of the nearest one around it. A place in a list is no name: `/to/0` is
/// what `/to` is.
pub(super) fn declared(spec: &ToolSpec, pointer: &str) -> Option<Role> {
    let mut path = pointer;
    loop {
        let name = path.strip_prefix('/').unwrap_or(path);
        let roles = &spec.flow.arguments;
        if let Some(role) = roles.get(path).or_else(|| roles.get(name)) {
            return Some(*role);
        }
        path = match path.rsplit_once('/') {
            Some((around, _)) if !around.is_empty() => around,
            _ => return None,
        };
    }
}

/// The schema of the argument, as far as `properties` and `items` lead to it.
pub(super) fn schema<'a>(spec: &'a ToolSpec, pointer: &str) -> Option<&'a Value> {
    let steps = pointer.split('/').skip(1);
    steps.into_iter().try_fold(&spec.parameters, |schema, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        let within = schema.get("properties").and_then(|properties| properties.get(&step));
        within.or_else(|| schema.get("items").filter(|_| step.parse::<usize>().is_ok()))
    })
}

/// The last name of a pointer that is no place in a list.
pub(super) fn name_at(pointer: &str) -> &str {
    pointer.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap_or_default()
}

const RECIPIENTS: &[&str] = &[
    "to",
    "cc",
    "bcc",
    "recipient",
    "email",
    "mail",
    "phone",
    "iban",
    "bic",
    "account",
    "address",
    "user",
    "username",
    "channel",
    "host",
    "hostname",
    "url",
    "uri",
    "link",
    "webhook",
    "callback",
    "domain",
    "server",
    "endpoint",
    "destination",
    "participant",
    "attendee",
    "invitee",
    "member",
    "assignee",
    "beneficiary",
    "payee",
    "receiver",
    "audience",
    "contact",
    "person",
    "people",
    "owner",
    "reviewer",
    "subscriber",
    "topic",
    "queue",
    "remote",
];

const CONTENTS: &[&str] = &[
    "body",
    "text",
    "message",
    "content",
    "subject",
    "title",
    "description",
    "query",
    "sql",
    "command",
    "cmd",
    "comment",
    "summary",
    "note",
    "html",
    "markdown",
    "prompt",
    "question",
    "answer",
    "task",
    "instruction",
    "reason",
    "expression",
    "script",
    "program",
    "search",
    "q",
    "term",
    "data",
    "payload",
    "patch",
    "diff",
    "statement",
    "memo",
    "caption",
];

const AMOUNTS: &[&str] = &[
    "amount",
    "price",
    "total",
    "sum",
    "quantity",
    "qty",
    "money",
    "cost",
    "fee",
    "rate",
    "percent",
    "percentage",
    "budget",
    "balance",
    "discount",
    "tip",
];

const OPTIONS: &[&str] = &[
    "limit",
    "page",
    "offset",
    "format",
    "sort",
    "order_by",
    "direction",
    "locale",
    "language",
    "timezone",
    "verbose",
    "depth",
    "max",
    "min",
    "size",
    "count",
    "timeout",
    "encoding",
    "unit",
    "from_line",
    "line",
];

fn derived(pointer: &str, schema: Option<&Value>) -> Role {
    let name = name_at(pointer);
    let says = |key: &str| schema.and_then(|schema| schema.get(key));
    let is = |kind: &str| says("type").is_some_and(|said| said == kind || contains(said, kind));
    if says("enum").is_some() || says("const").is_some() || is("boolean") {
        return Role::Option;
    }
    match says("format").and_then(Value::as_str) {
        Some(
            "email" | "idn-email" | "uri" | "uri-reference" | "iri" | "hostname" | "idn-hostname" | "ipv4"
            | "ipv6",
        ) => {
            return Role::Recipient;
        }
        Some("uuid") => return Role::Target,
        Some("date" | "date-time" | "time" | "duration") => return Role::Option,
        _ => {}
    }
    let words = name::words(name);
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_number = is("integer") || is("number");
    if any(RECIPIENTS) && !is("boolean") {
        // `email_id` names a mail, not a person.
        return if name::is_identifier(name) && !words.iter().any(|word| is_person(word)) {
            Role::Target
        } else {
            Role::Recipient
        };
    }
    if name::is_identifier(name) {
        return Role::Target;
    }
    match is_number {
        true if any(AMOUNTS) => Role::Amount,
        true if any(OPTIONS) => Role::Option,
        // A number that nothing is known of may be an amount, which is the more careful of the two.
        true => Role::Amount,
        false if any(CONTENTS) => Role::Content,
        false if any(AMOUNTS) => Role::Amount,
        false if any(OPTIONS) => Role::Option,
        false => Role::Target,
    }
}

/// Whether an id of that word tells who gets something.
fn is_person(word: &str) -> bool {
    [
        "recipient",
        "account",
        "user",
        "channel",
        "participant",
        "payee",
        "receiver",
        "contact",
        "person",
        "member",
        "phone",
    ]
    .contains(&word)
}

fn contains(list: &Value, item: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|one| one == item))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use adjutant_core::tool::{Effect, Flow};
    use serde_json::json;

    use super::*;

    fn spec() -> ToolSpec {
        let text = json!({ "type": "string" });
        ToolSpec {
            name: "send".into(),
            description: String::new(),
            parameters: json!({ "type": "object", "properties": {
                "to": { "type": "array", "items": text }, "body": text, "account_number": text, "email_id": text,
                "file_id": text, "urgent": { "type": "boolean" }, "kind": { "enum": ["a", "b"] }, "thing": text,
                "amount": { "type": "number" }, "page": { "type": "integer" }, "seats": { "type": "integer" },
                "site": { "type": "string", "format": "uri" }, "when": { "type": "string", "format": "date" },
                "inner": { "type": "object", "properties": { "recipient": text, "text": text } },
            } }),
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow {
                arguments: BTreeMap::from([
                    ("/inner/text".into(), Role::Option),
                    ("thing".into(), Role::Content),
                ]),
                ..Flow::default()
            },
        }
    }

    #[test]
    fn roles_are_declared_or_derived_to_the_careful_side() {
        let spec = spec();
        for (pointer, expected) in [
            ("/to/0", Role::Recipient),
            ("/body", Role::Content),
            ("/account_number", Role::Recipient),
            ("/email_id", Role::Target),
            ("/file_id", Role::Target),
            ("/urgent", Role::Option),
            ("/kind", Role::Option),
            ("/amount", Role::Amount),
            ("/page", Role::Option),
            ("/seats", Role::Amount),
            ("/site", Role::Recipient),
            ("/when", Role::Option),
            ("/inner/recipient", Role::Recipient),
            ("/inner/text", Role::Option),
            ("/thing", Role::Content),
            ("/unheard_of", Role::Target),
        ] {
            assert_eq!(role(&spec, pointer), expected, "{pointer}");
        }
    }
}
