//! What is known of models: their windows, what they can do, what they cost.
//!
//! The built-in list is a data file with its date and sources, [`models.json`](self::BUILT_IN). A project extends it, or says
//! otherwise, with a file of the same form. A model that is in neither works all the same; its cost is not known then, and
//! nobody guesses it.

mod embedding;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use adjutant_core::money::{Prices, Tier};
use adjutant_core::{Code, Error, Result};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::embed;
use crate::openai;
use crate::profile::{Abilities, Profile};
use crate::provider::PromptCache;

/// The built-in list.
pub const BUILT_IN: &str = include_str!("models.json");

/// What is known of models, by their provider and name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    rows: HashMap<(String, String), Arc<Row>>,
    embeddings: HashMap<(String, String), Arc<embedding::Row>>,
    date: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The day on which the list was made.
    #[serde(default)]
    date: Option<String>,
    /// Where the numbers are from, by provider; for people.
    #[serde(default, rename = "sources")]
    _sources: HashMap<String, String>,
    #[serde(default)]
    models: Vec<Row>,
    #[serde(default)]
    embeddings: Vec<embedding::Row>,
}

/// One model, or several that differ in nothing but their names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    names: Vec<String>,
    #[serde(default)]
    context_window: Option<u64>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    /// All that it can do; what most can where nothing is said.
    #[serde(default)]
    can: Option<Vec<String>>,
    #[serde(default)]
    prices: Option<Cost>,
    /// Where the numbers of this row are from, for people.
    #[serde(default, rename = "source")]
    _source: Option<String>,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    input: Decimal,
    output: Decimal,
    #[serde(default)]
    cached: Option<Decimal>,
    #[serde(default)]
    cache_write: Option<Decimal>,
    /// For a cache that is kept for the provider's longest time.
    #[serde(default)]
    cache_write_long: Option<Decimal>,
    #[serde(default)]
    reasoning: Option<Decimal>,
    #[serde(default)]
    above: Option<Tier>,
}

impl Catalogue {
    /// The built-in list.
    pub fn built_in() -> &'static Self {
        static LIST: OnceLock<Catalogue> = OnceLock::new();
        // A test reads the list, so that a broken one is never released.
        LIST.get_or_init(|| Self::read(BUILT_IN, "the built-in list").unwrap_or_default())
    }

    /// Reads a list. Fails with `input-invalid` and the line and column where it is none.
    pub fn read(text: &str, name_of_list: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            let why = error.to_string();
            let why = why.rsplit_once(" at line ").map_or(why.as_str(), |(why, _)| why);
            let why = why.replace(
                "a Decimal type representing a fixed-point number",
                "a price as a text, such as \"0.40\"",
            );
            Error::new(Code::InputInvalid, format!("this is no list of models: {why}")).at(
                name_of_list,
                Some(error.line()),
                Some(error.column()),
            )
        })?;
        let mut catalogue = Self { date: file.date, ..Self::default() };
        for row in file.models {
            let unknown = row.can.iter().flatten().find(|name| !Abilities::NAMES.contains(&name.as_str()));
            if let Some(name) = unknown {
                let message = format!("no model `can` do `{name}`");
                let known = Abilities::NAMES.map(|name| format!("`{name}`")).join(", ");
                return Err(Error::new(Code::InputInvalid, message)
                    .at(name_of_list, None, None)
                    .with_help(format!("known are {known}")));
            }
            let row = Arc::new(row);
            for model in &row.names {
                catalogue.rows.insert((row.provider.clone(), model.clone()), Arc::clone(&row));
            }
        }
        for row in file.embeddings {
            row.check().map_err(|error| error.at(name_of_list, None, None))?;
            let row = Arc::new(row);
            for model in &row.names {
                catalogue.embeddings.insert((row.provider.clone(), model.clone()), Arc::clone(&row));
            }
        }
        Ok(catalogue)
    }

    /// This list with another that comes before it.
    #[must_use]
    pub fn extended_by(mut self, other: Self) -> Self {
        self.rows.extend(other.rows);
        self.embeddings.extend(other.embeddings);
        self.date = other.date.or(self.date);
        self
    }

    /// The day on which the list was made, as it is written there.
    pub fn date(&self) -> Option<&str> {
        self.date.as_deref()
    }

    /// The names of a provider's models, sorted.
    pub fn models(&self, provider: &str) -> Vec<&str> {
        let owners = [provider, owner_of(provider)];
        let own = self.rows.keys().filter(|(owner, _)| owners.contains(&owner.as_str()));
        let mut names: Vec<&str> = own.map(|(_, model)| model.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What is known of a provider's model; none where nothing is. The price of writing to the provider's cache goes by
    /// how long that is asked to keep it.
    pub fn profile(&self, provider: &str, model: &str, cache: PromptCache) -> Option<Profile> {
        let row = |provider: &str| self.rows.get(&(provider.to_owned(), model.to_owned()));
        let row = row(provider).or_else(|| row(owner_of(provider)))?;
        Some(Profile {
            context_window: row.context_window,
            max_output_tokens: row.max_output_tokens,
            abilities: row.can.as_ref().map_or_else(Abilities::default, |can| abilities(can)),
            prices: row.prices.map(|cost| prices(&cost, cache)),
        })
    }

    /// What is known of a provider's embedding model; none where nothing is.
    pub fn embedding(&self, provider: &str, model: &str) -> Option<embed::Known> {
        let row = |provider: &str| self.embeddings.get(&(provider.to_owned(), model.to_owned()));
        row(provider).or_else(|| row(owner_of(provider))).map(|row| row.known())
    }
}

/// Whose models a provider has, and at whose prices: one that is the same by another interface.
fn owner_of(provider: &str) -> &str {
    if provider == openai::RESPONSES.name { openai::OPENAI.name } else { provider }
}

fn abilities(can: &[String]) -> Abilities {
    let mut abilities = Abilities::default();
    for name in Abilities::NAMES {
        if let Some(ability) = abilities.named(name) {
            *ability = can.iter().any(|able| able == name);
        }
    }
    abilities
}

fn prices(cost: &Cost, cache: PromptCache) -> Prices {
    let long = cost.cache_write_long.filter(|_| cache == PromptCache::Long);
    Prices {
        input: cost.input,
        output: cost.output,
        cached: cost.cached,
        cache_write: long.or(cost.cache_write),
        cache_write_long: cost.cache_write_long,
        reasoning: cost.reasoning,
        above: cost.above,
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::usage::Usage;

    use super::*;
    use crate::provider::Provider;

    #[test]
    fn the_built_in_list_can_be_read_and_knows_only_providers_that_there_are() {
        let list = Catalogue::read(BUILT_IN, "models.json").unwrap();
        assert!(list.rows.len() > 200, "{}", list.rows.len());
        assert!(list.date().is_some());
        let file: serde_json::Value = serde_json::from_str(BUILT_IN).unwrap();
        for ((provider, model), row) in &list.rows {
            assert!(Provider::named(provider).is_some(), "{provider}/{model}");
            assert!(file["sources"][provider].is_string(), "{provider} has no source");
            let within =
                row.max_output_tokens.zip(row.context_window).is_none_or(|(output, window)| output <= window);
            assert!(within, "{provider}/{model} answers with more than its window");
        }
        let names: usize =
            file["models"].as_array().unwrap().iter().map(|row| row["names"].as_array().unwrap().len()).sum();
        assert_eq!(names, list.rows.len(), "a name stands in two rows");
    }

    #[test]
    fn a_model_is_known_by_its_name() {
        let list = Catalogue::built_in();
        let mini = list.profile("openai", "gpt-4.1-mini", PromptCache::Short).unwrap();
        assert_eq!((mini.context_window, mini.max_output_tokens), (Some(1_047_576), Some(32_768)));
        let cost =
            mini.prices.unwrap().cost(&Usage { input: 1_000_000, output: 1_000_000, ..Usage::default() });
        assert_eq!(cost.to_string(), "2 USD");
        assert_eq!(list.profile("openai-responses", "gpt-4.1-mini", PromptCache::Short), Some(mini));
        assert_eq!(list.models("openai-responses"), list.models("openai"));
        assert_eq!(list.profile("openai", "gpt-9", PromptCache::Short), None);
        assert_eq!(list.profile("ollama", "gpt-4.1-mini", PromptCache::Short), None);
    }

    #[test]
    fn an_embedding_model_is_known_by_its_name() {
        let list = Catalogue::built_in();
        let file: serde_json::Value = serde_json::from_str(BUILT_IN).unwrap();
        for (provider, model) in list.embeddings.keys() {
            assert!(Provider::named(provider).unwrap().embed.is_some(), "{provider}/{model}");
            assert!(file["sources"][provider].is_string(), "{provider} has no source");
        }
        let small = list.embedding("openai", "text-embedding-3-small").unwrap();
        let between = embed::Dimensions::Between { least: 1, usual: 1_536 };
        assert_eq!((small.dimensions, small.most_tokens), (between, Some(8_192)));
        let cost = small.prices.unwrap().cost(&Usage { input: 1_000_000, ..Usage::default() });
        assert_eq!(cost.to_string(), "0.02 USD");
        let titan = list.embedding("bedrock", "amazon.titan-embed-text-v2:0").unwrap();
        assert_eq!(titan.dimensions, embed::Dimensions::OneOf(vec![1_024, 512, 256]));
        let own = r#"{"embeddings": [{"provider": "openai", "names": ["text-embedding-3-small"], "dimensions": 9}]}"#;
        let list = list.clone().extended_by(Catalogue::read(own, "own.json").unwrap());
        let small = list.embedding("openai", "text-embedding-3-small").unwrap();
        assert_eq!(
            small,
            embed::Known { dimensions: embed::Dimensions::Fixed(9), ..embed::Known::default() }
        );
        for (wrong, why) in [
            (r#""dimensions": 9, "least_dimensions": 10"#, "and no others"),
            (r#""dimensions": 0"#, "and no others"),
            (r#""dimensions": 9, "least_dimensions": 1, "other_dimensions": [3]"#, "not both"),
        ] {
            let own = format!(r#"{{"embeddings": [{{"provider": "openai", "names": ["x"], {wrong}}}]}}"#);
            let error = Catalogue::read(&own, "own.json").unwrap_err();
            assert!(error.message().ends_with(why), "{error}");
        }
    }

    #[test]
    fn the_users_list_comes_first() {
        let own = r#"{"models": [{"provider": "openai", "names": ["gpt-4.1-mini", "mine"], "context_window": 9, "can": ["tools"],
            "prices": {"input": "1", "output": "2", "cache_write": "3", "cache_write_long": "4"}}]}"#;
        let list = Catalogue::built_in().clone().extended_by(Catalogue::read(own, "own.json").unwrap());
        for name in ["gpt-4.1-mini", "mine"] {
            let profile = list.profile("openai", name, PromptCache::Long).unwrap();
            assert_eq!(profile.context_window, Some(9));
            assert!(profile.abilities.tools && !profile.abilities.images);
            assert_eq!(profile.prices.unwrap().cache_write, Some(4.into()));
        }
        let short = list.profile("openai", "mine", PromptCache::Short).unwrap();
        assert_eq!(short.prices.unwrap().cache_write, Some(3.into()));
        assert!(list.profile("openai", "gpt-4o", PromptCache::Short).is_some());
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_place() {
        let error = Catalogue::read(
            "{\"models\": [\n {\"provider\": \"x\", \"names\": [], \"price\": 1}]}",
            "own.json",
        )
        .unwrap_err();
        assert!(error.to_string().starts_with("own.json:2:"), "{error}");
        assert!(error.message().contains("unknown field `price`"), "{error}");
        let error =
            Catalogue::read(r#"{"models": [{"provider": "x", "names": [], "can": ["fly"]}]}"#, "own.json")
                .unwrap_err();
        assert_eq!(error.message(), "no model `can` do `fly`");
    }
}
