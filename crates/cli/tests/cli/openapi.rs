//! OpenAPI documents as tools of a project, against a service on this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use crate::sandbox::{Sandbox, sees};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /orders/{number}:
    get:
      operationId: order
      summary: Finds an order by its number.
      parameters: [{ name: number, in: path, required: true, schema: { type: integer } }]
      responses: { 200: { description: ok } }
  /orders:
    post:
      operationId: place
      summary: Places an order.
      requestBody:
        required: true
        content: { application/json: { schema: { type: object, required: [sku], properties: { sku: { type: string } } } } }
      responses: { 201: { description: made } }
"#;

/// Answers every request with what it was asked, and with the header that shows who asks.
fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
            let key = headers.into_iter().any(|line| line == "x-key: s3cret");
            let status = if key || line.starts_with("GET / ") { "200 OK" } else { "401 Unauthorized" };
            let body =
                format!("{{\"asked\":\"{}\",\"state\":\"packed\"}}", line.trim_end_matches(" HTTP/1.1"));
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// A project with the tools of the document, asking this port.
fn project(port: u16, more: &str) -> Sandbox {
    let mut sandbox = Sandbox::with_agent("tools: [shop]");
    sandbox.write("shop.yaml", DOCUMENT);
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[secrets]\nshop_key = {{ env = \"SHOP_KEY\" }}\n\n[tools.shop]\ntype = \"openapi\"\ndocument = \"shop.yaml\"\n\
             base_url = \"http://127.0.0.1:{port}\"\nauth = {{ type = \"key\", name = \"X-Key\", secret = \"shop_key\" }}\n{more}"
        ),
    );
    sandbox.set("SHOP_KEY", "s3cret");
    sandbox
}

#[test]
fn operations_are_listed_and_called() {
    let mut sandbox = project(service(), "prefix = \"shop_\"\n");
    sees!(sandbox.run(&["tools", "list"]), @"
    exit 0
    --- stdout
    tool  effect  timeout  arguments  what it does
    shop_order  pure  1m  number [part]  Finds an order by its number.
    shop_place  at_most_once  1m  sku  Places an order.
    shop_read_answer  pure  1m  answer [part]  Reads on in an answer that was cut. What to write stands where it was ...
    ");
    sees!(sandbox.run(&["tools", "call", "shop_order", r#"{"number": "1042"}"#]), @r#"
    exit 0
    --- stdout
    {"asked":"GET /orders/1042","state":"packed"}
    --- stderr
    answered after [time]
    "#);
    sees!(sandbox.run(&["tools", "call", "shop_place", r#"{"colour": "red"}"#]), @r#"
    exit 2
    --- stderr
    error[tool-arguments]: the arguments of `shop_place` do not fit its schema: there is no argument `colour`; "sku" is missing

    hint: the tool expects {sku: string}
    "#);
    sandbox.set("SHOP_KEY", "wr0ng-key");
    let refused = sandbox.run(&["tools", "call", "shop_order", r#"{"number": 1}"#]);
    assert!(
        refused.contains("error[tool-invalid]: `GET /orders/{number}` answered 401 Unauthorized"),
        "{refused}"
    );
    assert!(refused.contains("hint: the service refuses the secret `shop_key`"), "{refused}");
    assert!(!refused.contains("wr0ng"), "{refused}");
}

#[test]
fn an_agent_has_them() {
    let sandbox = project(service(), "operations = [\"order\"]\n");
    let seen = sandbox.run(&["run", "Find the order 1042, please."]);
    assert!(seen.contains("tool order {\"number\":1042}"), "{seen}");
    assert!(seen.contains("state: packed"), "{seen}");
}

#[test]
fn check_says_what_is_wrong_with_a_document() {
    let sandbox = project(9, "operations = [\"ordr\"]\n");
    sees!(sandbox.run(&["check"]), @"
    exit 2
    --- stderr
    error[project-invalid]: `tools.shop`: `[folder]/shop.yaml` has no operation `ordr`
     --> adjutant.toml:4:8
      |
    4 | [tools.shop]
      |        ^

    hint: name it by its `operationId` or as `METHOD /path`, as the document writes it
    ");
    sandbox.write("shop.yaml", "openapi: 3.1.0\npaths: [\n");
    let seen = sandbox.run(&["check"]);
    let wrong =
        "`tools.shop`: `[folder]/shop.yaml:2:8` cannot be read: unclosed bracket '['\n --> adjutant.toml:4:8";
    assert!(seen.contains(wrong), "{seen}");
    sandbox.write(
        "adjutant.toml",
        "[tools.shop]\ntype = \"openapi\"\nauth = { type = \"baerer\", secret = \"x\" }\nbase_uri = \"x\"\n",
    );
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `tools.shop.document` is missing
     --> adjutant.toml:1:1
      |
    1 | [tools.shop]
      | ^

    hint: add `document = "api.yaml"`, a file or an address: OpenAPI 3.0 or 3.1

    error[project-invalid]: `tools.shop.auth.type` must be one of `key`, `bearer`, `basic`, `client_credentials`, not the text `baerer`
     --> adjutant.toml:3:17
      |
    3 | auth = { type = "baerer", secret = "x" }
      |                 ^

    hint: did you mean `bearer`?

    error[project-invalid]: unknown key `tools.shop.base_uri`
     --> adjutant.toml:4:1
      |
    4 | base_uri = "x"
      | ^

    hint: did you mean `base_url`?
    "#);
}

#[test]
fn doctor_says_whether_somebody_answers() {
    let port = service();
    let seen = project(port, "").run(&["doctor"]);
    assert!(
        seen.contains(&format!("tool shop: 3 tools, http://127.0.0.1:{port}/ answers (200 OK)")),
        "{seen}"
    );
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let seen = project(port, "").run(&["doctor"]);
    assert!(
        seen.contains(&format!("missing  tool shop: `http://127.0.0.1:{port}/` cannot be reached")),
        "{seen}"
    );
}
