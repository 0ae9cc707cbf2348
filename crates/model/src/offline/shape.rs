//! A value that fits a schema, filled from a text and from what is known.

use serde_json::{Map, Value, json};

use super::facts::Facts;
use super::field::{Field, Meaning, properties, resolve, type_of};
use super::fill::choice;
use super::words::{name_words, stem, words};

/// What an answer in the form of a schema is filled from.
#[derive(Debug)]
pub(super) struct Material<'a> {
    /// What the person says.
    pub(super) question: &'a str,
    /// The answer as text.
    pub(super) answer: &'a str,
    /// Where the answer is from.
    pub(super) sources: &'a [String],
    /// Names and values in the results.
    pub(super) known: &'a [(String, Value)],
}

/// How deep an answer may nest; schemas may refer to themselves.
const DEEPEST: usize = 12;

/// A value that fits the schema.
pub(super) fn value(schema: &Value, material: &Material<'_>) -> Value {
    fill(schema, schema, "", material, 0)
}

fn fill(schema: &Value, root: &Value, name: &str, material: &Material<'_>, depth: usize) -> Value {
    let schema = resolve(schema, root);
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return option(schema, options, name, material);
    }
    match type_of(schema) {
        Some("object") => object(schema, root, material, depth),
        Some("array") => array(schema, root, name, material, depth),
        Some("integer") => number(schema, name, material, true),
        Some("number") => number(schema, name, material, false),
        Some("boolean") => Value::Bool(flag(name, material)),
        Some("null") => Value::Null,
        _ if schema.get("properties").is_some() => object(schema, root, material, depth),
        _ => text(schema, name, material),
    }
}

fn object(schema: &Value, root: &Value, material: &Material<'_>, depth: usize) -> Value {
    let mut object = Map::new();
    for field in properties(schema, root) {
        // Deep down only what must be there keeps a schema that refers to itself from going on.
        if depth < DEEPEST && (field.required || depth == 0 || known(field.name, material).is_some()) {
            object.insert(field.name.to_owned(), fill(field.schema, root, field.name, material, depth + 1));
        }
    }
    object.into()
}

fn array(schema: &Value, root: &Value, name: &str, material: &Material<'_>, depth: usize) -> Value {
    let count = |word: &str| schema.get(word).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let (least, most) = (count("minItems").unwrap_or(0).min(100), count("maxItems").unwrap_or(20));
    let any = json!({});
    let items = resolve(schema.get("items").unwrap_or(&any), root);
    let mut values: Vec<Value> = match type_of(items) {
        Some("object") if is_to_be_done(name) => asked(material.question)
            .enumerate()
            .map(|(place, question)| one_to_do(items, root, (place, question), material, depth))
            .take(most)
            .collect(),
        _ => candidates(items, name, material).into_iter().take(most).collect(),
    };
    while values.len() < least && depth < DEEPEST {
        values.push(fill(items, root, name, material, depth + 1));
    }
    values.into()
}

/// Whether a list of this name says what is to be done.
fn is_to_be_done(name: &str) -> bool {
    let stems = name_words(name).iter().map(|word| stem(word)).collect::<Vec<_>>();
    ["task", "question", "step", "todo"].iter().any(|word| stems.contains(&stem(word)))
}

/// The questions that somebody asks, one after the other.
fn asked(text: &str) -> impl Iterator<Item = &str> {
    let ends = |sign: char| matches!(sign, '.' | '!' | '?' | '\n');
    text.split_inclusive(ends).map(str::trim).filter(|sentence| sentence.ends_with('?') && sentence.len() > 1)
}

/// One of several things to be done, which answers one question and stands for itself.
fn one_to_do(
    schema: &Value,
    root: &Value,
    (place, question): (usize, &str),
    material: &Material<'_>,
    depth: usize,
) -> Value {
    let number = ("id".to_owned(), Value::from(format!("task{}", place + 1)));
    let known: Vec<_> = material.known.iter().cloned().chain([number]).collect();
    let about = Material { question, answer: question, known: &known, ..*material };
    object(schema, root, &about, depth + 1)
}

/// The items that a list of this name may have.
fn candidates(items: &Value, name: &str, material: &Material<'_>) -> Vec<Value> {
    let stems: Vec<String> = name_words(name).iter().map(|word| stem(word)).collect();
    let named = |word: &str| stems.iter().any(|stem| stem == word);
    let facts = Facts::of(material.answer);
    let asked = Facts::of(material.question);
    match type_of(items) {
        Some("string") if items.get("enum").is_none() => {
            let known = material
                .known
                .iter()
                .filter(|(key, _)| same_name(key, name))
                .filter_map(|(_, value)| value.as_str());
            let known: Vec<String> = known.map(str::to_owned).collect();
            let list = match () {
                () if named("sourc") || named("citation") || named("referenc") => material.sources.to_vec(),
                () if !known.is_empty() => known,
                () if named("email") => [asked.emails, facts.emails].concat(),
                () if named("url") || named("link") => [asked.urls, facts.urls].concat(),
                () if named("file") || named("path") => [asked.paths, facts.paths].concat(),
                () if named("keyword") || named("tag") || named("topic") => {
                    super::words::content(material.question)
                }
                () => asked.ids,
            };
            list.into_iter().filter(|text| fits(text, items)).map(Value::from).collect()
        }
        Some("integer" | "number") => {
            let numbers = [asked.numbers, facts.numbers].concat();
            numbers
                .iter()
                .filter_map(|text| serde_json::from_str::<Value>(text).ok())
                .filter(|v| within(v, items))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The option that the answer or the question names, or else the one that commits to least.
fn option(schema: &Value, options: &[Value], name: &str, material: &Material<'_>) -> Value {
    const CAUTIOUS: [&str; 8] =
        ["unknown", "none", "other", "unsure", "unclear", "neutral", "general", "n/a"];
    let known = known(name, material).filter(|value| options.contains(value));
    let root = json!({"properties": {name: schema}});
    let field: Option<Field<'_>> = properties(&root, &root).into_iter().next();
    let named = |text: &str| field.as_ref().and_then(|field| choice(field, text));
    let cautious = || {
        options.iter().find(|option| {
            option.as_str().is_some_and(|text| CAUTIOUS.contains(&text.to_lowercase().as_str()))
        })
    };
    known
        .or_else(|| named(material.question))
        .or_else(|| named(material.answer))
        .or_else(|| cautious().cloned())
        .or_else(|| options.first().cloned())
        .unwrap_or_default()
}

fn number(schema: &Value, name: &str, material: &Material<'_>, whole: bool) -> Value {
    let parse = |text: &str| -> Option<Value> {
        let number: f64 = text.parse().ok()?;
        let value = if whole && number.fract() == 0.0 && number.abs() < 9e15 {
            json!(number as i64)
        } else {
            json!(number)
        };
        (!whole || number.fract() == 0.0).then_some(value).filter(|value| within(value, schema))
    };
    let written = |value: Value| match value {
        Value::String(text) => parse(&text),
        other => parse(&other.to_string()),
    };
    let facts = |text: &str| {
        let facts = Facts::of(text);
        facts.numbers.iter().find_map(|number| parse(number))
    };
    let least = schema.get("minimum").and_then(Value::as_f64).unwrap_or(0.0);
    let most = schema.get("maximum").and_then(Value::as_f64).unwrap_or(f64::MAX);
    let fallback = || {
        let step = schema.get("multipleOf").and_then(Value::as_f64).filter(|step| *step > 0.0);
        let start = if most < 0.0 { most } else { least };
        let start = if whole { start.ceil() } else { start };
        let above = schema.get("exclusiveMinimum").and_then(Value::as_f64).filter(|bound| *bound >= start);
        let start = above.map_or(start, |bound| bound.floor() + 1.0);
        step.map_or(start, |step| (start / step).ceil() * step).to_string()
    };
    known(name, material)
        .and_then(written)
        .or_else(|| facts(material.question))
        .or_else(|| facts(material.answer))
        .or_else(|| parse(&fallback()))
        .unwrap_or_else(|| json!(0))
}

fn flag(name: &str, material: &Material<'_>) -> bool {
    if let Some(Value::Bool(known)) = known(name, material) {
        return known;
    }
    let stems: Vec<String> =
        name_words(name).iter().map(|word| stem(word)).filter(|stem| stem != "is" && stem != "has").collect();
    let said: Vec<String> =
        words(material.answer).chain(words(material.question)).map(|word| stem(&word)).collect();
    let found = matches!(name, "found" | "answered" | "success" | "ok" | "resolved");
    if found {
        !material.sources.is_empty()
    } else {
        !stems.is_empty() && stems.iter().all(|stem| said.contains(stem))
    }
}

fn text(schema: &Value, name: &str, material: &Material<'_>) -> Value {
    let root = json!({"properties": {name: schema}});
    let meaning = properties(&root, &root).first().map_or(Meaning::Text, Field::meaning);
    let (asked, found) = (Facts::of(material.question), Facts::of(material.answer));
    let first =
        |list: fn(&Facts) -> &Vec<String>| list(&asked).first().or_else(|| list(&found).first()).cloned();
    let known = known(name, material).map(|value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let sourced = || material.sources.first().cloned();
    let chosen = known.filter(|text| fits(text, schema)).or_else(|| match meaning {
        Meaning::Email => first(|facts| &facts.emails),
        Meaning::Address => first(|facts| &facts.urls),
        Meaning::Date => first(|facts| &facts.dates),
        Meaning::Path => first(|facts| &facts.paths),
        Meaning::Id => first(|facts| &facts.ids),
        Meaning::Query => Some(material.question.to_owned()),
        Meaning::Person => first(|facts| &facts.names),
        Meaning::Text if name.starts_with("source") => sourced(),
        _ => Some(material.answer.to_owned()),
    });
    let format = schema.get("format").and_then(Value::as_str);
    let fallback = match format {
        Some("date") => "1970-01-01",
        Some("date-time") => "1970-01-01T00:00:00Z",
        Some("email") => "unknown@example.invalid",
        Some("uri" | "url") => "about:blank",
        _ => "unknown",
    };
    let chosen =
        chosen.map(|text| if format == Some("date-time") { format!("{text}T00:00:00Z") } else { text });
    fit_length(chosen.unwrap_or_else(|| fallback.to_owned()), schema).into()
}

fn fit_length(text: String, schema: &Value) -> String {
    let count = |word: &str| schema.get(word).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let most = count("maxLength").unwrap_or(usize::MAX);
    let mut text: String = if text.chars().count() > most { text.chars().take(most).collect() } else { text };
    let lacking = count("minLength").unwrap_or(0).min(10_000).saturating_sub(text.chars().count());
    text.extend(std::iter::repeat_n('.', lacking));
    text
}

fn fits(text: &str, schema: &Value) -> bool {
    let length = text.chars().count() as u64;
    let limit = |word: &str| schema.get(word).and_then(Value::as_u64);
    limit("minLength").is_none_or(|least| length >= least)
        && limit("maxLength").is_none_or(|most| length <= most)
}

fn within(value: &Value, schema: &Value) -> bool {
    let limit = |word: &str| schema.get(word).and_then(Value::as_f64);
    value.as_f64().is_some_and(|number| {
        limit("minimum").is_none_or(|least| number >= least)
            && limit("maximum").is_none_or(|most| number <= most)
            && limit("exclusiveMinimum").is_none_or(|least| number > least)
            && limit("exclusiveMaximum").is_none_or(|most| number < most)
            && limit("multipleOf").is_none_or(|step| step <= 0.0 || (number / step).fract() == 0.0)
            && (type_of(schema) != Some("integer") || number.fract() == 0.0)
    })
}

fn known(name: &str, material: &Material<'_>) -> Option<Value> {
    material.known.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value.clone())
}

fn same_name(a: &str, b: &str) -> bool {
    let stems = |name: &str| name_words(name).iter().map(|word| stem(word)).collect::<Vec<_>>();
    !b.is_empty() && (a == b || stems(a) == stems(b))
}
