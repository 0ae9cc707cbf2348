//! A small model of random weights, in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const HIDDEN: usize = 8;
pub(crate) const HEADS: usize = 2;
pub(crate) const LAYERS: usize = 2;
pub(crate) const WIDE: usize = 16;
const POSITIONS: usize = 12;
const WORDS: [&str; 10] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "red", "blue", "fish", "word", "a"];

/// Weights by name, without the prefix of the family: their shape and their numbers.
pub(crate) type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A model in a folder.
pub(crate) struct Made {
    folder: TempDir,
    pub(crate) weights: Weights,
    pub(crate) activation: String,
    pub(crate) first_position: usize,
    config: Value,
}

impl Made {
    pub(crate) fn new(kind: &str, activation: &str, prefixed: bool) -> Self {
        let family = if kind == "bert" { "bert." } else { "roberta." };
        let made = Self {
            folder: TempDir::new().unwrap(),
            weights: weights(),
            activation: activation.to_owned(),
            first_position: if kind == "bert" { 0 } else { 2 },
            config: json!({
                "model_type": kind, "vocab_size": WORDS.len(), "hidden_size": HIDDEN, "num_hidden_layers": LAYERS,
                "num_attention_heads": HEADS, "intermediate_size": WIDE, "hidden_act": activation,
                "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
                "pad_token_id": 1, "architectures": ["Some"],
            }),
        };
        made.write("config.json", &made.config);
        made.write("tokenizer.json", &tokenizer());
        let prefix = if prefixed { family } else { "" };
        fs::write(made.path().join("model.safetensors"), safetensors(&made.weights, prefix)).unwrap();
        made
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of JSON.
    pub(crate) fn write(&self, name: &str, value: &Value) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, value.to_string()).unwrap();
    }

    /// Says something else in `config.json`.
    pub(crate) fn set(&self, key: &str, value: Value) {
        let mut config = self.config.clone();
        config[key] = value;
        self.write("config.json", &config);
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    /// The numbers of the words of a text, with those that stand around it.
    pub(crate) fn tokens(&self, text: &str) -> Vec<usize> {
        let number = |word: &str| WORDS.iter().position(|known| *known == word).unwrap_or(1);
        std::iter::once(2).chain(text.split(' ').map(number)).chain([3]).collect()
    }
}

fn weights() -> Weights {
    let mut state = 42_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    let mut weights = Weights::new();
    let mut add = |name: String, shape: &[usize]| {
        let numbers = (0..shape.iter().product()).map(|_| random()).collect();
        weights.insert(name, (shape.to_vec(), numbers));
    };
    for (table, rows) in [("word", WORDS.len()), ("position", POSITIONS), ("token_type", 2)] {
        add(format!("embeddings.{table}_embeddings.weight"), &[rows, HIDDEN]);
    }
    // The names of older files.
    add("embeddings.LayerNorm.gamma".into(), &[HIDDEN]);
    add("embeddings.LayerNorm.beta".into(), &[HIDDEN]);
    for layer in 0..LAYERS {
        let mut linear = |name: &str, from: usize, to: usize| {
            add(format!("encoder.layer.{layer}.{name}.weight"), &[to, from]);
            add(format!("encoder.layer.{layer}.{name}.bias"), &[to]);
        };
        for name in
            ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
        {
            linear(name, HIDDEN, HIDDEN);
        }
        linear("intermediate.dense", HIDDEN, WIDE);
        linear("output.dense", WIDE, HIDDEN);
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(format!("encoder.layer.{layer}.{name}.weight"), &[HIDDEN]);
            add(format!("encoder.layer.{layer}.{name}.bias"), &[HIDDEN]);
        }
    }
    weights
}

/// The format: the length of a header in eight bytes, the header in JSON, and the numbers.
fn safetensors(weights: &Weights, prefix: &str) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, (shape, numbers)) in weights {
        let begin = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let place = json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(format!("{prefix}{name}"), place);
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// One that would cut and fill up, if it were let.
fn tokenizer() -> Value {
    let special = |name: &str, id: usize| json!({"id": name, "ids": [id], "tokens": [name]});
    let around = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let single = json!([around("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}, around("[SEP]")]);
    let words: serde_json::Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| ((*word).to_owned(), json!(id))).collect();
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]",
        },
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": single,
            "special_tokens": {"[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3)},
        },
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
    })
}
