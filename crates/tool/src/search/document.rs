//! What a tool says of itself, in parts that count differently.

use adjutant_core::tool::ToolSpec;
use serde_json::Value;

use super::words::Words;

/// How deep the parameters of parameters are read.
const DEEPEST: usize = 4;
/// How much of one text is read, in bytes.
const LONGEST: usize = 4_000;
/// How many parameters, with theirs, are read.
const MOST: usize = 200;

/// The parts of what a tool says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Name,
    Description,
    ParameterName,
    ParameterDescription,
    Value,
}

impl Part {
    pub(super) const ALL: [Self; 5] =
        [Self::Name, Self::Description, Self::ParameterName, Self::ParameterDescription, Self::Value];

    /// How much a term there counts.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Name => 4.0,
            Self::Description => 2.0,
            Self::ParameterName | Self::ParameterDescription | Self::Value => 1.0,
        }
    }
}

/// The terms of a tool, part by part in the order of [`Part::ALL`].
pub(super) type Document = [Vec<String>; 5];

/// Reads a tool.
pub(super) fn read(spec: &ToolSpec, words: &mut Words) -> Document {
    let mut document = Document::default();
    tell(spec, |part, text| {
        if let Some(terms) = document.get_mut(part as usize) {
            terms.extend(words.terms(text));
        }
    });
    document
}

/// What a model that makes vectors is given of a tool: its name, what it does, and what it takes.
pub fn text(spec: &ToolSpec) -> String {
    const MOST_BYTES: usize = 2_000;
    const MOST_PARAMETERS: usize = 20;
    let mut parameters: Vec<String> = Vec::new();
    tell(spec, |part, text| {
        if part == Part::ParameterName && parameters.len() < MOST_PARAMETERS {
            parameters.push(text.replace('_', " "));
        }
    });
    let name = spec.name.replace(['_', '-', '.'], " ");
    let mut whole = format!("{name}: {}", spec.description.trim());
    if !parameters.is_empty() {
        whole = format!("{whole}\nTakes: {}", parameters.join(", "));
    }
    whole.truncate(whole.floor_char_boundary(MOST_BYTES));
    whole
}

/// Tells all that a tool says of itself.
fn tell(spec: &ToolSpec, mut say: impl FnMut(Part, &str)) {
    say(Part::Name, cut(&spec.name));
    say(Part::Description, cut(&spec.description));
    let mut left = MOST;
    tell_parameters(&spec.parameters, 0, &mut left, &mut say);
}

fn tell_parameters(schema: &Value, depth: usize, left: &mut usize, say: &mut impl FnMut(Part, &str)) {
    if depth > DEEPEST {
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, parameter) in properties.into_iter().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        say(Part::ParameterName, cut(name));
        if let Some(description) = parameter.get("description").and_then(Value::as_str) {
            say(Part::ParameterDescription, cut(description));
        }
        let values = parameter.get("enum").and_then(Value::as_array);
        values
            .into_iter()
            .flatten()
            .take(50)
            .filter_map(Value::as_str)
            .for_each(|value| say(Part::Value, cut(value)));
        tell_parameters(parameter, depth + 1, left, say);
        if let Some(items) = parameter.get("items") {
            tell_parameters(items, depth + 1, left, say);
        }
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}
