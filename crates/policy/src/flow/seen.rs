//! [`Seen`]: a result that an agent has read, as it is searched.

use std::collections::BTreeSet;
use std::sync::Arc;

use adjutant_core::label::Label;
use adjutant_core::tool::Role;
use memchr::memmem;
use serde_json::Value;

use super::name;
use super::row;
use super::spoken::{Spoken, Wanted};
use super::text::{Edge, Text, stands};
use super::value::{Kind, Leaf};

/// More fields of one result are not told apart.
const MOST_FIELDS: usize = 20_000;

/// More names of one entry are not looked for in what others have written.
const MOST_MARKS: usize = 64;

/// Of so many pieces a program puts a value together at most.
const MOST_PIECES: usize = 8;

/// A piece of fewer signs stands anywhere.
const SHORTEST_PIECE: usize = 3;

/// How deep a result is looked into.
const DEPTH: usize = 32;

/// Something that an agent reads.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The tool whose result it is; empty for what is no result.
    pub tool: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The same as data, where there is data.
    pub data: Option<&'a Value>,
    /// What the tool was asked with: a result that repeats it vouches for none of it.
    pub asked: Option<&'a Value>,
    /// The fields that the service itself issues.
    pub issued: &'a BTreeSet<String>,
    /// Its label.
    pub label: &'a Label,
}

/// A result that was read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) label: Label,
    /// Whether a program was given it, and no model has read it.
    pub(super) given: bool,
    fields: Vec<Field>,
    /// What of it anybody may have written: its text, and its fields that are not issued by the service.
    text: Text,
    /// What the tool was asked with.
    asked: Text,
    /// Whether there is more of it than is searched.
    more: bool,
}

/// One value in the data of a result.
#[derive(Clone, Debug)]
struct Field {
    leaf: Leaf,
    kinds: Vec<String>,
    /// Which object it is a field of.
    entry: usize,
    /// Whether the service issues it.
    issued: bool,
}

impl Seen {
    /// What was read and is not here any more.
    pub(super) fn forgotten(label: Label) -> Self {
        let (text, asked) = (Text::default(), Text::default());
        Self { label, given: false, fields: Vec::new(), text, asked, more: true }
    }

    /// What was read, as it is searched. `room` is how many bytes may still be searched.
    pub(super) fn new(read: &Read<'_>, room: &mut usize) -> Self {
        let Read { text, data, label, .. } = *read;
        let parsed = || {
            let is_json = text.trim_start().starts_with(['{', '[']);
            is_json.then(|| serde_json::from_str(text).ok()).flatten()
        };
        let parsed: Option<Value> = if data.is_none() && text.len() <= *room { parsed() } else { None };
        let is_told_twice = match data {
            Some(Value::String(data)) => data == text,
            Some(data) => is_written(data, text),
            None => parsed.is_some(),
        };
        let mut seen = Self {
            label: label.clone(),
            given: false,
            fields: Vec::new(),
            text: Text::default(),
            asked: Text::default(),
            more: text.len() > *room,
        };
        let mut words = String::new();
        if !seen.more && !is_told_twice {
            words.push_str(text);
        }
        if let Some(data) = data.or(parsed.as_ref()) {
            let mut walk = Walk { read, seen: &mut seen, words: &mut words, entries: 0, room: *room };
            walk.value(data, &mut Vec::new(), 0, DEPTH);
        }
        *room = room.saturating_sub(words.len());
        seen.text = Text::new(&words);
        let mut asked = String::new();
        if let Some(arguments) = read.asked {
            written(arguments, &mut asked, DEPTH);
        }
        seen.asked = Text::new(&asked);
        seen
    }

    /// The same as what a program was given.
    pub(super) fn given(self) -> Self {
        Self { given: true, ..self }
    }

    /// Where the value stands as what the argument is; none where it does not.
    pub(super) fn holds(&self, leaf: &Leaf, wanted: &Wanted<'_>) -> Option<Held> {
        let needs_kind = !leaf.is_telling() && leaf.kind != Kind::Name;
        let is_kind =
            |field: &&Field| !needs_kind || field.kinds.iter().any(|kind| wanted.kinds.contains(kind));
        let same: Vec<_> =
            self.fields.iter().filter(|field| field.leaf.is_same(leaf)).filter(is_kind).collect();
        if !same.is_empty() {
            return Some(Held {
                entries: same.iter().map(|field| field.entry).collect(),
                issued: same.iter().all(|field| field.issued),
            });
        }
        let verbatim = match leaf.kind {
            Kind::Text => leaf.is_telling() && stands(&self.text.folded, &leaf.folded, Edge::Word),
            Kind::Iban => stands(&self.text.closed_up().capital, &leaf.exact, Edge::Word),
            Kind::Email => stands(&self.text.folded, &leaf.folded, Edge::Token),
            _ => leaf.is_telling() && stands(&self.text.exact, &leaf.exact, Edge::Token),
        };
        // The role of a text says whether a part of what was read is still what was read.
        let may_be_part = leaf.kind != Kind::Text || !matches!(wanted.role, Role::Recipient | Role::Target);
        (verbatim && may_be_part).then(|| Held { entries: Vec::new(), issued: false })
    }

    /// The objects of which the value is a whole field that is not there by chance.
    pub(super) fn entries(&self, leaf: &Leaf, wanted: &Wanted<'_>) -> Vec<usize> {
        let is_long = leaf.exact.chars().count() >= 4 && leaf.kind != Kind::Flag;
        let is_kind = |field: &Field| field.kinds.iter().any(|kind| wanted.kinds.contains(kind));
        let fields =
            self.fields.iter().filter(|field| field.leaf.exact == leaf.exact && (is_long || is_kind(field)));
        fields.map(|field| field.entry).collect()
    }

    /// The values by which these objects are told from the others: their names, their ids.
    pub(super) fn marks(&self, entries: &[usize]) -> Vec<&Leaf> {
        let all: BTreeSet<usize> = self.fields.iter().map(|field| field.entry).collect();
        let is_shared = |leaf: &Leaf| {
            let with = self.fields.iter().filter(|field| field.leaf.is_same(leaf)).map(|field| field.entry);
            with.collect::<BTreeSet<usize>>().len() == all.len()
        };
        let of_them = self.fields.iter().filter(|field| entries.contains(&field.entry));
        let names = of_them.filter(|field| field.leaf.is_telling() || field.leaf.kind == Kind::Name);
        names.map(|field| &field.leaf).take(MOST_MARKS).filter(|leaf| !is_shared(leaf)).collect()
    }

    /// Whether the value can be put together of pieces of it and of a program.
    pub(super) fn composes(&self, leaf: &Leaf, program: &str) -> bool {
        let of = |text: &str| {
            is_composed(&leaf.folded, &[text, program]) && !is_composed(&leaf.folded, &[program])
        };
        self.more
            || of(&self.text.folded)
            || (leaf.kind == Kind::Iban && of(&super::value::compact(&self.text.folded)))
    }

    /// Whether somebody outside may have written the value there, however it was meant.
    pub(super) fn mentions(&self, leaf: &Leaf) -> bool {
        let edge = match leaf.kind {
            Kind::Name | Kind::Text => Edge::Word,
            _ => Edge::Token,
        };
        let written = |field: &Field| !field.issued && field.leaf.is_same(leaf);
        self.more
            || stands(&self.text.folded, &leaf.folded, edge)
            || self.fields.iter().any(written)
            || (leaf.kind == Kind::Iban && self.text.closed_up().folded.contains(leaf.folded.as_str()))
    }

    /// Whether the tool was asked with the value, so that its result may only repeat it.
    pub(super) fn repeats(&self, leaf: &Leaf) -> bool {
        let edge = if matches!(leaf.kind, Kind::Name | Kind::Text) { Edge::Word } else { Edge::Token };
        stands(&self.asked.folded, &leaf.folded, edge)
            || (leaf.kind == Kind::Iban && self.asked.closed_up().folded.contains(leaf.folded.as_str()))
    }

    /// Whether one of those it works for has named the thing: another value of one of these entries.
    pub(super) fn is_meant(&self, entries: &[usize], spoken: &[Arc<Spoken>]) -> bool {
        let is_meant = |field: &Field| spoken.iter().any(|spoken| spoken.means(&field.leaf));
        self.fields.iter().filter(|field| entries.contains(&field.entry)).any(is_meant)
    }
}

/// Where a value stands in a result.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The objects that it is a field of.
    pub(super) entries: Vec<usize>,
    /// Whether the service issues it wherever it stands.
    pub(super) issued: bool,
}

/// Whether a value is covered by a few pieces, none of them of a sign or two, which all stand in some of the texts.
fn is_composed(value: &str, texts: &[&str]) -> bool {
    let signs: Vec<usize> = value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
    let last = signs.len() - 1;
    let stands = |from: usize, to: usize| {
        let piece = signs.get(from).zip(signs.get(to)).and_then(|(from, to)| value.get(*from..*to));
        let holds =
            |piece: &str| texts.iter().any(|text| memmem::find(text.as_bytes(), piece.as_bytes()).is_some());
        piece.is_some_and(holds)
    };
    // Where the longest piece ends that begins here: each part of what stands in a text stands there as well.
    let end = |from: usize| {
        let (mut short, mut long) = (from + SHORTEST_PIECE, last);
        if short > long || !stands(from, short) {
            return from;
        }
        while short < long {
            let between = (short + long).div_ceil(2);
            if stands(from, between) { short = between } else { long = between - 1 }
        }
        short
    };
    let mut covered: usize = 0;
    for _ in 0..MOST_PIECES {
        // A piece may begin within the one before, so that a sign or two at the end of the value are covered.
        let begins = covered.saturating_sub(SHORTEST_PIECE - 1)..=covered;
        let reached = begins.map(end).max().unwrap_or(covered);
        if reached <= covered {
            return false;
        }
        covered = reached;
        if covered == last {
            return true;
        }
    }
    false
}

/// Whether a text is the data in JSON, as a model reads it.
fn is_written(data: &Value, text: &str) -> bool {
    let written = data.to_string();
    written == text
}

/// All values of some arguments, one after the other.
fn written(value: &Value, words: &mut String, depth: usize) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match value {
        Value::Array(items) => items.iter().for_each(|item| written(item, words, deeper)),
        Value::Object(fields) => fields.values().for_each(|item| written(item, words, deeper)),
        leaf => {
            if let Some(leaf) = Leaf::of(leaf) {
                words.push('\n');
                words.push_str(&leaf.exact);
            }
        }
    }
}

struct Walk<'a> {
    read: &'a Read<'a>,
    seen: &'a mut Seen,
    words: &'a mut String,
    entries: usize,
    room: usize,
}

impl Walk<'_> {
    fn value<'v>(&mut self, value: &'v Value, path: &mut Vec<&'v str>, entry: usize, depth: usize) {
        let Some(deeper) = depth.checked_sub(1) else {
            self.seen.more = true;
            return;
        };
        match value {
            Value::Object(fields) => {
                self.entries += 1;
                let entry = self.entries;
                for (name, inner) in fields {
                    path.push(name);
                    self.value(inner, path, entry, deeper);
                    path.pop();
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.value(item, path, entry, deeper)),
            leaf => self.leaf(leaf, path, entry),
        }
    }

    fn leaf(&mut self, value: &Value, path: &[&str], entry: usize) {
        let Some(leaf) = Leaf::of(value) else { return };
        if self.seen.fields.len() >= MOST_FIELDS || self.words.len() > self.room {
            self.seen.more = true;
            return;
        }
        let name = path.last().copied().unwrap_or_default();
        let issued = self.read.issued.contains(name);
        let mut kinds = name::kinds(name, path.iter().rev().skip(1).copied());
        if kinds.is_empty() {
            kinds = row::kinds(self.read.tool);
        }
        if !issued {
            self.words.push('\n');
            self.words.push_str(&match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
        }
        self.seen.fields.push(Field { leaf, kinds, entry, issued });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_covered_by_a_few_pieces_or_not() {
        let of = |texts: &[&str]| is_composed("nl91abna0417164300", texts);
        assert!(of(&["to nl91abna0417164300"]));
        assert!(of(&["nl91abna", "0417164300"]) && of(&["nl91abna04 164300 0417"]));
        // The last piece begins within the one before.
        assert!(of(&["nl91abna04171643 430", "300"]));
        assert!(!of(&["nl91abna", "041716430"]), "the last sign is missing");
        assert!(!of(&["nl 91 ab na 04 17 16 43 00"]), "pieces of two signs stand anywhere");
        assert!(!of(&[]) && !is_composed("", &["a"]) && !is_composed("ab", &["ab"]));
        let long = "0123456789".repeat(2_000);
        assert!(is_composed(&long, &[&long]) && !is_composed(&long, &["0123456789"]));
    }
}
