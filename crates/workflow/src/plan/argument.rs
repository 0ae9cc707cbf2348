//! [`Text`] and [`Argument`]: what an author writes where a value belongs.

use std::collections::BTreeMap;

use adjutant_agent::definition::template;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::expression::Expression;

/// A text with places for values: `Summarise {{ input }}`, a template of the Jinja language as prompts are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text {
    source: String,
    names: Vec<String>,
}

impl Text {
    /// Reads a text. Fails with [`Code::ProjectInvalid`] and the line where it is no template.
    pub fn parse(source: &str) -> Result<Self> {
        let names = template::variables(source)?.into_iter().map(|used| used.name).collect();
        Ok(Self { source: source.to_owned(), names })
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text where it shows no values.
    pub fn constant(&self) -> Option<&str> {
        (self.names.is_empty() && !self.source.contains(['{', '#'])).then_some(self.source.as_str())
    }

    /// The names of the values that it shows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The text with its values filled in. What is nothing is shown as nothing.
    ///
    /// Fails with [`Code::ToolFailed`] where a value has not what is asked of it.
    pub fn fill(&self, values: &Map<String, Value>) -> Result<String> {
        if let Some(text) = self.constant() {
            return Ok(text.to_owned());
        }
        let shown = |value: &Value| if value.is_null() { Value::from("") } else { value.clone() };
        let values = values.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
        template::render(&self.source, &values).map_err(|error| {
            Error::new(Code::ToolFailed, error.message().replacen("the prompt", "the text", 1))
        })
    }
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        Self::parse(&source).map_err(|error| error.to_string())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.source
    }
}

/// A value as an author writes it. A text that begins with `=` is an expression, any other a [`Text`]; lists and tables hold
/// values in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// A number, true, false or nothing.
    Value(Value),
    /// A text.
    Text(Text),
    /// What an expression comes to.
    Expression(Expression),
    /// A list.
    List(Vec<Argument>),
    /// A table.
    Table(BTreeMap<String, Argument>),
}

impl Argument {
    /// The names of the values that it looks at.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Value(_) => Vec::new(),
            Self::Text(text) => text.names().collect(),
            Self::Expression(expression) => expression.names().collect(),
            Self::List(items) => items.iter().flat_map(Self::names).collect(),
            Self::Table(fields) => fields.values().flat_map(Self::names).collect(),
        }
    }

    /// Whether what it comes to must be recorded; see [`Expression::is_to_be_recorded`].
    pub fn is_to_be_recorded(&self) -> bool {
        match self {
            Self::Value(_) | Self::Text(_) => false,
            Self::Expression(expression) => expression.is_to_be_recorded(),
            Self::List(items) => items.iter().any(Self::is_to_be_recorded),
            Self::Table(fields) => fields.values().any(Self::is_to_be_recorded),
        }
    }

    /// What it comes to.
    ///
    /// Fails with [`Code::ToolFailed`] where a text or an expression in it fails.
    pub fn evaluate(&self, values: &Map<String, Value>) -> Result<Value> {
        Ok(match self {
            Self::Value(value) => value.clone(),
            Self::Text(text) => Value::String(text.fill(values)?),
            Self::Expression(expression) => expression.evaluate(values)?,
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.evaluate(values)).collect::<Result<_>>()?)
            }
            Self::Table(fields) => {
                let fields = fields.iter().map(|(key, field)| Ok((key.clone(), field.evaluate(values)?)));
                Value::Object(fields.collect::<Result<_>>()?)
            }
        })
    }
}
