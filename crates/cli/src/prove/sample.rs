//! [`Samples`]: requests that are made up of what policies compare with.

use std::time::Duration;

use adjutant::policy::Request;
use adjutant::policy::cedar::Schema;
use adjutant::policy::facts::{Action, Evidence, Origin, Past, Principal, Session, User};
use adjutant_core::label::{Integrity, Label, Readers, Sources};
use serde_json::{Map, Value, json};

use super::example::{NOON, number};
use super::space::Space;

/// Requests that are made up: one of each kind in turn, of the values that the policies compare with and their
/// neighbours. They are the same each time.
pub(crate) struct Samples<'a> {
    space: &'a Space,
    claims: Vec<String>,
    /// The actions.
    kinds: Vec<String>,
    texts: Vec<String>,
    numbers: Vec<i64>,
    decimals: Vec<Value>,
    chance: Chance,
    made: usize,
}

impl<'a> Samples<'a> {
    /// As many as are worth the time where nothing is proved.
    pub(crate) const MANY: usize = 1_000;

    pub(super) fn of(space: &'a Space, schema: &Schema, kinds: Vec<String>) -> Self {
        let looks = &space.looks;
        let mut texts: Vec<String> = looks.texts.iter().cloned().collect();
        texts.push("another".to_owned());
        let around = looks.numbers.iter().flat_map(|n| [n.saturating_sub(1), *n, n.saturating_add(1)]);
        let mut numbers: Vec<i64> = around.chain([0, 1]).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let decimals = looks.decimals.iter().filter_map(|text| number(text).as_f64());
        let decimals = decimals.flat_map(|n| [n - 1.0, n, n + 1.0]).chain([0.0]).map(Value::from).collect();
        Self {
            space,
            claims: schema.vocabulary().claims.keys().cloned().collect(),
            kinds,
            texts,
            numbers,
            decimals,
            chance: Chance(1),
            made: 0,
        }
    }

    fn request(&mut self, kind: &str) -> Request {
        let declared = self.space.written.pointer(&format!(
            "//actions/{}/appliesTo/context/attributes/arguments/attributes",
            kind.replace('~', "~0").replace('/', "~1")
        ));
        let declared = declared.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut origins = std::collections::BTreeMap::new();
        let arguments = self.record(&declared, "", &mut origins);
        let action = match kind {
            "run.answer" => Action::Answer,
            "run.model" => Action::Model(self.entity("Model")),
            "run.agent" => Action::Agent(self.entity("Agent")),
            "run.remember" => Action::Remember(self.entity("Memory")),
            "run.resource" => Action::Resource { server: self.text(), uri: self.entity("Resource") },
            tool => Action::Tool(tool.to_owned()),
        };
        let user = (self.chance.below(4) > 0).then(|| {
            let claims = self.claims.clone().into_iter().map(|claim| (claim, json!(self.text())));
            User { claims: claims.collect(), id: self.entity("User") }
        });
        let agent = self.entity("Agent");
        Request {
            principal: Principal { tenant: self.entity("Tenant"), user, agents: vec![agent] },
            session: Session { calls: self.calls(kind, &arguments).into() },
            action,
            arguments,
            origins,
            label: self.label(),
            now: NOON,
            approved: false,
            within_task: None,
        }
    }

    /// The arguments that a schema declares, each with where it came from.
    fn record(
        &mut self,
        declared: &Map<String, Value>,
        above: &str,
        origins: &mut std::collections::BTreeMap<String, Origin>,
    ) -> Map<String, Value> {
        let mut arguments = Map::new();
        for (name, slot) in declared {
            if slot.get("required") == Some(&Value::Bool(false)) && self.chance.below(2) == 0 {
                continue;
            }
            let attributes = slot.get("attributes");
            let Some(value) = attributes.and_then(|attributes| attributes.get("value")) else { continue };
            let pointer = format!("{above}/{}", name.replace('~', "~0").replace('/', "~1"));
            let inner = value
                .get("attributes")
                .and_then(Value::as_object)
                .filter(|inner| inner.values().any(|field| field.pointer("/attributes/trusted").is_some()));
            let value = match inner.cloned() {
                Some(inner) => Value::Object(self.record(&inner, &pointer, origins)),
                None => {
                    let leads = |part: &str| attributes.and_then(|attributes| attributes.get(part)).is_some();
                    match (leads("host"), leads("domain")) {
                        (true, _) => json!(format!("https://{}/", self.text())),
                        (_, true) => json!(format!("someone@{}", self.text())),
                        _ => self.value(value),
                    }
                }
            };
            let evidence = [Evidence::Words, Evidence::Result, Evidence::None];
            let evidence = self.chance.of(&evidence).copied().unwrap_or(Evidence::None);
            origins.insert(pointer, Origin { evidence, label: self.label() });
            arguments.insert(name.clone(), value);
        }
        arguments
    }

    fn value(&mut self, kind: &Value) -> Value {
        match kind.get("type").and_then(Value::as_str) {
            Some("Long") => json!(self.chance.of(&self.numbers).copied().unwrap_or_default()),
            Some("Boolean") => json!(self.chance.below(2) == 0),
            Some("Extension") => self.chance.of(&self.decimals).cloned().unwrap_or_default(),
            Some("Set") => {
                let element = kind.get("element").cloned().unwrap_or_default();
                (0..self.chance.below(3)).map(|_| self.value(&element)).collect()
            }
            Some("Record") => {
                let fields = kind.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
                fields.iter().map(|(name, field)| (name.clone(), self.value(field))).collect()
            }
            _ => json!(self.text()),
        }
    }

    /// Some calls before, often with the arguments of this one.
    fn calls(&mut self, kind: &str, arguments: &Map<String, Value>) -> Vec<Past> {
        let asked: Vec<(String, String)> = self
            .space
            .looks
            .session()
            .iter()
            .map(|(part, tool)| ((*part).to_owned(), (*tool).to_owned()))
            .collect();
        let returned = self.space.looks.returned();
        let mut tools: Vec<String> = asked.into_iter().map(|(_, tool)| tool).collect();
        tools.sort_unstable();
        tools.dedup();
        let mut calls = Vec::new();
        for tool in tools {
            let most = self.numbers.iter().copied().filter(|n| (0..=20).contains(n)).max().unwrap_or(1);
            for _ in 0..self.chance.below(usize::try_from(most).unwrap_or(1) + 1) {
                let seen = self.space.looks.paths.iter().filter_map(|path| match path.as_slice() {
                    [_, _, part, of, name]
                        if *of == tool && ["seen", "sum", "sum_today"].contains(&part.as_str()) =>
                    {
                        Some(name.clone())
                    }
                    _ => None,
                });
                let seen: Vec<String> = seen.collect();
                let own = arguments.values().filter(|value| !value.is_object()).cloned().collect::<Vec<_>>();
                let mut past = if tool == kind { arguments.clone() } else { Map::new() };
                for name in seen {
                    if tool != kind
                        && let Some(value) = self.chance.of(&own).cloned()
                    {
                        past.insert(name, value);
                    }
                }
                let data = returned.get(&tool).map(|fields| {
                    let fields = fields.iter().map(|field| {
                        let value = self.chance.of(&own).cloned().unwrap_or_else(|| json!(self.text()));
                        (field.clone(), value)
                    });
                    Value::Object(fields.collect())
                });
                let at = NOON.minus(Duration::from_secs(60));
                calls.push(Past { tool: tool.clone(), at, arguments: past, data, failed: false });
            }
        }
        calls
    }

    fn label(&mut self) -> Label {
        let trusted = self.chance.below(2) == 0;
        let public = self.chance.below(2) == 0;
        let texts = self.text();
        Label {
            integrity: if trusted { Integrity::Trusted } else { Integrity::Untrusted },
            readers: if public { Readers::Anyone } else { Readers::Only([texts.clone()].into()) },
            sources: if trusted { Sources::none() } else { Sources::Known([texts].into()) },
        }
    }

    fn entity(&mut self, kind: &str) -> String {
        let named = self.space.looks.entities.iter().filter(|(of, _)| of == kind).map(|(_, id)| id.clone());
        let named: Vec<String> = named.chain(["another".to_owned()]).collect();
        self.chance.of(&named).cloned().unwrap_or_default()
    }

    fn text(&mut self) -> String {
        self.chance.of(&self.texts).cloned().unwrap_or_default()
    }
}

impl Iterator for Samples<'_> {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let kind = self.kinds.get(self.made.checked_rem(self.kinds.len())?)?.clone();
        self.made += 1;
        Some(self.request(&kind))
    }
}

/// Chance that is the same each time: a linear congruence of 64 bits, with the constants of Knuth's MMIX.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default().checked_rem(end).unwrap_or_default()
    }

    fn of<'b, T>(&mut self, values: &'b [T]) -> Option<&'b T> {
        let place = self.below(values.len());
        values.get(place)
    }
}
