//! Keys: whichever provider gets one, and wherever it comes from, it is seen nowhere but there.

use std::path::Path;
use std::sync::Mutex;

use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider, Received};

use crate::sandbox::{Sandbox, sees};

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
    /// The vault of the project.
    Vault,
}

const WAYS: [Way; 7] = [
    Way::Environment,
    Way::File,
    Way::Command,
    Way::SecretHeader,
    Way::WrittenHeader,
    Way::Account,
    Way::Vault,
];

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
            Self::Vault => {
                let kept = sandbox.run_with_input(&["secrets", "set", "api"], canary);
                assert!(kept.contains("`api` is kept"), "{kept}");
                "key = { vault = \"api\" }".to_owned()
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
        for arguments in [&["config", "show", "--all"][..], &["secrets", "list"]] {
            seen.push_str(&format!("{:?}\n", sandbox.output(arguments)));
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

/// A project with two secrets, one of which nobody has put anywhere yet.
fn vault() -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [calculator]");
    sandbox.write("adjutant.toml", "[secrets]\napi = { vault = true }\nother = { vault = \"shared\" }\n");
    sandbox
}

#[test]
fn secrets_are_kept_listed_rotated_and_removed() {
    let sandbox = vault();
    sees!(sandbox.run_with_input(&["secrets", "set", "api"], "canary-0123456789\n"), @"
    exit 0
    --- stderr
    `api` is kept
    ");
    sees!(sandbox.run_with_input(&["secrets", "set", "spare"], "canary-spare"), @"
    exit 0
    --- stderr
    `spare` is kept
    name it in adjutant.toml: `[secrets]` and `spare = { vault = true }`
    ");
    sees!(sandbox.run(&["secrets"]), @"
    exit 0
    --- stdout
    secret  place  state
    api     `api` in the vault of the project  there
    other   `shared` in the vault of the project  the vault holds no secret `shared`
    spare   `spare` in the vault of the project, not named under `[secrets]`  there
    ");
    let sealed = || sandbox.read(".adjutant/vault/secret.api.sealed");
    let before = sealed();
    assert!(!before.contains("canary"));
    sees!(sandbox.run(&["secrets", "rotate", "--forget-old"]), @"
    exit 0
    --- stdout
    sealed anew: 2, signed anew: 0, old keys forgotten: 1
    ");
    assert_ne!(sealed(), before, "it is sealed anew");
    sees!(sandbox.run(&["secrets", "remove", "spare"]), @"
    exit 0
    --- stderr
    `spare` is removed
    ");
    sees!(sandbox.run(&["secrets", "remove", "spare"]), @"
    exit 2
    --- stderr
    error[not-found]: the vault holds no secret `spare`

    hint: `adjutant secrets list` lists those that there are
    ");
    sees!(sandbox.run(&["config", "check"]), @"
    exit 2
    --- stderr
    error[not-found]: the secret `other` cannot be had: the vault holds no secret `shared`

    hint: put it there: `adjutant secrets set shared`
    ");
    sees!(sandbox.run_with_input(&["secrets", "set", "a/b"], "x"), @"
    exit 2
    --- stderr
    error[input-invalid]: `a/b` cannot be the name of a secret

    hint: use 1 to 100 characters of a-z, A-Z, 0-9, - and _
    ");
    sees!(sandbox.run_with_input(&["secrets", "set", "api"], " \n"), @"
    exit 2
    --- stderr
    error[input-invalid]: a secret has 1 to 65536 bytes
    ");
    // What was sealed before the old keys were forgotten does not open any more, and says what to do.
    sandbox.write(".adjutant/vault/secret.api.sealed", &before);
    sees!(sandbox.run(&["secrets", "list"]), @"
    exit 0
    --- stdout
    secret  place  state
    api     `api` in the vault of the project     `[folder]/.adjutant/vault/secret.api.sealed` was sealed with another key
    other   `shared` in the vault of the project  the vault holds no secret `shared`
    ");
}

#[test]
fn whoever_is_killed_while_keys_change_has_lost_nothing() {
    let sandbox = vault();
    for name in ["api", "shared"] {
        sandbox.run_with_input(&["secrets", "set", name], &format!("canary-of-{name}"));
    }
    for wait in 0..12 {
        let mut child = sandbox.command(&["secrets", "rotate"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait * 4));
        child.kill().unwrap();
        child.wait().unwrap();
        let listed = sandbox.json(&["secrets", "list"]);
        let missing = listed.as_array().unwrap().iter().filter(|secret| !secret["missing"].is_null()).count();
        assert_eq!(missing, 0, "after {wait}: {listed}");
    }
    sandbox.run(&["secrets", "rotate", "--forget-old"]);
    let listed = sandbox.json(&["secrets", "list"]);
    assert!(listed.as_array().unwrap().iter().all(|secret| secret["missing"].is_null()), "{listed}");
}

#[test]
fn a_vault_does_not_keep_its_own_key() {
    let sandbox = vault();
    sandbox.write("adjutant.toml", "[secrets]\nroot = { vault = true }\n[vault]\nkey = \"root\"\n");
    sees!(sandbox.run(&["config", "check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: the key of the vault, `root`, cannot be in the vault
     --> adjutant.toml:3:1
      |
    3 | [vault]
      | ^

    hint: say another place: `root = { file = "..." }` under `[secrets]`

    error[not-found]: the secret `root` cannot be had: the vault holds no secret `root`

    hint: put it there: `adjutant secrets set root`
    "#);
}
