//! The local embedder, on small models of random weights, against another computation of the same.

#![cfg(test)]
#![cfg(feature = "local-embeddings")]

mod model;
mod plain;

use adjutant_core::usage::Usage;
use adjutant_core::{Code, Result};
use adjutant_model::Call;
use adjutant_model::embed::{Embedder, Embeddings, Local, Purpose};
use model::Made;
use serde_json::json;

const TEXTS: [&str; 4] = ["red", "the red fish", "blue fish the red fish", "a word that nobody knows"];

fn texts() -> Vec<String> {
    TEXTS.map(str::to_owned).to_vec()
}

async fn embed(made: &Made, texts: Vec<String>, purpose: Purpose) -> Result<Embeddings> {
    Local::open("local/tiny", made.path(), None)?.embed(texts, purpose, Call::default()).await
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    let distance = got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(distance < 1e-5, "{distance}: {got:?} {expected:?}");
}

#[tokio::test]
async fn vectors_are_those_of_another_computation() {
    let first = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false});
    let mean = json!({"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true});
    let cases = [
        ("bert", "gelu", None, false),
        ("bert", "relu", Some(&mean), false),
        ("bert", "gelu_new", Some(&first), true),
        ("xlm-roberta", "gelu", Some(&first), true),
        ("roberta", "gelu", Some(&json!({"pooling_mode": "mean"})), false),
    ];
    for (kind, activation, pooling, prefixed) in cases {
        let made = Made::new(kind, activation, prefixed);
        if let Some(pooling) = pooling {
            made.write("1_Pooling/config.json", pooling);
        }
        let embeddings = embed(&made, texts(), Purpose::Document).await.unwrap();
        for (vector, text) in embeddings.vectors.iter().zip(TEXTS) {
            let expected = plain::vector(&made, text, pooling == Some(&first));
            assert_close(vector, &expected);
        }
        let tokens = TEXTS.map(|text| text.split(' ').count() as u64 + 2).iter().sum();
        assert_eq!(embeddings.usage, Some(Usage { input: tokens, ..Usage::default() }));
        let alone = embed(&made, vec![TEXTS[1].into()], Purpose::Document).await.unwrap();
        assert_eq!(alone.vectors[0], embeddings.vectors[1], "a vector depends on its text alone");
    }
}

#[tokio::test]
async fn prompts_stand_before_texts() {
    let made = Made::new("bert", "gelu", false);
    let prompts = json!({"query": "the ", "document": "BLUE "});
    made.write(
        "config_sentence_transformers.json",
        &json!({"prompts": prompts, "default_prompt_name": null}),
    );
    made.write("sentence_bert_config.json", &json!({"max_seq_length": 9, "do_lower_case": true}));
    let query = embed(&made, vec!["Red".into()], Purpose::Query).await.unwrap();
    assert_close(&query.vectors[0], &plain::vector(&made, "the red", false));
    let document = embed(&made, vec!["Red".into()], Purpose::Document).await.unwrap();
    assert_close(&document.vectors[0], &plain::vector(&made, "blue red", false));
}

#[tokio::test]
async fn a_text_that_is_too_long_is_named_before_any_work() {
    let made = Made::new("bert", "gelu", false);
    let open = Local::open("local/tiny", made.path(), Some(8)).unwrap();
    assert_eq!((open.profile().dimensions, open.profile().most_tokens), (Some(8), Some(12)));
    let fits = vec!["red ".repeat(10)];
    assert!(embed(&made, fits.clone(), Purpose::Query).await.is_ok());
    let error = embed(&made, vec!["red".into(), "red ".repeat(11)], Purpose::Query).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelContextExceeded);
    assert_eq!(error.message(), "text 2 of 2 has 13 tokens, and the model `local/tiny` reads at most 12");
    made.write("sentence_bert_config.json", &json!({"max_seq_length": 11}));
    assert_eq!(embed(&made, fits, Purpose::Query).await.unwrap_err().code(), Code::ModelContextExceeded);
    // RoBERTa's first positions belong to no token.
    let roberta = Made::new("roberta", "gelu", false);
    let open = Local::open("local/tiny", roberta.path(), None).unwrap();
    assert_eq!(open.profile().most_tokens, Some(10));
    let error = embed(&made, vec!["red".into(), " ".into()], Purpose::Query).await.unwrap_err();
    assert_eq!(error.code(), Code::InputInvalid);
}

#[tokio::test]
async fn a_cancelled_call_makes_no_vectors() {
    let made = Made::new("bert", "gelu", false);
    let open = Local::open("local/tiny", made.path(), None).unwrap();
    let call = Call::default();
    call.cancel.cancel();
    let error = open.embed(texts(), Purpose::Query, call).await.unwrap_err();
    assert_eq!(error.code(), Code::RunCancelled);
}

#[test]
fn what_is_no_such_model_is_refused() {
    type Change = fn(&Made);
    let cases: [(&str, Code, Change); 13] = [
        ("config.json` of the local model cannot be read", Code::FileUnreadable, |made| {
            made.remove("config.json");
        }),
        ("tokenizer.json` of the local", Code::FileUnreadable, |made| made.remove("tokenizer.json")),
        ("model.safetensors` of the local", Code::FileUnreadable, |made| made.remove("model.safetensors")),
        ("missing field `model_type`", Code::InputInvalid, |made| made.write("config.json", &json!({}))),
        ("`mpnet` is none of the families", Code::ModelUnsupported, |made| {
            made.set("model_type", json!("mpnet"));
        }),
        ("activation `tanhshrink`", Code::ModelUnsupported, |made| {
            made.set("hidden_act", json!("tanhshrink"));
        }),
        ("not absolute", Code::ModelUnsupported, |made| {
            made.set("position_embedding_type", json!("relative_key"));
        }),
        ("must be a multiple", Code::InputInvalid, |made| made.set("num_attention_heads", json!(3))),
        ("must be a multiple", Code::InputInvalid, |made| made.set("num_attention_heads", json!(0))),
        ("shape mismatch", Code::InputInvalid, |made| made.set("intermediate_size", json!(17))),
        ("tensor `encoder.layer.2.attention.self.query.weight` not found", Code::InputInvalid, |made| {
            made.set("num_hidden_layers", json!(3));
        }),
        ("it has 10 tokens, and the model of `config.json` knows 9", Code::InputInvalid, |made| {
            made.set("vocab_size", json!(9));
        }),
        ("a way that is not known", Code::ModelUnsupported, |made| {
            made.write("1_Pooling/config.json", &json!({"pooling_mode_max_tokens": true}));
        }),
    ];
    for (why, code, change) in cases {
        let made = Made::new("bert", "gelu", false);
        change(&made);
        let error = Local::open("local/tiny", made.path(), None).unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.to_string().contains(why), "{why}: {error:?}");
    }
    let modules = |path: &str, kind: &str| {
        let made = Made::new("bert", "gelu", false);
        made.write("modules.json", &json!([{"path": path, "type": kind}]));
        Local::open("local/tiny", made.path(), None).map(|_| ())
    };
    assert_eq!(modules("", "sentence_transformers.models.Transformer"), Ok(()));
    let dense = modules("2_Dense", "sentence_transformers.models.Dense").unwrap_err();
    assert_eq!(dense.code(), Code::ModelUnsupported);
    let outside = modules("../elsewhere", "sentence_transformers.models.Pooling").unwrap_err();
    assert_eq!(outside.code(), Code::InputInvalid);
    let made = Made::new("bert", "gelu", false);
    let error = Local::open("local/tiny", made.path(), Some(4)).unwrap_err();
    assert_eq!(
        error.message(),
        "a vector of the model `local/tiny` cannot have 4 dimensions: it has always 8"
    );
    for broken in [b"".as_slice(), b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", b"\x02\0\0\0\0\0\0\0{}"] {
        std::fs::write(made.path().join("model.safetensors"), broken).unwrap();
        let error = Local::open("local/tiny", made.path(), None).unwrap_err();
        assert_eq!(error.code(), Code::InputInvalid, "{error:?}");
    }
}
