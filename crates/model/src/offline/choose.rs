//! Which tools a text calls for.

use adjutant_core::tool::{Effect, ToolSpec};
use serde_json::{Map, Value};

use super::facts::Facts;
use super::field::{Meaning, fields};
use super::fill::{Sources, fill, variants};
use super::turn::Turn;
use super::words::{best, content, name_words, stem, stems, words};

/// A call that a rule proposes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proposal {
    pub(super) tool: String,
    pub(super) arguments: Map<String, Value>,
}

/// A tool that fits, but lacks what it needs to be called.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lack {
    pub(super) tool: String,
    pub(super) missing: Vec<String>,
}

/// What a text calls for.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) calls: Vec<Proposal>,
    pub(super) lacks: Vec<Lack>,
}

/// From here on a tool counts as meant.
const ENOUGH: f64 = 2.0;

/// The tools that look things up and that the text calls for, part by part: `Where is order 7, and can I return it?`
/// calls for an order and for a search.
pub(super) fn lookups(tools: &[ToolSpec], turn: &Turn<'_>, text: &str, mut search_anyway: bool) -> Choice {
    let mut choice = Choice::default();
    let vocabularies: Vec<Vocabulary> = tools.iter().map(Vocabulary::of).collect();
    let parts = clauses(text);
    let whole = Facts::of(text);
    for part in &parts {
        let sources = Sources {
            text: part,
            facts: Facts::of(part),
            earlier: context(&whole, part, turn),
            known: turn.known(),
        };
        let before = choice.lacks.len();
        let found = best_tool(tools, &vocabularies, &sources, &mut choice.lacks);
        // What is only about a tool that lacks something is asked for, not searched for.
        let asks_back = choice.lacks.iter().skip(before).any(|lack| is_all_about(tools, lack, part));
        match found {
            Some(proposals) => choice.calls.extend(proposals),
            None if asks_back => search_anyway = false,
            None if search_anyway && (parts.len() == 1 || is_asking(part)) => {
                choice.calls.extend(search(tools, &sources));
            }
            None => {}
        }
    }
    if choice.calls.is_empty() && search_anyway {
        let sources = Sources { text, facts: whole, ..Sources::default() };
        choice.calls.extend(search(tools, &sources).or_else(|| list(tools, &sources)));
    }
    choice
}

/// What "it" may stand for: what the rest of the text states, or else what was said before.
fn context(whole: &Facts, part: &str, turn: &Turn<'_>) -> Facts {
    let refers = words(part)
        .any(|word| ["it", "its", "that", "this", "they", "them", "their", "one"].contains(&word.as_str()));
    let states = !whole.ids.is_empty()
        || !whole.emails.is_empty()
        || !whole.urls.is_empty()
        || !whole.paths.is_empty();
    match (refers, states) {
        (_, true) => whole.clone(),
        (true, false) => Facts::of(&turn.earlier),
        (false, false) => Facts::default(),
    }
}

fn is_all_about(tools: &[ToolSpec], lack: &Lack, part: &str) -> bool {
    let tool = tools.iter().find(|tool| tool.name == lack.tool);
    tool.map(Vocabulary::of).is_some_and(|words| stems(part).iter().all(|stem| words.weight(stem) > 0.5))
}

fn best_tool(
    tools: &[ToolSpec],
    vocabularies: &[Vocabulary],
    sources: &Sources<'_>,
    lacks: &mut Vec<Lack>,
) -> Option<Vec<Proposal>> {
    let asked: Vec<String> = stems(sources.text);
    let mut best: Option<(f64, Vec<Proposal>)> = None;
    for (tool, own) in tools.iter().zip(vocabularies).filter(|(tool, _)| tool.effect == Effect::Pure) {
        let overlap = overlap(own, vocabularies, &asked);
        match fill(tool, sources) {
            Ok(filled) => {
                let score = overlap + filled.evidence;
                let meant =
                    score >= ENOUGH && (overlap > 0.0 || filled.evidence >= 4.0) && !is_vague(tool, overlap);
                if meant && best.as_ref().is_none_or(|(most, _)| score > *most) {
                    let calls = variants(tool, sources, filled).into_iter();
                    let calls =
                        calls.map(|filled| Proposal { tool: tool.name.clone(), arguments: filled.arguments });
                    best = Some((score, calls.collect()));
                }
            }
            Err(missing) if overlap >= 2.0 => lacks.push(Lack { tool: tool.name.clone(), missing }),
            Err(_) => {}
        }
    }
    best.map(|(_, calls)| calls)
}

/// A tool without parameters fits every text, so more than a single word of its description must be said.
fn is_vague(tool: &ToolSpec, overlap: f64) -> bool {
    let needs_nothing = fields(tool).iter().all(|field| !field.required);
    needs_nothing && overlap < 2.4
}

/// How much of a text a tool speaks of. A word in its name weighs most; a word that many tools share weighs little.
fn overlap(own: &Vocabulary, all: &[Vocabulary], asked: &[String]) -> f64 {
    let weigh = |stem: &String| {
        let sharing = all.iter().filter(|other| other.weight(stem) > 1.0).count().max(1);
        own.weight(stem) / (sharing as f64).sqrt()
    };
    asked.iter().filter(|stem| !stem.starts_with(|c: char| c.is_ascii_digit())).map(weigh).sum()
}

/// The words of a tool.
struct Vocabulary {
    name: Vec<String>,
    description: Vec<String>,
    parameters: Vec<String>,
}

impl Vocabulary {
    fn of(tool: &ToolSpec) -> Self {
        const MOST: usize = 4_000;
        let cut = |text: &str| text.get(..text.floor_char_boundary(MOST)).unwrap_or(text).to_owned();
        let parameters = fields(tool).into_iter().flat_map(|field| {
            let mut all = field.stems().to_vec();
            all.extend(stems(&cut(field.description())));
            all
        });
        Self {
            name: name_words(&tool.name).iter().map(|word| stem(word)).collect(),
            description: stems(&cut(&tool.description)),
            parameters: parameters.collect(),
        }
    }

    fn weight(&self, stem: &str) -> f64 {
        let name = 3.0 * best(stem, &self.name);
        name.max(1.2 * best(stem, &self.description)).max(0.6 * best(stem, &self.parameters))
    }
}

/// What hands the conversation to another agent begins so.
const HANDOFF: &str = "hand_off_to_";

/// A handoff to the agent that is called, or described, in the words of the text.
pub(super) fn handoff(tools: &[ToolSpec], text: &str) -> Option<Proposal> {
    let own = |tool: &ToolSpec| {
        let about = tool.description.split_once(": ").map_or("", |(_, about)| about);
        let name = tool.name.strip_prefix(HANDOFF)?;
        Some(Vocabulary::of(&ToolSpec {
            name: name.to_owned(),
            description: about.to_owned(),
            ..tool.clone()
        }))
    };
    let agents: Vec<(&ToolSpec, Vocabulary)> =
        tools.iter().filter_map(|tool| Some((tool, own(tool)?))).collect();
    let asked: Vec<String> = stems(text);
    let score = |own: &Vocabulary| -> f64 {
        let weigh = |stem: &String| (3.0 * best(stem, &own.name)).max(1.2 * best(stem, &own.description));
        asked.iter().map(weigh).sum()
    };
    let scored = agents.iter().map(|(tool, own)| (*tool, score(own))).filter(|(_, score)| *score >= 1.0);
    // Of equals the first.
    let chosen = scored.reduce(|best, other| if other.1 > best.1 { other } else { best });
    chosen.map(|(tool, _)| {
        let required = fields(tool).into_iter().filter(|field| field.required);
        let arguments = required.map(|field| (field.name.to_owned(), Value::from(text.trim())));
        Proposal { tool: tool.name.clone(), arguments: arguments.collect() }
    })
}

/// A search for what the text is about.
pub(super) fn search(tools: &[ToolSpec], sources: &Sources<'_>) -> Option<Proposal> {
    let tool = tools.iter().find(|tool| is_search(tool))?;
    let filled = fill(tool, sources).ok()?;
    Some(Proposal { tool: tool.name.clone(), arguments: filled.arguments })
}

/// A list of what there is, where there is no search.
fn list(tools: &[ToolSpec], sources: &Sources<'_>) -> Option<Proposal> {
    let tool = tools.iter().find(|tool| is_list(tool)).filter(|_| reader(tools).is_some())?;
    let filled = fill(tool, sources).ok().filter(|_| !content(sources.text).is_empty())?;
    Some(Proposal { tool: tool.name.clone(), arguments: filled.arguments })
}

/// Whether a tool searches by words.
pub(super) fn is_search(tool: &ToolSpec) -> bool {
    let required: Vec<Meaning> =
        fields(tool).iter().filter(|f| f.required).map(super::field::Field::meaning).collect();
    tool.effect == Effect::Pure && required == [Meaning::Query]
}

/// Whether a tool lists names.
pub(super) fn is_list(tool: &ToolSpec) -> bool {
    let named = name_words(&tool.name).iter().any(|word| word == "list" || word == "ls");
    named && tool.effect == Effect::Pure && fields(tool).iter().all(|field| !field.required)
}

/// The tool that reads what has a path, with the name of that parameter.
pub(super) fn reader(tools: &[ToolSpec]) -> Option<(&ToolSpec, &str)> {
    tools.iter().filter(|tool| tool.effect == Effect::Pure).find_map(|tool| {
        let fields = fields(tool);
        let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
        match required.as_slice() {
            [field] if field.meaning() == Meaning::Path => Some((tool, field.name)),
            _ => None,
        }
    })
}

/// Words that begin a part of a sentence which asks for something.
const ASKING: &str = " who what where when why how which whose whom can could may should do does did is are will would was were has have \
    please tell show find search look list read check give explain calculate compute fetch summarize summarise describe need want ";

fn is_asking(part: &str) -> bool {
    let first = words(part).find(|word| !["and", "also", "then", "so", "but"].contains(&word.as_str()));
    first.is_some_and(|word| ASKING.contains(&format!(" {word} ")))
}

/// The parts of a text that each ask for something of their own.
pub(super) fn clauses(text: &str) -> Vec<String> {
    const MOST: usize = 8;
    let mut parts: Vec<String> = Vec::new();
    for sentence in sentences(text) {
        let mut part = String::new();
        for piece in pieces(&sentence) {
            if !part.trim().is_empty() && is_asking(piece) {
                parts.push(std::mem::take(&mut part));
            }
            part.push_str(piece);
        }
        parts.push(part);
    }
    let mut parts: Vec<String> = parts.iter().map(|part| part.trim_matches([',', ' ']).to_owned()).collect();
    parts.retain(|part| !content(part).is_empty());
    // What is too much for parts is one.
    if parts.len() > MOST { vec![text.to_owned()] } else { parts }
}

/// A sentence, cut before each comma and each "and".
fn pieces(sentence: &str) -> impl Iterator<Item = &str> {
    let mut cuts: Vec<usize> =
        [", ", " and "].iter().flat_map(|cut| sentence.match_indices(cut)).map(|(at, _)| at).collect();
    cuts.extend([0, sentence.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let ends: Vec<usize> = cuts.iter().skip(1).copied().collect();
    cuts.into_iter().zip(ends).filter_map(|(start, end)| sentence.get(start..end))
}

fn sentences(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let ends = c == '\n'
            || matches!(c, '.' | '?' | '!' | ';')
                && characters.peek().is_none_or(|next| next.is_whitespace());
        match (ends, all.last_mut()) {
            (true, _) => all.push(String::new()),
            (false, Some(last)) => last.push(c),
            (false, None) => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_ask_stand_alone() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "Where is order 1042, and can I still return it?",
                &["Where is order 1042", "and can I still return it"],
            ),
            ("orders 1042 and 1043", &["orders 1042 and 1043"]),
            ("What is your policy on returns and refunds?", &["What is your policy on returns and refunds"]),
            ("Read notes/a.md and tell me the price.", &["Read notes/a.md", "and tell me the price"]),
            ("Hello! Where is it? My order is 7.", &["My order is 7"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(clauses(text), expected, "{text}");
        }
    }
}
