//! The providers that are known by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use adjutant_core::{Code, Error, Result};

use super::config::Config;
use super::remote::{Interface, Remote};
use crate::transport::{Client, Transport};
use crate::{anthropic, bedrock, embed, gemini, openai};

/// A provider that is known by name: where it is, which variables speak of it, and how its interface is written.
///
/// Whoever speaks the interface of another is reached by that one's name with a `base_url`.
#[derive(Clone, Copy)]
pub struct Provider {
    /// The name, which begins the ids of its models.
    pub name: &'static str,
    /// Where it is. A setting's key in braces stands for its value: `https://{region}.example.com`.
    pub base_url: &'static str,
    /// Where it is instead for some values of a setting: the setting's key, its value, and the address.
    pub elsewhere: &'static [(&'static str, &'static str, &'static str)],
    /// The environment variable that names another place.
    pub base_url_variable: Option<&'static str>,
    /// The environment variables that may hold its key, the usual one first; none for a server that wants none.
    pub key_variables: &'static [&'static str],
    /// What it needs of secrets beside or instead of a key.
    pub credentials: &'static [Setting],
    /// What it needs to be told.
    pub options: &'static [Setting],
    /// Makes the interface for one model. Fails with `model-key-missing` where it needs a key and there is none, and
    /// with `input-invalid` where a setting cannot be used.
    pub open: fn(&Config) -> Result<Interface>,
    /// Makes the interface for one embedding model, of so many dimensions where another number than the usual one is
    /// wanted; none where the provider has no embeddings. Fails like `open`, and with `model-unsupported` where the model
    /// cannot be asked for so many.
    pub embed: Option<embed::Open>,
}

/// Something that a provider needs to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in a project's file, such as `region`.
    pub key: &'static str,
    /// The environment variables that may hold it, the first one first.
    pub variables: &'static [&'static str],
    /// What holds where nobody says anything; none where somebody must, or where it may be left out.
    pub default: Option<&'static str>,
}

impl Provider {
    /// The built-in model that is no LLM. It is no provider, but stands where one does.
    pub const OFFLINE: &str = "offline";

    /// Every provider that is known by name.
    pub const ALL: &[&Self] = &[
        &openai::OPENAI,
        &openai::RESPONSES,
        &anthropic::ANTHROPIC,
        &openai::azure::AZURE,
        &bedrock::BEDROCK,
        &openai::presets::DEEPSEEK,
        &gemini::GEMINI,
        &openai::presets::GROQ,
        &openai::presets::LITELLM,
        &openai::presets::LLAMACPP,
        &openai::presets::LMSTUDIO,
        &openai::presets::MISTRAL,
        &openai::presets::OLLAMA,
        &openai::presets::OPENROUTER,
        &openai::presets::TOGETHER,
        &gemini::VERTEX,
        &openai::presets::VLLM,
        &openai::presets::XAI,
    ];

    /// The provider of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().copied().find(|provider| provider.name == name)
    }

    /// What may stand for a provider: every name and `offline`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|provider| provider.name).chain([Self::OFFLINE])
    }

    /// The model that a configuration means, over a network client of its own. Fails like [`open`](Self::open).
    pub fn model(&self, config: &Config) -> Result<Remote> {
        self.model_over(config, Arc::new(Client::new(config.timeouts)))
    }

    /// The model that a configuration means, over another transport. Fails like [`open`](Self::open).
    pub fn model_over(&self, config: &Config, transport: Arc<dyn Transport>) -> Result<Remote> {
        Remote::new(config, (self.open)(config)?, transport)
    }

    /// The embedder that a configuration means, over a network client of its own. Fails like
    /// [`embed`](Self::embed), and with `model-unsupported` where the provider has no embeddings.
    pub fn embedder(&self, config: &Config, options: &embed::Options) -> Result<embed::Remote> {
        self.embedder_over(config, options, Arc::new(Client::new(config.timeouts)))
    }

    /// The embedder that a configuration means, over another transport. Fails like [`embedder`](Self::embedder).
    pub fn embedder_over(
        &self,
        config: &Config,
        options: &embed::Options,
        transport: Arc<dyn Transport>,
    ) -> Result<embed::Remote> {
        let Some(open) = self.embed else { return Err(self.has_no_embeddings()) };
        let asked = options.known.dimensions.asked(&config.id, options.dimensions)?;
        embed::Remote::new(config, options, open(config, asked)?, transport)
    }

    fn has_no_embeddings(&self) -> Error {
        let able = Self::ALL.iter().filter(|provider| provider.embed.is_some());
        let able = able.map(|provider| format!("`{}`", provider.name)).collect::<Vec<_>>().join(", ");
        Error::new(Code::ModelUnsupported, format!("the provider `{}` has no embeddings", self.name))
            .with_help(format!("these have them: {able}"))
    }

    /// The environment variable that usually holds its key.
    pub fn key_variable(&self) -> Option<&'static str> {
        self.key_variables.first().copied()
    }

    /// Where it is, with these settings. Fails with `input-invalid` where one is missing that the address needs, or would
    /// make it another server's: keys are sent there.
    pub fn address(&self, options: &BTreeMap<String, String>) -> Result<String> {
        let mut address = String::new();
        let is_given = |key, value| self.option(options, key).is_ok_and(|given| given == value);
        let moved = self.elsewhere.iter().find(|(key, value, _)| is_given(*key, *value));
        let mut rest = moved.map_or(self.base_url, |(_, _, address)| *address);
        while let Some((before, after)) = rest.split_once('{') {
            let (key, after) = after.split_once('}').unwrap_or((after, ""));
            address.push_str(before);
            address.push_str(self.part_of_address(options, key)?);
            rest = after;
        }
        address.push_str(rest);
        Ok(address)
    }

    /// Whether a setting is a part of its address.
    pub fn is_in_address(&self, key: &str) -> bool {
        let addresses = self.elsewhere.iter().map(|(_, _, address)| *address).chain([self.base_url]);
        let part = format!("{{{key}}}");
        addresses.into_iter().any(|address| address.contains(&part))
    }

    fn part_of_address<'a>(&self, options: &'a BTreeMap<String, String>, key: &str) -> Result<&'a str> {
        let value = self.option(options, key)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        match value.chars().all(is_plain) {
            true => Ok(value),
            false => Err(Error::new(
                Code::InputInvalid,
                format!("the `{key}` of the provider `{}` cannot be `{value}`", self.name),
            )
            .with_help(
                "write letters, digits, `-`, `_`, `.` and `:`; another server is named by `base_url`",
            )),
        }
    }

    /// A setting's value or default. Fails with `input-invalid` where there is neither.
    pub fn option<'a>(&self, options: &'a BTreeMap<String, String>, key: &str) -> Result<&'a str> {
        let setting = self.options.iter().find(|setting| setting.key == key);
        let value = options.get(key).map(String::as_str).filter(|value| !value.trim().is_empty());
        value.or_else(|| setting.and_then(|setting| setting.default)).ok_or_else(|| {
            let variable = setting.and_then(|setting| setting.variables.first());
            let or =
                variable.map_or_else(String::new, |variable| format!(", or {variable} in the environment"));
            Error::new(Code::InputInvalid, format!("the provider `{}` needs a `{key}`", self.name))
                .with_help(format!("set `{key}` of the model in `adjutant.toml`{or}"))
        })
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Provider {}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_never_names_another_server() {
        let bedrock = Provider::named("bedrock").unwrap();
        let at = |region: &str| bedrock.address(&BTreeMap::from([("region".to_owned(), region.to_owned())]));
        assert_eq!(at("eu-west-1").unwrap(), "https://bedrock-runtime.eu-west-1.amazonaws.com");
        for region in ["evil.example/#", "evil.example?", "x@evil.example", "evil.example\\", "a b", "ä"] {
            let error = at(region).unwrap_err();
            assert_eq!(error.code(), Code::InputInvalid, "{region}");
            assert!(error.message().contains("the `region` of the provider `bedrock`"), "{error}");
        }
    }
}
