//! What a model is asked in the background, and processes that die of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use adjutant_testkit::provider::{Answer, Fault, MockProvider};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::place::{PATIENCE, Place, Served, read};

/// A provider that begins to answer and gets stuck, for as long as it is to.
async fn stuck(is_stuck: &Arc<AtomicBool>) -> MockProvider {
    let is_stuck = Arc::clone(is_stuck);
    let answer = move |_: &Value| match is_stuck.load(Ordering::Relaxed) {
        true => Answer::text("It is not done.").with(Fault::Stall(2)),
        false => Answer::text("It is done."),
    };
    MockProvider::with(answer).start().await.unwrap()
}

async fn post(served: &Served, path: &str, body: &Value) -> Value {
    let (status, answer) = read(served.request(Method::POST, path).json(body).send().await.unwrap()).await;
    assert!(status.is_success(), "{status} {answer}");
    answer
}

/// Has a model asked in the background; gives the id of the response once the model is being asked.
async fn ask(served: &Served, mock: &MockProvider, more: Value) -> String {
    let asked = mock.requests().len();
    let mut body = json!({ "model": "main", "input": "Do it.", "background": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let response = post(served, "/v1/responses", &body).await;
    assert_eq!(response["status"], "in_progress", "{response}");
    while mock.requests().len() == asked {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    response["id"].as_str().unwrap().to_owned()
}

/// A response once it is over.
async fn over(served: &Served, id: &str) -> Value {
    let began = Instant::now();
    loop {
        let (_, response) = served.get(&format!("/v1/responses/{id}")).await;
        if response["status"] != "in_progress" {
            return response;
        }
        assert!(began.elapsed() < PATIENCE, "{response}\n{}", served.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_accepted_outlives_its_process() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let mock = stuck(&is_stuck).await;
    let place = Place::new(&mock.base_url(), "");
    let mut first = place.serve("first", &[]).await;
    let conversation = post(&first, "/v1/conversations", &json!({})).await["id"].clone();
    let id = ask(&first, &mock, json!({ "conversation": conversation, "instructions": "Be quick." })).await;
    first.signal(Signal::KILL);
    first.ended().await;
    is_stuck.store(false, Ordering::Relaxed);
    let second = place.serve("second", &[]).await;
    let response = over(&second, &id).await;
    assert_eq!(response["status"], "completed", "{response}");
    assert_eq!(response["output"][0]["content"][0]["text"], "It is done.");
    let requests = mock.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1], "it is asked the same");
    // It is told again, followed, and a turn of its conversation once.
    let request = second.request(Method::GET, &format!("/v1/responses/{id}?stream=true"));
    let told = request.send().await.unwrap().text().await.unwrap();
    assert!(told.contains("event: response.created") && told.contains("event: response.completed"), "{told}");
    let path = format!("/v1/conversations/{}/items", conversation.as_str().unwrap());
    let (_, items) = second.get(&path).await;
    assert_eq!(items["data"].as_array().unwrap().len(), 2, "{items}");
    let next = json!({ "model": "main", "input": "And?", "previous_response_id": id });
    assert_eq!(post(&second, "/v1/responses", &next).await["status"], "completed");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(mock.requests().len(), 3, "nobody takes over what is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_goes_on_with_what_a_dead_one_left_and_lets_be_what_a_live_one_does() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let mock = stuck(&is_stuck).await;
    let place = Place::new(&mock.base_url(), "");
    let mut first = place.serve("first", &[]).await;
    let second = place.serve("second", &[]).await;
    let id = ask(&first, &mock, json!({})).await;
    let kept = ask(&second, &mock, json!({})).await;
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(mock.requests().len(), 2, "who works on it says so in time");
    is_stuck.store(false, Ordering::Relaxed);
    // Who listens at a process that does not work on it hears it once that does.
    let listening = second.request(Method::GET, &format!("/v1/responses/{id}?stream=true"));
    let told = tokio::spawn(async move { listening.send().await.unwrap().text().await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    first.signal(Signal::KILL);
    first.ended().await;
    assert_eq!(over(&second, &id).await["status"], "completed");
    let told = told.await.unwrap();
    assert!(told.contains("event: response.created") && told.contains("event: response.completed"), "{told}");
    let (_, response) = second.get(&format!("/v1/responses/{kept}")).await;
    assert_eq!((mock.requests().len(), &response["status"]), (3, &json!("in_progress")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cancels_or_deletes_need_not_ask_the_process_that_works() {
    let is_stuck = Arc::new(AtomicBool::new(true));
    let mock = stuck(&is_stuck).await;
    let place = Place::new(&mock.base_url(), "");
    let first = place.serve("first", &[]).await;
    let second = place.serve("second", &[]).await;
    let cancelled = ask(&first, &mock, json!({})).await;
    let deleted = ask(&first, &mock, json!({})).await;
    let agent = json!({ "model": "agent/desk" });
    let of_agent = [ask(&first, &mock, agent.clone()).await, ask(&first, &mock, agent).await];
    for id in [&cancelled, &of_agent[0]] {
        let path = format!("/v1/responses/{id}/cancel");
        let response = post(&second, &path, &json!({})).await;
        assert_eq!(response["status"], "cancelled", "{response}");
    }
    for id in [&deleted, &of_agent[1]] {
        let request = second.request(Method::DELETE, &format!("/v1/responses/{id}"));
        assert!(request.send().await.unwrap().status().is_success());
    }
    // Longer than one who works on it takes to hear of that, and than a dead one is waited for.
    tokio::time::sleep(Duration::from_secs(13)).await;
    for served in [&first, &second] {
        for id in [&cancelled, &of_agent[0]] {
            assert_eq!(over(served, id).await["status"], "cancelled");
        }
        for id in [&deleted, &of_agent[1]] {
            assert_eq!(served.status(&format!("/v1/responses/{id}")).await, Some(404));
        }
    }
    let (_, runs) = second.get("/api/runs?state=open").await;
    assert_eq!(runs["runs"], json!([]), "{runs}");
    assert_eq!(mock.requests().len(), 4, "nobody begins it anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_stop_finishes_what_it_can_and_hands_the_rest_over() {
    let is_stuck = Arc::new(AtomicBool::new(false));
    let after = Arc::clone(&is_stuck);
    let answer = move |_: &Value| match after.load(Ordering::Relaxed) {
        true => Answer::text("It is not done.").with(Fault::Stall(2)),
        false => Answer::text("It is done.").with(Fault::SlowFirstByte(Duration::from_millis(700))),
    };
    let mock = MockProvider::with(answer).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let second = place.serve("second", &[]).await;
    for (stuck, requests) in [(false, 1), (true, 3)] {
        is_stuck.store(stuck, Ordering::Relaxed);
        let mut first = place.serve("first", &["--patience", "2"]).await;
        let id = ask(&first, &mock, json!({})).await;
        is_stuck.store(false, Ordering::Relaxed);
        first.signal(Signal::TERM);
        assert_eq!(first.ended().await.code(), Some(143), "{}", first.log());
        let left = Instant::now();
        let response = over(&second, &id).await;
        assert_eq!(response["output"][0]["content"][0]["text"], "It is done.", "{response}");
        assert!(left.elapsed() < Duration::from_secs(7), "nobody waits for one who is gone");
        assert_eq!(mock.requests().len(), requests, "what was finished is not asked again");
    }
}
