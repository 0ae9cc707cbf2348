//! Whether a person asks for something to be done. A tool that changes things is never called without that.

use adjutant_core::tool::{Effect, ToolSpec};

use super::words::{name_words, same, stem, words};

/// Verbs that ask for the same.
const VERBS: [&[&str]; 9] = [
    &[
        "file", "open", "create", "raise", "submit", "log", "lodge", "register", "make", "report", "add",
        "record",
    ],
    &["write", "save", "store", "put", "create"],
    &["edit", "change", "replace", "update", "modify", "correct", "set", "fix"],
    &["send", "notify", "post", "forward"],
    &["delete", "remove", "erase", "drop"],
    &["cancel", "stop", "abort"],
    &["refund", "reimburse"],
    &["pay", "transfer", "charge"],
    &["book", "schedule", "reserve", "plan"],
];

/// Nouns for a ticket.
const TICKETS: &[&str] = &["ticket", "case", "complaint", "incident", "issue", "request", "bug"];

/// Verbs that ask for a ticket without naming one.
const COMPLAINING: &[&str] = &["complain", "escalate"];

/// Whether the text asks for what a tool does. It never does for a tool that changes nothing: those need no wish.
pub(super) fn is_wished(tool: &ToolSpec, text: &str) -> bool {
    tool.effect != Effect::Pure && clauses(text).iter().any(|clause| wishes(tool, clause))
}

fn wishes(tool: &ToolSpec, clause: &str) -> bool {
    asking(clause).is_some_and(|asking| is_asked(tool, asking)) || is_asked(tool, clause)
}

/// What asks, where its matter is set apart: a "not" within the matter refuses nothing.
fn asking(clause: &str) -> Option<&str> {
    let before = |mark: &&str| clause.find(mark).and_then(|at| clause.get(..at));
    let marked = [": ", " - ", " – ", " — "].iter().filter_map(before).min_by_key(|text| text.len());
    // "Filing a ticket that nobody reads is not useful" asks for nothing, "please" always does.
    let is_plea = clause.trim_start().to_lowercase().starts_with("please ");
    marked.or_else(|| [" that ", " because ", " as "].iter().filter(|_| is_plea).find_map(before))
}

fn is_asked(tool: &ToolSpec, clause: &str) -> bool {
    let said: Vec<String> = words(clause).map(|word| stem(&word)).collect();
    if is_refused(clause) || is_inquiry(clause) {
        return false;
    }
    let name: Vec<String> = name_words(&tool.name).iter().map(|word| stem(word)).collect();
    let Some((verb, objects)) = name.split_first() else { return false };
    let has = |asked: &str| said.iter().any(|word| same(word, &stem(asked)));
    let is_ticket = objects.iter().any(|object| TICKETS.iter().any(|noun| stem(noun) == *object));
    if is_ticket && COMPLAINING.iter().any(|verb| has(verb)) {
        return true;
    }
    let group = VERBS.iter().find(|group| group.iter().any(|other| stem(other) == *verb));
    let verb_said = said.contains(verb) || group.is_some_and(|group| group.iter().any(|verb| has(verb)));
    let object_said = match is_ticket {
        true => TICKETS.iter().any(|noun| has(noun)),
        false => objects.iter().all(|object| said.contains(object)),
    };
    // A name of one word is verb and object at once.
    if objects.is_empty() { said.contains(verb) } else { verb_said && object_said }
}

/// A text without the parts that only ask the tool to be used: what is left is what it is about.
pub(super) fn without_wish(tool: &ToolSpec, text: &str) -> String {
    let sentences = text.split_inclusive(['.', '!', '?', '\n', ';']);
    let parts = sentences.flat_map(|sentence| sentence.split_inclusive(", "));
    let kept: String = parts.filter(|part| !wishes(tool, part)).collect();
    kept.trim().trim_end_matches([',', ' ']).to_owned()
}

fn is_refused(clause: &str) -> bool {
    let lower = format!(" {} ", clause.to_lowercase().replace('’', "'"));
    [" don't ", " do not ", " never ", " without ", " not ", " no need ", " instead of "]
        .iter()
        .any(|no| lower.contains(no))
}

/// Whether the clause asks how something is done rather than to do it.
fn is_inquiry(clause: &str) -> bool {
    let lower = clause.trim().to_lowercase();
    let begins = [
        "how ",
        "what ",
        "when ",
        "where ",
        "why ",
        "who ",
        "which ",
        "can i ",
        "could i ",
        "may i ",
        "should i ",
        "must i ",
        "do i ",
        "did ",
        "is ",
        "are ",
        "was ",
        "has ",
        "have ",
        "does ",
        "if ",
        "do you ",
    ];
    begins.iter().any(|word| lower.starts_with(word))
}

fn clauses(text: &str) -> Vec<String> {
    let text = text
        .replace(['\n', ';', '!', '?'], ".")
        .replace(", ", ". ")
        .replace(" but ", ". ")
        .replace(" and ", ". ");
    text.split(". ")
        .map(|clause| clause.trim_end_matches('.').trim().to_owned())
        .filter(|c| !c.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, effect: Effect) -> ToolSpec {
        ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters: json!({"type": "object"}),
            effect,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    #[test]
    fn a_wish_is_told_from_its_matter() {
        let cases = [
            ("Order 7 is broken. Please file a ticket.", "Order 7 is broken."),
            ("My kettle leaks, please open a ticket.", "My kettle leaks"),
            ("Please open a ticket", ""),
        ];
        for (text, matter) in cases {
            assert_eq!(without_wish(&tool("file_ticket", Effect::AtMostOnce), text), matter);
        }
    }

    #[test]
    fn nothing_is_done_that_nobody_asked_for() {
        let cases = [
            ("file_ticket", "Please file a ticket: my kettle is broken", true),
            ("file_ticket", "Please file a ticket: order 1042 has not moved for weeks.", true),
            ("file_ticket", "Open a ticket - the lamp does not work", true),
            ("file_ticket", "Please open a ticket because the lamp does not work", true),
            ("file_ticket", "Do not do this: open a ticket", false),
            ("file_ticket", "Please do not open a ticket: it is fine", false),
            ("file_ticket", "Opening a ticket that nobody reads is not useful", false),
            ("file_ticket", "Where is order 1042? Open a ticket for it.", true),
            ("file_ticket", "It is late, and I want to complain", true),
            ("file_ticket", "Can you create a complaint about this?", true),
            ("file_ticket", "I'd like to report an issue with my order", true),
            ("file_ticket", "Where is order 1042?", false),
            ("file_ticket", "How do I file a ticket?", false),
            ("file_ticket", "Do not open a ticket", false),
            ("file_ticket", "Answer without filing a ticket", false),
            ("file_ticket", "What is the status of my ticket?", false),
            ("file_ticket", "read the file returns.md", false),
            ("write_file", "read the file returns.md", false),
            ("write_file", "save this to a file", true),
            ("send_email", "send them an email", true),
            ("send_email", "my email is a@b.example", false),
            ("refund", "please refund order 1042", true),
            ("refund", "what is the refund policy", false),
        ];
        for (name, text, expected) in cases {
            assert_eq!(is_wished(&tool(name, Effect::AtMostOnce), text), expected, "{name}: {text}");
            assert!(!is_wished(&tool(name, Effect::Pure), text));
        }
    }
}
