//! What comes over a connection, byte by byte: slow, too much, or not as HTTP has it.

use std::time::{Duration, Instant};

use adjutant::model::scripted::{Scripted, Turn};
use adjutant_core::role::Role;
use adjutant_server::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::Kit;

/// A service that loses its patience fast.
async fn impatient() -> Kit {
    let settings = Settings {
        head_patience: Duration::from_millis(300),
        body_patience: Duration::from_millis(300),
        ..Settings::default()
    };
    with(settings).await
}

/// A service that soon gives up who takes nothing.
async fn busy() -> Kit {
    with(Settings { write_patience: Duration::from_millis(300), ..Settings::default() }).await
}

async fn with(settings: Settings) -> Kit {
    Kit::with(Scripted::new([Turn::calls([("now", json!({}))])]), settings).await
}

/// All that is answered to these bytes, until the service closes the connection.
async fn send(kit: &Kit, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(kit.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answered = Vec::new();
    let read = stream.read_to_end(&mut answered);
    // One that is reset while it still sends has been refused, too.
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("it is closed");
    String::from_utf8_lossy(&answered).into_owned()
}

fn status(answered: &str) -> &str {
    answered.split(' ').nth(1).unwrap_or("")
}

#[tokio::test]
async fn who_sends_a_head_slowly_or_nothing_at_all_loses_the_connection() {
    let kit = impatient().await;
    for bytes in [&b""[..], b"PRI * HTTP/2", b"GET /api/health/live HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let began = Instant::now();
        send(&kit, bytes).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{bytes:?}");
    }
    // Also one that drips.
    let mut stream = TcpStream::connect(kit.address).await.unwrap();
    let began = Instant::now();
    while stream.write_all(b"G").await.is_ok() && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    // Also one that is kept, and was used.
    let answered = send(&kit, b"GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&answered), "200");
}

#[tokio::test]
async fn who_sends_a_body_slowly_is_told_and_a_stranger_s_is_not_waited_for() {
    let kit = impatient().await;
    let token = kit.client(Role::Operator).await.token.unwrap();
    let head = format!(
        "POST /api/runs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\nConnection: close\r\n\r\n{{\"input\""
    );
    let answered = send(&kit, head.as_bytes()).await;
    assert_eq!(status(&answered), "408", "{answered}");
    let stranger = head.replace(&token, "adj_a_b");
    let began = Instant::now();
    assert_eq!(status(&send(&kit, stranger.as_bytes()).await), "401");
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let kit = impatient().await;
    let token = kit.client(Role::Operator).await.token.unwrap();
    let second = "GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    let requests = [
        // Both lengths: what follows must not be taken for another request.
        format!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n", second.len()),
        format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{second}", second.len()),
        format!("Content-Length: +0\r\n\r\n{second}"),
        format!("Content-Length: 0, 5\r\n\r\n{second}"),
        format!("Transfer-Encoding: identity\r\n\r\n{second}"),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{second}"),
        format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{second}"),
        format!("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{second}"),
        format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n{second}"),
        "X-Folded: a\r\n b\r\n\r\n".to_owned(),
        "X Space: a\r\n\r\n".to_owned(),
        "X-Null: a\0b\r\n\r\n".to_owned(),
    ];
    for rest in requests {
        let request = format!(
            "POST /api/runs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{rest}"
        );
        let answered = send(&kit, request.as_bytes()).await;
        assert_eq!(answered.matches("HTTP/1.1 ").count(), 1, "{rest:?}: {answered}");
        assert!(status(&answered).starts_with('4'), "{rest:?}: {answered}");
    }
    assert!(kit.adjutant.runs(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_request_or_too_much_of_one_is_refused() {
    let kit = impatient().await;
    let many: String = (0..200).map(|number| format!("X-{number}: a\r\n")).collect();
    let long = "a".repeat(100_000);
    for request in [
        "\r\n\r\n\0\0\0".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        "GET /api/health/live HTTP/9.9\r\n\r\n".to_owned(),
        "GET /api/health/live\r\n\r\n".to_owned(),
        format!("GET /api/health/live HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        format!("GET /api/health/live HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}".to_owned(),
    ] {
        let answered = send(&kit, request.as_bytes()).await;
        assert!(answered.is_empty() || status(&answered).starts_with(['4', '5']), "{answered}");
    }
    assert_eq!(kit.stranger().get("/api/health/live").await.0, 200);
}

#[tokio::test]
async fn who_goes_away_in_the_middle_of_a_stream_or_takes_nothing_frees_the_place() {
    let kit = busy().await;
    let client = kit.client(Role::Admin).await;
    let (_, started) = client.post("/api/runs", &json!({ "input": "x" })).await;
    let path = format!("/api/runs/{}/events", started["id"].as_str().unwrap());
    let streams = async || {
        let text = client.get("/metrics").await.1.as_str().unwrap().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("adjutant_streams ")).unwrap().to_owned();
        line.parse::<u32>().unwrap()
    };
    let open = client.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(streams().await, 1);
    drop(open);
    let began = Instant::now();
    while streams().await > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the place is free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_asks_for_much_and_takes_nothing_loses_the_connection() {
    let kit = busy().await;
    let client = kit.client(Role::Admin).await;
    let open = async || {
        let text = client.get("/metrics").await.1.as_str().unwrap().to_owned();
        let line =
            text.lines().find_map(|line| line.strip_prefix("adjutant_connections ")).unwrap().to_owned();
        line.parse::<u32>().unwrap()
    };
    let mut stream = TcpStream::connect(kit.address).await.unwrap();
    let request = b"GET /api/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500);
    // What is not answered is not read, either.
    let _ = tokio::time::timeout(Duration::from_millis(200), stream.write_all(&request)).await;
    let began = Instant::now();
    while open().await > 1 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is given up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(stream);
}
