//! `allOf` as one schema. Pure.

use serde_json::{Map, Value, json};

/// What fits both schemas, as far as one schema can say it; where it cannot, less is asked, and the service itself has the
/// last word.
pub(super) fn both(mut left: Map<String, Value>, right: Value) -> Map<String, Value> {
    let Value::Object(right) = right else { return left };
    if right.contains_key("$ref") {
        add(&mut left, Value::Object(right));
        return left;
    }
    // "No others" of one member would shut out the properties of the next.
    let is_closed = |map: &Map<String, Value>| map.get("additionalProperties") == Some(&Value::Bool(false));
    if is_closed(&left) || is_closed(&right) {
        left.remove("additionalProperties");
    }
    for (keyword, value) in right {
        if keyword == "additionalProperties" && value == Value::Bool(false) {
            continue;
        }
        let Some(own) = left.get_mut(&keyword) else {
            left.insert(keyword, value);
            continue;
        };
        match (keyword.as_str(), own, value) {
            ("properties", Value::Object(own), Value::Object(others)) => properties(own, others),
            ("required" | "allOf", Value::Array(own), Value::Array(others)) => {
                others.into_iter().for_each(|other| {
                    if !own.contains(&other) {
                        own.push(other);
                    }
                });
            }
            ("enum", Value::Array(own), Value::Array(others))
                if own.iter().any(|one| others.contains(one)) =>
            {
                own.retain(|one| others.contains(one));
            }
            ("anyOf", own, others) if *own != others => add(&mut left, json!({ "anyOf": others })),
            ("type", own, other) => *own = kinds(own, &other),
            _ => {}
        }
    }
    left
}

fn add(left: &mut Map<String, Value>, member: Value) {
    if let Value::Array(members) = left.entry("allOf").or_insert_with(|| json!([])) {
        members.push(member);
    }
}

fn properties(own: &mut Map<String, Value>, others: Map<String, Value>) {
    for (name, other) in others {
        match own.get_mut(&name) {
            Some(Value::Object(schema)) if !schema.contains_key("$ref") => {
                *schema = both(std::mem::take(schema), other);
            }
            Some(_) => {}
            None => {
                own.insert(name, other);
            }
        }
    }
}

/// The types that both have; those of the first where there is none.
fn kinds(left: &Value, right: &Value) -> Value {
    let list = |value: &Value| match value {
        Value::Array(names) => names.clone(),
        name => vec![name.clone()],
    };
    let (left_names, right_names) = (list(left), list(right));
    if left_names.iter().any(|name| name == "number") && right_names.iter().any(|name| name == "integer") {
        return right.clone();
    }
    let common: Vec<Value> = left_names.into_iter().filter(|name| right_names.contains(name)).collect();
    match common.as_slice() {
        [] => left.clone(),
        [only] => only.clone(),
        _ => Value::Array(common),
    }
}
