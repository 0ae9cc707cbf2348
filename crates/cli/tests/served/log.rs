//! The log of a service.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::place::{Place, cashier};

/// Something that must stand in no log.
const PLANTED: &str = "planted-9f2c";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_line_without_what_was_said() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let served = place.serve("first", &[]).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let response = served
        .request(Method::POST, &format!("/api/runs?wait=30&x={PLANTED}"))
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("x-request-id", "mine")
        .header("x-other", PLANTED)
        .json(&json!({ "input": PLANTED }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400, "`x` is no parameter");
    served.request(Method::GET, &format!("/{PLANTED}")).send().await.unwrap();
    let bad =
        served.request(Method::GET, "/api/approvals").header("x-api-key", PLANTED).send().await.unwrap();
    assert_eq!(bad.status(), 401);
    let began = served.request(Method::POST, "/api/runs").json(&json!({ "input": PLANTED }));
    let run: Value = began.send().await.unwrap().json().await.unwrap();
    let log = served.log();
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let line = lines.iter().find(|line| line["request"] == "mine").unwrap_or_else(|| panic!("{log}"));
    for (field, value) in [
        ("trace", json!(trace)),
        ("method", json!("POST")),
        ("route", json!("/api/runs")),
        ("status", json!(400)),
        ("code", json!("input-invalid")),
        ("principal", json!("tests")),
        ("tenant", json!("local")),
        ("address", json!("127.0.0.1")),
        ("target", json!("adjutant::request")),
    ] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    assert!(line["ms"].is_u64());
    assert!(run["id"].is_string() && lines.iter().any(|line| line["run"] == run["id"]), "{run}\n{log}");
    assert!(lines.iter().any(|line| line["route"] == "none" && line["status"] == 404));
    assert!(!log.contains(PLANTED) && !log.contains(&place.key), "{log}");
}
