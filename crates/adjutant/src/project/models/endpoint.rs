//! One model of `[models]`: where it is, and how it is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use adjutant_agent::definition::document::{Content, Entry, Node, Table};
use adjutant_core::money::Prices;
use adjutant_core::secret::Secret;
use adjutant_model::layer::{breaker, limit, retry};
use adjutant_model::provider::{PromptCache, Provider};
use adjutant_model::transport::Timeouts;
use adjutant_model::{Abilities, Effort};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use url::Url;

use crate::project::secrets::SecretSource;

/// A model of a provider, and how to reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// What the model is called here: `openai/gpt-4.1-mini`.
    pub id: String,
    /// Whose model it is.
    pub provider: &'static Provider,
    /// What the provider calls it.
    pub model: String,
    /// Where the provider is, if not at its own address.
    pub base_url: Option<String>,
    /// Where the key is, if not in the provider's own variable.
    pub key: Option<SecretSource>,
    /// What the provider needs of secrets beside or instead of a key.
    pub credentials: BTreeMap<&'static str, SecretSource>,
    /// What the provider needs to be told.
    pub options: BTreeMap<String, String>,
    /// More headers for every request.
    pub headers: BTreeMap<String, Header>,
    /// How long the provider may take.
    pub timeouts: Timeouts,
    /// What the project says that the model can do and costs; what is known of it comes to that.
    pub written: Written,
    /// How much the model thinks before it answers.
    pub effort: Option<Effort>,
    /// How long the provider shall keep the beginning of a conversation.
    pub prompt_cache: PromptCache,
    /// Tools of the provider's own.
    pub provider_tools: Vec<Value>,
    /// The models that are asked where this one does not answer: roles or ids.
    pub fallback: Vec<String>,
    /// How a failure that passes is tried again.
    pub retry: retry::Policy,
    /// When the model is left alone.
    pub breaker: breaker::Policy,
    /// What it may be asked.
    pub limits: limit::Policy,
    /// How long its answers are kept; none where they are not.
    pub cache: Option<Duration>,
    /// Parameters that every request sends as they are.
    pub extra: Map<String, Value>,
    /// The field in which the server wants earlier reasoning back.
    pub reasoning_field: Option<String>,
    /// How many numbers a vector shall have, of a model that makes vectors.
    pub dimensions: Option<usize>,
}

/// What a project says of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The most tokens of input and output together.
    pub context_window: Option<u64>,
    /// The most tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// What it costs.
    pub prices: Option<Prices>,
    /// What it can do or cannot do, by the name of the ability.
    pub abilities: BTreeMap<&'static str, bool>,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// It may be seen.
    Plain(String),
    /// It is written in the file, and its name says that nobody shall see it.
    Written(Secret),
    /// It is a secret, and somewhere else.
    Secret(SecretSource),
}

impl Header {
    /// A header whose value stands in the file, perhaps with a part from the environment.
    fn written(name: &str, value: &str) -> Self {
        const TELLING: [&str; 7] =
            ["authorization", "key", "token", "secret", "password", "cookie", "credential"];
        let name = name.to_ascii_lowercase();
        match TELLING.iter().any(|word| name.contains(word)) {
            true => Self::Written(Secret::new(value)),
            false => Self::Plain(value.to_owned()),
        }
    }
}

impl Endpoint {
    /// A model of a provider with everything else as it comes: what an id says.
    pub(super) fn new(provider: &'static Provider, model: &str) -> Self {
        Self {
            id: format!("{}/{model}", provider.name),
            provider,
            model: model.to_owned(),
            base_url: None,
            key: None,
            credentials: BTreeMap::new(),
            options: BTreeMap::new(),
            headers: BTreeMap::new(),
            timeouts: Timeouts::default(),
            written: Written::default(),
            effort: None,
            prompt_cache: PromptCache::default(),
            provider_tools: Vec::new(),
            fallback: Vec::new(),
            retry: retry::Policy::default(),
            breaker: breaker::Policy::default(),
            limits: limit::Policy::default(),
            cache: None,
            extra: Map::new(),
            reasoning_field: None,
            dimensions: None,
        }
    }
}

/// Reads one model. What is wrong is noted and left out.
pub(super) fn read(table: &Table<'_>, provider: &'static Provider, folder: &Path) -> Option<Endpoint> {
    table.require("model", "add `model = \"...\"`: what the provider calls the model");
    let model = table.text("model").map(str::trim);
    let mut endpoint = Endpoint::new(provider, model.unwrap_or_default());
    if let Some(id) = table.text("id") {
        endpoint.id = id.trim().to_owned();
    }
    endpoint.base_url = read_base_url(table);
    endpoint.key = SecretSource::read(table, "key", folder);
    for setting in provider.credentials {
        if let Some(source) = SecretSource::read(table, setting.key, folder) {
            endpoint.credentials.insert(setting.key, source);
        }
    }
    for setting in provider.options {
        if let Some(value) = table.text(setting.key) {
            endpoint.options.insert(setting.key.to_owned(), value.trim().to_owned());
        }
    }
    for header in table.named("headers") {
        if let Some(value) = read_header(table, header, folder) {
            endpoint.headers.insert(header.key.clone(), value);
        }
    }
    if let Some(timeouts) = table.table("timeouts") {
        endpoint.timeouts = read_timeouts(timeouts);
    }
    read_written(table, &mut endpoint.written);
    if let Some(Value::Object(extra)) =
        table.table("extra").and_then(|_| table.value("extra")).map(Node::to_json)
    {
        endpoint.extra = extra;
    }
    let fallback = table.texts("fallback").unwrap_or_default();
    endpoint.fallback = fallback.into_iter().map(|(name, _)| name.trim().to_owned()).collect();
    endpoint.retry = table.table("retry").map(read_retry).unwrap_or_default();
    endpoint.breaker = table.table("breaker").map(read_breaker).unwrap_or_default();
    endpoint.limits = table.table("limits").map(read_limits).unwrap_or_default();
    endpoint.cache = table.duration("cache");
    endpoint.effort = read_effort(table);
    endpoint.prompt_cache = read_prompt_cache(table).unwrap_or_default();
    endpoint.provider_tools =
        table.value("provider_tools").map(|node| read_tools(table, node)).unwrap_or_default();
    endpoint.reasoning_field = table.text("reasoning_field").map(str::to_owned);
    endpoint.dimensions = read_dimensions(table);
    model.filter(|model| !model.is_empty()).map(|_| endpoint)
}

/// How many numbers a vector shall have.
pub(super) fn read_dimensions(table: &Table<'_>) -> Option<usize> {
    table.integer("dimensions", 1..=65_536)
}

fn read_retry(table: Table<'_>) -> retry::Policy {
    let usual = retry::Policy::default();
    let policy = retry::Policy {
        attempts: table.integer("attempts", 1..=100).unwrap_or(usual.attempts),
        first_wait: table.duration("first_wait").unwrap_or(usual.first_wait),
        longest_wait: table.duration("longest_wait").unwrap_or(usual.longest_wait),
    };
    table.finish();
    policy
}

fn read_breaker(table: Table<'_>) -> breaker::Policy {
    let usual = breaker::Policy::default();
    let policy = breaker::Policy {
        failures: table.integer("failures", 0..=10_000).unwrap_or(usual.failures),
        rest: table.duration("rest").unwrap_or(usual.rest),
    };
    table.finish();
    policy
}

fn read_limits(table: Table<'_>) -> limit::Policy {
    let policy = limit::Policy {
        concurrency: table.integer("concurrency", 1..=100_000),
        requests_per_minute: table.integer("requests_per_minute", 1..=100_000_000),
        tokens_per_minute: table.integer("tokens_per_minute", 1..=1_000_000_000_000),
    };
    table.finish();
    policy
}

fn read_effort(table: &Table<'_>) -> Option<Effort> {
    let words = [
        ("off", Effort::Off),
        ("minimal", Effort::Minimal),
        ("low", Effort::Low),
        ("medium", Effort::Medium),
        ("high", Effort::High),
        ("max", Effort::Max),
    ];
    table.choice("effort", &words)
}

fn read_prompt_cache(table: &Table<'_>) -> Option<PromptCache> {
    let words = [("off", PromptCache::Off), ("short", PromptCache::Short), ("long", PromptCache::Long)];
    table.choice("prompt_cache", &words)
}

/// Tools in the provider's own form: a list of tables.
fn read_tools(table: &Table<'_>, node: &Node) -> Vec<Value> {
    match node.to_json() {
        Value::Array(tools) if tools.iter().all(Value::is_object) => tools,
        _ => {
            let help =
                "write them as the provider's documentation has them, as in `[{ type = \"web_search\" }]`";
            table.wrong("provider_tools", node, "a list of tables", help);
            Vec::new()
        }
    }
}

fn read_base_url(table: &Table<'_>) -> Option<String> {
    let text = table.text("base_url")?.trim();
    let is_address =
        Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !is_address && let Some(node) = table.value("base_url") {
        table.wrong(
            "base_url",
            node,
            "an address",
            "write it as `https://api.openai.com/v1` or `http://localhost:11434/v1`",
        );
    }
    is_address.then(|| text.to_owned())
}

fn read_header(table: &Table<'_>, header: &Entry, folder: &Path) -> Option<Header> {
    match header.value.as_text() {
        Some(text) => Some(Header::written(&header.key, text)),
        None => {
            let path = format!("{}.{}", table.name_of("headers"), header.key);
            SecretSource::of_node(&header.value, &path, table, folder).map(Header::Secret)
        }
    }
}

fn read_timeouts(table: Table<'_>) -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.connect = table.duration("connect").unwrap_or(timeouts.connect);
    timeouts.first_byte = table.duration("first_byte").unwrap_or(timeouts.first_byte);
    timeouts.answer = table.duration("answer").unwrap_or(timeouts.answer);
    timeouts.idle = table.duration("idle").unwrap_or(timeouts.idle);
    timeouts.whole = table.duration("whole").unwrap_or(timeouts.whole);
    table.finish();
    timeouts
}

fn read_written(table: &Table<'_>, written: &mut Written) {
    let tokens = 1..=1_000_000_000_u64;
    written.context_window = table.integer("context_window", tokens.clone());
    written.max_output_tokens = table.integer("max_output_tokens", tokens);
    written.prices = table.table("prices").and_then(read_prices);
    if let Some(can) = table.table("abilities") {
        for name in Abilities::NAMES {
            if let Some(able) = can.flag(name) {
                written.abilities.insert(name, able);
            }
        }
        can.finish();
    }
}

fn read_prices(table: Table<'_>) -> Option<Prices> {
    let help = "write US dollars for a million tokens, as in `prices = { input = 0.40, output = 1.60 }`";
    table.require("input", help);
    table.require("output", help);
    let (input, output) = (read_price(&table, "input"), read_price(&table, "output"));
    let (cached, cache_write) = (read_price(&table, "cached"), read_price(&table, "cache_write"));
    let reasoning = read_price(&table, "reasoning");
    table.finish();
    Some(Prices { cached, cache_write, reasoning, ..Prices::new(input?, output?) })
}

fn read_price(table: &Table<'_>, key: &'static str) -> Option<Decimal> {
    let node = table.value(key)?;
    let text = match &node.content {
        Content::Integer(number) => number.to_string(),
        Content::Float(number) => number.to_string(),
        Content::Text(text) => text.trim().to_owned(),
        _ => String::new(),
    };
    let price = text.parse::<Decimal>().ok();
    let price = price.filter(|price| !price.is_sign_negative() && *price <= Decimal::from(1_000_000));
    if price.is_none() {
        table.wrong(
            key,
            node,
            "a price in US dollars for a million tokens",
            "write it as a number, such as `0.40`",
        );
    }
    price
}
