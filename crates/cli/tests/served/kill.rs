//! A process is killed under load, again and again, and nothing that was accepted is lost or done twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::place::{PATIENCE, Place, cashier};

const CLIENTS: usize = 64;

/// How many runs each of them has accepted.
const RUNS: usize = 3;

/// Has a run accepted by whoever answers; asks again, with the same key, where nobody did.
async fn accepted(client: &Client, bases: &Mutex<Vec<String>>, key: &str, name: &str) -> String {
    let mut attempt = 0;
    loop {
        let base = {
            let bases = bases.lock().await;
            bases[attempt % bases.len()].clone()
        };
        attempt += 1;
        let asked = client
            .post(format!("{base}/api/runs"))
            .bearer_auth(key)
            .header("idempotency-key", name)
            .json(&json!({ "input": "Pay." }))
            .send()
            .await;
        let Ok(response) = asked else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let status = response.status();
        let Ok(body) = response.json::<Value>().await else { continue };
        match status {
            StatusCode::ACCEPTED | StatusCode::OK => return body["id"].as_str().unwrap().to_owned(),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            _ => panic!("{status}: {body}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_there_and_ends_and_is_done_once() {
    let mock = cashier(Duration::from_millis(20)).keep(0).start().await.unwrap();
    let place = Arc::new(Place::new(&mock.base_url(), ""));
    let second = place.serve("second", &[]).await;
    let mut first = place.serve("first", &[]).await;
    let bases = Arc::new(Mutex::new(vec![first.base.clone(), second.base.clone()]));
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (bases, key) = (Arc::clone(&bases), place.key.clone());
            tokio::spawn(async move {
                let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
                let mut runs = Vec::new();
                for run in 0..RUNS {
                    runs.push(accepted(&client, &bases, &key, &format!("{number}-{run}")).await);
                }
                runs
            })
        })
        .collect();
    let killing = tokio::spawn({
        let (place, bases, done) = (Arc::clone(&place), Arc::clone(&bases), Arc::clone(&done));
        async move {
            let mut kills = 0;
            while !done.load(Ordering::Relaxed) || kills < 3 {
                tokio::time::sleep(Duration::from_millis(250)).await;
                first.signal(Signal::KILL);
                first.ended().await;
                kills += 1;
                first = place.serve(&format!("first-{kills}"), &[]).await;
                bases.lock().await[0] = first.base.clone();
            }
            (first, kills)
        }
    });
    let mut runs = BTreeSet::new();
    for client in clients {
        runs.extend(client.await.unwrap());
    }
    done.store(true, Ordering::Relaxed);
    let (_first, kills) = killing.await.unwrap();
    assert_eq!(runs.len(), CLIENTS * RUNS, "the same key is the same run, and another key another");
    let mut unknown = 0;
    for run in &runs {
        let shown = second.until(run, &["ended", "waiting"]).await;
        if shown["state"] == "waiting" {
            // Whether the call happened that was under way when its process was killed only a person can say.
            let (_, waits) = second.get(&format!("/api/runs/{run}/waits")).await;
            let text = waits.to_string();
            if text.contains("unknown") {
                unknown += 1;
                continue;
            }
            second.until(run, &["ended"]).await;
        }
    }
    let paid = place.paid();
    assert!(paid.values().all(|times| *times == 1), "{paid:?}");
    let ended = runs.iter().filter(|run| paid.contains_key(*run)).count();
    eprintln!("{kills} kills, {} runs, {ended} paid, {unknown} wait for a person", runs.len());
    assert!(ended + unknown >= runs.len(), "each is paid, or a person is asked");
}
