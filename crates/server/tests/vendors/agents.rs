//! Agents, asked as if they were models.

use serde_json::{Value, json};

use crate::kit::Kit;

fn asking(agent: &str) -> Value {
    json!({"model": agent, "messages": [{"role": "user", "content": "What is 6 * 7?"}]})
}

#[tokio::test]
async fn an_agent_answers_in_every_format_and_shows_its_tools() {
    let kit = Kit::new().await;
    let response = kit.send("/v1/chat/completions", &asking("agent/desk")).await;
    let run = response.headers()["x-adjutant-run"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], "It is 42.", "{body}");
    assert!(message["reasoning_content"].as_str().unwrap().contains("calculate"), "{body}");
    // Both calls of the model.
    assert_eq!(body["usage"]["prompt_tokens"], 50, "{body}");
    assert_eq!(kit.adjutant.find(&run).await.unwrap().outcome().await.unwrap().text, "It is 42.");

    let mut asked = asking("agent/desk");
    asked["stream"] = true.into();
    let chunks = kit.events("/v1/chat/completions", &asked).await;
    let piece = |name: &str| -> String {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][name].as_str()).collect()
    };
    // What is said on the way passes by; the answer itself is always there.
    assert!(piece("content").ends_with("It is 42."), "{chunks:?}");
    assert!(piece("reasoning_content").contains("→ calculate"), "{chunks:?}");

    asked["max_tokens"] = 100.into();
    let events = kit.events("/v1/messages", &asked).await;
    let text: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert!(text.ends_with("It is 42."), "{text}");
    let (_, response) =
        kit.post("/v1/responses", &json!({"model": "agent/desk", "input": "What is 6 * 7?"})).await;
    let last = response["output"].as_array().unwrap().last().unwrap();
    assert_eq!(last["content"][0]["text"], "It is 42.", "{response}");
    kit.mock.assert_clean();
}

#[tokio::test]
async fn responses_that_follow_each_other_are_turns_of_a_session() {
    let kit = Kit::new().await;
    let (_, first) = kit.post("/v1/responses", &json!({"model": "agent/desk", "input": "I am Ann"})).await;
    let next =
        json!({"model": "agent/desk", "input": "What was my name?", "previous_response_id": first["id"]});
    let (_, second) = kit.post("/v1/responses", &next).await;
    let last = second["output"].as_array().unwrap().last().unwrap();
    assert_eq!(last["content"][0]["text"], "You are Ann.", "{second}");
    let sessions = kit.adjutant.sessions(10).await.unwrap();
    assert_eq!((sessions.len(), sessions[0].turns), (1, 2), "{sessions:?}");
}

#[tokio::test]
async fn what_waits_for_a_person_is_said() {
    let kit = Kit::new().await;
    let (status, body) = kit.post("/v1/chat/completions", &asking("agent/careful")).await;
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(status == 200 && text.contains("waits") && text.contains("`calculate`"), "{body}");
    assert_eq!(kit.adjutant.approvals().waiting().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_agent_answers_on_the_terms_of_whoever_asks() {
    let kit = Kit::new().await;
    let schema = json!({"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"],
        "additionalProperties": false});
    let mut asked = asking("agent/desk");
    asked["messages"][0]["content"] = "hi".into();
    asked["temperature"] = 0.5.into();
    asked["max_tokens"] = 50.into();
    asked["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": true}});
    let (status, body) = kit.post("/v1/chat/completions", &asked).await;
    assert_eq!(status, 200, "{body}");
    let said = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(said).unwrap(), json!({"answer": 42}));
    let sent = &kit.mock.requests()[0];
    assert_eq!((&sent["temperature"], &sent["max_tokens"]), (&json!(0.5), &json!(50)), "{sent}");
    assert_eq!(sent["response_format"]["json_schema"]["schema"], schema);
    let terms = json!({"input": "hi", "agent": "desk", "temperature": 0.5, "max_output_tokens": 50, "output": schema});
    let (status, run) = kit.post("/api/runs?wait=20", &terms).await;
    assert_eq!((status, &run["reply"]["data"]), (200, &json!({"answer": 42})), "{run}");
    for (name, wrong) in
        [("output", json!({"type": "string"})), ("max_output_tokens", json!(0)), ("temperature", json!(3))]
    {
        let mut terms = terms.clone();
        terms[name] = wrong;
        let (status, body) = kit.post("/api/runs", &terms).await;
        assert!(matches!(status, 400 | 422), "{name}: {body}");
    }
}

#[tokio::test]
async fn what_an_agent_decides_itself_is_refused() {
    let kit = Kit::new().await;
    let tools = json!([{"type": "function", "function": {"name": "x", "parameters": {"type": "object"}}}]);
    for (name, value) in [
        ("tools", tools),
        ("top_p", json!(0.5)),
        ("seed", json!(7)),
        ("presence_penalty", json!(0.1)),
        ("frequency_penalty", json!(-1)),
        ("stop", json!("x")),
    ] {
        let mut asked = asking("agent/desk");
        asked[name] = value;
        let (status, body) = kit.post("/v1/chat/completions", &asked).await;
        assert!(status == 400 && body["error"]["message"].as_str().unwrap().contains(name), "{body}");
    }
    let (status, body) = kit.post("/v1/chat/completions", &asking("agent/none")).await;
    assert_eq!(status, 404, "{body}");
    assert_eq!(kit.mock.count(), 0);
    // What chat programs send that send all that they know, with values that change nothing.
    let mut asked = asking("agent/desk");
    for (name, value) in [
        ("top_p", json!(1)),
        ("presence_penalty", json!(0)),
        ("frequency_penalty", json!(0.0)),
        ("stop", json!([])),
        ("n", json!(1)),
        ("temperature", json!(0.5)),
        ("tools", json!([])),
        ("logit_bias", json!({})),
    ] {
        asked[name] = value;
    }
    let (status, body) = kit.post("/v1/chat/completions", &asked).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn a_response_is_over_with_its_run_whoever_worked_on_it() {
    let kit = Kit::new().await;
    let asked = json!({"model": "agent/desk", "input": "What is 6 * 7?", "background": true});
    let begun = kit.send("/v1/responses", &asked).await;
    let run = begun.headers()["x-adjutant-run"].to_str().unwrap().to_owned();
    let begun: Value = begun.json().await.unwrap();
    let id = begun["id"].as_str().unwrap();
    let path = format!("/v1/responses/{id}");
    while kit.get(&path).await.1["status"] != "completed" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // As a process leaves it that dies in the middle: under way, with the run that another one drives to its end.
    let engine = kit.adjutant.engine();
    let key = id.strip_prefix("resp_").unwrap();
    let mut kept: Value = engine.document("openai.response", key).await.unwrap().unwrap().body.to().unwrap();
    kept["response"] = begun.clone();
    kept["run"] = run.into();
    kept.as_object_mut().unwrap().remove("said");
    let body = adjutant::core::json::Json::of(&kept).unwrap();
    engine.put_document(adjutant::durable::Draft::new("openai.response", key, body)).await.unwrap();
    let (_, found) = kit.get(&path).await;
    let text = &found["output"][0]["content"][0]["text"];
    assert_eq!((&found["status"], text), (&json!("completed"), &json!("It is 42.")), "{found}");
    let next = json!({"model": "agent/desk", "input": "and now?", "previous_response_id": id});
    assert_eq!(kit.post("/v1/responses", &next).await.0, 200);
}
