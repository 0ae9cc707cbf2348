//! Addresses are told of what happens, and messages from outside begin runs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_core::time::Clock as _;
use adjutant_server::Settings;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::kit::{Kit, answer};

/// The secret that both sides know: `whsec_` and the base 64 of 24 bytes.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u";

fn signature(id: &str, time: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// An address, and what came to it.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    messages: Vec<(String, Value)>,
    /// How often it still fails.
    failures: usize,
}

impl Heard {
    fn failing(times: usize) -> Self {
        Self(Arc::new(Mutex::new(Told { failures: times, ..Told::default() })))
    }

    async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().route("/", post(hear)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn until(&self, count: usize) -> Vec<(String, Value)> {
        loop {
            let heard = self.0.lock().unwrap().messages.clone();
            if heard.len() >= count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: bytes::Bytes) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap();
    let id = header("webhook-id");
    assert_eq!(header("webhook-signature"), signature(id, header("webhook-timestamp"), &body));
    let mut heard = heard.0.lock().unwrap();
    if heard.failures > 0 {
        heard.failures -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    heard.messages.push((id.to_owned(), serde_json::from_slice(&body).unwrap()));
    StatusCode::NO_CONTENT
}

fn settings(address: SocketAddr, more: &str) -> String {
    format!(
        "[tools.now]\ntype = \"time\"\n\n[secrets]\nhook = {{ file = \"hook.txt\" }}\n\n[[server.webhook]]\nurl = \
         \"http://{address}/\"\nsecret = \"hook\"\nprivate = true\n{more}"
    )
}

async fn kit(model: Scripted, settings: &str) -> Kit {
    let desk = "---\nmodel: main\ntools: [now]\napprove: [now]\n---\nHelp.\n";
    let files = [("agents/desk.md", desk), ("adjutant.toml", settings), ("hook.txt", SECRET)];
    Kit::of(&files, model, Settings::default()).await
}

/// Asks for the time where it is asked for it.
fn clerk() -> Scripted {
    Scripted::from_fn(|request, position| match position {
        0 if request.messages.iter().any(|message| message.text().contains("time")) => {
            Some(Turn::calls([("now", json!({}))]))
        }
        _ => Some(Turn::text("Yes.")),
    })
}

#[tokio::test]
async fn an_address_hears_in_order_of_what_happened_also_while_it_failed_and_while_nobody_served() {
    let heard = Heard::failing(1);
    let address = heard.listen().await;
    let kit = kit(clerk(), &settings(address, "")).await;
    let admin = kit.client(Role::Admin).await;
    // Whoever is new is told of what comes from now on.
    tokio::time::sleep(Duration::from_secs(2)).await;
    admin.run("One.").await;
    let (_, asking) = admin.post("/api/runs", &json!({ "input": "What time is it?" })).await;
    let kinds = |heard: &[(String, Value)]| -> Vec<String> {
        heard.iter().map(|(_, told)| told["type"].as_str().unwrap().to_owned()).collect()
    };
    let first = heard.until(4).await;
    assert_eq!(kinds(&first), ["run.started", "run.ended", "run.started", "approval.requested"]);
    assert_eq!(first[3].1["data"]["run"], asking["id"]);
    assert_eq!(first[0].1["data"]["tenant"], "local");
    let kit = kit.restart(clerk(), Settings::default()).await;
    let admin = kit.client(Role::Admin).await;
    let approval = &kit.adjutant.approvals().waiting().await.unwrap()[0];
    let path = format!("/api/approvals/{}/decide", approval.id);
    assert_eq!(admin.post(&path, &json!({ "decision": "approve" })).await.0, 200);
    let all = heard.until(6).await;
    assert_eq!(kinds(&all[4..]), ["approval.decided", "run.ended"]);
    let mut ids: Vec<_> = all.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "nothing is told twice that was taken");
}

#[tokio::test]
async fn a_signed_message_begins_a_run_once_and_any_other_none() {
    let trigger = "\n[triggers.orders]\nwebhook = \"orders\"\nsecret = \"hook\"\nrun = \"desk\"\ninput = \"Look at {{ text }}.\"\n";
    let heard = Heard::default();
    let address = heard.listen().await;
    let model = Scripted::from_fn(|_, _| Some(Turn::text("Seen.")));
    let kit = kit(model, &settings(address, trigger)).await;
    let body = br#"{"order":7}"#;
    let now = (adjutant::SystemClock.now().0 / 1_000).to_string();
    let send = async |signature: &str| {
        let request = kit.stranger().request(Method::POST, "/hooks/orders");
        let request = request.header("webhook-id", "m1").header("webhook-timestamp", &now);
        answer(request.header("webhook-signature", signature).body(body.to_vec())).await
    };
    let signature = signature("m1", &now, body);
    let (status, began) = send(&signature).await;
    assert_eq!((status, &began["new"]), (StatusCode::ACCEPTED, &json!(true)), "{began}");
    let (_, again) = send(&signature).await;
    assert_eq!((&again["run"], &again["new"]), (&began["run"], &json!(false)));
    assert_eq!(send("v1,AAAA").await.0, StatusCode::UNAUTHORIZED);
    let elsewhere = kit.stranger().request(Method::POST, "/hooks/nowhere").body("{}");
    assert_eq!(answer(elsewhere).await.0, StatusCode::NOT_FOUND);
    let run = kit.adjutant.find(began["run"].as_str().unwrap()).await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Seen.");
}
