//! Responses: kept, followed, in the background, in conversations.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::{Kit, data};

fn text(response: &Value) -> &str {
    let output = response["output"].as_array().unwrap();
    let message = output.iter().find(|item| item["type"] == "message").unwrap();
    message["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn a_response_follows_another_and_can_be_asked_for_and_deleted() {
    let kit = Kit::new().await;
    for model in ["main", "deep", "newer"] {
        let (status, first) = kit
            .post("/v1/responses", &json!({"model": model, "input": "I am Ann", "instructions": "be kind"}))
            .await;
        assert_eq!((status, &first["status"]), (200, &json!("completed")), "{first}");
        let id = first["id"].as_str().unwrap();
        let next = json!({"model": model, "input": "What was my name?", "previous_response_id": id});
        let (_, second) = kit.post("/v1/responses", &next).await;
        assert_eq!(text(&second), "You are Ann.", "{model}: {second}");
        assert_eq!(kit.get(&format!("/v1/responses/{id}")).await.1, first);
        let (_, items) = kit.get(&format!("/v1/responses/{id}/input_items")).await;
        assert_eq!(items["data"][0]["content"][0]["text"], "I am Ann", "{items}");
        let deleted =
            kit.request(reqwest::Method::DELETE, &format!("/v1/responses/{id}")).send().await.unwrap();
        assert_eq!(deleted.status(), 200);
        let (status, gone) = kit.post("/v1/responses", &next).await;
        assert_eq!((status, &gone["error"]["param"]), (404, &json!("previous_response_id")), "{gone}");
    }
    // Instructions are for one response only.
    assert_eq!(
        kit.mock.requests().iter().filter(|request| request.to_string().contains("be kind")).count(),
        3
    );
    kit.mock.assert_clean();
}

#[tokio::test]
async fn calls_are_answered_in_the_response_that_follows() {
    let kit = Kit::new().await;
    let tools = json!([{"type": "function", "name": "temperature", "description": "Looks.", "strict": null, "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]);
    for model in ["main", "deep", "newer"] {
        let (_, first) = kit
            .post("/v1/responses", &json!({"model": model, "input": "Where is it warmer?", "tools": tools}))
            .await;
        let calls: Vec<&Value> = first["output"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["type"] == "function_call")
            .collect();
        assert_eq!(calls.len(), 2, "{first}");
        let answers: Vec<Value> = calls
            .iter()
            .map(
                |call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "21 °C"}),
            )
            .collect();
        let next =
            json!({"model": model, "input": answers, "tools": tools, "previous_response_id": first["id"]});
        let (status, second) = kit.post("/v1/responses", &next).await;
        assert_eq!(status, 200, "{second}");
        assert_eq!(text(&second), "In Oslo.", "{model}");
        // Clients may also refer to the items of a response instead of following it.
        let refer = |item: &Value| json!({"type": "item_reference", "id": item["id"]});
        let mut input = vec![json!({"role": "user", "content": "Where is it warmer?"})];
        input.extend(first["output"].as_array().unwrap().iter().map(refer));
        input.extend(answers);
        let (status, third) =
            kit.post("/v1/responses", &json!({"model": model, "input": input, "tools": tools})).await;
        assert_eq!((status, text(&third)), (200, "In Oslo."), "{third}");
    }
    kit.mock.assert_clean();
}

#[tokio::test]
async fn events_are_numbered_and_end_with_the_response() {
    let kit = Kit::new().await;
    let asked = json!({"model": "deep", "input": "think first", "stream": true, "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]});
    let events = kit.events("/v1/responses", &asked).await;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    let last = &events.last().unwrap()["response"];
    assert_eq!(text(last), "Done.");
    let thought = &last["output"][0];
    assert_eq!(thought["summary"][0]["text"], "Let me think.", "{thought}");
    assert!(thought["encrypted_content"].is_string());
    assert_eq!(kit.get(&format!("/v1/responses/{}", last["id"].as_str().unwrap())).await.1, *last);
}

#[tokio::test]
async fn what_goes_on_in_the_background_is_polled_told_again_and_cancelled() {
    let kit = Kit::new().await;
    let (_, begun) =
        kit.post("/v1/responses", &json!({"model": "main", "input": "hi", "background": true})).await;
    assert_eq!(begun["status"], "in_progress", "{begun}");
    let path = format!("/v1/responses/{}", begun["id"].as_str().unwrap());
    let mut tries = 0;
    let done = loop {
        let (_, now) = kit.get(&path).await;
        if now["status"] == "completed" {
            break now;
        }
        tries += 1;
        assert!(tries < 100, "{now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(text(&done).starts_with("Good morning!"));
    let told = |after: &str| kit.request(reqwest::Method::GET, &format!("{path}?stream=true{after}"));
    let all = data(&told("").send().await.unwrap().text().await.unwrap());
    assert_eq!(all.last().unwrap()["response"], done);
    for after in 0..all.len() - 1 {
        let rest =
            data(&told(&format!("&starting_after={after}")).send().await.unwrap().text().await.unwrap());
        assert_eq!(rest, all[after + 1..], "after {after}");
    }

    let (_, endless) =
        kit.post("/v1/responses", &json!({"model": "main", "input": "never end", "background": true})).await;
    let path = format!("/v1/responses/{}", endless["id"].as_str().unwrap());
    let (status, cancelled) = kit.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")), "{cancelled}");
    assert_eq!(kit.get(&path).await.1["status"], "cancelled");
}

#[tokio::test]
async fn a_conversation_grows_by_its_turns() {
    let kit = Kit::new().await;
    let first = json!({"items": [{"role": "user", "content": "I am Ann"}], "metadata": {"topic": "names"}});
    let (_, conversation) = kit.post("/v1/conversations", &first).await;
    let id = conversation["id"].as_str().unwrap();
    assert_eq!(conversation["metadata"]["topic"], "names", "{conversation}");
    let (status, turn) = kit
        .post("/v1/responses", &json!({"model": "main", "input": "What was my name?", "conversation": id}))
        .await;
    assert_eq!((status, text(&turn)), (200, "You are Ann."), "{turn}");
    let (_, items) = kit.get(&format!("/v1/conversations/{id}/items?order=asc")).await;
    let kinds: Vec<&str> =
        items["data"].as_array().unwrap().iter().map(|item| item["role"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user", "user", "assistant"], "{items}");
    let (_, changed) =
        kit.post(&format!("/v1/conversations/{id}"), &json!({"metadata": {"topic": "x"}})).await;
    assert_eq!(changed["metadata"]["topic"], "x");
    let deleted =
        kit.request(reqwest::Method::DELETE, &format!("/v1/conversations/{id}")).send().await.unwrap();
    assert_eq!(deleted.status(), 200);
    assert_eq!(kit.get(&format!("/v1/conversations/{id}")).await.0, 404);
}

#[tokio::test]
async fn items_of_a_conversation_are_shown_one_by_one_and_taken_out() {
    let kit = Kit::new().await;
    let first =
        json!({"items": [{"role": "user", "content": "I am Ann"}, {"role": "user", "content": "Hello."}]});
    let (_, conversation) = kit.post("/v1/conversations", &first).await;
    let base = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let (_, items) = kit.get(&format!("{base}/items?order=asc")).await;
    let ids: Vec<&str> =
        items["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    let (status, item) = kit.get(&format!("{base}/items/{}", ids[0])).await;
    assert_eq!((status, &item["content"]), (200, &json!([{"type": "input_text", "text": "I am Ann"}])));
    let path = format!("{base}/items/{}", ids[0]);
    let gone = kit.request(reqwest::Method::DELETE, &path).send().await.unwrap();
    assert_eq!(gone.json::<Value>().await.unwrap()["id"], conversation["id"]);
    assert_eq!(kit.get(&path).await.0, 404);
    let ask = json!({"model": "main", "input": "What was my name?", "conversation": conversation["id"]});
    let (_, turn) = kit.post("/v1/responses", &ask).await;
    assert_ne!(text(&turn), "You are Ann.", "what was taken out is not sent");
    let more = json!({"items": [{"role": "user", "content": "Bye."}]});
    let (_, added) = kit.post(&format!("{base}/items"), &more).await;
    assert!(!ids.contains(&added["data"][0]["id"].as_str().unwrap()), "{added}");
    let (status, nowhere) = kit.get("/v1/nowhere").await;
    assert_eq!((status, &nowhere["error"]["type"]), (404, &json!("invalid_request_error")), "{nowhere}");
}

#[tokio::test]
async fn an_agent_hears_what_was_said_to_a_model_and_each_thread_for_itself() {
    let kit = Kit::new().await;
    let ask = async |model: &str, input: &str, follows: &str| {
        let mut body = json!({"model": model, "input": input});
        if !follows.is_empty() {
            body["previous_response_id"] = follows.into();
        }
        let (status, response) = kit.post("/v1/responses", &body).await;
        assert_eq!(status, 200, "{response}");
        (response["id"].as_str().unwrap().to_owned(), text(&response).to_owned())
    };
    // From a model to an agent, to a model, and to the agent again.
    let (first, _) = ask("main", "I am Ann", "").await;
    let (second, name) = ask("agent/desk", "What was my name?", &first).await;
    assert_eq!(name, "You are Ann.");
    let (third, _) = ask("deep", "What else is there?", &second).await;
    assert_eq!(ask("agent/desk", "Well, who? What was my name?", &third).await.1, "You are Ann.");
    // Two who follow the same do not hear each other.
    let (begun, _) = ask("agent/desk", "Good morning", "").await;
    let (_, _) = ask("agent/desk", "I am Ann", &begun).await;
    let (_, other) = ask("agent/desk", "What was my name?", &begun).await;
    assert_ne!(other, "You are Ann.");
    // What stands in a conversation is heard, whoever said it.
    let said = json!({"items": [{"role": "user", "content": "I am Ann"}]});
    let (_, conversation) = kit.post("/v1/conversations", &said).await;
    let turn =
        json!({"model": "agent/desk", "input": "What was my name?", "conversation": conversation["id"]});
    assert_eq!(text(&kit.post("/v1/responses", &turn).await.1), "You are Ann.");
    kit.mock.assert_clean();
}

#[tokio::test]
async fn what_one_person_said_is_not_gone_on_with_for_another() {
    let kit = Kit::new().await;
    let said = json!({"model": "main", "input": "I am Ann", "user": "ann"});
    let (_, first) = kit.post("/v1/responses", &said).await;
    let item = &first["output"][0]["id"];
    let (_, conversation) = kit.post("/v1/conversations", &json!({})).await;
    let mut turn = said.clone();
    turn["conversation"] = conversation["id"].clone();
    assert_eq!(kit.post("/v1/responses", &turn).await.0, 200);
    for model in ["main", "agent/desk"] {
        for (field, with) in [
            ("previous_response_id", first["id"].clone()),
            ("conversation", conversation["id"].clone()),
            ("input", json!([{"type": "item_reference", "id": item}, {"role": "user", "content": "Well?"}])),
        ] {
            let asked = |user: &str| {
                let mut body = json!({"model": model, "input": "What was my name?", "user": user});
                body[field] = with.clone();
                body
            };
            let (status, refused) = kit.post("/v1/responses", &asked("bob")).await;
            assert!([400, 404].contains(&status), "{model} {field}: {status} {refused}");
            let (status, own) = kit.post("/v1/responses", &asked("ann")).await;
            assert_eq!(status, 200, "{model} {field}: {own}");
        }
    }
}

#[tokio::test]
async fn what_a_confined_key_has_kept_is_seen_by_no_other_that_is_confined() {
    let kit = Kit::new().await;
    let (careful, desk) = (kit.confined(&["agent:careful"]).await, kit.confined(&["agent:desk"]).await);
    let (status, made) = careful
        .post("/v1/responses", &json!({"model": "agent/careful", "input": "My number is 4711."}))
        .await;
    assert_eq!(status, 200, "{made}");
    let id = made["id"].as_str().unwrap();
    let said = json!([{"type": "message", "role": "user", "content": "My number is 4711."}]);
    let (_, conversation) = careful.post("/v1/conversations", &json!({"items": said})).await;
    let talk = conversation["id"].as_str().unwrap();
    let paths = [
        format!("/v1/responses/{id}"),
        format!("/v1/responses/{id}/input_items"),
        format!("/v1/conversations/{talk}"),
        format!("/v1/conversations/{talk}/items"),
    ];
    for path in &paths {
        assert_eq!(desk.get(path).await.0, 404, "{path}");
        assert_eq!(careful.get(path).await.0, 200, "{path}");
        assert_eq!(kit.get(path).await.0, 200, "a key that is confined to nothing sees it: {path}");
    }
    for next in [
        json!({"model": "agent/desk", "input": "And?", "previous_response_id": id}),
        json!({"model": "agent/desk", "input": "And?", "conversation": talk}),
    ] {
        assert_eq!(desk.post("/v1/responses", &next).await.0, 404, "{next}");
    }
    for path in [&paths[0], &paths[2]] {
        let gone = desk.request(reqwest::Method::DELETE, path).send().await.unwrap();
        assert_eq!(gone.status(), 404, "{path}");
    }
    let count =
        json!({"model": "agent/careful", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(desk.post("/v1/messages/count_tokens", &count).await.0, 403);
    assert_eq!(careful.post("/v1/messages/count_tokens", &count).await.0, 200);
}
