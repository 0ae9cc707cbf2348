//! Keys: whichever provider gets one, and wherever it comes from, it is seen nowhere but there.

use std::path::Path;
use std::sync::Mutex;

use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider, Received};

use crate::sandbox::Sandbox;

/// Where a key may come from.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// An environment variable.
    Environment,
    /// A file.
    File,
    /// A command, which prints another one each time.
    Command,
    /// A header that holds a whole secret.
    SecretHeader,
    /// A header that is written in the project's file, with a part from the environment.
    WrittenHeader,
    /// The keys of an account, of which one is a token that is sent.
    Account,
}

const WAYS: [Way; 6] =
    [Way::Environment, Way::File, Way::Command, Way::SecretHeader, Way::WrittenHeader, Way::Account];

impl Way {
    /// Whether a provider can be told a key in this way.
    fn fits(self, provider: &str) -> bool {
        !matches!(self, Self::Account) || provider == "bedrock"
    }

    /// Plants canaries, and says where they are.
    fn plant(self, sandbox: &mut Sandbox, canary: &str) -> String {
        match self {
            Self::Environment => {
                sandbox.set("MOCK_KEY", canary);
                "key = { env = \"MOCK_KEY\" }".to_owned()
            }
            Self::File => {
                sandbox.write("secret/key", &format!("{canary}\n"));
                "key = { file = \"secret/key\" }".to_owned()
            }
            Self::Command => {
                let script = format!(
                    "#!/bin/sh\necho x >> secret/count\necho \"{canary}$(wc -l < secret/count | tr -d ' ')\"\n"
                );
                sandbox.write("secret/count", "").program("secret/print", &script);
                "key = { command = [\"secret/print\"] }".to_owned()
            }
            Self::SecretHeader => {
                sandbox.set("MOCK_HEADER", &format!("Bearer {canary}"));
                "headers = { Authorization = { env = \"MOCK_HEADER\" } }".to_owned()
            }
            Self::WrittenHeader => {
                sandbox.set("MOCK_KEY", canary);
                "headers = { \"X-Api-Key\" = \"${MOCK_KEY}\", Authorization = \"Bearer ${MOCK_KEY}\" }"
                    .to_owned()
            }
            Self::Account => {
                sandbox.set("A", "AKIDEXAMPLE").set("B", &format!("{canary}/b")).set("C", canary);
                "access_key_id = { env = \"A\" }\nsecret_access_key = { env = \"B\" }\nsession_token = { env = \"C\" }"
                    .to_owned()
            }
        }
    }
}

/// A provider that refuses the first request and takes the next ones, and that repeats every header in all it says: in
/// the refusal, in a header, in the text, in an event that nobody knows.
fn parrot() -> impl Fn(&Received) -> Answer + Send + Sync {
    let heard: Mutex<(bool, Vec<String>)> = Mutex::default();
    move |received| {
        let values = received.headers.values().filter_map(|value| value.to_str().ok());
        let mut heard = heard.lock().expect("nobody panics");
        let (has_refused, words) = &mut *heard;
        words.extend(values.map(str::to_owned));
        let all = words.join(" ");
        if !std::mem::replace(has_refused, true) {
            return Answer::status(401, &format!("this key is wrong: {all}"));
        }
        // What an earlier process used, the next one cannot know.
        words.clear();
        // In one piece, where it can be found: who would hide it in many can also write it backwards.
        let answer = Answer::text(format!("You are {all}.")).reasoning(&all);
        answer.header("x-request-id", &all).with(Fault::Whole)
    }
}

/// Has a provider told a key in every way, lets it repeat the key in all that it says, and looks for the key in all that is
/// printed, recorded and stored.
async fn check(provider: &str, interface: Interface, more: &str) {
    for way in WAYS.into_iter().filter(|way| way.fits(provider)) {
        let mock = MockProvider::responding(parrot()).any_key().start().await.expect("a port");
        let mut sandbox = Sandbox::with_agent("tools: [calculator]");
        let canary = format!("Canary+of/{way:?}0123456789");
        let planted = way.plant(&mut sandbox, &canary);
        let base_url = match provider {
            "vertex" => format!("http://{}/v1beta1/projects/p/locations/global", mock.address()),
            _ => mock.base_url_of(interface),
        };
        sandbox.write(
            "adjutant.toml",
            &format!(
                "[models.main]\nprovider = \"{provider}\"\nmodel = \"mock\"\nbase_url = \"{base_url}\"\n\
                 {more}\n{planted}\nabilities = {{ reasoning = true }}\n"
            ),
        );
        let mut seen = String::new();
        for cassette in ["one.jsonl", "two.jsonl"] {
            let arguments = ["run", "Who am I?", "--show-requests", "--record", cassette];
            seen.push_str(&format!("{:?}\n", sandbox.output(&arguments)));
        }
        seen.push_str(&format!("{:?}\n", sandbox.output(&["doctor"])));
        let was_told = mock.headers().iter().any(|headers| format!("{headers:?}").contains(&canary));
        assert!(was_told, "{way:?}: the key was not sent, so nothing could be seen: {seen}");
        assert!(seen.contains("You are") && seen.contains("[secret]"), "{way:?}: {seen}");
        assert!(!seen.contains(&canary), "{way:?}: it is told: {seen}");
        for (file, bytes) in files(&sandbox.path(".")) {
            let is_there = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!is_there, "{way:?}: it is in {file}");
        }
    }
}

macro_rules! no_key_is_seen {
    ($($test:ident: $provider:literal, $interface:ident, $more:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            check($provider, Interface::$interface, $more).await;
        }
    )*};
}

no_key_is_seen! {
    of_openai: "openai", Chat, "";
    of_a_preset: "groq", Chat, "";
    of_azure: "azure", Chat, "resource = \"r\"";
    of_responses: "openai-responses", Responses, "";
    of_anthropic: "anthropic", Messages, "";
    of_gemini: "gemini", Gemini, "";
    of_vertex: "vertex", Gemini, "project = \"p\"";
    of_bedrock: "bedrock", Converse, "region = \"eu-central-1\"";
}

/// All files but those in which a canary was put, with what is in them.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("secret") {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
    found
}
