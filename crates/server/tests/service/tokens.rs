//! Tokens of an identity provider.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use adjutant::SystemClock;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::project::Oidc;
use adjutant_core::role::Role;
use adjutant_core::time::Clock as _;
use adjutant_server::Settings;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::kit::{Client, Kit};

/// A key of the provider, with its private half.
enum Signer {
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static str),
}

impl Signer {
    fn ec() -> Self {
        Self::on_curve(&ECDSA_P256_SHA256_FIXED_SIGNING, "ES256")
    }

    fn on_curve(by: &'static EcdsaSigningAlgorithm, algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(by, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(by, made.as_ref(), &random).unwrap(), algorithm)
    }

    fn ed() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }

    /// One with a key that was made outside: `ring` makes none for RSA.
    fn rsa(key: &[u8], algorithm: &'static str) -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(key).unwrap(), algorithm)
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_, algorithm) | Self::Rsa(_, algorithm) => algorithm,
            Self::Ed(_) => "EdDSA",
        }
    }

    fn public(&self, id: &str) -> Value {
        match self {
            Self::Ec(pair, algorithm) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if *algorithm == "ES256" { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "kid": id, "use": "sig", "x": encode(x), "y": encode(y) })
            }
            Self::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "x": encode(pair.public_key().as_ref()) })
            }
            Self::Rsa(pair, _) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": id, "use": "sig", "n": encode(n), "e": encode(e) })
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ec(pair, _) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Self::Rsa(pair, algorithm) => {
                let by: &dyn RsaEncoding = match *algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(by, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", encode(signature))
    }

    fn token(&self, id: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": id, "typ": "JWT" }), claims)
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    u64::try_from(SystemClock.now().0 / 1_000).unwrap()
}

/// An identity provider.
#[derive(Clone, Default)]
struct Provider {
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
    issuer: Arc<Mutex<String>>,
}

impl Provider {
    async fn start(keys: Vec<Value>) -> (Self, String) {
        let provider = Self::default();
        *provider.keys.lock().unwrap() = keys;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realm", listener.local_addr().unwrap());
        *provider.issuer.lock().unwrap() = issuer.clone();
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", get(describe))
            .route("/keys", get(publish))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, issuer)
    }
}

async fn describe(State(provider): State<Provider>) -> axum::Json<Value> {
    let issuer = provider.issuer.lock().unwrap().clone();
    axum::Json(json!({ "issuer": issuer, "jwks_uri": issuer.replace("/realm", "/keys") }))
}

async fn publish(State(provider): State<Provider>) -> Result<axum::Json<Value>, StatusCode> {
    provider.asked.fetch_add(1, Ordering::SeqCst);
    match provider.down.load(Ordering::SeqCst) {
        true => Err(StatusCode::SERVICE_UNAVAILABLE),
        false => Ok(axum::Json(json!({ "keys": *provider.keys.lock().unwrap() }))),
    }
}

/// A service that takes the tokens of an issuer.
async fn service(issuer: &str) -> Kit {
    service_with(issuer, None).await
}

/// The same, which has the keys of the issuer from a file where one is given.
async fn service_with(issuer: &str, jwks_file: Option<std::path::PathBuf>) -> Kit {
    let oidc = Oidc {
        issuer: issuer.parse().unwrap(),
        audience: "adjutant".to_owned(),
        jwks: None,
        jwks_file,
        role_claim: "role".to_owned(),
        tenant_claim: "tenant".to_owned(),
        principal_claim: "sub".to_owned(),
        roles: Role::ALL
            .map(|role| (role.as_str().to_owned(), role))
            .into_iter()
            .chain([("customer".to_owned(), Role::Operator)])
            .collect(),
        own_only: vec!["customer".to_owned()],
    };
    Kit::with(
        Scripted::from_fn(|_, _| Some(Turn::text("Yes."))),
        Settings {
            oidc: Some(oidc),
            strangers: adjutant_server::Rate::per_minute(100_000),
            ..Settings::default()
        },
    )
    .await
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "aud": "adjutant", "sub": "ann", "tenant": "local", "role": "operator",
        "iat": now(), "exp": now() + 300 })
}

/// The claims with something else in them.
fn with(issuer: &str, changes: &Value) -> Value {
    let mut claims = claims(issuer);
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

async fn ask(kit: &Kit, token: &str) -> (StatusCode, Value) {
    Client { token: Some(token.to_owned()), ..kit.stranger() }.get("/api/approvals").await
}

#[tokio::test]
async fn who_has_a_token_is_who_it_says() {
    let (ec, ed) = (Signer::ec(), Signer::ed());
    let (_provider, issuer) = Provider::start(vec![ec.public("one"), ed.public("two")]).await;
    let kit = service(&issuer).await;
    for (signer, id) in [(&ec, "one"), (&ed, "two")] {
        assert_eq!(ask(&kit, &signer.token(id, &claims(&issuer))).await.0, StatusCode::OK, "{id}");
    }
    // Without a key's name, every key that it can be is tried.
    let nameless = ec.sign(&json!({ "alg": "ES256" }), &claims(&issuer));
    assert_eq!(ask(&kit, &nameless).await.0, StatusCode::OK);
    let token = ec.token("one", &with(&issuer, &json!({ "aud": ["x", "adjutant"], "unknown": { "a": 1 } })));
    let client = Client { token: Some(token), ..kit.stranger() };
    let run = client.run("Hello.").await;
    assert_eq!(run["user"], "ann", "{run}");
    let viewer = ec.token("one", &with(&issuer, &json!({ "role": "viewer" })));
    let viewer = Client { token: Some(viewer), ..kit.stranger() };
    assert_eq!(viewer.post("/api/runs", &json!({ "input": "x" })).await.0, StatusCode::FORBIDDEN);
    let other = ec.token("one", &with(&issuer, &json!({ "tenant": "other" })));
    let path = format!("/api/runs/{}", run["id"].as_str().unwrap());
    assert_eq!(Client { token: Some(other), ..kit.stranger() }.get(&path).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_customer_reaches_their_own_and_nothing_else() {
    let signer = Signer::ec();
    let (_provider, issuer) = Provider::start(vec![signer.public("one")]).await;
    let kit = service(&issuer).await;
    let of = |name: &str, role: Value| {
        let token = signer.token("one", &with(&issuer, &json!({ "sub": name, "role": role })));
        Client { token: Some(token), ..kit.stranger() }
    };
    let (ann, bob, staff) = (
        of("ann", json!("customer")),
        of("bob", json!("customer")),
        of("carla", json!(["customer", "operator"])),
    );
    let start = async |client: &Client, words: &str, session: &str| {
        let body = json!({ "input": words, "session": session });
        let (status, run) = client.post("/api/runs?wait=30", &body).await;
        assert_eq!(status, StatusCode::OK, "{run}");
        run["id"].as_str().unwrap().to_owned()
    };
    let of_ann = start(&ann, "what ann said", "of-ann").await;
    let of_bob = start(&bob, "what bob said", "of-bob").await;
    let listed = async |client: &Client, path: &str, what: &str| {
        let (status, list) = client.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {list}");
        list[what].as_array().unwrap().len()
    };
    for (path, what) in [("/api/runs", "runs"), ("/api/sessions", "sessions"), ("/api/usage", "agents")] {
        assert_eq!(listed(&ann, path, what).await, 1, "{path}");
        assert_eq!(listed(&staff, path, what).await, 2, "{path}");
    }
    assert_eq!(listed(&ann, "/api/runs?user=bob", "runs").await, 0);
    assert_eq!(ann.get(&format!("/api/runs/{of_ann}")).await.0, StatusCode::OK);
    assert_eq!(ann.get("/api/sessions/of-ann/messages").await.0, StatusCode::OK);
    // How it is done is not theirs, and nothing that is added to the service is unless it says so.
    for path in ["steps", "messages"] {
        let (status, answer) = ann.get(&format!("/api/runs/{of_ann}/{path}")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {answer}");
    }
    let taken = ann.post(&format!("/api/runs/{of_ann}/take"), &json!({})).await;
    assert_eq!(taken.0, StatusCode::FORBIDDEN, "{}", taken.1);
    let (_, document) = staff.get("/api/openapi.json").await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|key| key.as_str() != "parameters") {
            let filled =
                path.replace("{run}", &of_bob).replace("{session}", "of-bob").replace("{agent}", "desk");
            let filled = filled.replace("{path}", "a").replace(['{', '}'], "");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let request = ann.request(method.clone(), &filled).json(&json!({}));
            let response = request.send().await.unwrap();
            let (status, text) = (response.status(), response.text().await.unwrap_or_default());
            let is_refused = status.is_client_error() && !text.contains("what bob said");
            assert!(
                is_refused || !text.contains(&of_bob) && !text.contains("bob"),
                "{method} {path}: {status} {text}"
            );
        }
    }
    assert_eq!(bob.get(&format!("/api/runs/{of_bob}")).await.1["state"], "ended");
}

#[tokio::test]
async fn what_was_not_signed_by_the_provider_for_this_service_is_refused() {
    let (ec, ed, thief) = (Signer::ec(), Signer::ed(), Signer::ec());
    let encryption = json!({ "kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc",
        "x": thief.public("x")["x"], "y": thief.public("x")["y"] });
    let secret = json!({ "kty": "oct", "kid": "oct", "k": encode("0123456789abcdef0123456789abcdef") });
    let (_provider, issuer) =
        Provider::start(vec![ec.public("one"), ed.public("two"), encryption, secret]).await;
    let kit = service(&issuer).await;
    let good = claims(&issuer);
    let token = ec.token("one", &good);
    let parts: Vec<&str> = token.split('.').collect();
    let hmac = |header: Value, key: &[u8]| {
        let message = format!("{}.{}", encode(header.to_string()), encode(good.to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        format!("{message}.{}", encode(ring::hmac::sign(&key, message.as_bytes())))
    };
    let public = ec.public("one");
    let stronger = encode(with(&issuer, &json!({ "role": "admin" })).to_string());
    let mut flipped = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    flipped[7] ^= 1;
    let own = json!({ "alg": "ES256", "kid": "one", "jwk": thief.public("one"), "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/" });
    let forged = [
        ("by another key", thief.token("one", &good)),
        ("by a key for something else", thief.token("enc", &good)),
        ("by a key that it brings along", thief.sign(&own, &good)),
        ("none", format!("{}.{}.", encode(r#"{"alg":"none"}"#), parts[1])),
        ("None", format!("{}.{}.{}", encode(r#"{"alg":"None"}"#), parts[1], parts[2])),
        ("without a signature", format!("{}.{}.", parts[0], parts[1])),
        ("with zeros for a signature", format!("{}.{}.{}", parts[0], parts[1], encode([0; 64]))),
        ("with a signature that was changed", format!("{}.{}.{}", parts[0], parts[1], encode(flipped))),
        ("with claims that were changed", format!("{}.{stronger}.{}", parts[0], parts[2])),
        (
            "by the public key as a secret",
            hmac(json!({ "alg": "HS256", "kid": "one" }), public.to_string().as_bytes()),
        ),
        (
            "by the point as a secret",
            hmac(
                json!({ "alg": "HS256", "kid": "one" }),
                &URL_SAFE_NO_PAD.decode(public["x"].as_str().unwrap()).unwrap(),
            ),
        ),
        (
            "by a secret that is published",
            hmac(json!({ "alg": "HS256", "kid": "oct" }), b"0123456789abcdef0123456789abcdef"),
        ),
        ("by a key of another kind", ed.sign(&json!({ "alg": "EdDSA", "kid": "one" }), &good)),
        ("under another algorithm", ec.sign(&json!({ "alg": "ES384", "kid": "one" }), &good)),
        (
            "with something critical",
            ec.sign(&json!({ "alg": "ES256", "kid": "one", "crit": ["x"], "x": 1 }), &good),
        ),
        ("in four parts", format!("{token}.x")),
        ("with nothing in it", "eyJ.eyJ.x".to_owned()),
        ("too long", ec.token("one", &with(&issuer, &json!({ "x": "a".repeat(20_000) })))),
        ("another's", ec.token("one", &with(&issuer, &json!({ "iss": "https://evil.example/" })))),
        ("of nobody", ec.token("one", &with(&issuer, &json!({ "iss": null })))),
        ("for another", ec.token("one", &with(&issuer, &json!({ "aud": "other" })))),
        ("for nobody", ec.token("one", &with(&issuer, &json!({ "aud": null })))),
        ("for a list of others", ec.token("one", &with(&issuer, &json!({ "aud": ["a", "b"] })))),
        ("over", ec.token("one", &with(&issuer, &json!({ "exp": now() - 120 })))),
        ("without an end", ec.token("one", &with(&issuer, &json!({ "exp": null })))),
        ("with an end that is no time", ec.token("one", &with(&issuer, &json!({ "exp": "tomorrow" })))),
        ("not yet", ec.token("one", &with(&issuer, &json!({ "nbf": now() + 120 })))),
        ("of nobody in it", ec.token("one", &with(&issuer, &json!({ "sub": null })))),
        ("of no tenant", ec.token("one", &with(&issuer, &json!({ "tenant": null })))),
        ("of a role that there is not", ec.token("one", &with(&issuer, &json!({ "role": "god" })))),
    ];
    for (what, token) in forged {
        let (status, refused) = ask(&kit, &token).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {refused}");
    }
    // Clocks may be a little apart.
    for close in [json!({ "exp": now() - 20 }), json!({ "nbf": now() + 20 }), json!({ "iat": now() + 20 })] {
        assert_eq!(ask(&kit, &ec.token("one", &with(&issuer, &close))).await.0, StatusCode::OK, "{close}");
    }
}

#[tokio::test]
async fn the_provider_is_asked_for_new_keys_and_not_for_each_that_somebody_makes_up() {
    let (old, new) = (Signer::ec(), Signer::ec());
    let (provider, issuer) = Provider::start(vec![old.public("old")]).await;
    let kit = service(&issuer).await;
    let good = claims(&issuer);
    assert_eq!(ask(&kit, &old.token("old", &good)).await.0, StatusCode::OK);
    for number in 0..20 {
        let (status, _) = ask(&kit, &old.token(&format!("made-up-{number}"), &good)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1, "it was asked just now");
    *provider.keys.lock().unwrap() = vec![old.public("old"), new.public("new")];
    tokio::time::sleep(std::time::Duration::from_millis(10_100)).await;
    let at_once: Vec<_> = (0..8).map(|_| new.token("new", &good)).collect();
    for answered in futures::future::join_all(at_once.iter().map(|token| ask(&kit, token))).await {
        assert_eq!(answered.0, StatusCode::OK, "{}", answered.1);
    }
    assert_eq!(provider.asked.load(Ordering::SeqCst), 2, "once for all of them");
    // While it cannot be asked, the keys hold that there are; a key that is not known is not one.
    provider.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&kit, &new.token("new", &good)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn while_the_provider_cannot_be_asked_nobody_is_let_in_and_keys_hold() {
    let signer = Signer::ec();
    let (provider, issuer) = Provider::start(vec![signer.public("one")]).await;
    provider.down.store(true, Ordering::SeqCst);
    let kit = service(&issuer).await;
    for _ in 0..3 {
        let (status, refused) = ask(&kit, &signer.token("one", &claims(&issuer))).await;
        assert_eq!((status, &refused["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("overloaded")));
    }
    assert_eq!(kit.client(Role::Viewer).await.get("/api/approvals").await.0, StatusCode::OK);
    // One that says that it is another is not believed.
    *provider.issuer.lock().unwrap() = "https://evil.example/".to_owned();
    provider.down.store(false, Ordering::SeqCst);
    let kit = service(&issuer).await;
    let (status, _) = ask(&kit, &signer.token("one", &claims(&issuer))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

/// A key for RSA with so many bits, as PKCS 8. `ring` makes none; Node is there wherever the tests run.
fn rsa_key(bits: u32) -> Vec<u8> {
    let script = format!(
        "const form = {{ type: 'pkcs8', format: 'der' }};
         const pair = require('crypto').generateKeyPairSync('rsa', {{ modulusLength: {bits}, privateKeyEncoding: form }});
         process.stdout.write(pair.privateKey)"
    );
    let made = std::process::Command::new("node").args(["-e", &script]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

#[tokio::test]
async fn each_algorithm_is_verified_and_none_passes_for_another() {
    const RSA: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let key = rsa_key(2048);
    let mut signers: Vec<Signer> = RSA.iter().map(|algorithm| Signer::rsa(&key, algorithm)).collect();
    signers.extend([Signer::ec(), Signer::on_curve(&ECDSA_P384_SHA384_FIXED_SIGNING, "ES384"), Signer::ed()]);
    let id = |signer: &Signer| if RSA.contains(&signer.algorithm()) { "rsa" } else { signer.algorithm() };
    let public = signers[5..].iter().map(|signer| signer.public(id(signer))).collect();
    let (_provider, issuer) = Provider::start(public).await;
    let kit = service(&issuer).await;
    let good = claims(&issuer);
    let all: Vec<&str> = signers.iter().map(Signer::algorithm).collect();
    for signer in &signers {
        let own = signer.algorithm();
        let token = signer.token(id(signer), &good);
        assert_eq!(ask(&kit, &token).await.0, StatusCode::OK, "{own}");
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let mut changed = URL_SAFE_NO_PAD.decode(signature).unwrap();
        changed[20] ^= 1;
        let mut wrong = vec![
            ("a signature that was changed", format!("{rest}.{}", encode(changed))),
            ("half a signature", format!("{rest}.{}", &signature[..signature.len() / 2])),
            ("another key's name", signer.token(if id(signer) == "rsa" { "ES256" } else { "rsa" }, &good)),
            ("no key's name", signer.token("x", &good)),
            ("over", signer.token(id(signer), &with(&issuer, &json!({ "exp": now() - 120 })))),
            ("not yet", signer.token(id(signer), &with(&issuer, &json!({ "nbf": now() + 120 })))),
            ("for another", signer.token(id(signer), &with(&issuer, &json!({ "aud": "other" })))),
        ];
        let others = all.iter().chain(&["none", "HS256", "ES512", "ES256K"]).filter(|other| **other != own);
        wrong.extend(
            others.map(|other| (*other, signer.sign(&json!({ "alg": other, "kid": id(signer) }), &good))),
        );
        for (what, token) in wrong {
            let (status, refused) = ask(&kit, &token).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{own}, {what}: {refused}");
        }
    }
    // What everybody has is no secret: the public key, as it is published and as it is written.
    let modulus = signers[5].public("rsa")["n"].as_str().unwrap().to_owned();
    for secret in [modulus.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&modulus).unwrap()] {
        let message = format!("{}.{}", encode(r#"{"alg":"HS256","kid":"rsa"}"#), encode(good.to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let token = format!("{message}.{}", encode(ring::hmac::sign(&key, message.as_bytes())));
        assert_eq!(ask(&kit, &token).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn the_keys_of_a_provider_are_read_from_a_file_and_anew_when_it_changes() {
    let (old, new) = (Signer::ec(), Signer::ec());
    let issuer = "https://login.example/";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let kit = service_with(issuer, Some(file.clone())).await;
    let good = claims(issuer);
    let (status, refused) = ask(&kit, &old.token("old", &good)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "there is no file yet: {refused}");
    assert!(!refused.to_string().contains("jwks.json"), "where it is is nobody's business: {refused}");
    let write = |keys: &[Value]| std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    let later = || tokio::time::sleep(std::time::Duration::from_millis(2_100));
    write(&[old.public("old")]);
    later().await;
    assert_eq!(ask(&kit, &old.token("old", &good)).await.0, StatusCode::OK);
    assert_eq!(ask(&kit, &new.token("new", &good)).await.0, StatusCode::UNAUTHORIZED);
    write(&[new.public("new")]);
    later().await;
    assert_eq!(ask(&kit, &new.token("new", &good)).await.0, StatusCode::OK);
    assert_eq!(ask(&kit, &old.token("old", &good)).await.0, StatusCode::UNAUTHORIZED, "it was taken out");
    // One that cannot be read changes nothing.
    std::fs::write(&file, "{").unwrap();
    later().await;
    assert_eq!(ask(&kit, &new.token("new", &good)).await.0, StatusCode::OK);
}
