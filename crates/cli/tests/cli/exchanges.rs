//! Exchanges with providers: shown, recorded and played back; models shown and tried.

use adjutant_testkit::provider::{Answer, Fault, MockProvider};
use serde_json::json;

use crate::sandbox::{Sandbox, sees};

const KEY: &str = "sk-secret-of-the-test";

fn project(base_url: &str, more: &str) -> Sandbox {
    let mut sandbox = Sandbox::with_agent("tools: [calculator]");
    sandbox.set("MOCK_KEY", KEY);
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \
             \"{base_url}\"\nkey = {{ env = \"MOCK_KEY\" }}\nretry = {{ attempts = 2, first_wait = \"1ms\" }}\n{more}"
        ),
    );
    sandbox
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_recorded_and_played_back_without_key_and_network() {
    let answers =
        [Answer::calls([("c1", "calculate", json!({"expression": "6 * 7"}))]), Answer::text("It is 42.")];
    let provider = MockProvider::answering(answers).key(KEY).start().await.expect("a port");
    let sandbox = project(&provider.base_url(), "");
    let ran = sandbox.output(&["run", "What is 6 * 7?", "--record", "desk.jsonl"]);
    assert!(ran.status.success(), "{ran:?}");
    let base_url = provider.base_url();
    drop(provider);

    let cassette = sandbox.read("desk.jsonl");
    assert!(!cassette.contains(KEY) && cassette.lines().count() > 6, "{cassette}");

    let again = project(&base_url, "");
    again.write("desk.jsonl", &cassette);
    let mut command = again.command(&["run", "What is 6 * 7?", "--replay", "desk.jsonl"]);
    let played = command.env_remove("MOCK_KEY").output().expect("the binary");
    assert_eq!(String::from_utf8_lossy(&played.stdout), "It is 42.\n", "{played:?}");

    sees!(again.run(&["run", "What is 6 * 8?", "--replay", "desk.jsonl"]), @r#"
    exit 1
    --- stderr
    run [run]
    error[model-cassette]: the cassette `desk.jsonl` holds no answer to this request; the nearest one differs (- recorded, + now):
    - messages[1].content: "What is 6 * 7?"
    + messages[1].content: "What is 6 * 8?"

    hint: mend what differs, or record it again with `adjutant run --record FILE`
    "#);
    sees!(again.run(&["run", "Hello!", "--replay", "nothing.jsonl"]), @"
    exit 1
    --- stderr
    error[file-unreadable]: the cassette `nothing.jsonl` cannot be read
    cause: No such file or directory (os error 2)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_shown_without_the_key() {
    let provider = MockProvider::answering([Answer::text("Hello.")]).key(KEY).start().await.expect("a port");
    let sandbox = project(&provider.base_url(), "");
    let ran = sandbox.output(&["run", "Hello!", "--show-requests"]);
    let shown = String::from_utf8_lossy(&ran.stderr).into_owned();
    for part in [
        "> 1 POST http://127.0.0.1:",
        "> 1 authorization: [secret]",
        "> 1       \"content\": \"Hello!\"",
        "< 1 200",
        "< 1 x-request-id: ",
        "< 1 data: {\"",
        "< 1 end",
    ] {
        assert!(shown.contains(part), "`{part}` is not shown:\n{shown}");
    }
    assert!(!shown.contains(KEY), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_tried() {
    let answers = [
        Answer::text("").with(Fault::Refuse(503, "busy".into())),
        Answer::text("ready").header("x-ratelimit-remaining-requests", "99"),
    ];
    let provider = MockProvider::answering(answers).key(KEY).start().await.expect("a port");
    let sandbox = project(&provider.base_url(), "prices = { input = 1, output = 2 }\n");
    let tried = sandbox.output(&["models", "test"]);
    let (out, told) = (String::from_utf8_lossy(&tried.stdout), String::from_utf8_lossy(&tried.stderr));
    assert_eq!(out, "ready\n", "{told}");
    for part in [
        "busy",
        "it is asked again in ",
        "openai/mock: first piece after ",
        "10 tokens in, 5 out, 0.00002 USD",
        "x-ratelimit-remaining-requests: 99",
    ] {
        assert!(told.contains(part), "`{part}` is not told:\n{told}");
    }
    drop(provider);
    let failed = sandbox.output(&["models", "test", "main"]);
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && told.contains("error[model-unreachable]"), "{told}");
}

#[test]
fn a_model_is_shown_with_its_layers() {
    let sandbox = project(
        "http://localhost:1/v1",
        "limits = { concurrency = 2 }\nfallback = [\"spare\", \"dear\"]\ncache = \"1h\"\n[models.spare]\nprovider = \"offline\"\n[models.dear]\nprovider = \"ollama\"\nmodel = \"x\"\n",
    );
    sees!(sandbox.run(&["models", "show"]), @"
    exit 0
    --- stdout
    model  openai/mock
    decided by  adjutant.toml
    server  http://localhost:1/v1
    key  found in the environment variable `MOCK_KEY`
    window  not known
    answer  not known
    can  tools, parallel tools, structured output, images
    prices  not known: no budget in money holds for it
    timeouts  connect [time], first byte 2m (of a whole answer 10m), between pieces 2m, whole 30m
    cache  an answer to exactly the same request is given again
    breaker  left alone for [time] after 5 failures in a row
    retry  asked 2 times in all, after [time] first and 1m at most
    limits  2 calls at once
    fallback  spare, then dear (its price is not known: no budget in money holds once it answers)
    ");
    sees!(sandbox.run(&["models", "show", "anthropic/claude-opus-5-5"]), @"
    exit 0
    --- stdout
    model  anthropic/claude-opus-5-5
    decided by  its id
    server  https://api.anthropic.com/v1
    key  missing: the environment variable `ANTHROPIC_API_KEY`
    window  1000000 tokens
    answer  128000 tokens
    can  tools, parallel tools, structured output, images, files, reasoning
    prices  USD for a million tokens: input 4, output 20, cached 0.2, cache write 5
    timeouts  connect [time], first byte 2m (of a whole answer 10m), between pieces 2m, whole 30m
    breaker  left alone for [time] after 5 failures in a row
    retry  asked 4 times in all, after [time] first and 1m at most
    ");
    sees!(sandbox.run(&["models", "show", "nobody"]), @"
    exit 2
    --- stderr
    error[model-unknown]: there is no model `nobody`

    hint: give the role a model in `adjutant.toml`: `[models.nobody]`, or write an id such as `openai/gpt-4.1-mini`
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_answers_where_one_does_not() {
    let down = || Answer::text("").with(Fault::Refuse(500, "down".into()));
    let provider = MockProvider::answering([down(), down()]).key(KEY).start().await.expect("a port");
    let sandbox =
        project(&provider.base_url(), "fallback = [\"spare\"]\n[models.spare]\nprovider = \"offline\"\n");
    let ran = sandbox.output(&["run", "What is 6 * 7?"]);
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{told}");
    assert!(told.contains("`offline` is asked now"), "{told}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("42"), "{ran:?}");
    // Two turns, each with two attempts first.
    assert_eq!(provider.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_costs_nothing_and_is_forgotten_with_a_person() {
    let answers = [Answer::text("One."), Answer::text("Two.")];
    let provider = MockProvider::answering(answers).key(KEY).start().await.expect("a port");
    let sandbox = project(&provider.base_url(), "cache = \"1h\"\nprices = { input = 1, output = 2 }\n");
    let say = || {
        let ran = sandbox.output(&["run", "Hello!", "--user", "ada"]);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        (String::from_utf8_lossy(&ran.stdout).into_owned(), told)
    };
    assert_eq!(say().0, "One.\n");
    let (said, told) = say();
    assert_eq!((said.as_str(), provider.count()), ("One.\n", 1));
    assert!(told.contains("0 USD"), "{told}");
    let erased = sandbox.output(&["runs", "erase", "--user", "ada"]);
    assert!(erased.status.success(), "{erased:?}");
    assert_eq!((say().0.as_str(), provider.count()), ("Two.\n", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_run_out_is_fetched_again() {
    let provider = MockProvider::answering([Answer::text("Hello.")])
        .key("token-of-today")
        .start()
        .await
        .expect("a port");
    let sandbox = Sandbox::with_agent("");
    sandbox.write("token", "token-of-yesterday");
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\nkey = {{ command = [\"sh\", \"-c\", \"cat \
             token; printf token-of-today > token\"] }}\n",
            provider.base_url()
        ),
    );
    let ran = sandbox.output(&["run", "Hello!"]);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "Hello.\n", "{ran:?}");
    assert_eq!(provider.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_makes_vectors_is_shown_and_tried() {
    let provider = MockProvider::with(|_| Answer::text("")).key(KEY).start().await.expect("a port");
    let embed = format!(
        "[models.embed]\nprovider = \"openai\"\nmodel = \"text-embedding-3-small\"\ndimensions = 512\n\
         base_url = \"{}\"\nkey = {{ env = \"MOCK_KEY\" }}\nprices = {{ input = 0.02, output = 0 }}\n",
        provider.base_url()
    );
    let sandbox = project("http://localhost:1/v1", &embed);
    sees!(sandbox.run(&["models", "show", "embed"]), @"
    exit 0
    --- stdout
    model  openai/text-embedding-3-small
    decided by  adjutant.toml
    server  http://[address]/v1
    key  found in the environment variable `MOCK_KEY`
    vectors  512 dimensions
    text  not known
    prices  USD for a million tokens: input 0.02
    timeouts  connect [time], first byte 2m (of a whole answer 10m), between pieces 2m, whole 30m
    breaker  left alone for [time] after 5 failures in a row
    retry  asked 4 times in all, after [time] first and 1m at most
    ");
    let tried = sandbox.output(&["models", "test", "embed"]);
    let (out, told) = (String::from_utf8_lossy(&tried.stdout), String::from_utf8_lossy(&tried.stderr));
    assert_eq!(out, "a vector of 512 dimensions\n", "{told}");
    assert!(told.contains("openai/text-embedding-3-small: after "), "{told}");
    assert!(told.contains("10 tokens in, 0.0000002 USD"), "{told}");
    let json = sandbox.output(&["models", "test", "embed", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&made["dimensions"], &made["cost"]), (&json!(512), &json!("0.0000002 USD")));
    let listed = sandbox.output(&["models", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("openai/text-embedding-3-small"), "{listed:?}");
    provider.assert_clean();
}
