//! Arguments from a text: which value each parameter gets, and how sure that is.

use adjutant_core::tool::ToolSpec;
use serde_json::{Map, Value};

use super::facts::Facts;
use super::field::{Field, Meaning, fields, properties, resolve, type_of};
use super::sql;
use super::wish::without_wish;
use super::words::{best, content, stem, words};

/// What values are taken from.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    /// What the person says.
    pub(super) text: &'a str,
    /// What that states.
    pub(super) facts: Facts,
    /// What earlier messages stated, for a text that only says "it".
    pub(super) earlier: Facts,
    /// Names and values in the results so far.
    pub(super) known: Vec<(String, Value)>,
}

/// Arguments for a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filled {
    pub(super) arguments: Map<String, Value>,
    /// How strongly the values speak for the call: 4 for one that hardly means anything else, 1 for a number or an id.
    pub(super) evidence: f64,
}

impl<'a> Sources<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, facts: Facts::of(text), ..Self::default() }
    }

    /// What the text is about, as a query: a quotation, or the words that say something.
    pub(super) fn query(&self) -> Option<String> {
        if let Some(quoted) = self.facts.quoted.first() {
            return Some(quoted.clone());
        }
        const MOST_WORDS: usize = 8;
        let words: Vec<String> = content(self.text).into_iter().take(MOST_WORDS).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    fn pick(&self, list: fn(&Facts) -> &Vec<String>) -> Option<String> {
        list(&self.facts).first().or_else(|| list(&self.earlier).first()).cloned()
    }
}

/// Fills the parameters of a tool: every required one, and each optional one that the text speaks of. Fails with the
/// names of the required ones that nothing was found for.
pub(super) fn fill(tool: &ToolSpec, sources: &Sources<'_>) -> Result<Filled, Vec<String>> {
    let mut filled = Filled { arguments: Map::new(), evidence: 0.0 };
    let mut missing = Vec::new();
    for field in fields(tool) {
        match value(&field, tool, sources) {
            Some((value, evidence)) => {
                filled.evidence += evidence;
                filled.arguments.insert(field.name.to_owned(), value);
            }
            None if field.required => missing.push(field.name.to_owned()),
            None => {}
        }
    }
    if missing.is_empty() { Ok(filled) } else { Err(missing) }
}

/// One call for each id, where a tool needs nothing but an id and the text names several.
pub(super) fn variants(tool: &ToolSpec, sources: &Sources<'_>, filled: Filled) -> Vec<Filled> {
    const MOST: usize = 5;
    let required: Vec<Field<'_>> = fields(tool).into_iter().filter(|field| field.required).collect();
    let [field] = required.as_slice() else { return vec![filled] };
    let list = match field.meaning() {
        Meaning::Id | Meaning::Integer | Meaning::Number => &sources.facts.ids,
        Meaning::Address => &sources.facts.urls,
        Meaning::Path => &sources.facts.paths,
        Meaning::Sum => &sources.facts.expressions,
        _ => return vec![filled],
    };
    let values = list.iter().filter_map(|text| typed(text, field.schema)).take(MOST);
    let all: Vec<Filled> = values
        .map(|value| {
            let mut arguments = filled.arguments.clone();
            arguments.insert(field.name.to_owned(), value);
            Filled { arguments, evidence: filled.evidence }
        })
        .collect();
    if all.len() > 1 { all } else { vec![filled] }
}

/// The value of one parameter, with its weight as evidence.
fn value(field: &Field<'_>, tool: &ToolSpec, sources: &Sources<'_>) -> Option<(Value, f64)> {
    if let Some(value) = field.schema.get("const") {
        return field.required.then(|| (value.clone(), 0.0));
    }
    let found = from_text(field, tool, sources).or_else(|| {
        let known = field.required.then(|| from_results(field, tool, sources)).flatten()?;
        Some((known, 1.0))
    });
    found.or_else(|| {
        let default = field.schema.get("default").filter(|_| field.required)?;
        Some((default.clone(), 0.0))
    })
}

fn from_text(field: &Field<'_>, tool: &ToolSpec, sources: &Sources<'_>) -> Option<(Value, f64)> {
    let meaning = field.meaning();
    // A person who speaks of an optional parameter names it; values alone are taken for the required ones.
    let spoken = field.required || mentions(sources.text, field);
    let text = |text: Option<String>, weight: f64| Some((typed(&text?, field.schema)?, weight));
    match meaning {
        Meaning::Choice => choice(field, sources.text).map(|value| (value, 1.0)),
        Meaning::Flag if field.required || mentions(sources.text, field) => {
            Some((Value::Bool(mentions(sources.text, field)), 0.0))
        }
        Meaning::Integer | Meaning::Number => number(field, sources).map(|value| (value, 1.0)),
        Meaning::Email => text(sources.pick(|facts| &facts.emails), 1.0),
        Meaning::Address if spoken => text(sources.pick(|facts| &facts.urls), 4.0),
        Meaning::Date if spoken => text(sources.pick(|facts| &facts.dates), 1.0),
        Meaning::Path if spoken => text(sources.pick(|facts| &facts.paths), 4.0),
        Meaning::Sum if spoken => text(sources.pick(|facts| &facts.expressions), 4.0),
        Meaning::Sql if spoken => {
            let (statement, weight) = sql::statement(&tool.description, sources.text, &sources.facts)?;
            Some((statement.into(), weight))
        }
        Meaning::Id => text(id(field, sources), 1.0),
        Meaning::Query if field.required => text(sources.query(), 0.0),
        Meaning::Task if field.required => text(Some(sources.text.trim().to_owned()), 0.0),
        Meaning::Prose if field.required => Some((prose(field, tool, sources.text)?, 0.0)),
        Meaning::Person if spoken => text(person(sources), 1.0),
        Meaning::Text if spoken => text(place_or_quotation(field, sources), 1.0),
        Meaning::List => list(field, sources).map(|value| (value, 1.0)),
        Meaning::Object if field.required => object(field, tool, sources),
        _ => None,
    }
}

/// Whether the text speaks of a parameter by its name.
fn mentions(text: &str, field: &Field<'_>) -> bool {
    let said: Vec<String> = words(text).map(|word| stem(&word)).collect();
    !field.stems().is_empty() && field.stems().iter().all(|stem| best(stem, &said) >= 1.0)
}

/// A text as the type that a schema wants.
fn typed(text: &str, schema: &Value) -> Option<Value> {
    let value = match type_of(schema) {
        Some("integer") => text.parse::<i64>().ok()?.into(),
        Some("number") => serde_json::from_str::<serde_json::Number>(text).ok()?.into(),
        Some("boolean") => text.parse::<bool>().ok()?.into(),
        Some("array") => {
            return Some(Value::Array(vec![typed(text, schema.get("items").unwrap_or(&Value::Null))?]));
        }
        _ => Value::from(text),
    };
    in_bounds(&value, schema).then_some(value)
}

fn in_bounds(value: &Value, schema: &Value) -> bool {
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
    match (value.as_f64(), value.as_str()) {
        (Some(number), _) => {
            limit("minimum").is_none_or(|least| number >= least)
                && limit("maximum").is_none_or(|most| number <= most)
        }
        (None, Some(text)) => {
            let length = text.chars().count() as f64;
            limit("minLength").is_none_or(|least| length >= least)
                && limit("maxLength").is_none_or(|most| length <= most)
        }
        (None, None) => true,
    }
}

/// The one of the allowed values that the text names.
pub(super) fn choice(field: &Field<'_>, text: &str) -> Option<Value> {
    let said: Vec<String> = words(text).map(|word| stem(&word)).collect();
    let options = field.schema.get("enum")?.as_array()?;
    let named = |option: &&Value| {
        let name = option.as_str().map(str::to_owned).unwrap_or_else(|| option.to_string());
        let parts: Vec<String> = super::words::name_words(&name).iter().map(|word| stem(word)).collect();
        !parts.is_empty() && parts.iter().all(|part| said.contains(part))
    };
    match options.as_slice() {
        [only] if field.required => Some(only.clone()),
        _ => options.iter().find(named).cloned(),
    }
}

/// The number that the text gives under the parameter's name, or, for a required one, the first number.
fn number(field: &Field<'_>, sources: &Sources<'_>) -> Option<Value> {
    if let Some(value) = after_name(field, sources.text).and_then(|text| typed(&text, field.schema)) {
        return Some(value);
    }
    let all = |facts: &Facts| -> Vec<String> { facts.numbers.iter().chain(&facts.ids).cloned().collect() };
    let candidates = [all(&sources.facts), all(&sources.earlier)].concat();
    candidates.iter().filter(|_| field.required).find_map(|text| typed(text, field.schema))
}

fn id(field: &Field<'_>, sources: &Sources<'_>) -> Option<String> {
    if let Some(id) = after_name(field, sources.text) {
        return Some(id);
    }
    field
        .required
        .then(|| sources.pick(|facts| &facts.ids).or_else(|| sources.pick(|facts| &facts.quoted)))
        .flatten()
}

/// The id or number that follows the parameter's name: `line 10`, `order #1042`, `number: 7`.
fn after_name(field: &Field<'_>, text: &str) -> Option<String> {
    let tokens: Vec<String> = words(text).collect();
    let names: Vec<&String> =
        field.stems().iter().filter(|stem| !matches!(stem.as_str(), "id" | "number")).collect();
    let (last, place) = (names.last()?, names.len());
    tokens.windows(2).enumerate().find_map(|(at, pair)| match pair {
        [name, value] if stem(name) == ***last && value.chars().any(|c| c.is_ascii_digit()) => {
            // `from_line` is not meant where the text says `to line`.
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            let first_fits =
                place < 2 || before.is_some_and(|word| Some(&stem(word)) == names.first().copied());
            first_fits.then(|| value.clone())
        }
        _ => None,
    })
}

/// What the person says, without the wish itself where a colon or "that" sets the matter apart.
fn prose(field: &Field<'_>, tool: &ToolSpec, text: &str) -> Option<Value> {
    let text = text.trim();
    let bare = without_wish(tool, text);
    let rest = if content(&bare).len() >= 2 { &bare } else { text };
    let matter = [": ", " that ", " because ", " about "]
        .iter()
        .find_map(|mark| text.split_once(mark))
        .map(|(_, matter)| matter.trim())
        .filter(|matter| content(matter).len() >= 2)
        .unwrap_or(rest);
    let short = field.is_named(&["summary", "title", "subject"]);
    let sentence = matter.split_inclusive(['.', '!', '?', '\n']).next().unwrap_or(matter).trim();
    let chosen = if short { sentence } else { matter };
    let most =
        field.schema.get("maxLength").and_then(Value::as_u64).unwrap_or(if short { 160 } else { 4_000 });
    let mut cut: String = chosen.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
    if let Some(first) = cut.chars().next() {
        cut = first.to_uppercase().chain(cut.chars().skip(1)).collect();
    }
    (!cut.is_empty()).then(|| cut.into())
}

fn person(sources: &Sources<'_>) -> Option<String> {
    let email = sources.facts.emails.first().cloned();
    let names = &sources.facts.names;
    (!names.is_empty()).then(|| names.iter().take(3).cloned().collect::<Vec<_>>().join(" ")).or(email)
}

/// A quotation, a name, or the word after "in", "at", "from", "to" or "for".
fn place_or_quotation(field: &Field<'_>, sources: &Sources<'_>) -> Option<String> {
    if let Some(text) = sources.facts.quoted.first().or_else(|| sources.facts.names.first()) {
        return Some(text.clone());
    }
    let tokens: Vec<String> = words(sources.text).collect();
    let before = ["in", "at", "from", "to", "for", field.name];
    tokens.windows(2).find_map(|pair| match pair {
        [word, value] if before.contains(&word.as_str()) && !super::words::is_stop(value) => {
            Some(value.clone())
        }
        _ => None,
    })
}

fn list(field: &Field<'_>, sources: &Sources<'_>) -> Option<Value> {
    if !field.required {
        return None;
    }
    let items = field.schema.get("items").unwrap_or(&Value::Null);
    let facts = &sources.facts;
    let texts = match type_of(items) {
        Some("integer" | "number") => &facts.numbers,
        _ => [&facts.emails, &facts.urls, &facts.paths, &facts.quoted, &facts.ids]
            .into_iter()
            .find(|l| !l.is_empty())?,
    };
    let values: Vec<Value> = texts.iter().filter_map(|text| typed(text, items)).collect();
    (!values.is_empty()).then(|| values.into())
}

fn object(field: &Field<'_>, tool: &ToolSpec, sources: &Sources<'_>) -> Option<(Value, f64)> {
    let mut object = Map::new();
    for inner in properties(field.schema, &tool.parameters) {
        let nested = resolve(inner.schema, &tool.parameters);
        // One level is what people say in a sentence; deeper ones are asked for.
        let value = if type_of(nested) == Some("object") { None } else { from_text(&inner, tool, sources) };
        match value {
            Some((value, _)) => drop(object.insert(inner.name.to_owned(), value)),
            None if inner.required => return None,
            None => {}
        }
    }
    Some((object.into(), 1.0))
}

/// A value that an earlier result gives under the parameter's name.
fn from_results(field: &Field<'_>, tool: &ToolSpec, sources: &Sources<'_>) -> Option<Value> {
    let subject: Vec<String> = super::words::name_words(&tool.name);
    let fits = |key: &str| {
        let key: Vec<String> = super::words::name_words(key);
        let own: Vec<String> = super::words::name_words(field.name);
        let generic =
            own.len() == 1 && matches!(own.first().map(String::as_str), Some("id" | "number" | "name"));
        if generic {
            key.len() > own.len()
                && key.ends_with(&own)
                && subject.contains(&key.first().cloned().unwrap_or_default())
        } else {
            key == own
        }
    };
    let value = sources.known.iter().find(|(key, _)| fits(key)).map(|(_, value)| value)?;
    match value {
        Value::String(text) => typed(text, field.schema),
        other => typed(&other.to_string(), field.schema),
    }
}
