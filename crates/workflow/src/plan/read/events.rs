//! Reads steps that wait for events.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_agent::definition::document::{Content, Entry, Node, Place, Table};
use serde_json::Value;

use super::Reader;
use super::scope::{Scope, is_name};
use super::step::place_of;
use crate::expression::Expression;
use crate::pattern::{Event, Events};
use crate::plan::{Argument, Awaited, Does, Emission, Eventful, Kind, Reaction};

/// What a step sees that is given one event.
const EVENT: &str = "event";
/// What a step sees that is given several.
const EVENTS: &str = "events";

/// Where a kind of event is named.
type Places<'a> = BTreeMap<&'a str, Place>;

impl Reader<'_> {
    pub(super) fn events(&self, table: &Table<'_>, scope: &Scope, depth: usize) -> Option<Kind> {
        let events = table.table("events")?;
        events.require("first", "say what it begins with: `first: { started: \"= input\" }`");
        events.require("steps", "name the steps: `steps:`, and below it each by its name");
        let first = self.fields(&events, "first", scope);
        if events.has("first") && first.is_empty() {
            let message = format!("`{}` is empty: nothing would ever happen", events.name_of("first"));
            self.problems.report(place_of(&events, "first"), message);
        }
        let kinds = events.named("kinds").iter();
        let kinds: BTreeMap<String, Value> = kinds
            .filter_map(|entry| Some((entry.key.clone(), self.schema("kinds", &entry.value)?)))
            .collect();
        let mut steps = BTreeMap::new();
        for entry in events.named("steps") {
            let path = format!("{}.{}", events.name_of("steps"), entry.key);
            if let Some(reaction) = self.reaction(entry, path, scope, depth) {
                steps.insert(entry.key.clone(), reaction);
            }
        }
        let most = events.integer("most", 1..=1_000_000).unwrap_or(Events::MOST);
        let place = events.place();
        let is_whole = steps.len() == events.named("steps").len();
        let kinds_at = events.named("kinds").iter().chain(events.named("first"));
        let written: Places<'_> = kinds_at.map(|entry| (entry.key.as_str(), entry.place)).collect();
        let steps_at = events.named("steps").iter().map(|entry| (entry.key.as_str(), entry.value.place));
        let steps_at: Places<'_> = steps_at.collect();
        let eventful = Eventful { first, kinds, steps, most };
        if is_whole && events.has("steps") {
            self.check_kinds(&eventful, &written, &steps_at, place);
        }
        events.finish();
        Some(Kind::Events(Box::new(eventful)))
    }

    fn reaction(&self, entry: &Entry, path: String, scope: &Scope, depth: usize) -> Option<Reaction> {
        if !is_name(&entry.key) {
            let help = "use a-z, 0-9 and _, at most 40 of them, and begin with a letter";
            let message = format!("`{}` cannot be the name of a step", entry.key);
            self.problems.report_with(entry.place, message, help);
        }
        let table = Table::new(&entry.value, path, self.problems)?;
        table.require("on", "say what it waits for: `on: started`, or `on: { part: 3 }`");
        let on = table.value("on").and_then(|node| self.awaited(&table, node));
        let workers = table.integer("workers", 1..=10_000).unwrap_or(1);
        let scope = match &on {
            Some(Awaited::Each(_)) => scope.with(&[EVENT]),
            Some(Awaited::Several(_)) => scope.with(&[EVENTS]),
            None => scope.with(&[EVENT, EVENTS]),
        };
        let outside = table.table("from_outside").map(|outside| self.outside(outside, &scope));
        let steps = table.value("do").map(|node| self.inner(&table.name_of("do"), node, &scope, depth));
        let emits = self.emissions(&table, &scope.with(&["result"]));
        if outside.is_some() && (steps.is_some() || emits.is_some()) {
            let message = format!("`{}` waits for somebody outside, and does nothing else", table.path());
            self.problems.report_with(table.place(), message, "make two steps of it");
        }
        if outside.is_none() && steps.is_none() && emits.is_none() {
            let message = format!("`{}` says nothing that is done", table.path());
            let help = "give it `do` and `emits`, or `from_outside: { kind: .. }`";
            self.problems.report_with(table.place(), message, help);
        }
        table.finish();
        let does = match outside {
            Some(outside) => outside?,
            None => Does::Steps { steps: steps.unwrap_or_default(), emits: emits.unwrap_or_default() },
        };
        Some(Reaction { on: on?, workers, does })
    }

    /// What a step waits for: a kind, or how many of which kinds.
    fn awaited(&self, table: &Table<'_>, node: &Node) -> Option<Awaited> {
        if let Some(kind) = node.as_text() {
            return self.is_kind(kind, node.place).then(|| Awaited::Each(kind.to_owned()));
        }
        let Some(entries) = node.entries() else {
            let help = "write `on: started`, or how many it waits for: `on: { part: 3 }`";
            table.wrong("on", node, "a kind of event", help);
            return None;
        };
        let mut kinds = BTreeMap::new();
        for entry in entries {
            match entry.value.content {
                Content::Integer(count @ 1..=100_000) => {
                    if self.is_kind(&entry.key, entry.place) {
                        kinds.insert(entry.key.clone(), usize::try_from(count).unwrap_or(1));
                    }
                }
                _ => {
                    let message =
                        format!("`{}.{}` must be how many it waits for", table.name_of("on"), entry.key);
                    self.problems.report_with(entry.value.place, message, "write a whole number from 1");
                }
            }
        }
        Some(Awaited::Several(kinds))
    }

    /// Whether a word can be a kind of event that somebody waits for.
    fn is_kind(&self, kind: &str, place: Place) -> bool {
        let is_one = is_name(kind) && kind != Event::END;
        if !is_one {
            let message = format!("`{kind}` cannot be the kind of an event that a step waits for");
            let help =
                "use a-z, 0-9 and _, and begin with a letter; `end` ends it all, and nobody waits for it";
            self.problems.report_with(place, message, help);
        }
        is_one
    }

    fn outside(&self, table: Table<'_>, scope: &Scope) -> Option<Does> {
        table.require("kind", "say which kind of event somebody outside signals");
        let kind = table.text("kind").map(str::to_owned);
        if let Some(kind) = &kind {
            self.is_kind(kind, place_of(&table, "kind"));
        }
        let request = table.entry("request").map(|entry| self.argument(&entry.value, scope));
        table.finish();
        Some(Does::Outside { kind: kind?, request: request.unwrap_or(Argument::Value(Value::Null)) })
    }

    /// The events that a step gives rise to: one, or a list of such.
    fn emissions(&self, table: &Table<'_>, scope: &Scope) -> Option<Vec<Emission>> {
        let node = table.value("emits")?;
        let items = match &node.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut emits = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{}]", table.name_of("emits"), index + 1);
            let Some(table) = Table::new(item, path, self.problems) else { continue };
            emits.extend(self.emission(&table, scope));
            table.finish();
        }
        Some(emits)
    }

    fn emission(&self, table: &Table<'_>, scope: &Scope) -> Option<Emission> {
        table.require("kind", "say which kind of event it gives rise to; `end` ends it all");
        let kind = table.text("kind").map(str::to_owned);
        let each = table.entry("each").map(|entry| self.argument(&entry.value, scope));
        let (scope, whole) = match &each {
            Some(_) => (&scope.with(&["item", "index"]), "item"),
            None => (scope, "result"),
        };
        let when = table.value("when").and_then(|node| self.condition("when", node, scope));
        let data = match table.entry("data") {
            Some(entry) => self.argument(&entry.value, scope),
            None => Expression::parse(whole).ok().map(Argument::Expression)?,
        };
        Some(Emission { kind: kind?, data, when, each })
    }

    /// Notes kinds that nobody gives rise to or nobody takes, and where nothing ever ends.
    fn check_kinds(&self, events: &Eventful, written: &Places<'_>, steps: &Places<'_>, place: Place) {
        let gives = events
            .steps
            .iter()
            .flat_map(|(name, step)| step.does.gives().into_iter().map(move |kind| (kind, name)));
        let given: BTreeSet<&str> =
            gives.clone().map(|(kind, _)| kind).chain(events.first.keys().map(String::as_str)).collect();
        let takes =
            events.steps.iter().flat_map(|(name, step)| step.on.takes().map(move |(kind, _)| (kind, name)));
        let takes: Vec<(&str, &String)> = takes.collect();
        let taken: BTreeSet<&str> = takes.iter().map(|(kind, _)| *kind).collect();
        let at = |step: &String| steps.get(step.as_str()).copied().unwrap_or(place);
        for (kind, step) in takes.into_iter().filter(|(kind, _)| !given.contains(kind)) {
            let message = format!("the step `{step}` waits for `{kind}`, and nothing gives rise to it");
            self.unknown(kind, given.iter().copied(), at(step), message);
        }
        let awaited = |kind: &str| taken.contains(kind) || kind == Event::END;
        for (kind, step) in gives.clone().filter(|(kind, _)| !awaited(kind)) {
            let message = format!("the step `{step}` gives rise to `{kind}`, and no step waits for it");
            self.unknown(kind, taken.iter().copied().chain([Event::END]), at(step), message);
        }
        for kind in events.first.keys().filter(|kind| !awaited(kind)) {
            let at = written.get(kind.as_str()).copied().unwrap_or(place);
            self.unknown(
                kind,
                taken.iter().copied(),
                at,
                format!("no step waits for the first event `{kind}`"),
            );
        }
        for kind in events.kinds.keys().filter(|kind| !given.contains(kind.as_str())) {
            let at = written.get(kind.as_str()).copied().unwrap_or(place);
            self.unknown(
                kind,
                given.iter().copied(),
                at,
                format!("nothing gives rise to events of the kind `{kind}`"),
            );
        }
        if !gives.into_iter().any(|(kind, _)| kind == Event::END) {
            let help = "let a step say `emits: { kind: end, data: \"= result\" }`: its data is what is made";
            self.problems.report_with(place, "no step gives rise to the event that ends it all", help);
        }
    }
}
