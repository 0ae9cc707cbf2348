//! The rules: what to do next in a turn.

use adjutant_core::json::Json;
use adjutant_core::message::{Message, Part, ToolCall};
use adjutant_core::tool::{Effect, LOAD_SKILL, SEARCH_TOOLS, ToolSpec};
use serde_json::{Map, Value};

use super::choose::{Choice, Lack, Proposal, handoff, is_list, is_search, lookups, reader, search};
use super::facts::Facts;
use super::fill::{Sources, fill};
use super::program;
use super::quote::{Quote, asked, is_nothing, places, quotes, source};
use super::shape::{self, Material};
use super::turn::{ANNOUNCEMENT, Turn};
use super::wish::is_wished;
use super::words::{content, same, stems};
use crate::call_id::Ids;
use crate::request::{Request, ToolChoice};

/// How often a turn may call tools before it answers with what it has.
const MOST_ROUNDS: usize = 5;
/// How many calls one answer makes.
const MOST_CALLS: usize = 6;

/// The answer of the offline model: the same for the same request, always.
///
/// It first looks up what the last message of the person speaks of, then reads what was found, then does what the person
/// asked to be done, and then answers with quotations. Nothing in a tool's result makes it call a tool that changes
/// something.
pub fn answer(request: &Request) -> Message {
    let turn = Turn::of(request);
    let tools = request
        .tools
        .iter()
        .filter(|tool| ![SEARCH_TOOLS, LOAD_SKILL].contains(&tool.name.as_str()))
        .cloned()
        .collect();
    let plan = Plan { request, turn: &turn, tools };
    let calls = plan.calls();
    if calls.is_empty() {
        return Message::assistant(vec![Part::text(plan.text())]);
    }
    let mut ids = Ids::of(request);
    let first = request.call_ids().len() + 1;
    let parts = calls.into_iter().enumerate().map(|(index, call)| {
        let id = ids.claim(Some(&format!("offline_{}", first + index)), 0);
        Part::ToolCall(ToolCall {
            id,
            name: call.tool,
            arguments: Json::from(Value::Object(call.arguments)).to_string(),
        })
    });
    Message::assistant(parts.collect())
}

struct Plan<'a> {
    request: &'a Request,
    turn: &'a Turn<'a>,
    /// The tools, without the one that finds others and the one that reads skills.
    tools: Vec<ToolSpec>,
}

impl Plan<'_> {
    fn tools(&self) -> &[ToolSpec] {
        match self.request.tool_choice {
            ToolChoice::None => &[],
            _ => &self.tools,
        }
    }

    /// The calls to make now; none when it is time to answer.
    fn calls(&self) -> Vec<Proposal> {
        if self.turn.rounds >= MOST_ROUNDS {
            return Vec::new();
        }
        let found = match self.turn.rounds {
            0 => match program::proposal(self.tools(), &self.turn.question) {
                Some(program) => vec![program],
                None => self.first_lookups().calls,
            },
            _ => self.follow_ups(),
        };
        let mut calls = self.fresh(self.skills().into_iter().chain(found).collect());
        if calls.is_empty() {
            calls = self.fresh(self.wished());
        }
        if calls.is_empty() && self.turn.rounds == 0 {
            calls = self.fresh(handoff(self.tools(), &self.turn.question).into_iter().collect());
        }
        if calls.is_empty() {
            calls.extend(self.search_for_tools());
        }
        if calls.is_empty() && self.turn.rounds == 0 {
            calls = self.fresh(self.demanded());
        }
        calls
    }

    /// The calls without those that were made already.
    fn fresh(&self, proposals: Vec<Proposal>) -> Vec<Proposal> {
        let mut calls: Vec<Proposal> = Vec::new();
        for proposal in proposals {
            let made = self.turn.has_called(&proposal.tool, &Value::Object(proposal.arguments.clone()));
            if !made && !calls.contains(&proposal) && calls.len() < MOST_CALLS {
                calls.push(proposal);
            }
        }
        calls
    }

    /// The skills that the question names.
    fn skills(&self) -> Vec<Proposal> {
        let reader = self.request.tools.iter().find(|tool| tool.name == LOAD_SKILL);
        let names = reader.and_then(|tool| tool.parameters.pointer("/properties/name/enum")?.as_array());
        let asked = stems(&self.turn.question);
        let is_named = |name: &&str| {
            let words = stems(&name.replace('-', " "));
            !words.is_empty() && words.iter().all(|word| asked.iter().any(|stem| same(stem, word)))
        };
        let may_call = self.turn.rounds == 0 && self.request.tool_choice == ToolChoice::Auto;
        let named =
            names.into_iter().flatten().filter_map(Value::as_str).filter(|_| may_call).filter(is_named);
        let load = |name: &str| Map::from_iter([("name".to_owned(), Value::from(name))]);
        named.map(|name| Proposal { tool: LOAD_SKILL.to_owned(), arguments: load(name) }).collect()
    }

    /// A search for the tools that the question speaks of, once in a turn, where those that are shown do not fit.
    fn search_for_tools(&self) -> Option<Proposal> {
        const MOST_CHARACTERS: usize = 1_000;
        let may_call = !matches!(self.request.tool_choice, ToolChoice::None | ToolChoice::Named(_));
        let is_offered = self.request.tools.iter().any(|tool| tool.name == SEARCH_TOOLS);
        let asks = !content(&self.turn.question).is_empty();
        (may_call && is_offered && asks && self.turn.rounds == 0 && !self.turn.searched).then(|| {
            let query: String = self.turn.question.chars().take(MOST_CHARACTERS).collect();
            let arguments = Map::from_iter([("query".to_owned(), Value::from(query))]);
            Proposal { tool: SEARCH_TOOLS.to_owned(), arguments }
        })
    }

    fn first_lookups(&self) -> Choice {
        let wished = self.tools().iter().any(|tool| is_wished(tool, &self.turn.question));
        lookups(self.tools(), self.turn, &self.turn.question, !wished)
    }

    /// What the results so far call for: to read what was found, to search again, to look up what they name.
    fn follow_ups(&self) -> Vec<Proposal> {
        let reading = self.readings();
        if !reading.is_empty() {
            return reading;
        }
        let has_found = self.turn.done.iter().any(|done| !done.result.is_error && !is_nothing(&done.text));
        if !has_found {
            let searched =
                self.turn.done.iter().any(|done| self.is_searching(&done.call.name) && !done.result.is_error);
            return if searched { self.other_searches() } else { Vec::new() };
        }
        // Tools that lacked something which a result has brought since.
        let again = lookups(self.tools(), self.turn, &self.turn.question, false);
        again.calls.into_iter().filter(|call| !self.turn.has_used(&call.tool)).collect()
    }

    /// The files that a search or a list has found and nobody has read.
    fn readings(&self) -> Vec<Proposal> {
        const MOST: usize = 2;
        let Some((reader, parameter)) = reader(self.tools()) else { return Vec::new() };
        if self.turn.has_used(&reader.name) {
            return Vec::new();
        }
        let finders =
            self.tools().iter().filter(|tool| is_search(tool) || is_list(tool)).map(|tool| &tool.name);
        let finders: Vec<&String> = finders.collect();
        let asked = asked(self.turn, |name| self.is_searching(name));
        let found =
            self.turn.done.iter().filter(|done| finders.contains(&&done.call.name) && !done.result.is_error);
        let wants_list =
            found.clone().all(|done| !self.is_searching(&done.call.name)) && self.asks_for_list();
        let paths = found.flat_map(|done| places(&done.text, &asked).into_iter().take(MOST));
        let mut calls: Vec<Proposal> = Vec::new();
        for path in paths.filter(|_| !wants_list) {
            let arguments = Map::from_iter([(parameter.to_owned(), Value::from(path))]);
            let call = Proposal { tool: reader.name.clone(), arguments };
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
        calls.truncate(MOST);
        calls
    }

    fn is_searching(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name && is_search(tool))
    }

    /// Whether the list itself is what the person wants.
    fn asks_for_list(&self) -> bool {
        let said = content(&self.turn.question);
        let has = |names: &[&str]| said.iter().any(|word| names.contains(&word.as_str()));
        has(&["list", "show", "files", "documents"]) && said.len() <= 4
    }

    /// Each word alone, where all of them together found nothing.
    fn other_searches(&self) -> Vec<Proposal> {
        const MOST: usize = 3;
        let mut words = content(&self.turn.question);
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        let mut calls: Vec<Proposal> = Vec::new();
        for word in words.iter().filter(|word| word.len() > 3).take(MOST) {
            calls.extend(search(self.tools(), &Sources::of(word)));
        }
        calls
    }

    /// The one thing that the person asked to be done, where nothing is left to look up and everything it needs is there.
    fn wished(&self) -> Vec<Proposal> {
        let sources = self.sources();
        let wished = self.tools().iter().filter(|tool| is_wished(tool, &self.turn.question));
        let open = wished.filter(|tool| !self.turn.has_used(&tool.name));
        open.filter_map(|tool| Some(proposal(tool, fill(tool, &sources).ok()?.arguments))).take(1).collect()
    }

    /// The call that the request insists on, with the best arguments that there are.
    fn demanded(&self) -> Vec<Proposal> {
        let tools = self.tools();
        let tool = match &self.request.tool_choice {
            ToolChoice::Named(name) => tools.iter().find(|tool| tool.name == *name),
            ToolChoice::Required => {
                tools.iter().find(|tool| tool.effect == Effect::Pure).or_else(|| tools.first())
            }
            ToolChoice::Auto | ToolChoice::None => None,
        };
        let Some(tool) = tool else { return Vec::new() };
        let arguments = fill(tool, &self.sources()).map(|filled| filled.arguments).unwrap_or_else(|_| {
            let known = self.turn.known();
            let question = &self.turn.question;
            let material = Material { question, answer: question, sources: &[], known: &known };
            shape::value(&tool.parameters, &material).as_object().cloned().unwrap_or_default()
        });
        vec![proposal(tool, arguments)]
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            text: &self.turn.question,
            facts: Facts::of(&self.turn.question),
            earlier: Facts::of(&self.turn.earlier),
            known: self.turn.known(),
        }
    }

    /// The answer as text, or as JSON where the request has a schema for it.
    fn text(&self) -> String {
        let quotes = self.quotes();
        let said = self.say(&quotes);
        let Some(output) = &self.request.output else {
            return if self.turn.announced { said } else { format!("{said}\n\n_{ANNOUNCEMENT}_") };
        };
        let sources: Vec<String> = quotes.iter().map(|quote| quote.source.replace('`', "")).collect();
        let plain: Vec<&str> = quotes.iter().flat_map(|quote| &quote.lines).map(|line| line.trim()).collect();
        let plain = if plain.is_empty() { said } else { plain.join("\n") };
        let known = self.turn.known();
        let material =
            Material { question: &self.turn.question, answer: &plain, sources: &sources, known: &known };
        shape::value(&output.schema, &material).to_string()
    }

    fn quotes(&self) -> Vec<Quote> {
        let tools = &self.tools;
        let reader = reader(tools).map(|(tool, _)| tool.name.clone());
        let listing = self.asks_for_list();
        let is_finder = |name: &str| {
            tools.iter().any(|tool| tool.name == name && (is_search(tool) || is_list(tool) && !listing))
        };
        quotes(self.turn, is_finder, |name| reader.as_deref() == Some(name))
    }

    fn say(&self, quotes: &[Quote]) -> String {
        let mut said: Vec<String> = Vec::new();
        for quote in quotes {
            said.push(match quote.lines.as_slice() {
                [line] if line.len() <= 200 => format!("**{}**: {}", quote.source, line.trim()),
                lines => format!("**{}**\n\n{}", quote.source, quoted(lines)),
            });
        }
        said.extend(self.failures());
        if quotes.is_empty() {
            said.extend(self.why_nothing());
        }
        said.extend(self.questions());
        said.join("\n\n")
    }

    fn failures(&self) -> Vec<String> {
        let failed = self.turn.done.iter().filter(|done| done.result.is_error);
        failed.map(|done| format!("`{}` failed: {}", done.call.name, shortened(&done.text))).collect()
    }

    /// What is missing for the wish or for the tool that fits.
    fn questions(&self) -> Option<String> {
        let sources = self.sources();
        let wished = self.tools().iter().filter(|tool| is_wished(tool, &self.turn.question));
        let mut open = wished.filter(|tool| !self.turn.has_used(&tool.name));
        let lack = open.find_map(|tool| {
            let missing = fill(tool, &sources).err()?;
            Some(Lack { tool: tool.name.clone(), missing })
        });
        let lack = lack.or_else(|| {
            self.first_lookups().lacks.into_iter().next().filter(|_| self.turn.done.is_empty())
        })?;
        let names: Vec<String> = lack.missing.iter().map(|name| format!("`{name}`")).collect();
        let what = if names.len() == 1 { "What is it" } else { "What are they" };
        Some(format!("For `{}` I need {}. {what}?", lack.tool, names.join(" and ")))
    }

    fn why_nothing(&self) -> Option<String> {
        let about = content(&self.turn.question);
        let has_failed = self.turn.done.iter().any(|done| done.result.is_error);
        if !self.turn.done.is_empty() {
            let used: Vec<String> =
                self.turn.done.iter().map(|done| format!("- {}", source(done, None))).collect();
            return (!has_failed).then(|| format!("I found nothing. I tried:\n\n{}", used.join("\n")));
        }
        if self.questions().is_some() {
            return None;
        }
        let names: Vec<String> = self.tools.iter().map(|tool| format!("`{}`", tool.name)).take(12).collect();
        Some(match (names.is_empty(), about.is_empty()) {
            (true, _) => match excerpt(&self.turn.question) {
                Some(begins) => format!("Out of what I was given:\n\n{}", quoted(&[begins])),
                None => "I have no tools here, and without them I know nothing.".to_owned(),
            },
            (false, true) => format!("Hello. Ask me something that I can look up with {}.", names.join(", ")),
            (false, false) => {
                format!("None of my tools fits that: {}. Say it in their words.", names.join(", "))
            }
        })
    }
}

/// The beginning of the prose in a long message, which is material rather than a question; none of a short one. Headings, and
/// lines that announce what follows, are no prose.
fn excerpt(message: &str) -> Option<String> {
    const LONG: usize = 200;
    if message.len() < LONG {
        return None;
    }
    let is_prose = |line: &&str| {
        let line = line.trim();
        !line.starts_with('#') && !line.ends_with(':')
    };
    let lines = message.lines().filter(is_prose).skip_while(|line| line.trim().is_empty());
    let paragraph: Vec<&str> = lines.take_while(|line| !line.trim().is_empty()).collect();
    Some(shortened(&paragraph.join(" "))).filter(|text| !text.is_empty())
}

fn proposal(tool: &ToolSpec, arguments: Map<String, Value>) -> Proposal {
    Proposal { tool: tool.name.clone(), arguments }
}

fn quoted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("> {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(300).collect();
    if cut.len() < line.len() { format!("{cut}...") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_material_the_beginning_of_its_prose_is_quoted() {
        let rest = "x ".repeat(150);
        let material = format!("Summarise this:\n# Warranty\n\nThe law gives\nyou two years.\n\n{rest}");
        assert_eq!(excerpt(&material).as_deref(), Some("The law gives you two years."));
        assert_eq!(excerpt("Where is order 1042?"), None);
        assert_eq!(excerpt(&format!("# {rest}")), None);
    }
}
