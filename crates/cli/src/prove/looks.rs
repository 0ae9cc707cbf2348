//! What policies look at, and the values that they compare it with.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;
use serde_json::Value;

/// What policies look at, and the values that they compare it with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Looks {
    /// The attributes, each as the names on the way to it, from `context` or `principal`.
    pub(super) paths: BTreeSet<Vec<String>>,
    pub(super) texts: BTreeSet<String>,
    pub(super) numbers: BTreeSet<i64>,
    /// Those of `decimal`, as they are written.
    pub(super) decimals: BTreeSet<String>,
    /// The entities, as type and id.
    pub(super) entities: BTreeSet<(String, String)>,
}

impl Looks {
    /// What these policies look at.
    pub(super) fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Self {
        let mut looks = Self::default();
        for policy in policies {
            if let Ok(written) = policy.to_json() {
                looks.walk(&written);
            }
        }
        looks
    }

    /// The tools that the policies ask the session about, by the part of it: `count`, `seen`, ...
    pub(super) fn session(&self) -> BTreeSet<(&str, &str)> {
        let asked = self.paths.iter().filter_map(|path| match path.as_slice() {
            [context, session, part, tool, ..] if context == "context" && session == "session" => {
                Some((part.as_str(), tool.as_str()))
            }
            _ => None,
        });
        asked.collect()
    }

    /// The fields of results that the policies ask about, by tool.
    pub(super) fn returned(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in &self.paths {
            if let [_, session, part, tool, field] = path.as_slice()
                && session == "session"
                && part == "returned"
            {
                all.entry(tool.clone()).or_default().insert(field.clone());
            }
        }
        all
    }

    /// Whether any policy looks at what stands at the end of a path, or at what it is part of.
    pub(super) fn at(&self, path: &[&str]) -> bool {
        self.paths.iter().any(|seen| seen.iter().zip(path).all(|(a, b)| a == b))
    }

    fn walk(&mut self, value: &Value) {
        if let Some(path) = path(value) {
            self.paths.insert(path);
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(fields) => {
                for (name, field) in fields {
                    match name.as_str() {
                        "Value" => self.constant(field),
                        "entity" => self.entity(field),
                        "entities" => field.as_array().into_iter().flatten().for_each(|one| self.entity(one)),
                        "annotations" => {}
                        "decimal" => self.decimal(field),
                        "like" => self.like(field),
                        _ => self.walk(field),
                    }
                }
            }
            _ => {}
        }
    }

    fn constant(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.texts.insert(text.clone());
            }
            Value::Number(number) => self.numbers.extend(number.as_i64()),
            Value::Array(items) => items.iter().for_each(|item| self.constant(item)),
            Value::Object(fields) => match fields.get("__entity") {
                Some(entity) => self.entity(entity),
                None => fields.values().for_each(|field| self.constant(field)),
            },
            _ => {}
        }
    }

    fn entity(&mut self, value: &Value) {
        let named = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        self.entities.extend(named("type").zip(named("id")));
    }

    /// A number is written as a text within a call, and is no text to compare with.
    fn decimal(&mut self, arguments: &Value) {
        let written = arguments.get(0).and_then(|first| first.get("Value")).and_then(Value::as_str);
        self.decimals.extend(written.map(str::to_owned));
    }

    /// A text that fits the pattern.
    fn like(&mut self, value: &Value) {
        value.get("left").into_iter().for_each(|left| self.walk(left));
        let parts = value.get("pattern").and_then(Value::as_array).into_iter().flatten();
        let text: String =
            parts.map(|part| part.get("Literal").and_then(Value::as_str).unwrap_or("x")).collect();
        self.texts.insert(text);
    }
}

/// The names from `context` or `principal` to an attribute that is read or asked for.
fn path(value: &Value) -> Option<Vec<String>> {
    if let Some(name) = value.get("Var").and_then(Value::as_str) {
        return ["context", "principal"].contains(&name).then(|| vec![name.to_owned()]);
    }
    let access = value.get(".").or_else(|| value.get("has"))?;
    let mut path = path(access.get("left")?)?;
    match access.get("attr")? {
        Value::String(name) => path.push(name.clone()),
        names => path.extend(names.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned)),
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use cedar_policy::PolicySet;

    use super::*;

    #[test]
    fn paths_and_constants_are_found() {
        let text = r#"
            @id("why, not a constant")
            permit (principal in User::"ann", action in [Action::"a", Action::"b"], resource)
            when { context.arguments.to.domain == "example.org" && context.arguments.to.value like "a*z" }
            when { context.session.count.refund < 3 && context.arguments.rate.value.lessThan(decimal("3.50")) }
            unless { principal has user && [1, 2].contains(context.arguments.n.value) };
        "#;
        let set = PolicySet::from_str(text).unwrap();
        let looks = Looks::of(set.policies());
        let paths: Vec<String> = looks.paths.iter().map(|path| path.join(".")).collect();
        let expected = [
            "context.arguments.n.value",
            "context.arguments.rate.value",
            "context.arguments.to.domain",
            "context.arguments.to.value",
            "context.session.count.refund",
            "principal.user",
        ];
        assert_eq!(paths, expected);
        assert_eq!(looks.texts, BTreeSet::from(["axz".to_owned(), "example.org".to_owned()]));
        assert_eq!(looks.numbers, BTreeSet::from([1, 2, 3]));
        assert_eq!(looks.decimals, BTreeSet::from(["3.50".to_owned()]));
        assert!(looks.entities.contains(&("User".to_owned(), "ann".to_owned())));
        assert!(looks.at(&["context", "session", "count", "refund"]) && !looks.at(&["context", "run"]));
    }
}
