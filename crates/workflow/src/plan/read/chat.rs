//! Reads conversations of several.

use adjutant_agent::definition::document::Table;
use serde_json::json;

use super::Reader;
use super::scope::{LAST, Scope};
use super::step::place_of;
use crate::expression::Expression;
use crate::plan::chat::{CHOOSES, NOBODY};
use crate::plan::{Argument, Chatting, Helper, HelperFrom, Kind, Next};

impl Reader<'_> {
    pub(super) fn chat(&self, table: &Table<'_>, id: &str, scope: &Scope) -> Option<Kind> {
        let chat = table.table("chat")?;
        let opening = match chat.entry("opening") {
            Some(entry) => self.argument(&entry.value, scope),
            None => Expression::parse(LAST).ok().map(Argument::Expression)?,
        };
        chat.require("speakers", "name who speaks: `speakers: [writer, critic, person]`");
        let mut speakers: Vec<String> = Vec::new();
        for (speaker, place) in chat.texts("speakers").unwrap_or_default() {
            if speakers.iter().any(|other| other == speaker) {
                self.problems.report(place, format!("`{speaker}` is there twice"));
            }
            if speaker != Chatting::PERSON {
                self.asks(speaker, place);
            }
            speakers.push(speaker.to_owned());
        }
        if chat.has("speakers") && speakers.is_empty() {
            self.problems
                .report(place_of(&chat, "speakers"), format!("`{}` is empty", chat.name_of("speakers")));
        }
        let seen = scope.with(&Chatting::NAMES);
        let next = self.next(&chat, id, &speakers, &seen);
        let until = chat.value("until").and_then(|node| self.condition("until", node, &seen));
        let turns = chat.integer("turns", 1..=10_000).unwrap_or(Chatting::TURNS);
        let output = chat.entry("output").map(|entry| self.argument(&entry.value, &seen));
        chat.finish();
        Some(Kind::Chat(Box::new(Chatting { opening, speakers, next: next?, until, turns, output })))
    }

    /// Who speaks next: a word, a rule, or whoever chooses.
    fn next(&self, chat: &Table<'_>, id: &str, speakers: &[String], scope: &Scope) -> Option<Next> {
        const ROUND: &str = "round";
        const MODEL: &str = "model";
        let Some(node) = chat.value("next") else { return Some(Next::Round) };
        let from = match node.as_text().map(str::trim) {
            None if node.entries().is_some() => {
                let chooser = chat.table("next")?;
                let from = self.helper_from(&chooser);
                chooser.finish();
                from
            }
            Some(ROUND) => return Some(Next::Round),
            Some(rule) if rule.starts_with('=') => return Some(Next::Rule(self.argument(node, scope))),
            Some(MODEL) => HelperFrom::Model(adjutant_agent::Source::DEFAULT_MODEL.to_owned()),
            _ => {
                let help =
                    "write `next: \"= turns % 2 == 0 ? 'writer' : 'critic'\"`, or `next: { model: fast }`";
                let wanted = "`round`, `model`, a table that says who chooses, or an expression";
                chat.wrong("next", node, wanted, help);
                return None;
            }
        };
        let words: Vec<&str> = speakers.iter().map(String::as_str).chain([NOBODY]).collect();
        let output = json!({
            "type": "object",
            "properties": { "reason": { "type": "string" }, "next": { "type": "string", "enum": words } },
            "required": ["reason", "next"],
            "additionalProperties": false,
        });
        let chooser = |name| Helper::answering(name, from, CHOOSES.to_owned(), output);
        Some(Next::Chosen(self.helper(id, "next", chooser)))
    }
}
