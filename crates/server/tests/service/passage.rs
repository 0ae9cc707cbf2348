//! What every request passes, and every answer on its way out.

use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::{Rate, Settings};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{Kit, answer};

async fn with(settings: Settings) -> Kit {
    Kit::with(Scripted::new([Turn::text("Yes.")]), settings).await
}

#[tokio::test]
async fn every_answer_says_what_browsers_and_logs_need() {
    let kit = Kit::saying([]).await;
    let client = kit.client(Role::Viewer).await;
    for path in ["/api/health/live", "/api/approvals", "/nowhere", "/api/runs/x"] {
        let response = client.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(headers["x-request-id"].to_str().unwrap().starts_with("req_"));
        assert!(!headers.contains_key("strict-transport-security"), "it is not spoken in secret");
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
    let sent = client.request(Method::GET, "/api/health/live").header("x-request-id", "mine-1").send();
    assert_eq!(sent.await.unwrap().headers()["x-request-id"], "mine-1");
}

#[tokio::test]
async fn pages_of_listed_origins_may_ask_and_no_others() {
    let closed = Kit::saying([]).await;
    let open =
        with(Settings { origins: vec!["https://app.example".to_owned()], ..Settings::default() }).await;
    let beforehand = |kit: &Kit, origin: &str| {
        kit.stranger()
            .request(Method::OPTIONS, "/api/runs")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .send()
    };
    let response = beforehand(&open, "https://app.example").await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    assert!(response.headers()["access-control-allow-headers"].to_str().unwrap().contains("authorization"));
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
    for (kit, origin) in
        [(&open, "https://app.example.evil"), (&closed, "https://app.example"), (&open, "null")]
    {
        let response = beforehand(kit, origin).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
    let client = open.client(Role::Viewer).await;
    let asked = |origin: &str| client.request(Method::GET, "/api/approvals").header("origin", origin).send();
    let response = asked("https://app.example").await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(response.headers()["vary"], "origin");
    assert!(!asked("https://x.example").await.unwrap().headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let rate = Some(Rate { times: 3, within: Duration::from_secs(3) });
    let kit = with(Settings { rate, ..Settings::default() }).await;
    let (often, other) = (kit.client(Role::Viewer).await, kit.client(Role::Operator).await);
    let mut left = Vec::new();
    for _ in 0..3 {
        let response = often.request(Method::GET, "/api/approvals").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["ratelimit-policy"], "\"default\";q=3;w=3");
        left.push(response.headers()["ratelimit"].to_str().unwrap().to_owned());
    }
    assert!(
        left[0].starts_with("\"default\";r=2;t=1") && left[2].starts_with("\"default\";r=0;"),
        "{left:?}"
    );
    let response = often.request(Method::GET, "/api/approvals").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "1");
    let problem: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "too-many-requests");
    assert_eq!(other.get("/api/approvals").await.0, StatusCode::OK, "another key is another's");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(often.get("/api/approvals").await.0, StatusCode::OK);
}

#[tokio::test]
async fn who_guesses_keys_is_slowed_and_holds_up_nobody_who_was_let_in_before() {
    let strangers = Rate { times: 5, within: Duration::from_secs(600) };
    let kit = with(Settings { strangers, ..Settings::default() }).await;
    let (known, late) = (kit.client(Role::Viewer).await, kit.client(Role::Viewer).await);
    assert_eq!(known.get("/api/approvals").await.0, StatusCode::OK);
    let mut guess = kit.stranger();
    let mut answered = Vec::new();
    for number in 0..8 {
        guess.token = Some(format!("adj_guess_{number}"));
        answered.push(guess.get("/api/approvals").await.0);
    }
    assert_eq!(answered[..5], [StatusCode::UNAUTHORIZED; 5]);
    assert_eq!(answered[5..], [StatusCode::TOO_MANY_REQUESTS; 3]);
    assert_eq!(kit.stranger().get("/api/approvals").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(known.get("/api/approvals").await.0, StatusCode::OK);
    assert_eq!(late.get("/api/approvals").await.0, StatusCode::TOO_MANY_REQUESTS, "not looked at any more");
    assert_eq!(kit.stranger().get("/api/health/live").await.0, StatusCode::OK);
}

#[tokio::test]
async fn proxies_that_are_trusted_say_for_whom_they_ask() {
    let strangers = Rate { times: 1, within: Duration::from_secs(600) };
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let behind = with(Settings { strangers, proxies, ..Settings::default() }).await;
    let before = with(Settings { strangers, ..Settings::default() }).await;
    let ask = async |kit: &Kit, from: &str| {
        let request = kit.stranger().request(Method::GET, "/api/approvals").header("x-forwarded-for", from);
        answer(request).await.0
    };
    for from in ["198.51.100.1", "198.51.100.2", "6.6.6.6, 198.51.100.3"] {
        assert_eq!(ask(&behind, from).await, StatusCode::UNAUTHORIZED, "{from}");
    }
    assert_eq!(ask(&behind, "7.7.7.7, 198.51.100.3").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(&before, "198.51.100.1").await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&before, "198.51.100.2").await,
        StatusCode::TOO_MANY_REQUESTS,
        "what anybody says counts not"
    );
}

#[tokio::test]
async fn requests_at_the_same_time_are_bounded() {
    let slow = Scripted::new([Turn::text("a b c d e f g h").every(Duration::from_millis(200))]);
    let kit = Kit::with(slow, Settings { most_requests: 1, ..Settings::default() }).await;
    let client = kit.client(Role::Operator).await;
    let first = {
        let client = client.clone();
        tokio::spawn(async move { client.post("/api/runs?wait=30", &json!({ "input": "x" })).await })
    };
    tokio::time::sleep(Duration::from_millis(400)).await;
    let response = client.request(Method::GET, "/api/approvals").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(client.get("/api/health/ready").await.0, StatusCode::OK, "the service is there");
    assert_eq!(first.await.unwrap().0, StatusCode::OK);
    assert_eq!(client.get("/api/approvals").await.0, StatusCode::OK);
}

#[tokio::test]
async fn bodies_are_bounded_each_and_together() {
    let kit = with(Settings { largest_body: 1_000, largest_bodies: 300, ..Settings::default() }).await;
    let client = kit.client(Role::Operator).await;
    let say = async |length: usize| client.post("/api/runs", &json!({ "input": "x".repeat(length) })).await;
    assert_eq!(say(100).await.0, StatusCode::ACCEPTED);
    let (status, refused) = say(500).await;
    assert_eq!((status, &refused["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("overloaded")));
    assert_eq!(say(2_000).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let pieces = futures::stream::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100])));
    let request = client.request(Method::POST, "/api/runs").body(reqwest::Body::wrap_stream(pieces));
    let status = answer(request.header("content-type", "application/json")).await.0;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "whatever is said of its length");
    assert_eq!(say(100).await.0, StatusCode::ACCEPTED, "the room is free again");
}

#[tokio::test]
async fn what_is_counted_is_told_to_those_who_may_see_it() {
    let metrics = Some("127.0.0.1:0".parse().unwrap());
    let kit = with(Settings { metrics, ..Settings::default() }).await;
    let (admin, viewer) = (kit.client(Role::Admin).await, kit.client(Role::Viewer).await);
    let scraper = kit.client_within(Role::Viewer, &["service:metrics"]).await;
    assert_eq!(kit.stranger().get("/metrics").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(viewer.get("/metrics").await.0, StatusCode::FORBIDDEN);
    kit.client(Role::Operator).await.run("x").await;
    admin.get("/nowhere/at/all?secret=1").await;
    let response = scraper.request(Method::GET, "/metrics").send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = response.text().await.unwrap();
    for line in [
        "adjutant_http_requests_total{method=\"POST\",route=\"/api/runs\",status=\"200\"} 1",
        "adjutant_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "adjutant_http_request_duration_seconds_count{method=\"POST\",route=\"/api/runs\"} 1",
        "adjutant_http_requests_under_way 1",
        "adjutant_runs{state=\"running\"} 0",
        "adjutant_tenants 1",
        "adjutant_draining 0",
        "adjutant_build_info{version=",
        "# EOF",
    ] {
        assert!(text.contains(line), "no `{line}` in {text}");
    }
    assert!(!text.contains("nowhere") && !text.contains("secret"));
    assert!(admin.get("/metrics").await.1.as_str().unwrap().contains("adjutant_connections"));
    let open = format!("http://{}/metrics", kit.metrics.unwrap());
    let text = reqwest::get(open).await.unwrap().text().await.unwrap();
    assert!(text.contains("adjutant_uptime_seconds"));
}
