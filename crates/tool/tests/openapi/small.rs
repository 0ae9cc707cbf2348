//! Three small documents, called against a service that notes what it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjutant_core::message::Part;
use adjutant_tool::Effect;
use adjutant_tool::openapi::{Auth, Config, HeaderText, KeyPlace};
use serde_json::json;

use crate::scene::{Seen, Service, call, config, context, json as answer, registry, respond, text};

#[tokio::test]
async fn operations_become_tools() {
    let service = Service::start(|_| answer(200, &json!({}))).await;
    let registry = registry(config("shop.yaml", &service)).unwrap();
    let listed: Vec<_> = registry.specs().map(|spec| (spec.name.as_str(), spec.effect)).collect();
    assert_eq!(
        listed,
        [
            ("get_orders_id", Effect::Pure),
            ("orders_create", Effect::AtMostOnce),
            ("orders_list", Effect::Pure),
            ("remove", Effect::Idempotent),
            ("replace", Effect::Idempotent),
        ]
    );
    let spec = |name: &str| registry.get(name).unwrap().spec().clone();
    assert_eq!(spec("remove").description, "Deprecated. DELETE /orders/{id}");
    assert_eq!(
        spec("orders_create").parameters,
        json!({
            "type": "object",
            "properties": {
                "X-Tenant": {"type": "string", "description": "Whose shop it is."},
                "customer": {"type": "string"},
                "gift": {"type": "boolean", "default": false},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            },
            "required": ["X-Tenant", "customer", "lines"],
            "additionalProperties": false,
            "$defs": {"Line": {
                "type": "object",
                "required": ["sku"],
                "properties": {
                    "sku": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
                },
            }},
        })
    );
    assert_eq!(
        spec("replace").parameters["properties"],
        json!({"id": {"type": "integer"}, "body_id": {"type": ["string", "null"]}, "note": {"type": "string"}})
    );
}

#[tokio::test]
async fn arguments_go_where_they_belong() {
    let service = Service::start(|_| answer(200, &json!({"ok": true}))).await;
    let shop = registry(config("shop.yaml", &service)).unwrap();
    let arguments =
        json!({"X-Tenant": "a b", "state": ["open", "sent"], "filter": {"since": "2026-01-01"}, "limit": 5});
    assert_eq!(text(&shop, "orders_list", &arguments).await, "{\"ok\":true}");
    let seen = service.one();
    assert_eq!(seen.line(), "GET /v1/orders?state=open&state=sent&filter%5Bsince%5D=2026-01-01&limit=5");
    assert_eq!((seen.header("x-tenant"), seen.header("authorization")), (Some("a b"), None));

    text(&shop, "orders_create", &json!({"X-Tenant": "t", "customer": "Ada", "lines": [{"sku": "7"}]})).await;
    let seen = service.one();
    assert_eq!(
        (seen.line(), seen.text()),
        ("POST /v1/orders".into(), r#"{"customer":"Ada","lines":[{"sku":"7"}]}"#.into())
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));

    text(&shop, "replace", &json!({"id": 7, "body_id": null, "note": "x"})).await;
    let seen = service.one();
    assert_eq!((seen.line(), seen.text()), ("PUT /v1/orders/7".into(), r#"{"id":null,"note":"x"}"#.into()));

    let wrong = text(&shop, "orders_list", &json!({"state": ["lost"]})).await;
    assert!(wrong.starts_with("model hears tool-arguments: "), "{wrong}");
    assert!(service.seen().is_empty());
}

#[tokio::test]
async fn forms_files_and_choices_are_written() {
    let service = Service::start(|_| respond(204, &[], "")).await;
    let tickets = registry(config("tickets.json", &service)).unwrap();
    let arguments = json!({"summary": "No paper & no ink", "tags": ["a", "b"], "priority": null});
    assert_eq!(text(&tickets, "file", &arguments).await, "done (204 No Content)");
    let seen = service.one();
    assert_eq!(seen.text(), "summary=No%20paper%20%26%20no%20ink&tags=a&tags=b");
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));

    text(&tickets, "attach", &json!({"id": "7/8", "scan": {"name": "a.pdf", "base64": "AAH/"}, "note": "x"}))
        .await;
    let seen = service.one();
    assert_eq!(seen.line(), "POST /v1/tickets/7%2F8/scan");
    assert!(
        seen.text().contains("name=\"scan\"; filename=\"a.pdf\"\r\nContent-Type: application/octet-stream")
    );
    assert!(seen.body.windows(3).any(|bytes| bytes == [0, 1, 255]));

    let pets = registry(config("pets.yaml", &service)).unwrap();
    text(&pets, "addPet", &json!({"body": {"kind": "cat", "lives": 9}})).await;
    assert_eq!(service.one().text(), r#"{"kind":"cat","lives":9}"#);
    let wrong = text(&pets, "addPet", &json!({"body": {"kind": "cat"}})).await;
    assert!(wrong.contains("tool-arguments"), "{wrong}");
    text(&pets, "search", &json!({"body": {"name": "Rex"}})).await;
    assert_eq!(service.one().text(), r#"{"name":"Rex"}"#);
    assert_eq!(text(&pets, "exists", &json!({"name": "Rex"})).await, "done (204 No Content)");
    assert_eq!(service.one().line(), "HEAD /v1/pets/Rex");
}

#[tokio::test]
async fn only_wanted_operations_are_there() {
    let service = Service::start(|_| respond(204, &[], "")).await;
    let wanted = |operations: &[&str]| {
        let operations = operations.iter().map(|typed| (*typed).to_owned()).collect();
        registry(Config { operations, ..config("shop.yaml", &service) })
    };
    let registry = wanted(&["orders/list", "delete /orders/{id}", "orders/list"]).unwrap();
    assert_eq!(
        registry.specs().map(|spec| spec.name.as_str()).collect::<Vec<_>>(),
        ["orders_list", "remove"]
    );
    let error = wanted(&["list"]).unwrap_err();
    assert!(error.message().ends_with("shop.yaml` has no operation `list`"), "{error}");
    assert_eq!(error.help(), Some("did you mean `orders/list`?"));
}

#[tokio::test]
async fn an_idempotency_header_makes_a_call_repeatable() {
    let service = Service::start(|_| respond(201, &[], "")).await;
    let tickets = config("tickets.json", &service);
    let with =
        registry(Config { idempotency_header: Some("Idempotency-Key".into()), ..tickets.clone() }).unwrap();
    let spec = with.get("file").unwrap().spec();
    assert_eq!(spec.effect, Effect::Idempotent);
    assert!(spec.parameters["properties"].get("Idempotency-Key").is_none(), "a model never sees it");
    text(&with, "file", &json!({"summary": "x"})).await;
    assert_eq!(service.one().header("idempotency-key"), Some("key-of-this-call"));
    text(&with, "scan", &json!({"id": "1"})).await;
    assert_eq!(service.one().header("idempotency-key"), None);

    let effects = [("search".to_owned(), Effect::Pure)].into();
    let pets = registry(Config { effects, ..config("pets.yaml", &service) }).unwrap();
    let spec = pets.get("search").unwrap().spec();
    assert_eq!(spec.effect, Effect::Pure);
    assert!(
        spec.parameters["properties"].get("part").is_some(),
        "what may be asked again may be asked for more"
    );
    assert!(with.get("file").unwrap().spec().parameters["properties"].get("part").is_none());
    let effects = [("serch".to_owned(), Effect::Pure)].into();
    assert!(registry(Config { effects, ..config("pets.yaml", &service) }).is_err());
}

#[tokio::test]
async fn secrets_show_who_asks_and_stay_secret() {
    // A careless service repeats what it was sent.
    let service = Service::start(|seen| {
        let all = format!("{} {:?}", seen.uri, seen.headers);
        if seen.uri.path().ends_with("/scan") {
            respond(400, &[], all)
        } else {
            answer(200, &json!({"echo": all}))
        }
    })
    .await;
    let key = |place| Auth::Key { place, name: "key".into(), secret: "key".into() };
    let cases = [
        (Auth::Bearer { secret: "key".into() }, "authorization", "Bearer s3cret-key"),
        (
            Auth::Basic { user: "ada".into(), secret: "key".into() },
            "authorization",
            "Basic YWRhOnMzY3JldC1rZXk=",
        ),
        (key(KeyPlace::Header), "key", "s3cret-key"),
        (key(KeyPlace::Cookie), "cookie", "key=s3cret-key"),
    ];
    for (auth, header, value) in cases {
        let tickets = registry(Config { auth, ..config("tickets.json", &service) }).unwrap();
        for arguments in [("file", json!({"summary": "x"})), ("scan", json!({"id": "1"}))] {
            let shown = text(&tickets, arguments.0, &arguments.1).await;
            assert_eq!(service.one().header(header), Some(value));
            assert!(
                shown.contains("[secret]") && !shown.contains("s3cret") && !shown.contains("YWRh"),
                "{shown}"
            );
        }
    }
    let tickets =
        registry(Config { auth: key(KeyPlace::Query), ..config("tickets.json", &service) }).unwrap();
    assert!(tickets.get("file").unwrap().spec().parameters["properties"].get("key").is_none());
    text(&tickets, "file", &json!({"summary": "x"})).await;
    assert_eq!(service.one().line(), "POST /v1/tickets?key=s3cret-key");

    let headers = [
        ("X-Key".to_owned(), HeaderText::Secret("key".into())),
        ("X-Plain".to_owned(), HeaderText::Text("a".into())),
    ];
    let tickets = registry(Config { headers: headers.into(), ..config("tickets.json", &service) }).unwrap();
    text(&tickets, "file", &json!({"summary": "x"})).await;
    let seen = service.one();
    assert_eq!((seen.header("x-key"), seen.header("x-plain")), (Some("s3cret-key"), Some("a")));

    let none = Config { auth: Auth::Bearer { secret: "none".into() }, ..config("tickets.json", &service) };
    let stopped = text(&registry(none).unwrap(), "file", &json!({"summary": "x"})).await;
    assert_eq!(stopped, "run stops not-found: there is no secret called `none`");
    assert!(service.seen().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    let count = AtomicUsize::new(0);
    let service = Service::start(move |seen| match seen.uri.path() {
        "/token" => {
            let number = count.fetch_add(1, Ordering::SeqCst);
            answer(200, &json!({"access_token": format!("token-{number}"), "expires_in": 3600}))
        }
        _ => match seen.header("authorization") {
            Some("Bearer token-1") => answer(200, &json!({"ok": true})),
            Some(_) if seen.uri.path().ends_with("/once/scan") => answer(200, &json!({"ok": true})),
            _ => answer(401, &json!({"message": "expired"})),
        },
    })
    .await;
    let auth = Auth::ClientCredentials {
        token_url: service.url("/token"),
        client_id: "desk".into(),
        secret: "key".into(),
        scopes: vec!["read".into(), "write".into()],
        in_body: false,
    };
    let tickets = registry(Config { auth, ..config("tickets.json", &service) }).unwrap();
    text(&tickets, "scan", &json!({"id": "once"})).await;
    let seen = service.seen();
    assert_eq!(seen.iter().map(Seen::line).collect::<Vec<_>>(), ["POST /token", "GET /v1/tickets/once/scan"]);
    assert_eq!(seen[0].text(), "grant_type=client_credentials&scope=read+write");
    assert_eq!(seen[0].header("authorization"), Some("Basic ZGVzazpzM2NyZXQta2V5"));
    text(&tickets, "scan", &json!({"id": "once"})).await;
    assert_eq!(service.one().line(), "GET /v1/tickets/once/scan", "the token is kept");
    assert_eq!(text(&tickets, "scan", &json!({"id": "2"})).await, "{\"ok\":true}");
    assert_eq!(service.seen().len(), 3, "refused, fetched again, accepted");
}

#[tokio::test]
async fn what_goes_wrong_is_heard_by_the_right_one() {
    let service = Service::start(|seen| {
        let status: u16 = seen.uri.path().split('/').nth(3).and_then(|text| text.parse().ok()).unwrap_or(500);
        respond(
            status,
            &[("content-type", "application/problem+json"), ("retry-after", "7")],
            r#"{"title": "No", "detail": "why"}"#,
        )
    })
    .await;
    let tickets = registry(config("tickets.json", &service)).unwrap();
    let get = async |status: &str| text(&tickets, "scan", &json!({"id": status})).await;
    let post = async |status: &str| text(&tickets, "attach", &json!({"id": status, "note": "x"})).await;
    assert_eq!(
        get("404").await,
        "model hears tool-failed: `GET /tickets/{id}/scan` answered 404 Not Found: No: why"
    );
    assert_eq!(
        get("401").await,
        "run stops tool-invalid: `GET /tickets/{id}/scan` answered 401 Unauthorized: No: why"
    );
    assert!(get("503").await.starts_with("model hears tool-busy: "));
    assert!(get("500").await.starts_with("model hears tool-failed: "));
    assert!(post("422").await.starts_with("model hears tool-failed: "));
    assert!(post("503").await.starts_with("model hears tool-busy: "));
    assert!(post("502").await.starts_with("unknown: "), "a gateway does not know what the service did");
    let Err(adjutant_tool::Failure::Model(error)) = call(&tickets, "scan", &json!({"id": "503"})).await
    else {
        panic!("another audience")
    };
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "the run waits so long");
}

#[tokio::test]
async fn a_service_that_is_busy_is_waited_for() {
    let count = AtomicUsize::new(0);
    let service = Service::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => respond(429, &[("retry-after", "0")], ""),
        1 => respond(201, &[], ""),
        _ => respond(429, &[("retry-after", "3600")], "slow down"),
    })
    .await;
    let tickets = registry(config("tickets.json", &service)).unwrap();
    assert_eq!(text(&tickets, "file", &json!({"summary": "x"})).await, "done (201 Created)");
    assert_eq!(service.seen().len(), 2, "429 says that nothing was done, so it is made again");
    let refused = text(&tickets, "file", &json!({"summary": "x"})).await;
    assert!(refused.starts_with("model hears tool-failed: ") && refused.ends_with("slow down"), "{refused}");
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_long_answer_is_read_in_parts() {
    let items: Vec<_> = (0..300).map(|n| json!({"n": n, "text": "x".repeat(100)})).collect();
    let service = Service::start(move |seen| match seen.uri.path() {
        "/v1/tickets/text/scan" => respond(200, &[("content-type", "text/plain")], "abc".repeat(1_000)),
        "/v1/tickets/image/scan" => respond(200, &[("content-type", "image/png")], vec![0, 1, 2]),
        _ => answer(200, &json!({"items": items})),
    })
    .await;
    let tickets = registry(Config { characters: 2_000, ..config("tickets.json", &service) }).unwrap();
    let first = text(&tickets, "scan", &json!({"id": "1"})).await;
    assert!(first.len() <= 2_000, "{}", first.len());
    let part = first.split("part: ").last().unwrap().split(']').next().unwrap();
    let rest = text(&tickets, "scan", &json!({"id": "1", "part": part})).await;
    let next: usize = part.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(rest.starts_with(&format!("[{{\"n\":{next},")), "{part}: {rest}");
    let missing = text(&tickets, "scan", &json!({"id": "1", "part": "/none"})).await;
    assert_eq!(missing, "model hears tool-failed: the answer has nothing at `/none`");
    let cut = text(&tickets, "scan", &json!({"id": "text"})).await;
    assert!(cut.ends_with("[1000 more characters, part: from 2000]"), "{cut}");
    let end = text(&tickets, "scan", &json!({"id": "text", "part": "from 2000"})).await;
    assert_eq!(format!("{}{end}", &cut[..2_000]), "abc".repeat(1_000));
    // A program is given all of it.
    let whole = async |id: &str| {
        let tool = tickets.get("scan").unwrap();
        tool.call(json!({ "id": id }), context().for_a_program()).await.unwrap()
    };
    assert_eq!(whole("1").await.data.unwrap()["items"].as_array().unwrap().len(), 300);
    assert_eq!(whole("text").await.as_text(), "abc".repeat(1_000));
    let image = call(&tickets, "scan", &json!({"id": "image"})).await.unwrap();
    assert!(matches!(&image.content[1], Part::Image(media) if media.media_type == "image/png"));
}
