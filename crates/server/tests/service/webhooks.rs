//! Addresses are told of what happens, and messages from outside begin runs.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant::durable::{Draft, Expected};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::json::Json;
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
    /// What it can never take, by its type.
    refuses: Option<&'static str>,
}

impl Heard {
    fn failing(times: usize) -> Self {
        Self(Arc::new(Mutex::new(Told { failures: times, ..Told::default() })))
    }

    fn refusing(kind: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Told { refuses: Some(kind), ..Told::default() })))
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
    let told: Value = serde_json::from_slice(&body).unwrap();
    if heard.refuses.is_some_and(|kind| told["type"] == kind) {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    heard.messages.push((id.to_owned(), told));
    StatusCode::NO_CONTENT
}

fn settings(address: SocketAddr, more: &str) -> String {
    format!(
        "[tools.now]\ntype = \"time\"\n\n[secrets]\nhook = {{ file = \"hook.txt\" }}\n\n[[server.webhook]]\nurl = \
         \"http://{address}/\"\nsecret = \"hook\"\nprivate = true\n{more}"
    )
}

/// What it was told of, in the order in which it took it.
fn kinds(heard: &[(String, Value)]) -> Vec<&str> {
    heard.iter().map(|(_, told)| told["type"].as_str().unwrap()).collect()
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
async fn what_an_address_refuses_for_good_does_not_keep_the_rest_from_it_for_ever() {
    let heard = Heard::refusing("run.started");
    let address = heard.listen().await;
    let kit = kit(clerk(), &settings(address, "give_up_after = \"1s\"\n")).await;
    let admin = kit.client(Role::Admin).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    admin.run("One.").await;
    assert_eq!(kinds(&heard.until(1).await), ["run.ended"]);
    let (_, audit) = admin.get("/api/audit?limit=50").await;
    let events = audit["events"].as_array().unwrap();
    let given_up = events.iter().find(|event| event["what"] == "webhook.given_up");
    let given_up = given_up.unwrap_or_else(|| panic!("{audit}"));
    assert!(given_up.to_string().contains("answered 422"), "{given_up}");
    let (_, webhooks) = admin.get("/api/webhooks").await;
    assert_eq!(webhooks["webhooks"][0]["failing"], Value::Null, "{webhooks}");
}

#[tokio::test]
async fn what_was_being_told_when_the_place_was_lost_is_told_again_and_in_order() {
    let heard = Heard::failing(usize::MAX);
    let address = heard.listen().await;
    let kit = kit(clerk(), &settings(address, "")).await;
    let admin = kit.client(Role::Admin).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    admin.run("One.").await;
    // Another process writes the place while this one insists, as one does that takes over.
    let engine = kit.adjutant.engine();
    let place = loop {
        let places = engine.documents("webhook", "", None, 10).await.unwrap();
        if let Some(place) = places.into_iter().find(|place| place.body.to_string().contains("failing")) {
            break place;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut body: Value = place.body.to().unwrap();
    body["holder"] = json!(["another", 0]);
    let taken = Draft::new("webhook", &place.key, Json::of(&body).unwrap());
    engine.put_document(taken.over(Expected::Something)).await.unwrap();
    heard.0.lock().unwrap().failures = 0;
    // What was being told may come twice, under one id.
    let mut told = loop {
        let told = heard.until(2).await;
        match told.last() {
            Some((_, last)) if last["type"] == "run.ended" => break told,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    told.dedup_by(|again, first| again.0 == first.0);
    assert_eq!(kinds(&told), ["run.started", "run.ended"]);
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
