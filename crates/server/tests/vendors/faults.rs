//! What goes wrong, and how clients hear of it.

use adjutant::Days;
use std::time::Duration;

use adjutant_server::Settings;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::kit::Kit;

fn asking(text: &str) -> Value {
    json!({"model": "main", "max_tokens": 50, "messages": [{"role": "user", "content": text}]})
}

#[tokio::test]
async fn mistakes_are_told_with_their_place_and_ask_nobody() {
    let kit = Kit::new().await;
    let cases = [
        (json!({"model": "main"}), 400, "messages", "missing_required_parameter"),
        (json!({"model": "main", "messages": []}), 400, "messages", "invalid_value"),
        (
            json!({"model": "none", "messages": [{"role": "user", "content": "x"}]}),
            404,
            "",
            "model_not_found",
        ),
        (
            json!({"model": "main", "messages": [{"role": "usr", "content": "x"}]}),
            400,
            "messages[0].role",
            "invalid_value",
        ),
        (
            json!({"model": "main", "messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            400,
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        (
            json!({"model": "main", "messages": [{"role": "user", "content": "x"}], "temprature": 1}),
            400,
            "temprature",
            "unknown_parameter",
        ),
        (
            json!({"model": "main", "messages": [{"role": "user", "content": "x"}], "n": 2}),
            400,
            "n",
            "unsupported_parameter",
        ),
        (
            json!({"model": "main", "messages": [{"role": "user", "content": "x"}], "temperature": 3}),
            400,
            "temperature",
            "invalid_value",
        ),
        (
            json!({"model": "deep", "messages": [{"role": "user", "content": "x"}], "seed": 3}),
            400,
            "",
            "model-unsupported",
        ),
        (json!([]), 400, "", "invalid_type"),
    ];
    for (body, status, param, code) in cases {
        let (got, answer) = kit.post("/v1/chat/completions", &body).await;
        let error = &answer["error"];
        assert_eq!((got, error["code"].as_str()), (status, Some(code)), "{body} {answer}");
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{body} {answer}");
    }
    let (status, answer) =
        kit.post("/v1/messages", &json!({"model": "main", "messages": [], "max_tokens": 1})).await;
    assert_eq!((status, &answer["error"]["type"]), (400, &json!("invalid_request_error")), "{answer}");
    assert_eq!(kit.mock.count(), 0);
}

#[tokio::test]
async fn who_asks_without_a_key_or_too_much_hears_it_in_the_vendors_form() {
    let settings = Settings { largest_body: 1_000, ..Settings::default() };
    let kit = Kit::with("", settings).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.post(format!("{}/v1/chat/completions", kit.base)).body("{}").send().await.unwrap();
    assert_eq!(response.status(), 401);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "invalid_api_key", "{body}");
    let (status, body) = kit.post("/v1/messages", &asking(&"x".repeat(2_000))).await;
    assert_eq!((status, &body["error"]["type"]), (413, &json!("request_too_large")), "{body}");
    let broken =
        kit.request(reqwest::Method::POST, "/v1/responses").body("{\"model\": ").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert!(broken.text().await.unwrap().contains("not JSON"));
}

#[tokio::test]
async fn a_busy_provider_is_passed_on_with_how_long_to_wait() {
    let kit = Kit::new().await;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let response = kit.send(path, &asking("busy now")).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &"7".parse().unwrap())
        );
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["type"], "rate_limit_error", "{body}");
    }
}

#[tokio::test]
async fn a_provider_that_breaks_off_is_told_within_the_stream() {
    let kit = Kit::new().await;
    let mut asked = asking("break off");
    asked["stream"] = true.into();
    let chunks = kit.events("/v1/chat/completions", &asked).await;
    assert!(chunks.last().unwrap()["error"]["message"].is_string(), "{chunks:?}");
    let events = kit.events("/v1/messages", &asked).await;
    assert_eq!(events.last().unwrap()["type"], "error", "{events:?}");
    let events =
        kit.events("/v1/responses", &json!({"model": "main", "input": "break off", "stream": true})).await;
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.failed"), &json!("failed")),
        "{last}"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_call_along() {
    let settings = Settings { most_streams: 1, ..Settings::default() };
    let kit = Kit::with("", settings).await;
    let mut asked = asking("never end");
    asked["stream"] = true.into();
    let response = kit.send("/v1/chat/completions", &asked).await;
    let mut stream = response.bytes_stream();
    stream.next().await.unwrap().unwrap();
    let (status, body) = kit.post("/v1/chat/completions", &asked).await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("overloaded")), "{body}");
    drop(stream);
    // Its place is free once its call was let go of, which the provider would never end.
    let mut tries = 0;
    while kit.send("/v1/chat/completions", &asked).await.status() != 200 {
        tries += 1;
        assert!(tries < 100, "the place was not given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    kit.adjutant.gateway().settle().await.unwrap();
    let used = kit.adjutant.usage(Days::default()).await.unwrap().clients;
    assert!(used[0].calls >= 1 && used[0].tokens.output > 0, "{used:?}");
}

#[tokio::test]
async fn who_wants_the_whole_answer_has_it_asked_for_whole_and_pays_for_going_away() {
    let kit = Kit::new().await;
    for (path, streamed) in [("/v1/chat/completions", true), ("/v1/messages", false)] {
        let mut asked = asking("hi");
        asked["stream"] = streamed.into();
        assert_eq!(kit.send(path, &asked).await.status(), 200);
        assert_eq!(kit.mock.requests().last().unwrap()["stream"], streamed, "{path}");
    }
    let silent = asking("say nothing");
    let asking = kit.send("/v1/chat/completions", &silent);
    assert!(tokio::time::timeout(Duration::from_millis(300), asking).await.is_err());
    let counted = async || {
        kit.adjutant.gateway().settle().await.unwrap();
        kit.adjutant.usage(Days::default()).await.unwrap().clients[0].calls
    };
    let mut tries = 0;
    while counted().await < 3 {
        tries += 1;
        assert!(tries < 100, "the provider reads what is sent, whoever waits for the answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn guardrails_and_budgets_hold_for_clients() {
    let more = "[guardrails.words]\ncheck = \"words\"\nwords = [\"secret plan\"]\naction = \"block\"\non = [\"input\", \"output\"]\n";
    let kit = Kit::with(more, Settings::default()).await;
    let (status, body) = kit.post("/v1/chat/completions", &asking("tell the secret plan")).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("run-denied")), "{body}");
    assert_eq!(kit.mock.count(), 0);
    // With a guardrail on its output an answer is held back until it is whole.
    let mut asked = asking("hi");
    asked["stream"] = true.into();
    let said: String = kit
        .events("/v1/chat/completions", &asked)
        .await
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert!(said.starts_with("Good morning!"), "{said}");

    let kit = Kit::with("[budget]\ntokens = 100\n", Settings::default()).await;
    assert_eq!(kit.post("/v1/chat/completions", &asking("hi")).await.0, 200);
    let mut long = asking("hi");
    long["max_tokens"] = 90.into();
    let (status, body) = kit.post("/v1/chat/completions", &long).await;
    assert_eq!((status, &body["error"]["code"]), (429, &json!("insufficient_quota")), "{body}");
}

#[tokio::test]
async fn policies_decide_which_models_clients_may_ask() {
    let policies = "permit (principal, action == Action::\"run.model\", resource);\n\
                    forbid (principal == Agent::\"gateway\", action == Action::\"run.model\", resource == Model::\"anthropic/claude-opus-4-6\");\n";
    let kit = Kit::holding(&[("policies/models.cedar", policies)], "", Settings::default()).await;
    assert_eq!(kit.post("/v1/chat/completions", &asking("hi")).await.0, 200);
    let mut other = asking("hi");
    other["model"] = "deep".into();
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let (status, body) = kit.post(path, &other).await;
        assert_eq!((status, &body["error"]["type"]), (403, &json!("permission_error")), "{body}");
    }
    assert_eq!(kit.mock.count(), 1);
}

#[tokio::test]
async fn a_key_that_is_confined_reaches_no_other_model_and_lists_none() {
    let kit = Kit::new().await;
    let confined = kit.confined(&["model:main", "agent:desk"]).await;
    let ask = async |body: &Value| confined.post("/v1/chat/completions", body).await;
    assert_eq!(ask(&asking("hi")).await.0, 200);
    let mut other = asking("hi");
    other.as_object_mut().unwrap().remove("max_tokens");
    for model in ["deep", "agent/careful", "none"] {
        other["model"] = model.into();
        let (status, body) = ask(&other).await;
        assert_eq!((status, &body["error"]["code"]), (403, &json!("forbidden")), "{model}: {body}");
    }
    let (_, listed) = confined.get("/v1/models").await;
    let ids: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["main", "agent/desk"]);
    let (status, body) = confined.post("/v1/embeddings", &json!({"model": "embed", "input": "x"})).await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("forbidden")), "{body}");
}
