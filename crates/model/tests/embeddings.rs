//! Embeddings against the mock provider, which checks every request.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::secret::Secret;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_model::catalogue::Catalogue;
use adjutant_model::embed::{Dimensions, Embedder, Embeddings, Known, Options, Purpose};
use adjutant_model::layer::{breaker, limit, retry};
use adjutant_model::provider::{Config, Provider};
use adjutant_model::transport::{Client, Incoming, Outgoing, Timeouts, Transport};
use adjutant_model::{Call, Note};
use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider, Received, vector_of};
use futures::future::BoxFuture;
use serde_json::{Value, json};

const KEY: &str = "a-right-key-of-forty-characters-in-all-1";

/// Texts that differ.
fn texts(number: usize) -> Vec<String> {
    (1..=number).map(|number| format!("text {number}")).collect()
}

/// The mock's vector of a text with the length 1.
fn unit(text: &str, dimensions: usize) -> Vec<f32> {
    let vector = vector_of(text, dimensions);
    let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    vector.iter().map(|number| (f64::from(*number) / length) as f32).collect()
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    let distance = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(distance < 1e-6, "{distance}");
}

/// Retries that take no time.
fn options(dimensions: Option<usize>) -> Options {
    let retry = retry::Policy { first_wait: Duration::from_millis(1), ..retry::Policy::default() };
    Options { dimensions, retry, ..Options::default() }
}

fn config(mock: &MockProvider, provider: &str, model: &str) -> Config {
    let mut base_url = match provider {
        "gemini" => mock.base_url_of(Interface::Gemini),
        "bedrock" => mock.base_url_of(Interface::Converse),
        _ => mock.base_url_of(Interface::Chat),
    };
    if provider == "vertex" {
        base_url = base_url.replace("/v1", "/v1beta1/projects/p/locations/global");
    }
    let mut config = Config::new("mine", base_url, model);
    config.key = Some(Secret::new(KEY));
    config
}

fn openai(mock: &MockProvider, options: &Options) -> impl Embedder {
    Provider::named("openai").unwrap().embedder(&config(mock, "openai", "m"), options).unwrap()
}

async fn embed(embedder: &dyn Embedder, texts: Vec<String>) -> Result<Embeddings> {
    embedder.embed(texts, Purpose::Document, Call::default()).await
}

#[tokio::test]
async fn every_provider_makes_vectors_in_the_order_of_the_texts() {
    let cases = [
        ("openai", "text-embedding-3-small", None, 1_536, 2, 1),
        ("openai", "text-embedding-3-small", Some(5), 5, 600, 3),
        ("ollama", "nomic-embed-text", None, 1_536, 2, 1),
        ("gemini", "gemini-embedding-001", Some(128), 128, 101, 2),
        ("gemini", "gemini-embedding-2", None, 3_072, 2, 1),
        ("vertex", "text-embedding-005", Some(128), 128, 251, 2),
        ("vertex", "gemini-embedding-001", Some(256), 256, 9, 9),
        ("vertex", "gemini-embedding-2", Some(256), 256, 9, 9),
        ("bedrock", "amazon.titan-embed-text-v1", None, 1_536, 9, 9),
        ("bedrock", "amazon.titan-embed-text-v2:0", Some(256), 256, 9, 9),
        ("bedrock", "us.cohere.embed-v4:0", Some(256), 256, 97, 2),
        ("bedrock", "cohere.embed-multilingual-v3", None, 1_024, 2, 1),
        ("bedrock", "amazon.nova-2-multimodal-embeddings-v1:0", Some(384), 384, 9, 9),
    ];
    for (provider, model, asked, dimensions, number, calls) in cases {
        let mock = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.unwrap();
        let config = config(&mock, provider, model);
        let embedder = Provider::named(provider).unwrap().embedder(&config, &options(asked)).unwrap();
        for (purpose, before) in
            [(Purpose::Document, "title: none | text: "), (Purpose::Query, "task: search result | query: ")]
        {
            let embeddings = embedder.embed(texts(number), purpose, Call::default()).await.unwrap();
            assert_eq!(embeddings.vectors.len(), number, "{model}");
            let before = if model == "gemini-embedding-2" { before } else { "" };
            for (vector, text) in embeddings.vectors.iter().zip(texts(number)) {
                assert_close(vector, &unit(&format!("{before}{text}"), dimensions));
            }
        }
        assert_eq!(mock.count(), 2 * calls, "{model}");
        mock.assert_clean();
    }
}

#[tokio::test]
async fn usage_is_the_sum_of_all_calls_or_not_known() {
    let cases = [
        ("openai", "m", true, Some(20)),
        ("gemini", "gemini-embedding-001", true, Some(30)),
        ("openai", "m", false, None),
        ("gemini", "gemini-embedding-001", false, None),
    ];
    for (provider, model, says, expected) in cases {
        let answer = move |_: &Value| if says { Answer::text("") } else { Answer::text("").without_usage() };
        let mock = MockProvider::with(answer).key(KEY).start().await.unwrap();
        let embedder = Provider::named(provider)
            .unwrap()
            .embedder(&config(&mock, provider, model), &options(Some(128)))
            .unwrap();
        let usage = embed(&embedder, texts(257)).await.unwrap().usage;
        assert_eq!(usage, expected.map(|input| Usage { input, ..Usage::default() }), "{provider}");
        mock.assert_clean();
    }
}

#[tokio::test]
async fn vectors_come_in_base64_where_that_is_asked_for() {
    let mock = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.unwrap();
    let mut config = config(&mock, "openai", "m");
    config.extra.insert("encoding_format".into(), json!("base64"));
    let embedder = Provider::named("openai").unwrap().embedder(&config, &options(Some(3))).unwrap();
    let embeddings = embed(&embedder, texts(3)).await.unwrap();
    for (vector, text) in embeddings.vectors.iter().zip(texts(3)) {
        assert_close(vector, &unit(&text, 3));
    }
    assert_eq!(mock.requests()[0]["encoding_format"], "base64");
    mock.assert_clean();
}

#[tokio::test]
async fn nothing_is_sent_that_would_be_refused() {
    let mock = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.unwrap();
    let known =
        Known { dimensions: Dimensions::Between { least: 2, usual: 4 }, most_tokens: Some(10), prices: None };
    let options = Options { known, ..options(Some(3)) };
    let embedder = openai(&mock, &options);
    assert_eq!(embedder.profile().dimensions, Some(3));
    assert_eq!(
        embed(&embedder, vec![]).await.unwrap(),
        Embeddings { vectors: vec![], usage: Some(Usage::default()) }
    );
    let cases = [
        (vec!["a".into(), " ".into()], Code::InputInvalid, "text 2 of 2 is empty"),
        (vec!["a".repeat(41)], Code::ModelContextExceeded, "text 1 of 1 has about 11 tokens"),
    ];
    for (texts, code, message) in cases {
        let error = embed(&embedder, texts).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.message().starts_with(message), "{error}");
    }
    let open = |provider: &str, options: &Options| {
        let made = Provider::named(provider).unwrap().embedder(&config(&mock, provider, "m"), options);
        made.map(|_| ()).unwrap_err()
    };
    let five = Options { dimensions: Some(5), ..options };
    let error = open("openai", &five);
    assert_eq!(error.code(), Code::ModelUnsupported);
    assert_eq!(error.message(), "a vector of the model `mine` cannot have 5 dimensions: it has from 2 to 4");
    let error = open("anthropic", &five);
    assert_eq!(error.code(), Code::ModelUnsupported);
    assert_eq!(error.message(), "the provider `anthropic` has no embeddings");
    assert!(error.help().unwrap().contains("`openai`"), "{error:?}");
    assert_eq!(mock.count(), 0);
}

#[tokio::test]
async fn a_call_is_made_again_and_its_part_is_named() {
    let refusals = AtomicUsize::new(0);
    let answer = move |request: &Received| {
        let is_last = request.body["input"][0] == "text 257";
        match is_last && refusals.fetch_add(1, Ordering::Relaxed) < 2 {
            true => Answer::status(429, "slow down").header("retry-after-ms", "1"),
            false => Answer::text(""),
        }
    };
    let mock = MockProvider::responding(answer).key(KEY).start().await.unwrap();
    let heard: Arc<Mutex<Vec<Note>>> = Arc::default();
    let notes = Arc::clone(&heard);
    let call =
        Call { listener: Some(Arc::new(move |note| notes.lock().unwrap().push(note))), ..Call::default() };
    let embedder = openai(&mock, &options(Some(2)));
    let embeddings = embedder.embed(texts(300), Purpose::Query, call).await.unwrap();
    assert_eq!((embeddings.vectors.len(), mock.count()), (300, 4));
    let is_wait = |note: &Note| matches!(note, Note::Again { model, .. } if model == "mine");
    assert!(heard.lock().unwrap().len() == 2 && heard.lock().unwrap().iter().all(is_wait));
    mock.assert_clean();
}

#[tokio::test]
async fn one_part_that_fails_fails_all() {
    let answer = |request: &Received| match request.body["input"][0] == "text 257" {
        true => Answer::status(400, "not this one"),
        false => Answer::text(""),
    };
    let mock = MockProvider::responding(answer).key(KEY).start().await.unwrap();
    let error = embed(&openai(&mock, &options(Some(2))), texts(300)).await.unwrap_err();
    assert_eq!((error.code(), error.attempts()), (Code::ModelRequestRefused, Some(1)));
    assert!(error.message().starts_with("texts 257 to 300 of 300: the provider at"), "{error}");
    assert!(error.message().ends_with("not this one (request `req_mock`)"), "{error}");

    let mock = MockProvider::with(|_| Answer::status(503, "busy")).key(KEY).start().await.unwrap();
    let error = embed(&openai(&mock, &options(Some(2))), texts(2)).await.unwrap_err();
    assert_eq!((error.code(), error.attempts(), mock.count()), (Code::ModelUnavailable, Some(4), 4));
    assert!(error.message().starts_with("the provider at"), "{error}");
}

/// What a body becomes where two texts were sent and three dimensions are wanted.
async fn answered(body: &str) -> Error {
    let answer = Answer::text("").with(Fault::Body("application/json".into(), body.to_owned()));
    let mock = MockProvider::with(move |_| answer.clone()).key(KEY).start().await.unwrap();
    let options =
        Options { retry: retry::Policy { attempts: 1, ..retry::Policy::default() }, ..options(Some(3)) };
    let error = embed(&openai(&mock, &options), texts(2)).await.unwrap_err();
    mock.assert_clean();
    error
}

#[tokio::test]
async fn vectors_that_are_none_are_refused() {
    let data = |vectors: &[Value]| {
        let data = vectors.iter().map(|vector| json!({"embedding": vector})).collect::<Vec<_>>();
        json!({"data": data}).to_string()
    };
    let right = || json!([1, 2, 3]);
    let cases = [
        ("".to_owned(), "is no list of vectors: EOF while parsing"),
        ("<html>hello</html>".to_owned(), "is no list of vectors"),
        (data(&[]), "has 0 vectors for 2 texts"),
        (data(&[right()]), "has 1 vectors for 2 texts"),
        (data(&[right(), right(), right()]), "has 3 vectors for 2 texts"),
        (data(&[right(), json!([1, 2])]), "the vector of text 2 of 2 has 2 dimensions and not 3"),
        (data(&[right(), json!([])]), "the vector of text 2 of 2 is empty"),
        (data(&[right(), json!([0, 0, 0])]), "the vector of text 2 of 2 is nothing but zeros"),
        (data(&[right(), json!([1, 2, null])]), "is no list of vectors: invalid type: null"),
        (data(&[right(), json!([1, 2, 1e300])]), "is no list of vectors: number out of range"),
        (data(&[right(), json!("AADAfwAAwH8AAMB/")]), "has something in it that is no number"),
    ];
    for (body, why) in cases {
        let error = answered(&body).await;
        assert_eq!(error.code(), Code::ModelAnswerInvalid, "{body}");
        assert!(error.message().contains(why), "{body}: {error}");
        assert_eq!(error.help().is_some(), why.contains("and not 3"), "{error:?}");
    }
    let error = answered(r#"{"error": {"message": "no room", "code": 503}}"#).await;
    assert!(error.message().contains("no room") && error.code() == Code::ModelUnavailable, "{error:?}");
}

#[tokio::test]
async fn parts_must_have_the_same_dimensions() {
    let answer = |request: &Received| {
        let texts = request.body["input"].as_array().unwrap();
        let vector = if texts.len() == 256 { json!([1, 2]) } else { json!([1, 2, 3]) };
        let data = vec![json!({"embedding": vector}); texts.len()];
        Answer::text("").with(Fault::Body("application/json".into(), json!({"data": data}).to_string()))
    };
    let mock = MockProvider::responding(answer).key(KEY).start().await.unwrap();
    let error = embed(&openai(&mock, &options(None)), texts(300)).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelAnswerInvalid);
    assert!(error.message().ends_with("has vectors of 2 and of 3 dimensions"), "{error}");
}

#[tokio::test]
async fn a_cancel_ends_all_calls() {
    let mock = MockProvider::with(|_| Answer::text("").with(Fault::Never)).key(KEY).start().await.unwrap();
    let embedder = openai(&mock, &options(None));
    let call = Call::default();
    let cancel = call.cancel.clone();
    let waits = async {
        while mock.count() < 2 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(embedder.embed(texts(300), Purpose::Document, call), waits);
    assert_eq!(answer.unwrap_err().code(), Code::RunCancelled);
}

/// Counts how many requests are under way at the same time.
#[derive(Debug)]
struct Counted {
    client: Client,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Transport for Counted {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        Box::pin(async move {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let incoming = self.client.send(outgoing).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            incoming
        })
    }
}

#[tokio::test]
async fn only_so_many_calls_are_under_way() {
    let answer = |_: &Value| Answer::text("").after(Duration::from_millis(5));
    let mock = MockProvider::with(answer).key(KEY).start().await.unwrap();
    for (concurrency, most) in [(None, 8), (Some(1), 1), (Some(3), 3)] {
        let transport = Arc::new(Counted {
            client: Client::new(Timeouts::default()),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let limits = limit::Policy { concurrency, ..limit::Policy::default() };
        let options = Options { limits, ..options(Some(256)) };
        let config = config(&mock, "bedrock", "amazon.titan-embed-text-v2:0");
        let bedrock = Provider::named("bedrock").unwrap();
        let embedder = bedrock.embedder_over(&config, &options, Arc::clone(&transport) as _).unwrap();
        let both = tokio::join!(embed(&embedder, texts(12)), embed(&embedder, texts(12)));
        assert_eq!((both.0.unwrap().vectors.len(), both.1.unwrap().vectors.len()), (12, 12));
        // A limit holds for all requests together.
        let most = if concurrency.is_none() { 2 * most } else { most };
        assert_eq!(transport.most.load(Ordering::SeqCst), most);
    }
    mock.assert_clean();
}

#[tokio::test]
async fn what_the_catalogue_knows_is_kept() {
    let mock = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.unwrap();
    let known = Catalogue::built_in().embedding("openai", "text-embedding-3-small").unwrap();
    let embedder = openai(&mock, &Options { known, ..options(Some(512)) });
    let profile = embedder.profile();
    assert_eq!((profile.dimensions, profile.most_tokens), (Some(512), Some(8_192)));
    let embeddings = embed(&embedder, texts(1)).await.unwrap();
    assert_eq!(profile.prices.unwrap().cost(&embeddings.usage.unwrap()).to_string(), "0.0000002 USD");
    mock.assert_clean();
}

#[tokio::test]
async fn a_provider_that_fails_and_fails_is_left_alone() {
    let mock = MockProvider::with(|_| Answer::status(503, "down")).key(KEY).start().await.unwrap();
    let mut options = options(None);
    options.retry.attempts = 1;
    options.breaker = breaker::Policy { failures: 2, ..breaker::Policy::default() };
    let config = config(&mock, "openai", "m");
    let embedder = Provider::named("openai").unwrap().embedder(&config, &options).unwrap();
    let mut last = String::new();
    for _ in 0..3 {
        let error = embedder.embed(texts(1), Purpose::Query, Call::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::ModelUnavailable);
        last = error.to_string();
    }
    assert!(last.contains("is left alone"), "{last}");
    assert_eq!(mock.count(), 2);
}
