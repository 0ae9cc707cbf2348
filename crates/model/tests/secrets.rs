//! Keys that are read anew for each request: a provider that repeats one repeats it to nobody.

#![cfg(test)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use adjutant_core::message::Message;
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Result};
use adjutant_model::bedrock::BEDROCK;
use adjutant_model::cassette::Recorder;
use adjutant_model::embed::{Embedder, Options, Purpose};
use adjutant_model::openai::OPENAI;
use adjutant_model::provider::Config;
use adjutant_model::transport::{Client, Incoming, Outgoing, Renewal, Timeouts, Transport, Witnessed};
use adjutant_model::{Call, Model, Request, collect};
use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider, Received};
use futures::future::BoxFuture;

const AMAZON: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com";

/// Carries to the mock what is meant for somebody else.
#[derive(Debug)]
struct Diverted {
    to: String,
    client: Client,
}

impl Transport for Diverted {
    fn send(&self, mut outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        let address = format!("{}{}", self.to, outgoing.url.path());
        outgoing.url = address.parse().unwrap();
        self.client.send(outgoing)
    }
}

/// Repeats every header that it was sent, in a refusal or in an answer.
fn parrot(refuses: bool) -> impl Fn(&Received) -> Answer + Send + Sync {
    move |request| {
        let said = format!("{:?}", request.headers);
        match refuses {
            true => Answer::status(403, &said),
            // Frames of an event stream hold it as well as a whole answer does.
            false => Answer::chunks([
                serde_json::json!({"messageStart": {"role": "assistant"}}),
                serde_json::json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": said}}}),
                serde_json::json!({"messageStop": {"stopReason": "end_turn"}}),
                serde_json::json!({"somethingNew": {"said": said}}),
            ]),
        }
    }
}

fn write(path: &Path, number: u32) -> [String; 2] {
    let (secret, token) =
        (format!("sekret/{number}/0123456789+"), format!("token/{number}/0123456789abcdef=="));
    let text = format!(
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {secret}\naws_session_token = {token}\n"
    );
    std::fs::write(path, text).unwrap();
    [secret, token]
}

#[tokio::test]
async fn keys_of_a_file_that_changes_are_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    for refuses in [true, false] {
        let cassette = folder.path().join(format!("{refuses}.jsonl"));
        let mock = MockProvider::responding(parrot(refuses)).any_key().start().await.unwrap();
        let diverted =
            Diverted { to: format!("http://{}", mock.address()), client: Client::new(Timeouts::default()) };
        let recorder = Arc::new(Recorder::create(&cassette).unwrap());
        let witness = Arc::clone(&recorder);
        let transport = Arc::new(Witnessed::new(Arc::new(diverted), witness, Arc::new(AtomicU64::new(0))));
        let mut secrets = write(&file, 0).to_vec();
        let mut config = Config::new("bedrock/m", AMAZON, "m");
        config.options.insert("credentials_file".into(), file.display().to_string());
        let model = BEDROCK.model_over(&config, transport).unwrap();
        let mut seen = String::new();
        for number in 1..4 {
            secrets.extend(write(&file, number));
            let asked = model.stream(Request::new([Message::user("hi")]), Call::default()).await;
            let answer = match asked {
                Ok(deltas) => collect(deltas, |delta| seen.push_str(&format!("{delta:?}\n"))).await,
                Err(error) => Err(error),
            };
            assert_eq!(answer.is_err(), refuses, "{answer:?}");
            seen.push_str(&format!("{answer:?} {model:?} {config:?}\n"));
        }
        recorder.finish().unwrap();
        let sent: String = mock.headers().iter().map(|headers| format!("{headers:?}")).collect();
        assert!(secrets.iter().skip(2).filter(|secret| sent.contains(*secret)).count() == 3, "{sent}");
        assert!(seen.contains("[secret]"), "{seen}");
        let cassette = std::fs::read_to_string(&cassette).unwrap();
        for secret in secrets {
            assert!(!seen.contains(&secret), "`{secret}` is told: {seen}");
            assert!(!unpacked(&cassette).contains(&secret), "`{secret}` is recorded");
        }
    }
}

/// A cassette with what stands in base 64 beside it.
fn unpacked(cassette: &str) -> String {
    let lines = cassette.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let bytes = lines.filter_map(|line| aws_smithy_types::base64::decode(line["base64"].as_str()?).ok());
    bytes.fold(cassette.to_owned(), |text, bytes| text + &String::from_utf8_lossy(&bytes))
}

#[tokio::test]
async fn a_token_that_was_renewed_is_hidden_and_serves_embeddings_too() {
    let (old, new) = ("old-token-0123456789", "new-token-0123456789");
    let answers = move |request: &Received| {
        let given = format!("{:?}", request.headers["authorization"]);
        match given.contains(new) {
            true => Answer::status(400, &format!("no such thing, {given}")),
            false => Answer::status(401, &given),
        }
    };
    let mock = MockProvider::responding(answers).any_key().start().await.unwrap();
    let mut config = Config::new("openai/m", mock.base_url_of(Interface::Chat), "m");
    config.key = Some(Secret::new(old));
    config.renew = Some(Renewal::new(move || Ok(Secret::new(new))));
    let model = OPENAI.model(&config).unwrap();
    let embedder = OPENAI.embedder(&config, &Options::default()).unwrap();
    let asked = model.stream(Request::new([Message::user("hi")]), Call::default()).await;
    let embedded = embedder.embed(vec!["hi".into()], Purpose::Query, Call::default()).await;
    for error in [asked.err().unwrap(), embedded.err().unwrap()] {
        assert_eq!(error.code(), Code::ModelRequestRefused, "the new token was taken: {error:?}");
        let told = format!("{error:?} {model:?} {embedder:?}");
        assert!(told.contains("[secret]") && !told.contains(old) && !told.contains(new), "{told}");
    }
    let header = |headers: &http::HeaderMap| headers["authorization"].to_str().unwrap().to_owned();
    let sent: Vec<String> = mock.headers().iter().map(header).collect();
    assert_eq!(sent, [old, new, old, new].map(|token| format!("Bearer {token}")));
}

#[tokio::test]
async fn what_may_be_a_word_is_left_in_what_a_model_says() {
    let answer =
        Answer::text("Any key will do, such as not-needed or sk-0123456789abcdef.").with(Fault::Whole);
    let mock = MockProvider::answering([answer]).any_key().start().await.unwrap();
    let mut config = Config::new("openai/m", mock.base_url(), "m");
    config.key = Some(Secret::new("not-needed"));
    config.headers.insert("x-other".into(), Secret::new("sk-0123456789abcdef"));
    let model = OPENAI.model(&config).unwrap();
    let deltas = model.stream(Request::new([Message::user("hi")]), Call::default()).await.unwrap();
    let answer = collect(deltas, |_| {}).await.unwrap();
    assert_eq!(answer.message.text(), "Any key will do, such as not-needed or [secret].");
}
