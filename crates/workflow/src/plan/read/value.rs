//! Reads values, texts and expressions.

use adjutant_agent::definition::document::{Content, Node, Place};
use adjutant_core::nearest;
use serde_json::Value;

use super::Reader;
use super::scope::Scope;
use crate::expression::Expression;
use crate::plan::{Argument, Text};

impl Reader<'_> {
    /// A value as an author writes it.
    pub(super) fn argument(&self, node: &Node, scope: &Scope) -> Argument {
        match &node.content {
            Content::Text(text) => match text.trim_start().strip_prefix('=') {
                Some(expression) => self
                    .expression(expression.trim(), node.place, scope)
                    .map_or(Argument::Value(Value::Null), Argument::Expression),
                None => {
                    self.text(text, node.place, scope).map_or(Argument::Value(Value::Null), Argument::Text)
                }
            },
            Content::List(items) => {
                Argument::List(items.iter().map(|item| self.argument(item, scope)).collect())
            }
            Content::Table(entries) => {
                let fields = entries.iter();
                Argument::Table(
                    fields.map(|entry| (entry.key.clone(), self.argument(&entry.value, scope))).collect(),
                )
            }
            _ => Argument::Value(node.to_json()),
        }
    }

    /// A text with places for values.
    pub(super) fn text(&self, text: &str, place: Place, scope: &Scope) -> Option<Text> {
        match Text::parse(text) {
            Ok(text) => {
                self.check_names(text.names(), place, scope);
                Some(text)
            }
            Err(error) => {
                self.problems.add(place, error);
                None
            }
        }
    }

    /// A condition: an expression, with or without `=` before it.
    pub(super) fn condition(&self, key: &str, node: &Node, scope: &Scope) -> Option<Expression> {
        match &node.content {
            Content::Text(text) => {
                let text = text.trim();
                self.expression(text.strip_prefix('=').unwrap_or(text).trim(), node.place, scope)
            }
            Content::Boolean(value) => Expression::parse(&value.to_string()).ok(),
            other => {
                let message = format!("`{key}` must be a condition, not {other}");
                self.problems.report_with(node.place, message, "write it as `last.score > 3`");
                None
            }
        }
    }

    /// A condition that is looked at without a record: it must come to the same each time.
    pub(super) fn steady_condition(&self, key: &str, node: &Node, scope: &Scope) -> Option<Expression> {
        let condition = self.condition(key, node, scope)?;
        if condition.is_to_be_recorded() {
            let message = format!("`{key}` makes a list, which may be in another order each time");
            let help =
                "let a node make the list, and write it into the state; `all`, `exists` and `size` make none";
            self.problems.report_with(node.place, message, help);
            return None;
        }
        Some(condition)
    }

    fn expression(&self, source: &str, place: Place, scope: &Scope) -> Option<Expression> {
        match Expression::parse(source) {
            Ok(expression) => {
                self.check_names(expression.names(), place, scope);
                Some(expression)
            }
            Err(mistake) => {
                let at = match mistake.line {
                    1 => format!("at its column {}", mistake.column),
                    line => format!("in its line {line}, column {}", mistake.column),
                };
                let message = format!("`{source}` is no expression in CEL, {at}: {}", mistake.message);
                self.problems.report(place, message);
                None
            }
        }
    }

    fn check_names<'n>(&self, names: impl Iterator<Item = &'n str>, place: Place, scope: &Scope) {
        for name in names.filter(|name| !scope.has(name)) {
            let message = format!("there is no value `{name}` here");
            let help = match nearest(name, scope.names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    let names: Vec<_> = scope.names().map(|name| format!("`{name}`")).collect();
                    format!(
                        "there are {}: a value is there once the step of its name is over",
                        names.join(", ")
                    )
                }
            };
            self.problems.report_with(place, message, help);
        }
    }
}
