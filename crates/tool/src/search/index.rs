//! [`Index`]: the tools by the terms that they say of themselves.

use std::collections::{BTreeMap, HashMap};

use adjutant_core::tool::ToolSpec;

use super::document::{self, Document, Part};
use super::spelling::Spelling;
use super::synonyms::SYNONYMS;
use super::words::{Words, weight};

/// How fast it stops to matter how often a tool says a term.
const SATURATION: f64 = 0.9;
/// How much it counts that a part is longer than that of other tools, from 0 to 1.
const LENGTH: f64 = 0.3;
/// How much a synonym counts beside the word itself.
const SYNONYM: f64 = 0.4;
/// How much a word counts that was meant by one that no tool has.
const MEANT: f64 = 0.7;
/// How many terms of a query are looked at: the first ones.
const MOST_TERMS: usize = 200;

/// The tools by the terms that they say of themselves: an index in the manner of BM25F, in which each part of a
/// specification has a weight of its own.
#[derive(Debug, Default)]
pub struct Index {
    tools: usize,
    numbers: HashMap<String, u32>,
    /// By the number of the term: which tools say it, and how much.
    postings: Vec<Vec<Posting>>,
    spelling: Spelling,
}

#[derive(Clone, Copy, Debug)]
struct Posting {
    tool: u32,
    weight: f64,
}

/// A tool that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its place among the tools that the index was made of.
    pub tool: usize,
    /// How well it fits. It compares the tools of one query and nothing else.
    pub score: f64,
}

impl Index {
    /// Reads the specifications of tools.
    pub fn new<'a>(specs: impl IntoIterator<Item = &'a ToolSpec>) -> Self {
        let mut words = Words::new();
        let documents: Vec<Document> =
            specs.into_iter().map(|spec| document::read(spec, &mut words)).collect();
        let means = Part::ALL.map(|part| {
            let total: usize =
                documents.iter().filter_map(|document| document.get(part as usize)).map(Vec::len).sum();
            (total as f64 / documents.len().max(1) as f64).max(f64::MIN_POSITIVE)
        });
        let mut index = Self { tools: documents.len(), ..Self::default() };
        for (tool, document) in documents.iter().enumerate() {
            let tool = u32::try_from(tool).unwrap_or(u32::MAX);
            let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
            for ((part, terms), mean) in Part::ALL.into_iter().zip(document).zip(means) {
                let length = 1.0 - LENGTH + LENGTH * terms.len() as f64 / mean;
                for term in terms {
                    *weights.entry(term).or_default() += part.weight() / length;
                }
            }
            for (term, weight) in weights {
                index.add(term, Posting { tool, weight });
            }
        }
        index
    }

    fn add(&mut self, term: &str, posting: Posting) {
        let number = match self.numbers.get(term) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.postings.len()).unwrap_or(u32::MAX);
                self.numbers.insert(term.to_owned(), number);
                self.spelling.add(term);
                self.postings.push(Vec::new());
                number
            }
        };
        if let Some(postings) = self.postings.get_mut(number as usize) {
            postings.push(posting);
        }
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.tools
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tools == 0
    }

    /// The tools that fit a query, the best first, `most` at most. Tools that share no word with it, nor one that stands
    /// for it, are not found.
    pub fn search(&self, query: &str, most: usize) -> Vec<Found> {
        let mut terms: BTreeMap<String, u32> = BTreeMap::new();
        for term in Words::new().terms(query).into_iter().take(MOST_TERMS) {
            *terms.entry(term).or_default() += 1;
        }
        let mut scores = vec![0.0; self.tools];
        let mut best = vec![0.0; self.tools];
        for (term, count) in terms {
            let count = f64::from(count);
            let share = weight(&term) * 2.0 * count / (count + 1.0);
            // Whatever of its meanings a tool says, it says the term once.
            let mut touched: Vec<u32> = Vec::new();
            for (number, worth) in self.meanings(&term) {
                self.score(number, worth, &mut best, &mut touched);
            }
            for tool in touched {
                if let (Some(score), Some(best)) =
                    (scores.get_mut(tool as usize), best.get_mut(tool as usize))
                {
                    *score += share * std::mem::take(best);
                }
            }
        }
        let scored = scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0);
        let mut found: Vec<Found> = scored.map(|(tool, score)| Found { tool, score }).collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.tool.cmp(&b.tool)));
        found.truncate(most);
        found
    }

    /// The terms of tools that a term of a query may mean, by their numbers, and how much each counts.
    fn meanings(&self, term: &str) -> Vec<(u32, f64)> {
        let own = self.numbers.get(term).map(|number| (*number, 1.0));
        let others = SYNONYMS.get(term).into_iter().flatten();
        let others = others.filter_map(|other| self.numbers.get(other)).map(|number| (*number, SYNONYM));
        let found: Vec<_> = own.into_iter().chain(others).collect();
        match found.is_empty() {
            true => {
                let meant = self.spelling.meant(term).into_iter();
                meant.map(|(number, alike)| (number, MEANT * alike)).collect()
            }
            false => found,
        }
    }

    /// Notes what a term is worth for each tool that says it, where that is more than what is noted.
    fn score(&self, number: u32, worth: f64, best: &mut [f64], touched: &mut Vec<u32>) {
        let Some(postings) = self.postings.get(number as usize) else { return };
        let (all, with) = (self.tools as f64, postings.len() as f64);
        let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
        for posting in postings {
            let said = posting.weight * (SATURATION + 1.0) / (posting.weight + SATURATION);
            let score = worth * rarity * said;
            if let Some(best) = best.get_mut(posting.tool as usize).filter(|best| **best < score) {
                if *best == 0.0 {
                    touched.push(posting.tool);
                }
                *best = score;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::tool::Effect;
    use serde_json::json;

    use super::*;

    fn tool(name: &str, description: &str, parameter: &str, about: &str) -> ToolSpec {
        ToolSpec {
            name: name.into(),
            description: description.into(),
            parameters: json!({ "type": "object",
                "properties": { parameter: { "type": "string", "description": about } } }),
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    fn tools() -> Vec<ToolSpec> {
        vec![
            tool("orders__findOrder", "Finds an order by its number.", "number", "As on the invoice."),
            tool("issues/list-for-repo", "Lists the issues of a repository.", "repo", "owner/name"),
            tool("create_image", "Draws an image of what is described.", "prompt", "What is to be seen."),
            tool("weather_now", "Says what the weather is like.", "place", "A city."),
            tool("close_account", "Ends the account of a customer for good.", "customer", "Whose it is."),
        ]
    }

    #[test]
    fn tools_are_found_by_what_people_say() {
        let tools = tools();
        let index = Index::new(&tools);
        for (query, expected) in [
            ("Where is my order?", "orders__findOrder"),
            ("show me all open bugs of this repo", "issues/list-for-repo"),
            ("make me a picture of a horse", "create_image"),
            ("will it rain in Vienna", "weather_now"),
            ("what is the wether", "weather_now"),
            ("delete a customer", "close_account"),
            ("OrderNumber", "orders__findOrder"),
        ] {
            let found = index.search(query, 1).first().map(|found| tools[found.tool].name.as_str());
            assert_eq!(found, Some(expected), "{query}");
        }
    }

    #[test]
    fn nothing_is_found_by_nothing() {
        let tools = tools();
        let index = Index::new(&tools);
        for query in ["", "the of and", "?!", "1042", "zzzzqqqq xxxxyyyy"] {
            assert_eq!(index.search(query, 5), [], "{query}");
        }
        assert_eq!(Index::new(&[]).search("order", 5), []);
        assert_eq!(index.search("order", 0), []);
        assert!(index.search(&"order number ".repeat(100_000), 9).len() <= 5);
    }

    #[test]
    fn a_hostile_schema_is_read_within_bounds() {
        let mut schema = json!({ "type": "string" });
        for _ in 0..100 {
            schema = json!({ "type": "object", "properties": { "deep": schema } });
        }
        let wide: serde_json::Map<_, _> =
            (0..50_000).map(|n| (format!("p{n}"), json!({ "description": 7 }))).collect();
        let mut deep = tool("deep", &"word ".repeat(1_000_000), "x", "");
        deep.parameters = schema;
        let mut broad = tool("broad", "", "x", "");
        broad.parameters = json!({ "properties": wide, "enum": "no list" });
        let index = Index::new([&deep, &broad]);
        assert_eq!(index.search("deep", 5).len(), 1);
    }
}
