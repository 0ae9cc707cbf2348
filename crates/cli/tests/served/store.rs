//! The store cannot be written to for a while.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::json;

use crate::place::{PATIENCE, Place, Served, cashier, read};

/// Asks for a run. Gives its id, or the code with which it was refused.
async fn ask(served: &Served) -> Result<String, String> {
    let request = served.request(Method::POST, "/api/runs").json(&json!({ "input": "Pay." }));
    let (status, body) = read(request.send().await.unwrap()).await;
    match status {
        StatusCode::ACCEPTED => Ok(body["id"].as_str().unwrap().to_owned()),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
            Err(body["code"].as_str().unwrap().to_owned())
        }
        _ => panic!("{status}: {body}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_holds_the_store_nothing_is_lost_and_then_it_goes_on() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let served = place.serve("first", &[]).await;
    let mut accepted = vec![ask(&served).await.unwrap()];
    let holder = Connection::open(place.path(".adjutant/adjutant.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = tokio::join!(ask(&served), ask(&served), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(served.status("/api/health/live").await, Some(200));
        holder.execute_batch("ROLLBACK").unwrap();
    });
    accepted.extend([asked.0, asked.1].into_iter().flatten());
    let began = Instant::now();
    let last = loop {
        match ask(&served).await {
            Ok(run) => break run,
            Err(code) => assert!(began.elapsed() < PATIENCE, "{code}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    accepted.push(last);
    for run in &accepted {
        served.until(run, &["ended"]).await;
        assert_eq!(place.paid()[run], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_what_was_accepted_is_there_when_there_is_room() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let small = place.serve_within("small", 2_000).await;
    let mut accepted = Vec::new();
    let began = Instant::now();
    let refused = loop {
        match ask(&small).await {
            Ok(run) => accepted.push(run),
            Err(code) => break code,
        }
        assert!(began.elapsed() < PATIENCE, "the disk is never full");
    };
    assert!(refused.starts_with("store-"), "{refused}");
    assert_eq!(small.status("/api/health/live").await, Some(200));
    drop(small);
    let whole = place.serve("whole", &[]).await;
    assert!(!accepted.is_empty());
    for run in &accepted {
        let shown = whole.until(run, &["ended", "waiting"]).await;
        if shown["state"] == "waiting" {
            let (_, waits) = whole.get(&format!("/api/runs/{run}/waits")).await;
            // A call was under way of which nothing could be recorded any more.
            if waits.to_string().contains("unknown") {
                continue;
            }
            whole.until(run, &["ended"]).await;
        }
    }
    assert!(place.paid().values().all(|times| *times == 1));
    let run = whole.start().await;
    whole.until(&run, &["ended"]).await;
}
