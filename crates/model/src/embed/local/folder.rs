//! The files of a model, as Transformers and sentence-transformers write them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use adjutant_core::{Code, Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokenizers::Tokenizer;

use super::pooling::{self, Pooling};
use crate::embed::Purpose;

/// What the files of a model say of it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pub(super) config: Config,
    pub(super) pooling: Pooling,
    /// The most tokens of one text, with those that stand around it.
    pub(super) most_tokens: u64,
    lower_case: bool,
    prompts: Prompts,
}

/// `config.json` of an encoder.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) model_type: String,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) hidden_act: String,
    pub(super) max_position_embeddings: usize,
    #[serde(default = "Config::usual_types")]
    pub(super) type_vocab_size: usize,
    #[serde(default = "Config::usual_eps")]
    pub(super) layer_norm_eps: f64,
    #[serde(default)]
    pad_token_id: Option<usize>,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

/// What stands before a text, by what its vector is for.
#[derive(Debug, Default)]
struct Prompts {
    document: String,
    query: String,
}

impl Config {
    fn usual_types() -> usize {
        2
    }

    fn usual_eps() -> f64 {
        1e-12
    }

    /// The position of the first token. RoBERTa counts from behind the one that fills up.
    pub(super) fn first_position(&self) -> usize {
        match self.model_type.as_str() {
            "bert" => 0,
            _ => self.pad_token_id.unwrap_or(1).saturating_add(1),
        }
    }

    /// What Transformers puts before the names of its tensors, where it puts anything.
    pub(super) fn prefix(&self) -> &'static str {
        if self.model_type == "bert" { "bert" } else { "roberta" }
    }

    /// Why the encoder is none that is known here, if so.
    fn unsupported(&self) -> Option<String> {
        let known = ["bert", "roberta", "xlm-roberta", "camembert"];
        if !known.contains(&self.model_type.as_str()) {
            return Some(format!("`{}` is none of the families {}", self.model_type, known.join(", ")));
        }
        let positions = self.position_embedding_type.as_deref().unwrap_or("absolute");
        (positions != "absolute").then(|| format!("its positions are `{positions}` and not absolute"))
    }

    /// Why no encoder can be like that, if so.
    fn impossible(&self) -> Option<&'static str> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if hidden == 0 || heads == 0 || hidden % heads != 0 {
            return Some("`hidden_size` must be a multiple of `num_attention_heads`, and both more than 0");
        }
        (self.max_position_embeddings <= self.first_position()).then_some("there is no position for a token")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SentenceConfig {
    max_seq_length: Option<u64>,
    do_lower_case: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptConfig {
    prompts: HashMap<String, String>,
    default_prompt_name: Option<String>,
}

impl PromptConfig {
    fn prompts(mut self) -> Prompts {
        let usual =
            self.default_prompt_name.and_then(|name| self.prompts.get(&name).cloned()).unwrap_or_default();
        let mut named = |names: &[&str]| {
            let found = names.iter().find_map(|name| self.prompts.remove(*name));
            found.unwrap_or_else(|| usual.clone())
        };
        Prompts { document: named(&["document", "passage"]), query: named(&["query"]) }
    }
}

impl Folder {
    /// Reads what the files say. Fails like [`Local::open`](super::Local::open).
    pub(super) fn read(path: &Path) -> Result<Self> {
        let config: Config = needed(&path.join("config.json"))?;
        let at = |name: &str| path.join(name).display().to_string();
        if let Some(why) = config.unsupported() {
            let message = format!("the model in `{}` cannot be run here: {why}", path.display());
            return Err(Error::new(Code::ModelUnsupported, message));
        }
        if let Some(why) = config.impossible() {
            return Err(Error::new(Code::InputInvalid, why).at(at("config.json"), None, None));
        }
        let sentence: SentenceConfig = optional(&path.join("sentence_bert_config.json"))?.unwrap_or_default();
        let prompts: PromptConfig =
            optional(&path.join("config_sentence_transformers.json"))?.unwrap_or_default();
        let positions = config.max_position_embeddings - config.first_position();
        let positions = u64::try_from(positions).unwrap_or(u64::MAX);
        Ok(Self {
            pooling: pooling::read(path)?,
            most_tokens: sentence.max_seq_length.unwrap_or(u64::MAX).min(positions),
            lower_case: sentence.do_lower_case,
            prompts: prompts.prompts(),
            path: path.to_owned(),
            config,
        })
    }

    /// The text as the model reads it.
    pub(super) fn text<'a>(&self, text: &'a str, purpose: Purpose) -> Cow<'a, str> {
        let prompt = match purpose {
            Purpose::Document => &self.prompts.document,
            Purpose::Query => &self.prompts.query,
        };
        match (prompt.is_empty(), self.lower_case) {
            (true, false) => Cow::Borrowed(text),
            (_, false) => format!("{prompt}{text}").into(),
            (_, true) => format!("{prompt}{text}").to_lowercase().into(),
        }
    }

    /// The model's tokenizer, which neither cuts nor fills up.
    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        let path = self.path.join("tokenizer.json");
        let invalid = |why: String| {
            let message = format!("this is no tokenizer: {why}");
            Error::new(Code::InputInvalid, message).at(path.display().to_string(), None, None)
        };
        let mut tokenizer =
            Tokenizer::from_bytes(bytes(&path)?).map_err(|error| invalid(error.to_string()))?;
        tokenizer.with_truncation(None).map_err(|error| invalid(error.to_string()))?;
        tokenizer.with_padding(None);
        let (found, known) = (tokenizer.get_vocab_size(true), self.config.vocab_size);
        if found > known {
            return Err(invalid(format!(
                "it has {found} tokens, and the model of `config.json` knows {known}"
            )));
        }
        Ok(tokenizer)
    }

    /// The model's weights, and the file's name for errors.
    pub(super) fn weights(&self) -> Result<(Vec<u8>, String)> {
        let path = self.path.join("model.safetensors");
        Ok((bytes(&path)?, path.display().to_string()))
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        Error::new(
            Code::FileUnreadable,
            format!("the file `{}` of the local model cannot be read", path.display()),
        )
        .caused_by(&error)
        .with_help("a model needs `config.json`, `tokenizer.json` and `model.safetensors` in its folder")
    })
}

fn needed<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&bytes(path)?).map_err(|error| {
        Error::new(
            Code::InputInvalid,
            format!("this file of the local model is not what it should be: {error}"),
        )
        .at(path.display().to_string(), Some(error.line()), Some(error.column()))
    })
}

pub(super) fn optional<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if path.exists() { needed(path).map(Some) } else { Ok(None) }
}
