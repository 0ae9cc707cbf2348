//! `[models]` of `adjutant.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use adjutant_agent::definition::document::{Content, Entry, Node, Place, Table, nearest};
use adjutant_core::money::Prices;
use adjutant_model::provider::{PromptCache, Provider};
use adjutant_model::transport::Timeouts;
use adjutant_model::{Effort, Profile};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use url::Url;

use crate::project::secrets::SecretSource;

/// What stands for one role.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelSettings {
    /// What another role has, or a model id: `fast = "main"`, `fast = "openai/gpt-4.1-mini"`.
    Same(String, Place),
    /// The built-in model.
    Offline,
    /// A model of a provider.
    Endpoint(Box<Endpoint>),
}

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
    pub profile: Profile,
    /// How much the model thinks before it answers.
    pub effort: Option<Effort>,
    /// How long the provider shall keep the beginning of a conversation.
    pub prompt_cache: PromptCache,
    /// Tools of the provider's own.
    pub provider_tools: Vec<Value>,
    /// Parameters that every request sends as they are.
    pub extra: Map<String, Value>,
    /// The field in which the server wants earlier reasoning back.
    pub reasoning_field: Option<String>,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// It may be seen.
    Plain(String),
    /// It may not.
    Secret(SecretSource),
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
            profile: Profile::default(),
            effort: None,
            prompt_cache: PromptCache::default(),
            provider_tools: Vec::new(),
            extra: Map::new(),
            reasoning_field: None,
        }
    }
}

/// Reads `[models]`. What is wrong is noted and left out.
pub(in crate::project) fn read(root: &Table<'_>, folder: &Path) -> BTreeMap<String, ModelSettings> {
    let mut roles = BTreeMap::new();
    for entry in root.named("models") {
        if let Some(settings) = read_role(root, entry, folder) {
            if !is_role(&entry.key) {
                root.problems().report_with(
                    entry.place,
                    format!("`{}` cannot be the name of a role", entry.key),
                    "use letters, digits, - and _, as in `main` or `fast`",
                );
            }
            roles.insert(entry.key.clone(), settings);
        }
    }
    check_ids(root, &roles);
    check_references(root, &roles);
    roles
}

fn is_role(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name != Provider::OFFLINE
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn read_role(root: &Table<'_>, entry: &Entry, folder: &Path) -> Option<ModelSettings> {
    if let Some(text) = entry.value.as_text() {
        return Some(ModelSettings::Same(text.trim().to_owned(), entry.value.place));
    }
    let table = Table::new(&entry.value, format!("models.{}", entry.key), root.problems())?;
    table.require(
        "provider",
        "add `provider = \"openai\"`: whoever speaks its interface is reached with a `base_url`",
    );
    let settings = match table.text("provider") {
        Some(Provider::OFFLINE) => {
            table.finish();
            return Some(ModelSettings::Offline);
        }
        Some(name) => match Provider::named(name) {
            Some(provider) => read_endpoint(&table, provider, folder),
            None => {
                unknown_provider(&table, name);
                read_endpoint(&table, Provider::ALL.first().copied()?, folder);
                None
            }
        },
        None => {
            // The other keys are looked at all the same, so that everything is reported together.
            read_endpoint(&table, Provider::ALL.first().copied()?, folder);
            None
        }
    };
    table.finish();
    settings.map(|endpoint| ModelSettings::Endpoint(Box::new(endpoint)))
}

fn unknown_provider(table: &Table<'_>, name: &str) {
    let place = table.value("provider").map_or(table.place(), |node| node.place);
    let help = match nearest(name, Provider::names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "known are {}; any other that speaks OpenAI's interface is reached with `provider = \"openai\"` and its \
             `base_url`",
            Provider::names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    table.problems().report_with(place, format!("there is no provider `{name}`"), help);
}

fn read_endpoint(table: &Table<'_>, provider: &'static Provider, folder: &Path) -> Option<Endpoint> {
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
    read_profile(table, &mut endpoint.profile);
    if let Some(Value::Object(extra)) =
        table.table("extra").and_then(|_| table.value("extra")).map(Node::to_json)
    {
        endpoint.extra = extra;
    }
    endpoint.effort = read_effort(table);
    endpoint.prompt_cache = read_prompt_cache(table).unwrap_or_default();
    endpoint.provider_tools =
        table.value("provider_tools").map(|node| read_tools(table, node)).unwrap_or_default();
    endpoint.reasoning_field = table.text("reasoning_field").map(str::to_owned);
    model.filter(|model| !model.is_empty()).map(|_| endpoint)
}

fn read_effort(table: &Table<'_>) -> Option<Effort> {
    read_word(
        table,
        "effort",
        "how much the model thinks",
        &[
            ("off", Effort::Off),
            ("minimal", Effort::Minimal),
            ("low", Effort::Low),
            ("medium", Effort::Medium),
            ("high", Effort::High),
            ("max", Effort::Max),
        ],
    )
}

fn read_prompt_cache(table: &Table<'_>) -> Option<PromptCache> {
    read_word(
        table,
        "prompt_cache",
        "how long the provider keeps the beginning of a conversation",
        &[("off", PromptCache::Off), ("short", PromptCache::Short), ("long", PromptCache::Long)],
    )
}

fn read_word<T: Copy>(table: &Table<'_>, key: &'static str, what: &str, words: &[(&str, T)]) -> Option<T> {
    let text = table.text(key)?;
    let found = words.iter().find(|(word, _)| *word == text.trim()).map(|(_, value)| *value);
    if found.is_none()
        && let Some(node) = table.value(key)
    {
        let known = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        table.wrong(key, node, what, &format!("write one of {known}"));
    }
    found
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
        Some(text) => Some(Header::Plain(text.to_owned())),
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
    timeouts.idle = table.duration("idle").unwrap_or(timeouts.idle);
    timeouts.whole = table.duration("whole").unwrap_or(timeouts.whole);
    table.finish();
    timeouts
}

fn read_profile(table: &Table<'_>, profile: &mut Profile) {
    let tokens = 1..=1_000_000_000_u64;
    profile.context_window = table.integer("context_window", tokens.clone()).or(profile.context_window);
    profile.max_output_tokens = table.integer("max_output_tokens", tokens).or(profile.max_output_tokens);
    if let Some(prices) = table.table("prices") {
        profile.prices = read_prices(prices).or(profile.prices);
    }
    if let Some(can) = table.table("abilities") {
        let abilities = &mut profile.abilities;
        for (key, ability) in [
            ("tools", &mut abilities.tools),
            ("parallel_tools", &mut abilities.parallel_tools),
            ("structured_output", &mut abilities.structured_output),
            ("images", &mut abilities.images),
            ("audio", &mut abilities.audio),
            ("files", &mut abilities.files),
            ("reasoning", &mut abilities.reasoning),
        ] {
            *ability = can.flag(key).unwrap_or(*ability);
        }
        can.finish();
    }
}

fn read_prices(table: Table<'_>) -> Option<Prices> {
    let help = "write US dollars for a million tokens, as in `prices = { input = 0.40, output = 1.60 }`";
    table.require("input", help);
    table.require("output", help);
    let prices = [
        read_price(&table, "input"),
        read_price(&table, "output"),
        read_price(&table, "cached"),
        read_price(&table, "cache_write"),
        read_price(&table, "reasoning"),
    ];
    table.finish();
    let [input, output, cached, cache_write, reasoning] = prices;
    Some(Prices { input: input?, output: output?, cached, cache_write, reasoning })
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

/// Two models of one id could not be told apart in a journal.
fn check_ids(root: &Table<'_>, roles: &BTreeMap<String, ModelSettings>) {
    let mut seen: BTreeMap<&str, (&str, &Endpoint)> = BTreeMap::new();
    for (role, settings) in roles {
        let ModelSettings::Endpoint(endpoint) = settings else { continue };
        if let Some((other, same)) = seen.get(endpoint.id.as_str()) {
            if *same != endpoint.as_ref() {
                root.problems().report_with(
                    place_of(root, role),
                    format!(
                        "the roles `{other}` and `{role}` have different models of the same id `{}`",
                        endpoint.id
                    ),
                    format!("give one of them another `id`, such as `id = \"{role}/{}\"`", endpoint.model),
                );
            }
        } else {
            seen.insert(&endpoint.id, (role, endpoint));
        }
    }
}

fn check_references(root: &Table<'_>, roles: &BTreeMap<String, ModelSettings>) {
    for (role, settings) in roles {
        let mut visited = vec![role.as_str()];
        let mut next = Some(settings);
        while let Some(ModelSettings::Same(name, _)) = next {
            let is_circle = visited.contains(&name.as_str());
            visited.push(name);
            if is_circle {
                let message = format!("the role `{role}` leads to no model: {}", visited.join(" -> "));
                root.problems().report(place_of(root, role), message);
                break;
            }
            next = roles.get(name);
        }
    }
}

fn place_of(root: &Table<'_>, role: &str) -> Place {
    root.named("models").iter().find(|entry| entry.key == role).map_or(root.place(), |entry| entry.place)
}
