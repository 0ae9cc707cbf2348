//! A server and a login server that others made: the official Python SDK.

use std::process::Stdio;
use std::time::{Duration, Instant};

use adjutant_tool::mcp::oauth::{Listener, Status};
use adjutant_tool::mcp::{Config, Http, Pin, Server, Transport};
use serde_json::json;
use tokio::process::{Child, Command};

use crate::scene::{Known, Scene, browse, context};

/// The server at a port of this machine, which dies with the first value.
async fn served(scene: &Scene) -> Option<(Child, Server)> {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf();
    let python = target.join("servers/python/bin/python");
    if !python.exists() {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "{} is missing: `cargo xtask test` installs it",
            python.display()
        );
        eprintln!("skipped: {} is missing, `cargo xtask test` installs it", python.display());
        return None;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp/servers/guarded.py");
    let mut child = Command::new(python);
    child.args(["-B", script, &port.to_string()]).kill_on_drop(true);
    let child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "the server does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = format!("http://127.0.0.1:{port}/mcp").parse().unwrap();
    let http = Http { url, headers: [].into(), bearer: None, auth: Some(Box::new(scene.config.clone())) };
    Some((child, Server::new(Config::new("tracker", Transport::Http(http))).unwrap()))
}

#[tokio::test]
async fn the_python_sdk_lets_a_person_in() {
    let scene = Scene::new().await;
    let Some((_child, server)) = served(&scene).await else { return };
    let account = server.account().unwrap();
    let listener = Listener::bind(None).await.unwrap();
    let attempt = account.begin(&Known, listener.redirect()).await.unwrap();
    let browser = tokio::spawn(browse(attempt.address().clone()));
    let answer = listener.answer(|answer| attempt.knows(answer)).await.unwrap();
    browser.await.unwrap();
    let status = attempt.finish(&answer).await.unwrap();
    assert!(matches!(&status, Status::In { renews: true, scopes, .. } if scopes == &["stock"]), "{status:?}");

    let tools = server.tools(&Pin::from(server.offer(&Known).await.unwrap()));
    let tool = tools.iter().find(|tool| tool.spec().name == "tracker__stock").unwrap();
    let call = || async { tool.call(json!({ "article": "chain" }), context()).await.unwrap().as_text() };
    assert_eq!(call().await, "5 pieces");
    let before = scene.written();
    scene.clock.forward(Duration::from_secs(3_600));
    assert_eq!(call().await, "5 pieces");
    assert_ne!(scene.written(), before, "the token was renewed");

    assert!(account.end(&Known).await.unwrap());
    assert_eq!(account.status(&Known).unwrap(), Status::Out);
}
