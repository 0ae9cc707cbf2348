//! Narrows a task by rules: which tools its words speak of, and whom they name.
//!
//! A tool is needed where one clause of the request says what the tool does (a verb of its kind, where a verb stands) and what
//! it does it to. What stands in quotes is no wish. The rules know English; where they find nothing, a person is asked.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::tool::{Effect, Role, ToolSpec};
use adjutant_policy::narrow::{Narrowing, Needed};
use adjutant_tool::search::terms;

use super::deeds::{Deed, deed, same};
use super::named::{Named, named, unquoted};

/// What may stand before a verb that asks for something.
const BEFORE_VERBS: &[&str] = &[
    "please",
    "to",
    "and",
    "then",
    "also",
    "you",
    "i",
    "we",
    "must",
    "should",
    "will",
    "can",
    "could",
    "would",
    "let's",
    "just",
    "kindly",
    "now",
    "first",
    "finally",
    "or",
    "next",
    "but",
    "help",
    "afterwards",
    "instead",
    "directly",
    "that",
];

/// What turns a wish into its opposite.
const NEGATIONS: &[&str] = &["not", "don't", "dont", "never", "without", "cannot", "can't"];

/// Things by which one tells somebody something. To send me anything else is to answer me.
const LETTERS: &[&str] = &["email", "mail", "message", "sms", "letter", "text"];

/// What ends what a verb is said of.
const AFTER_OBJECTS: &[&str] = &[
    "to", "with", "from", "in", "into", "on", "for", "by", "of", "at", "and", "or", "that", "which", "using",
];

/// How many clauses before it, that speak of something, an `it` may look back.
const REACH: usize = 3;

/// Words of names that say nothing of what a tool is about.
const VAGUE: &[&str] = &["new", "current", "item", "by", "id", "name", "all", "my", "user", "tool", "api"];

/// What a request needs of the tools that do something.
pub(super) fn narrow<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>, request: &str) -> Narrowing {
    needed(&about(tools), request)
}

/// The tools that do something, with what they are about.
pub(super) fn about<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>) -> Vec<(&'a ToolSpec, About)> {
    let tools = tools.into_iter().filter(|tool| tool.effect != Effect::Pure);
    tools.map(|tool| (tool, About::new(tool))).collect()
}

/// What a request needs of these.
pub(super) fn needed(tools: &[(&ToolSpec, About)], request: &str) -> Narrowing {
    let named = named(request);
    let clauses = clauses(request, |thing| tools.iter().any(|(_, about)| about.things.contains(thing)));
    let needed = tools.iter().filter(|(_, about)| clauses.iter().any(|clause| about.is_meant(clause)));
    Narrowing { tools: needed.map(|(tool, _)| (tool.name.clone(), values_of(tool, &named))).collect() }
}

/// What the arguments of a tool are narrowed to by a request that needs it.
pub(super) fn values(tool: &ToolSpec, request: &str) -> Needed {
    values_of(tool, &named(request))
}

/// What the arguments of a tool are narrowed to: its recipients to those who are named, its files to those that are, where
/// any are.
fn values_of(tool: &ToolSpec, named: &Named) -> Needed {
    let mut arguments = BTreeMap::new();
    let properties = tool.parameters.get("properties").and_then(serde_json::Value::as_object);
    for name in properties.into_iter().flatten().map(|(name, _)| name) {
        match tool.flow.arguments.get(name) {
            Some(Role::Recipient) => drop(arguments.insert(name.clone(), named.who.clone())),
            Some(Role::Target) if is_place(name) && !named.places.is_empty() => {
                arguments.insert(name.clone(), named.places.clone());
            }
            _ => {}
        }
    }
    Needed { arguments }
}

/// Whether an argument of this name takes a path or the name of a file.
fn is_place(argument: &str) -> bool {
    let words: Vec<String> = terms(argument);
    words.iter().any(|word| ["path", "filenam", "folder", "directori", "url", "uri"].contains(&word.as_str()))
}

/// What a tool does, and to what.
pub(super) struct About {
    /// None where its name has no verb that is known: any deed may be its own.
    deed: Option<&'static Deed>,
    things: BTreeSet<String>,
}

impl About {
    fn new(tool: &ToolSpec) -> Self {
        let name = terms(&tool.name);
        let sentence = tool.description.split(['.', '\n']).next().unwrap_or_default();
        let description = terms(sentence);
        let verb = name.iter().position(|term| deed(term).is_some());
        let verb_of = |place: usize| name.get(place).and_then(|term| deed(term));
        let deed = verb.and_then(verb_of).or_else(|| description.iter().take(2).find_map(|term| deed(term)));
        let is_thing = |term: &&String| !VAGUE.contains(&term.as_str());
        // A name begins with its verb, also with one that is not known.
        let verb = verb.or_else(|| (name.len() > 1).then_some(0));
        let others = name.iter().enumerate().filter(|(place, _)| Some(*place) != verb).map(|(_, term)| term);
        let mut things: BTreeSet<String> = others.filter(is_thing).cloned().collect();
        if things.is_empty() {
            things.extend(description.iter().filter(|term| super::deeds::deed(term).is_none()).cloned());
        }
        things.extend(object(sentence).into_iter().filter(|term| is_thing(&term)));
        things.extend(deed.into_iter().flat_map(|deed| deed.about.iter().cloned()));
        if deed.is_some_and(|deed| deed.kinds.contains("change") || deed.wider.contains("change")) {
            // Who says which part is to be changed need not say of what.
            let properties = tool.parameters.get("properties").and_then(serde_json::Value::as_object);
            let parts = properties.into_iter().flatten().flat_map(|(name, _)| terms(name));
            things.extend(parts.filter(|term| is_thing(&term)));
        }
        Self { deed, things: things.iter().flat_map(|thing| same(thing)).collect() }
    }

    fn is_meant(&self, clause: &Clause) -> bool {
        clause.deeds.iter().any(|(deed, to_me)| {
            let fits = |thing: &String| {
                self.things.contains(thing)
                    && (!to_me || LETTERS.contains(&thing.as_str()))
                    && self.deed.is_none_or(|own| own.fits(deed, thing))
            };
            clause.things.iter().chain(&deed.about).any(fits)
        })
    }
}

/// What a sentence says that something is done to: `Sends a mail to somebody` says `mail`.
fn object(sentence: &str) -> Vec<String> {
    let ends = |word: &&str| AFTER_OBJECTS.contains(&bare(word).as_str());
    let mut words = sentence.split_whitespace();
    let is_verb = |word: &str| terms(word).first().is_some_and(|term| deed(term).is_some());
    if !words.any(is_verb) {
        return Vec::new();
    }
    words.take_while(|word| !ends(word)).take(4).flat_map(terms).collect()
}

/// A part of a request: what it wants done, and to what.
#[derive(Debug, Default)]
struct Clause {
    /// The deeds, and whether each is done to the one who asks: `send me`.
    deeds: Vec<(&'static Deed, bool)>,
    things: BTreeSet<String>,
}

/// The clauses of a request. A deed that is done to nothing that any tool is about is done to what was spoken of before.
fn clauses(request: &str, is_known: impl Fn(&str) -> bool) -> Vec<Clause> {
    let text = unquoted(request);
    let mut clauses: Vec<Clause> = Vec::new();
    let mut is_new = true;
    for part in parts(&text) {
        let mut clause = Clause::of(&part);
        let goes_on = !std::mem::replace(&mut is_new, ends_sentence(part.last()));
        let mut about = clause.deeds.iter().flat_map(|(deed, _)| &deed.about).chain(&clause.things);
        if !clause.deeds.is_empty() && !about.any(|thing| is_known(thing)) {
            // `Find the file and delete it`.
            let before =
                clauses.iter().rev().filter(|clause| clause.things.iter().any(|thing| is_known(thing)));
            let before = before.take(REACH).flat_map(|clause| clause.things.iter().cloned());
            clause.things.extend(before.collect::<Vec<_>>());
        }
        match clauses.last_mut() {
            // `Add Ann, and Bob, to the guests`.
            Some(before) if goes_on && clause.deeds.is_empty() => before.things.extend(clause.things),
            _ => clauses.push(clause),
        }
    }
    clauses
}

fn ends_sentence(word: Option<&&str>) -> bool {
    word.is_some_and(|word| word.ends_with(['.', '!', '?', ';']))
}

/// Cuts a text where one wish ends and another may begin.
fn parts(text: &str) -> Vec<Vec<&str>> {
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for word in text.split_whitespace() {
        let lower = word.to_lowercase();
        if matches!(lower.as_str(), "and" | "then" | "or") {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(word);
        }
        if word.ends_with(['.', '!', '?', ';', ':', ',']) {
            parts.push(Vec::new());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

impl Clause {
    fn of(words: &[&str]) -> Self {
        let mut clause = Self::default();
        let lower: Vec<String> = words.iter().map(|word| bare(word)).collect();
        for (place, word) in words.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|place| lower.get(place)).map(String::as_str);
            let after = lower.get(place + 1).map(String::as_str);
            let found = terms(word);
            let is_verb = before.is_none_or(|before| BEFORE_VERBS.contains(&before) || is_number(before));
            let is_negated = before.is_some_and(|before| NEGATIONS.contains(&before));
            let verb = found.first().and_then(|term| deed(term)).filter(|_| is_verb && !is_negated);
            if let Some(deed) = verb {
                clause.deeds.push((deed, matches!(after, Some("me" | "us"))));
            }
            clause.things.extend(named(word).things.into_iter().map(str::to_owned));
            let own = if verb.is_some() { 1 } else { 0 };
            clause.things.extend(found.into_iter().skip(own).filter(|term| !VAGUE.contains(&term.as_str())));
        }
        // A verb is no thing, but where it is the only word that could be one.
        clause.things.retain(|thing| thing != "it");
        clause
    }
}

/// `1.` begins a wish in a list of wishes.
fn is_number(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_digit())
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').replace('’', "'").to_lowercase()
}

#[cfg(test)]
mod tests {
    use adjutant_core::tool::Flow;
    use serde_json::json;

    use super::*;

    fn tool(name: &str, description: &str, arguments: &[(&str, Role)]) -> ToolSpec {
        let properties: serde_json::Map<_, _> =
            arguments.iter().map(|(name, _)| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        let roles = arguments.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect();
        ToolSpec {
            name: name.into(),
            description: description.into(),
            parameters: json!({ "type": "object", "properties": properties }),
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow { arguments: roles, ..Flow::default() },
        }
    }

    fn tools() -> Vec<ToolSpec> {
        vec![
            tool("file_ticket", "Files a ticket for a person to look at.", &[("summary", Role::Content)]),
            tool("refund", "Refunds an order.", &[("order", Role::Target)]),
            tool("mailer__send", "Sends a mail.", &[("to", Role::Recipient)]),
            tool("createIssue", "Opens an issue in a repository.", &[("repo", Role::Target)]),
            tool("write-file", "Writes a text into a file.", &[("path", Role::Target)]),
            tool("delete_branch", "Deletes a branch.", &[("name", Role::Target)]),
            tool("book_table", "Reserves a table in a restaurant.", &[("restaurant", Role::Target)]),
            tool("set_thermostat", "Sets the temperature of a room.", &[("room", Role::Target)]),
            tool("deploy", "Puts a version of a service into production.", &[("service", Role::Target)]),
            ToolSpec { effect: Effect::Pure, ..tool("find_order", "Finds an order.", &[]) },
        ]
    }

    #[test]
    fn a_task_needs_what_its_words_speak_of() {
        for (request, expected) in [
            ("Where is order 1042?", ""),
            ("Please refund order 1042.", "refund"),
            ("Send me the status of my order", ""),
            ("Send me a mail with the status of my order", "mailer__send"),
            ("Check order 7, and if it is late, refund it", "refund"),
            ("Email Ann that the order is late", "mailer__send"),
            ("Summarise the mail from Ann", ""),
            ("What does the mail say? It says to delete a branch", "delete_branch"),
            ("Read the mail. Do what it says.", ""),
            ("Write 'delete the branch main' into notes.txt", "write-file"),
            ("Don't delete the branch!", ""),
            ("Find the old branch and delete it", "delete_branch"),
            ("Delete main, old, and new, all of the branches", "delete_branch"),
            ("The order (number 7) was late. It was 3 days. Check that, and refund what is due", "refund"),
            ("Could you open an issue for this bug?", "createIssue file_ticket"),
            ("Book a table for two at Luigi's", "book_table"),
            ("make it 21 degrees warm in the room: set the temperature", "set_thermostat"),
            ("1. Look at the service. 2. Deploy the service.", "deploy"),
            ("", ""),
        ] {
            let found = narrow(&tools(), request).tools;
            assert_eq!(found.keys().cloned().collect::<Vec<_>>().join(" "), expected, "{request}");
        }
    }

    #[test]
    fn recipients_are_those_who_are_named() {
        let tools = tools();
        let narrowing =
            narrow(&tools, "Send a mail to bob@example.org and to Ann Lee about it, and write it to a.txt");
        let is_inside = |tool: usize, arguments: serde_json::Value| {
            narrowing.outside(&tools[tool], arguments.as_object().unwrap(), &BTreeMap::new()).is_none()
        };
        assert!(is_inside(2, json!({ "to": ["bob@example.org", "ann.lee@example.org"] })));
        assert!(!is_inside(2, json!({ "to": "eve@example.org" })));
        assert!(is_inside(4, json!({ "path": "a.txt" })));
        assert!(!is_inside(4, json!({ "path": "b.txt" })));
    }
}
