//! HTTP/2 as a client speaks it that means no good.

use std::time::Duration;

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::kit::Kit;

/// What a client begins with, and settings of which none differs from what is usual.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// The kind and the content of the next frame; none once the connection is closed.
async fn frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut content = vec![0; length as usize];
    stream.read_exact(&mut content).await.ok()?;
    Some((head[3], content))
}

#[tokio::test]
async fn who_does_not_answer_is_let_go_and_nobody_asks_for_more_than_so_much_at_once() {
    let short = Duration::from_millis(300);
    let settings = Settings { heartbeat: short, head_patience: short, ..Settings::default() };
    let kit = Kit::with(Scripted::new([]), settings).await;
    let mut stream = TcpStream::connect(kit.address).await.unwrap();
    stream.write_all(HELLO).await.unwrap();
    let mut frames = Vec::new();
    let until_closed = async {
        while let Some(frame) = frame(&mut stream).await {
            frames.push(frame);
        }
    };
    timeout(Duration::from_secs(5), until_closed).await.expect("who answers nothing is let go");
    let (_, told) = frames.iter().find(|(kind, content)| *kind == SETTINGS && !content.is_empty()).unwrap();
    let most = told.chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    assert_eq!(most[2..], 128_u32.to_be_bytes(), "the most streams of a connection");
    assert!(frames.iter().any(|(kind, _)| *kind == PING), "it was asked whether it is there: {frames:?}");
}

#[tokio::test]
async fn who_asks_nothing_is_let_go_and_who_listens_is_not() {
    let idle_patience = Duration::from_millis(400);
    let slow = Scripted::new([Turn::text("Well.").after(idle_patience * 4)]);
    let kit = Kit::with(slow, Settings { idle_patience, ..Settings::default() }).await;
    let mut silent = TcpStream::connect(kit.address).await.unwrap();
    silent.write_all(HELLO).await.unwrap();
    let until_closed = async { while frame(&mut silent).await.is_some() {} };
    timeout(Duration::from_secs(5), until_closed).await.expect("it asks nothing");

    let client = kit.client(Role::Operator).await;
    let start = client.request(Method::POST, "/api/runs").header("Accept", "text/event-stream");
    let told = start.json(&json!({ "input": "Wait." })).send().await.unwrap().text().await.unwrap();
    assert!(told.contains("event: ended"), "a stream in which nothing happens is not cut: {told}");
}
