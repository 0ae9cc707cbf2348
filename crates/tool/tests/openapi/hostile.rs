//! Documents and services that lie, and masses of everything.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjutant_core::{Code, Error};
use adjutant_tool::Registry;
use adjutant_tool::openapi::{Auth, Config, Source};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::scene::{Service, config, registry, respond, text};

/// Makes tools of the text of a document.
fn document(text: impl AsRef<[u8]>, change: impl FnOnce(&mut Config)) -> Result<Registry, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("api.json");
    std::fs::write(&path, text).unwrap();
    let mut config =
        Config { base_url: Some("http://127.0.0.1:9/".parse().unwrap()), ..Config::new(Source::file(path)) };
    change(&mut config);
    registry(config)
}

fn paths(paths: &Value) -> String {
    json!({ "openapi": "3.0.3", "paths": paths }).to_string()
}

fn refused(text: impl AsRef<[u8]>) -> String {
    let error = document(text, |_| {}).unwrap_err();
    assert!(matches!(error.code(), Code::ToolInvalid | Code::FileUnreadable), "{error}");
    assert!(error.message().chars().count() < 800, "{error}");
    error.message().to_owned()
}

fn taking(schema: &Value) -> Value {
    json!({ "/a": { "post": { "operationId": "a", "requestBody": { "content": { "application/json": { "schema": schema } } } } } })
}

#[test]
fn references_lead_nowhere_out_of_the_document() {
    for reference in [
        "file:///etc/passwd",
        "/etc/passwd",
        "other.json#/a",
        "http://169.254.169.254/latest",
        "#/none",
        "#a",
        "",
    ] {
        let message = refused(paths(&taking(&json!({ "$ref": reference }))));
        assert!(message.contains("#/paths/~1a/post/requestBody"), "{reference}: {message}");
        let parameter = json!({ "/a": { "get": { "parameters": [{ "$ref": reference }] } } });
        assert!(refused(paths(&parameter)).contains("#/paths/~1a/get/parameters/0"), "{reference}");
    }
}

#[test]
fn circles_come_to_an_end() {
    let text = json!({
        "openapi": "3.0.3",
        "paths": {
            "/a": { "post": { "operationId": "a", "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/A" } } } } } },
            "/b": { "$ref": "#/paths/~1a" },
        },
        "components": { "schemas": {
            "A": { "allOf": [{ "$ref": "#/components/schemas/A" }, { "$ref": "#/components/schemas/B" }] },
            "B": { "anyOf": [{ "$ref": "#/components/schemas/A" }, { "$ref": "#/components/schemas/C" }] },
            "C": { "$ref": "#/components/schemas/D" },
            "D": { "$ref": "#/components/schemas/C" },
        } },
    });
    // Whether such a schema can be used at all is for the check of schemas to say; it must say so, and in time.
    match document(text.to_string(), |_| {}) {
        Ok(registry) => assert!(registry.len() <= 2),
        Err(error) => assert_eq!(error.code(), Code::ToolInvalid, "{error}"),
    }
    let itself = json!({ "/a": { "$ref": "#/paths/~1a" } });
    assert!(refused(paths(&itself)).ends_with("its `$ref` leads in a circle"));
}

#[test]
fn masses_are_refused_or_bounded() {
    let huge = format!("{{\"openapi\": \"3.0.3\", \"paths\": {{}}, \"x\": \"{}\"}}", "x".repeat(50 << 20));
    assert!(refused(huge).contains("it is longer than"));
    let deep = |open: &str, close: &str| {
        format!("{{\"openapi\": \"3.0.3\", \"paths\": {}1{}}}", open.repeat(50_000), close.repeat(50_000))
    };
    assert!(refused(deep("[", "]")).contains("cannot be read"));
    assert!(refused(deep("{\"a\":", "}")).contains("cannot be read"));
    assert!(refused(format!("openapi: 3.0.3\npaths: {}", "[".repeat(50_000))).contains("cannot be read"));
    let laughs = ('a'..'i')
        .zip('b'..='i')
        .map(|(from, to)| format!("{to}: &{to} [{}]\n", format!("*{from},").repeat(20)));
    assert!(refused(format!("a: &a [x]\n{}", laughs.collect::<String>())).contains("cannot be read"));
    assert!(refused([0xff, 0xfe, 0x00]).contains("it is not UTF-8 text"));

    let mut many = Map::new();
    for number in 0..2_001 {
        many.insert(format!("/p{number}"), json!({ "get": {} }));
    }
    let message = refused(paths(&Value::Object(many.clone())));
    assert!(message.ends_with("has 2001 operations, more than 2000"), "{message}");
    let one =
        document(paths(&Value::Object(many)), |config| config.operations = vec!["GET /p7".into()]).unwrap();
    assert_eq!(one.len(), 1);

    let properties: Map<String, Value> = (0..20_000)
        .map(|n| (format!("p{n}"), json!({ "type": "string", "description": "x".repeat(500) })))
        .collect();
    let wide =
        document(paths(&taking(&json!({ "type": "object", "properties": properties }))), |_| {}).unwrap();
    assert_eq!(wide.len(), 1);
}

#[test]
fn nonsense_is_named_with_its_place_or_left_out() {
    for (item, place) in [
        (json!({ "get": 5 }), "#/paths/~1a/get"),
        (json!({ "get": { "parameters": {} } }), "#/paths/~1a/get/parameters"),
        (json!({ "get": { "parameters": [{ "in": "query" }] } }), "#/paths/~1a/get/parameters/0"),
        (
            json!({ "get": { "parameters": [{ "name": "x", "in": "body" }] } }),
            "#/paths/~1a/get/parameters/0/in",
        ),
        (
            json!({ "get": { "parameters": [{ "name": "x", "in": "query", "schema": 7 }] } }),
            "#/paths/~1a/get/parameters/0/schema",
        ),
        (json!({ "post": { "requestBody": {} } }), "#/paths/~1a/post/requestBody"),
    ] {
        let message = refused(paths(&json!({ "/a": item })));
        assert!(message.contains(&format!("at `{place}`: ")), "{message}");
    }
    let unnamed = refused(paths(&json!({ "/a/{id}": { "get": {} } })));
    assert!(unnamed.contains("the path has `{id}`"), "{unnamed}");
    assert!(refused(paths(&json!({ "@evil.test/a": { "get": {} } }))).contains("a path must begin with `/`"));
    let odd = json!({ "type": "nothing", "enum": 1, "required": {}, "pattern": "(", "minimum": [], "properties": { "": { "type": 5 } } });
    assert!(document(paths(&taking(&odd)), |_| {}).is_ok());
}

#[test]
fn a_document_does_not_choose_a_private_host() {
    for server in [
        "http://169.254.169.254/latest",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "file:///etc",
        "http://me:secret@example.org/",
        "/relative",
    ] {
        let text =
            json!({ "openapi": "3.0.3", "servers": [{ "url": server }], "paths": { "/a": { "get": {} } } });
        let error = document(text.to_string(), |config| config.base_url = None).unwrap_err();
        assert_eq!(error.code(), Code::ToolInvalid, "{server}");
        assert!(!error.message().contains("secret"), "{error}");
    }
    let own = json!({ "/a": { "get": { "operationId": "a", "servers": [{ "url": "https://evil.test" }] } } });
    assert_eq!(document(paths(&own), |_| {}).unwrap().len(), 0, "what another host serves is left out");
    let error = document(paths(&own), |config| config.operations = vec!["a".into()]).unwrap_err();
    assert!(error.message().contains("is served by `https://evil.test`"), "{error}");
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_not_asked() {
    let service = Service::start(|_| respond(200, &[], "inside")).await;
    let server = format!("http://localhost:{}", service.port);
    let operation = json!({ "operationId": "look", "responses": {} });
    let text_of = json!({ "openapi": "3.0.3", "servers": [{ "url": server }], "paths": { "/a": { "get": operation } } });
    let named = |private| {
        let change = |config: &mut Config| {
            config.base_url = None;
            config.private = private;
        };
        document(text_of.to_string(), change).unwrap()
    };
    let outside = text(&named(false), "look", &json!({})).await;
    assert!(
        outside.starts_with("run stops tool-invalid: ") && outside.contains("is not on the public internet"),
        "{outside}"
    );
    assert!(service.seen().is_empty());
    assert_eq!(text(&named(true), "look", &json!({})).await, "inside");
}

#[tokio::test]
async fn a_redirect_takes_no_key_elsewhere() {
    let other = Service::start(|_| respond(200, &[], "stolen")).await;
    let elsewhere = other.url("/catch").to_string();
    let service = Service::start(move |seen| match seen.uri.path() {
        "/v1/tickets/away/scan" => respond(302, &[("location", &elsewhere)], ""),
        "/v1/tickets/here/scan" if seen.method == "GET" => respond(301, &[("location", "/v1/there")], ""),
        "/v1/tickets/loop/scan" => respond(302, &[("location", "/v1/tickets/loop/scan")], ""),
        "/v1/there" => respond(200, &[], "there"),
        _ => respond(307, &[("location", "/v1/there")], ""),
    })
    .await;
    let auth = Auth::Bearer { secret: "key".into() };
    let tickets = registry(Config { auth, ..config("tickets.json", &service) }).unwrap();
    let away = text(&tickets, "scan", &json!({"id": "away"})).await;
    assert_eq!(away, format!("302 Found: it is at {}", other.url("/catch")));
    assert!(other.seen().is_empty(), "nobody else was asked");
    assert_eq!(text(&tickets, "scan", &json!({"id": "here"})).await, "there");
    service.seen();
    let posted = text(&tickets, "attach", &json!({"id": "here", "note": "x"})).await;
    assert_eq!(
        (posted.as_str(), service.seen().len()),
        ("307 Temporary Redirect: it is at /v1/there", 1),
        "sent once"
    );
    let endless = text(&tickets, "scan", &json!({"id": "loop"})).await;
    assert!(endless.contains("there are more than 5 redirects"), "{endless}");
}

/// A service that answers each connection with these bytes, and then so many more.
async fn raw(head: &'static str, endless: bool) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = vec![0; 65_536];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while endless && stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
                if head.is_empty() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    (port, count)
}

async fn raw_tickets(head: &'static str, endless: bool) -> (Registry, Arc<AtomicUsize>) {
    let (port, count) = raw(head, endless).await;
    let service = Service::start(|_| respond(200, &[], "")).await;
    let base_url = format!("http://127.0.0.1:{port}").parse().ok();
    let config = Config {
        base_url,
        bytes: 1 << 20,
        characters: 1_000,
        timeout: Duration::from_millis(400),
        ..config("tickets.json", &service)
    };
    (registry(config).unwrap(), count)
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let (tickets, _) = raw_tickets("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", true).await;
    let cut = text(&tickets, "scan", &json!({"id": "1"})).await;
    assert!(cut.starts_with("xxx") && cut.ends_with("ask for less]") && cut.len() < 1_200, "{cut}");
}

#[tokio::test]
async fn a_lost_answer_is_not_an_ordinary_error_where_it_matters() {
    let (get, post) = (json!({"id": "1"}), json!({"summary": "x"}));
    let (silent, count) = raw_tickets("", false).await;
    assert_eq!(
        text(&silent, "scan", &get).await,
        "model hears tool-timeout: `GET /tickets/{id}/scan` did not answer within 400ms"
    );
    assert_eq!(text(&silent, "file", &post).await, "unknown: `POST /tickets` did not answer within 400ms");
    assert_eq!(count.load(Ordering::SeqCst), 2, "each was sent once");

    let (broken, _) = raw_tickets("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", false).await;
    assert!(text(&broken, "scan", &get).await.starts_with("model hears tool-busy: the answer to `GET"));
    assert!(
        text(&broken, "file", &post).await.starts_with("unknown: the answer to `POST /tickets` was lost")
    );
    let (nonsense, _) = raw_tickets("HTTP/9 what\r\n\r\n", false).await;
    assert!(text(&nonsense, "file", &post).await.starts_with("unknown: "));

    // Nobody listens: it was certainly not sent.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port()).parse().ok();
    drop(listener);
    let service = Service::start(|_| respond(200, &[], "")).await;
    let nobody = registry(Config { base_url, ..config("tickets.json", &service) }).unwrap();
    let refused = text(&nobody, "file", &post).await;
    assert!(refused.starts_with("model hears tool-busy: `127.0.0.1` cannot be reached"), "{refused}");
}

#[test]
fn a_document_at_an_address_is_kept() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let text = include_str!("documents/tickets.json");
    let service = runtime.block_on(Service::start(move |seen| match seen.uri.path() {
        "/moved" => respond(302, &[("location", "/api.json")], ""),
        "/api.json" => respond(200, &[], text),
        _ => respond(200, &[], "<html>no document</html>"),
    }));
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept/api.json");
    let source = Source::address(service.url("/moved"), &kept);
    assert_eq!(
        registry(Config { base_url: Some(service.url("/")), ..Config::new(source.clone()) }).unwrap().len(),
        3
    );
    assert_eq!(service.seen().len(), 2);
    assert_eq!(
        registry(Config { base_url: Some(service.url("/")), ..Config::new(source) }).unwrap().len(),
        3
    );
    assert!(service.seen().is_empty(), "it is here now");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), text);

    let page = folder.path().join("page.json");
    let error = registry(Config::new(Source::address(service.url("/page"), &page))).unwrap_err();
    assert_eq!(error.code(), Code::ToolInvalid);
    assert!(!page.exists(), "what is no document is not kept");
}
