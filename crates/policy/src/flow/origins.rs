//! [`origins`]: where the arguments of a call came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::label::{Label, Readers};
use adjutant_core::tool::ToolSpec;
use serde_json::{Map, Value};

use super::known::Known;
use super::name;
use super::role::{self, role};
use super::row;
use super::seen::Seen;
use super::spoken::Wanted;
use super::value::{Kind, Leaf};
use crate::facts::{Evidence, Origin};

/// More values of one call are not told apart; what is around them stands for them.
const MOST_LEAVES: usize = 1_000;

/// Where each value of the arguments of a call came from, by its JSON pointer.
///
/// A value is known by what it is. An address, an account, a path or a long id is nowhere by chance, so it came from where
/// it stands. A short number or a common word may stand anywhere: it has to stand behind the kind of thing that is asked
/// for, or in a field of that kind. What nobody trusted has said and no trusted result holds is as little trusted as all that
/// was read. Where a trusted result holds a value and untrusted content mentions it as well, nobody knows who has chosen it,
/// unless the user has named the entry of which it is a field.
pub fn origins(tool: &ToolSpec, arguments: &Map<String, Value>, known: &Known) -> BTreeMap<String, Origin> {
    let mut search = Search { tool, known, found: BTreeMap::new() };
    for (name, value) in arguments {
        search.walk(format!("/{}", name.replace('~', "~0").replace('/', "~1")), value);
    }
    search.found
}

struct Search<'a> {
    tool: &'a ToolSpec,
    known: &'a Known,
    found: BTreeMap<String, Origin>,
}

impl Search<'_> {
    fn walk(&mut self, pointer: String, value: &Value) {
        let within = match value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if self.found.len().saturating_add(within) >= MOST_LEAVES {
            let origin = self.made();
            self.found.insert(pointer, origin);
            return;
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                for (place, item) in items.iter().enumerate() {
                    self.walk(format!("{pointer}/{place}"), item);
                }
            }
            Value::Object(fields) if !fields.is_empty() => {
                for (name, inner) in fields {
                    self.walk(format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), inner);
                }
            }
            leaf => {
                let origin = self.origin(&pointer, leaf);
                self.found.insert(pointer, origin);
            }
        }
    }

    /// What a model made of all that it has read.
    fn made(&self) -> Origin {
        Origin { evidence: Evidence::None, label: self.known.label().clone() }
    }

    fn origin(&self, pointer: &str, value: &Value) -> Origin {
        let known = self.known;
        if is_fixed(role::schema(self.tool, pointer), value) {
            return Origin { evidence: Evidence::Fixed, label: Label::default() };
        }
        if let Some(label) = value.as_str().and_then(|text| known.handles.get(text)) {
            return Origin { evidence: Evidence::Exact, label: label.clone() };
        }
        let Some(leaf) = Leaf::of(value) else { return self.made() };
        let name = role::name_at(pointer);
        let around = pointer.rsplit('/').skip(1).filter(|step| step.parse::<usize>().is_err());
        let mut kinds = name::kinds(name, around);
        if kinds.is_empty() {
            kinds = row::kinds(&self.tool.name);
        }
        let wanted =
            Wanted { role: role(self.tool, pointer), is_id: name::is_identifier(name), kinds: &kinds };
        self.carried(&leaf, &wanted)
            .or_else(|| self.said(&leaf, &wanted))
            .or_else(|| self.read(&leaf, &wanted))
            .unwrap_or_else(|| self.made())
    }

    /// A whole field of what the program was given, which does not stand in its own text. Where what cannot be believed may have
    /// had a part in it, nobody knows by which of its variables the program has it.
    fn carried(&self, leaf: &Leaf, wanted: &Wanted<'_>) -> Option<Origin> {
        let program = self.known.program.as_ref()?;
        if program.contains(leaf.exact.as_str()) {
            return None;
        }
        let given = self.known.seen.iter().filter(|seen| seen.given);
        let given = given.map(|seen| (seen, seen.entries(leaf, wanted)));
        let given: Vec<_> = given.filter(|(_, entries)| !entries.is_empty()).collect();
        let label = given.iter().map(|(seen, _)| seen.label.clone()).reduce(|a, b| a.join(&b))?;
        if label.is_trusted() && given.iter().any(|(seen, entries)| self.is_steered(leaf, seen, entries)) {
            return self.said(leaf, wanted).or_else(|| Some(self.made()));
        }
        Some(Origin { evidence: Evidence::Exact, label })
    }

    /// Whether somebody outside may have had a program take this value of something that can be believed: by writing it, whole
    /// or in pieces, or by naming the entry that it is a field of.
    fn is_steered(&self, leaf: &Leaf, holder: &Seen, entries: &[usize]) -> bool {
        if holder.is_meant(entries, &self.known.spoken) {
            return false;
        }
        let program = self.known.program.as_deref().unwrap_or_default().to_lowercase();
        let mut doubted = self.known.seen.iter().filter(|seen| !seen.label.is_trusted());
        doubted.any(|seen| {
            let names = || holder.marks(entries).iter().any(|mark| seen.mentions(mark));
            seen.mentions(leaf) || (seen.given && (seen.composes(leaf, &program) || names()))
        })
    }

    fn said(&self, leaf: &Leaf, wanted: &Wanted<'_>) -> Option<Origin> {
        let spoken = self.known.spoken.iter().find(|spoken| spoken.names(leaf, wanted))?;
        Some(Origin { evidence: Evidence::Words, label: spoken.label.clone() })
    }

    fn read(&self, leaf: &Leaf, wanted: &Wanted<'_>) -> Option<Origin> {
        if leaf.kind == Kind::Flag {
            return None;
        }
        let (mut vouched, mut doubted): (Option<Label>, Option<Label>) = (None, None);
        let mut is_meant = false;
        for seen in &self.known.seen {
            let Some(held) = seen.holds(leaf, wanted) else { continue };
            let vouches = seen.label.is_trusted() || held.issued;
            if vouches && seen.repeats(leaf) {
                continue;
            }
            if vouches {
                let label = Label { readers: seen.label.readers.clone(), ..Label::default() };
                vouched = Some(vouched.map_or(label.clone(), |vouched| vouched.join(&label)));
                is_meant |= seen.is_meant(&held.entries, &self.known.spoken);
            } else {
                doubted = Some(doubted.map_or(seen.label.clone(), |doubted| doubted.join(&seen.label)));
            }
        }
        // What somebody outside mentions may have been chosen by them.
        let mentions = |seen: &&Arc<Seen>| !seen.label.is_trusted() && seen.mentions(leaf);
        if vouched.is_some() && !is_meant {
            let mentioned = self.known.seen.iter().filter(mentions).map(|seen| seen.label.clone());
            doubted = mentioned.chain(doubted.take()).reduce(|a, b| a.join(&b));
        }
        let label = match (vouched, doubted) {
            (Some(vouched), None) => vouched,
            (Some(vouched), Some(_)) if is_meant => vouched,
            (vouched, Some(doubted)) => {
                self.steered(&vouched.map_or(doubted.clone(), |vouched| vouched.join(&doubted)))
            }
            (None, None) => return None,
        };
        Some(Origin { evidence: Evidence::Result, label })
    }

    /// The label of a value that somebody outside may have had chosen among others: the choice may tell of all that was
    /// read.
    fn steered(&self, label: &Label) -> Label {
        let readers: Readers = self.known.label().readers.clone();
        label.join(&Label { readers, ..Label::default() })
    }
}

/// Whether the author of the tool has fixed the value, or there is none.
fn is_fixed(schema: Option<&Value>, value: &Value) -> bool {
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    let says = |key: &str| schema.and_then(|schema| schema.get(key));
    let is_only =
        || says("enum").and_then(Value::as_array).is_some_and(|all| all.len() == 1 && all.contains(value));
    is_empty || says("default") == Some(value) || says("const") == Some(value) || is_only()
}
