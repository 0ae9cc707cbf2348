use serde_json::json;

use super::super::config::Config;
use super::super::document::Document;
use super::super::source::Source;
use super::super::{inputs, operation};
use super::*;

/// Makes the request of the one operation of a document.
fn request(operation: &Value, path: &str, arguments: &Value) -> Result<Request> {
    let text = json!({ "openapi": "3.1.0", "paths": { path: { "post": operation } } }).to_string();
    let document = Document::read(&text, "a.json").unwrap();
    let config = Config::new(Source::file("a.json"));
    let operation = &operation::chosen(&document, &config).unwrap()[0];
    let inputs = inputs::of(&document, operation, &config).unwrap();
    let target = Target {
        method: Method::POST,
        base: "https://shop.test/v1/".parse().unwrap(),
        path: operation.path.to_owned(),
    };
    prepare(&target, &inputs, arguments.as_object().unwrap())
}

fn parameter(location: &str, extra: &Value) -> Value {
    let mut parameter = json!({ "name": "p", "in": location, "schema": {} });
    parameter.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json!({ "parameters": [parameter] })
}

#[test]
fn paths_are_written_by_their_style() {
    let (list, object) = (json!(["a b", "c/d"]), json!({"x": 1, "y": "z"}));
    for (style, explode, value, expected) in [
        ("simple", false, json!("a/b ü"), "/v1/a%2Fb%20%C3%BC"),
        ("simple", false, list.clone(), "/v1/a%20b,c%2Fd"),
        ("simple", false, object.clone(), "/v1/x,1,y,z"),
        ("simple", true, object.clone(), "/v1/x=1,y=z"),
        ("label", false, json!(5), "/v1/.5"),
        ("label", true, list.clone(), "/v1/.a%20b.c%2Fd"),
        ("matrix", false, json!(5), "/v1/;p=5"),
        ("matrix", true, list.clone(), "/v1/;p=a%20b;p=c%2Fd"),
        ("matrix", false, list, "/v1/;p=a%20b,c%2Fd"),
        ("matrix", true, object, "/v1/;x=1;y=z"),
    ] {
        let operation = parameter("path", &json!({"style": style, "explode": explode}));
        let made = request(&operation, "/{p}", &json!({ "p": value })).unwrap();
        assert_eq!(made.url.path(), expected, "{style} {explode}");
    }
}

#[test]
fn queries_are_written_by_their_style() {
    let (list, object) = (json!(["a&b", "c"]), json!({"x": 1, "y": "z"}));
    for (extra, value, expected) in [
        (json!({}), json!("a=b&c#d"), "p=a%3Db%26c%23d"),
        (json!({}), list.clone(), "p=a%26b&p=c"),
        (json!({"explode": false}), list.clone(), "p=a%26b,c"),
        (json!({"style": "spaceDelimited"}), list.clone(), "p=a%26b%20c"),
        (json!({"style": "pipeDelimited"}), list, "p=a%26b|c"),
        (json!({}), object.clone(), "x=1&y=z"),
        (json!({"explode": false}), object.clone(), "p=x,1,y,z"),
        (json!({"style": "deepObject"}), json!({"a": {"b": [1, 2]}}), "p%5Ba%5D%5Bb%5D=1&p%5Ba%5D%5Bb%5D=2"),
        (json!({"allowReserved": true}), json!("a/b?c&d"), "p=a/b?c%26d"),
        (
            json!({"content": {"application/json": {"schema": {}}}}),
            object,
            "p=%7B%22x%22%3A1%2C%22y%22%3A%22z%22%7D",
        ),
    ] {
        let made = request(&parameter("query", &extra), "/", &json!({ "p": value })).unwrap();
        assert_eq!(made.url.query(), Some(expected), "{extra}");
    }
    let made = request(&parameter("query", &json!({})), "/", &json!({ "p": [] })).unwrap();
    assert_eq!(made.url.query(), None);
}

#[test]
fn headers_and_cookies_are_set() {
    let made = request(&parameter("header", &json!({})), "/", &json!({ "p": ["a", "b"] })).unwrap();
    assert_eq!(made.headers["p"], "a,b");
    let made = request(&parameter("cookie", &json!({})), "/", &json!({ "p": "a;b" })).unwrap();
    assert_eq!(made.headers["cookie"], "p=a%3Bb");
    let error = request(&parameter("header", &json!({})), "/", &json!({ "p": "a\nb: c" })).unwrap_err();
    assert_eq!(error.message(), "`p` holds characters that no header may hold");
}

#[test]
fn no_path_leads_elsewhere() {
    let operation = parameter("path", &json!({}));
    for value in ["..", ".", ""] {
        let error = request(&operation, "/a/{p}/b", &json!({ "p": value })).unwrap_err();
        assert_eq!(error.code(), Code::ToolArguments, "{value}");
    }
    for value in ["../../admin", "%2e%2e", "a?b=c#d", "//evil.test", "\\..\\x"] {
        let url = request(&operation, "/a/{p}/b", &json!({ "p": value })).unwrap().url;
        assert!(url.as_str().starts_with("https://shop.test/v1/a/") && url.path().ends_with("/b"), "{url}");
        assert_eq!((url.query(), url.fragment()), (None, None), "{value}");
    }
    // What the document itself writes is held to the same.
    assert!(request(&json!({}), "/../../admin", &json!({})).is_err());
    assert!(request(&json!({}), "//evil.test/x", &json!({})).unwrap().url.host_str() == Some("shop.test"));
}

fn body(media_type: &str, schema: &Value, extra: Value) -> Value {
    let mut content = json!({ "schema": schema });
    if !extra.is_null() {
        content["encoding"] = extra;
    }
    json!({ "requestBody": { "content": { media_type: content } } })
}

fn text(request: &Request) -> String {
    String::from_utf8(request.body.clone().unwrap()).unwrap()
}

#[test]
fn bodies_are_json_forms_and_parts() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "n": {}}});
    let made =
        request(&body("application/json", &schema, Value::Null), "/", &json!({"a": "x", "n": null})).unwrap();
    assert_eq!(
        (text(&made).as_str(), made.headers["content-type"].to_str().unwrap()),
        (r#"{"a":"x","n":null}"#, "application/json")
    );
    let list = json!({"type": "array"});
    let made = request(&body("application/json", &list, Value::Null), "/", &json!({"body": [1]})).unwrap();
    assert_eq!(text(&made), "[1]");
    assert_eq!(request(&body("application/json", &schema, Value::Null), "/", &json!({})).unwrap().body, None);

    let form = "application/x-www-form-urlencoded";
    let made =
        request(&body(form, &schema, Value::Null), "/", &json!({"a": "x y&z", "n": {"b": 1}})).unwrap();
    assert_eq!(text(&made), "a=x%20y%26z&n=%7B%22b%22%3A1%7D");
    let deep = json!({"n": {"style": "deepObject"}});
    let made = request(&body(form, &schema, deep), "/", &json!({"n": {"b": 1}})).unwrap();
    assert_eq!(text(&made), "n%5Bb%5D=1");
}

#[test]
fn files_go_in_parts() {
    let schema = json!({"type": "object", "properties": {
        "note": {"type": "string"},
        "meta": {"type": "object"},
        "scan": {"type": "string", "format": "binary"},
        "more": {"type": "array", "items": {"type": "string", "contentMediaType": "image/png"}},
    }});
    let arguments = json!({
        "note": "hi",
        "meta": {"a": 1},
        "scan": {"name": "a\".txt", "text": "content", "media_type": "text/plain\r\nX: y"},
        "more": [{"base64": "AP8="}],
    });
    let made = request(&body("multipart/form-data", &schema, Value::Null), "/", &arguments).unwrap();
    let kind = made.headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let written = String::from_utf8_lossy(made.body.as_ref().unwrap()).into_owned();
    assert!(written.contains("name=\"note\"\r\n\r\nhi\r\n"), "{written}");
    assert!(
        written.contains("name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n"),
        "{written}"
    );
    assert!(
        written.contains(
            "name=\"scan\"; filename=\"a%22.txt\"\r\nContent-Type: text/plainX: y\r\n\r\ncontent\r\n"
        ),
        "{written}"
    );
    assert!(written.contains("name=\"more\"; filename=\"file\"\r\n"), "{written}");
    assert!(written.ends_with(&format!("--{boundary}--\r\n")));

    let whole = body("application/pdf", &json!({}), Value::Null);
    let made = request(&whole, "/", &json!({"body": {"base64": "AP8="}})).unwrap();
    assert_eq!(
        (made.body.unwrap(), made.headers["content-type"].to_str().unwrap()),
        (vec![0, 255], "application/pdf")
    );
    for wrong in [json!({}), json!({"base64": "?"}), json!({"base64": "", "text": ""})] {
        assert_eq!(request(&whole, "/", &json!({"body": wrong})).unwrap_err().code(), Code::ToolArguments);
    }
}
