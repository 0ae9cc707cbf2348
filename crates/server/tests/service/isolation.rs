//! Two tenants with the same names for everything: whatever one asks, it sees nothing of the other and changes nothing there.

use std::collections::BTreeSet;
use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant::{Adjutant, NewKey};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::kit::{Client, Kit};

/// How many requests are made, and how many of them at the same time.
const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 16;
/// What the other tenant's runs say.
const SECRET: &str = "the-acme-secret";

/// A source of the same choices for the same seed.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// One request as it is made.
struct Asked {
    method: Method,
    path: String,
    body: Option<Value>,
}

/// What requests are made of.
struct Maker {
    document: Value,
    /// Each path, how it is asked, and what is said of that.
    operations: Vec<(String, String, Value)>,
    /// Ids and names of both tenants.
    words: Vec<String>,
    choices: Choices,
}

impl Maker {
    fn new(words: Vec<String>, seed: u64) -> Self {
        let document = adjutant_server::openapi();
        let mut operations = Vec::new();
        for (path, of_path) in document["paths"].as_object().unwrap() {
            for (verb, operation) in of_path.as_object().unwrap() {
                let mut operation = operation.clone();
                operation.as_object_mut().unwrap().remove("responses");
                operations.push((path.clone(), verb.clone(), operation));
            }
        }
        Self { document, operations, words, choices: Choices(seed) }
    }

    fn request(&mut self) -> Asked {
        let number = self.choices.below(self.operations.len());
        let (path, verb, operation) = self.operations[number].clone();
        let mut query = Vec::new();
        let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        for part in parts.iter_mut().filter(|part| part.starts_with('{')) {
            *part = encoded(&self.word());
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            // Nobody waits for runs here.
            if parameter["in"] == "query" && parameter["name"] != "wait" && self.choices.coin() {
                let value = self.value(&parameter["schema"], 0);
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                query.push(format!("{}={}", parameter["name"].as_str().unwrap(), encoded(&value)));
            }
        }
        let schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
        let body = (!schema.is_null()).then(|| self.value(&schema, 0));
        let path = format!("{}?{}", parts.join("/"), query.join("&"));
        Asked { method: verb.to_uppercase().parse().unwrap(), path, body }
    }

    fn word(&mut self) -> String {
        self.choices.one(&self.words).clone()
    }

    /// Something that a schema allows, more or less.
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        if let Some(place) = schema["$ref"].as_str() {
            let schema = self.document.pointer(&place[1..]).unwrap().clone();
            return self.value(&schema, depth);
        }
        for several in ["oneOf", "anyOf", "enum"] {
            if let Some(several) = schema[several].as_array() {
                let one = self.choices.one(several).clone();
                let is_whole = one.get("properties").is_none() || schema.get("properties").is_none();
                if is_whole {
                    return if schema["enum"].is_array() { one } else { self.value(&one, depth) };
                }
            }
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.choices.one(kinds).clone(),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("object") => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let mut made = Map::new();
                for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                    if required.iter().any(|needed| needed == name) || (depth < 4 && self.choices.coin()) {
                        made.insert(name.clone(), self.value(schema, depth + 1));
                    }
                }
                Value::Object(made)
            }
            Some("array") => {
                let most = if depth < 4 { 3 } else { 1 };
                let count = self.choices.below(most).max(schema["minItems"].as_u64().unwrap_or(0) as usize);
                (0..count).map(|_| self.value(&schema["items"], depth + 1)).collect()
            }
            Some("integer" | "number") => json!(self.choices.below(120)),
            Some("boolean") => json!(self.choices.coin()),
            Some("null") => Value::Null,
            _ => Value::String(self.word()),
        }
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A tenant with something of everything. Gives a client of it, and the ids of what it has.
async fn tenant(kit: &Kit, name: &str, says: &str) -> (Client, BTreeSet<String>) {
    let adjutant: Adjutant = kit.adjutant.of_tenant(name).unwrap();
    let new = NewKey::new("the admin", Role::Admin);
    let made = adjutant.keys().create(new, "tests").await.unwrap();
    let token = Some(made.token.expose().to_owned());
    let client = Client { base: format!("http://{}", kit.address), token };
    let mut ids = BTreeSet::new();
    let run = async |input: &str| {
        let start = json!({ "input": input, "session": "s", "user": "ann", "agent": "desk" });
        let (status, run) = client.post("/api/runs?wait=20", &start).await;
        assert!(status.is_success(), "{run}");
        run["id"].as_str().unwrap().to_owned()
    };
    let (_, published) = client.post("/api/agents/desk/versions", &json!({ "label": "canary" })).await;
    assert!(published["version"]["version"].is_string(), "{published}");
    ids.insert(run(says).await);
    let start = json!({ "input": format!("call {says}"), "user": "ann", "agent": "desk" });
    for decide in [Some(json!({ "decision": "approve", "holds": { "everywhere": false } })), None] {
        let (_, started) = client.post("/api/runs", &start).await;
        ids.insert(started["id"].as_str().unwrap().to_owned());
        let waiting = loop {
            let (_, waiting) = client.get("/api/approvals").await;
            if waiting["approvals"][0].is_object() {
                break waiting["approvals"][0]["id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        if let Some(decision) = decide {
            let (status, said) = client.post(&format!("/api/approvals/{waiting}/decide"), &decision).await;
            assert_eq!(status, StatusCode::OK, "{said}");
            client.get(&format!("/api/runs/{}", started["id"].as_str().unwrap())).await;
            while client.get("/api/approvals").await.1["approvals"][0].is_object() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } else {
            ids.insert(waiting);
        }
    }
    let (_, key) = client.post("/api/keys", &json!({ "name": "another", "role": "viewer" })).await;
    ids.insert(key["key"]["id"].as_str().unwrap().to_owned());
    let (_, grants) = client.get("/api/grants?all=true").await;
    ids.extend(
        grants["grants"].as_array().unwrap().iter().map(|grant| grant["id"].as_str().unwrap().to_owned()),
    );
    (client, ids)
}

/// All that a tenant can see of what it has.
async fn everything(client: &Client) -> Value {
    let mut seen = Map::new();
    for path in [
        "/api/runs",
        "/api/sessions",
        "/api/sessions/s/messages",
        "/api/approvals",
        "/api/grants?all=true",
        "/api/agents/desk/versions",
        "/api/agents/desk/changes",
        "/api/keys",
    ] {
        seen.insert(path.to_owned(), client.get(path).await.1);
    }
    let runs = seen["/api/runs"]["runs"].as_array().unwrap().clone();
    for run in runs {
        for part in ["", "/steps", "/waits", "/messages", "/files"] {
            let path = format!("/api/runs/{}{part}", run["id"].as_str().unwrap());
            seen.insert(path.clone(), client.get(&path).await.1);
        }
    }
    // When a key was last used is written down by and by.
    for key in seen["/api/keys"]["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("used");
    }
    Value::Object(seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_of_one_tenant_see_and_change_nothing_of_another() {
    let given = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    let model = Scripted::from_fn(|request, _| {
        let last = request.messages.last()?;
        let text = last.text();
        Some(match text.strip_prefix("call ") {
            Some(_) if last.results().next().is_none() => Turn::calls([("now", json!({}))]),
            _ => Turn::text(&text),
        })
    });
    let files = [
        ("agents/desk.md", "---\nmodel: main\ntools: [now]\napprove: [now]\n---\nHelp.\n"),
        ("adjutant.toml", "[tools.now]\ntype = \"time\"\n"),
        ("policies/all.cedar", "permit (principal, action, resource);\n"),
    ];
    let kit = Kit::of(&files, model, Settings::default()).await;
    let (acme, foreign) = tenant(&kit, "acme", SECRET).await;
    let (bell, own) = tenant(&kit, "bell", "hello").await;
    let before = everything(&acme).await;
    assert!(before.to_string().contains(SECRET));
    let names = ["desk", "s", "ann", "canary", "stable", "another", "acme", "bell", "now", "x", ""];
    // Every other thing of the other tenant is named in requests; the rest is never said, so whoever is told of it has seen it.
    let (named, hidden): (Vec<_>, Vec<_>) =
        foreign.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    let named: Vec<String> = named.into_iter().map(|(_, id)| id).collect();
    let mut hidden: Vec<String> = hidden.into_iter().map(|(_, id)| id).collect();
    hidden.retain(|hidden| !named.iter().any(|named| named.contains(hidden.as_str())));
    assert!(!hidden.is_empty());
    let words = names.map(str::to_owned).into_iter().chain(named).chain(own);
    let mut maker = Maker::new(words.collect(), seed);
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
    let token = bell.token.clone().unwrap();
    let requests: Vec<Asked> = (0..REQUESTS).map(|_| maker.request()).collect();
    let answered = futures::stream::iter(requests).map(async |asked| {
        let Asked { method, path, body } = asked;
        let said = format!("seed {seed}: {method} {path} {}", body.as_ref().unwrap_or(&Value::Null));
        let request = client.request(method, format!("{}{path}", bell.base)).bearer_auth(&token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status();
        let mut text = Vec::new();
        let mut pieces = response.bytes_stream();
        // A stream of a run that waits has no end.
        while let Ok(Some(Ok(piece))) = tokio::time::timeout(Duration::from_millis(300), pieces.next()).await
        {
            text.extend(piece);
        }
        (said, status, String::from_utf8_lossy(&text).into_owned())
    });
    let mut answered = answered.buffer_unordered(AT_ONCE);
    let mut well = 0;
    while let Some((said, status, text)) = answered.next().await {
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{said}: {text}");
        assert!(!text.contains(SECRET), "{said}: {text}");
        let told = hidden.iter().find(|id| text.contains(id.as_str()));
        assert_eq!(told, None, "{said}: {text}");
        well += usize::from(status.is_success());
    }
    assert!(well > REQUESTS / 20, "seed {seed}: only {well} requests made sense");
    assert_eq!(everything(&acme).await, before, "seed {seed}");
}
