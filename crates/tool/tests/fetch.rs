//! `fetch` against servers on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjutant_core::id::{RunId, StepKey};
use adjutant_tool::builtin::fetch;
use adjutant_tool::builtin::fetch::Config;
use adjutant_tool::{Context, Failure, Output};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request by its path; returns the port and the count of requests.
async fn server() -> std::io::Result<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = vec![0; 4_096];
                let count = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(request.get(..count).unwrap_or_default()).into_owned();
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                answer(&mut stream, &path, port).await;
            });
        }
    });
    Ok((port, count))
}

async fn answer(stream: &mut tokio::net::TcpStream, path: &str, port: u16) {
    let page = |kind: &str, body: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let go = |to: &str| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    let response = match path {
        "/page" => page("text/html; charset=utf-8", "<h1>Hours</h1><p>Nine to five</p><script>x</script>"),
        "/data" => page("application/json", "{\"a\": 1}"),
        "/latin" => {
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=ISO-8859-1\r\ncontent-length: 4\r\n\r\n"
                .to_owned()
        }
        "/image" => page("image/png", "PNG"),
        "/go" => go("/page"),
        "/loop" => go("/loop"),
        "/private" => go("http://10.0.0.1/secret"),
        "/metadata" => go("http://169.254.169.254/latest/meta-data/"),
        "/elsewhere" => go("http://example.org/"),
        "/file" => go("file:///etc/passwd"),
        "/same" => go(&format!("http://127.0.0.1:{port}/page")),
        "/silent" => return tokio::time::sleep(Duration::from_secs(30)).await,
        "/short" => {
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nhalf".to_owned()
        }
        "/endless" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n").await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
            return;
        }
        _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
    };
    let _ = stream.write_all(response.as_bytes()).await;
    if path == "/latin" {
        let _ = stream.write_all(b"caf\xe9").await;
    }
    let _ = stream.shutdown().await;
}

fn local() -> Config {
    Config {
        loopback: true,
        ..Config::new(vec![
            "127.0.0.1".into(),
            "localhost".into(),
            "10.0.0.1".into(),
            "169.254.169.254".into(),
        ])
    }
}

async fn call(config: Config, arguments: Value) -> Result<Output, Failure> {
    let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into());
    fetch(config).map_err(Failure::from)?.call(arguments, context).await
}

async fn text(config: Config, url: String) -> String {
    let answer = call(config, json!({"url": url, "from": 0})).await;
    answer.map_or_else(|failure| format!("failed: {failure}"), |output| output.as_text())
}

#[tokio::test]
async fn pages_are_read_as_text() {
    let (port, _) = server().await.unwrap();
    let read = |path: &str| text(local(), format!("http://127.0.0.1:{port}{path}"));
    assert_eq!(read("/page").await, "# Hours\nNine to five");
    assert_eq!(read("/data").await, "{\"a\": 1}");
    assert_eq!(read("/latin").await, "café");
    assert_eq!(read("/go").await, "# Hours\nNine to five");
    assert_eq!(read("/same").await, "# Hours\nNine to five");
    assert_eq!(text(local(), format!("http://localhost:{port}/page")).await, "# Hours\nNine to five");
    assert!(read("/image").await.ends_with("/image` is image/png, 3 bytes"));
    assert!(read("/none").await.ends_with("/none` answered 404 Not Found"));
    assert!(read("/short").await.contains("/short` broke off"));
    assert_eq!(
        text(local(), "no address".into()).await,
        "failed: this is no address: relative URL without a base"
    );
}

#[tokio::test]
async fn a_redirect_is_held_to_the_same_rules() {
    let (port, _) = server().await.unwrap();
    let read = |path: &str| text(local(), format!("http://127.0.0.1:{port}{path}"));
    assert_eq!(read("/loop").await, "failed: there are more than 5 redirects");
    let private =
        "failed: `http://10.0.0.1/secret` is refused: its address 10.0.0.1 is not on the public internet";
    assert_eq!(read("/private").await, private);
    assert!(read("/metadata").await.ends_with("its address 169.254.169.254 is not on the public internet"));
    assert_eq!(read("/elsewhere").await, "failed: `http://example.org/` is refused: its host is not allowed");
    assert_eq!(
        read("/file").await,
        "failed: `file:///etc/passwd` is refused: only http and https are allowed"
    );
}

#[tokio::test]
async fn this_machine_is_refused_unless_it_is_allowed() {
    let (port, count) = server().await.unwrap();
    let strict = Config { loopback: false, ..local() };
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1"] {
        let answer = text(strict.clone(), format!("http://{host}:{port}/page")).await;
        assert!(answer.contains("is refused: its address "), "{host}: {answer}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody was asked");
}

#[tokio::test]
async fn size_and_time_are_limited() {
    let (port, _) = server().await.unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let small = Config { bytes: 100_000, characters: 50, ..local() };
    let endless = text(small.clone(), url("/endless")).await;
    assert_eq!(endless, format!("{}\n[cut off: read on from character 50 of 100000]", "x".repeat(50)));
    let rest = call(small, json!({"url": url("/page"), "from": 8})).await.unwrap();
    assert_eq!(rest.as_text(), "Nine to five");
    let big = text(Config { bytes: 60, ..local() }, url("/endless")).await;
    assert_eq!(
        big,
        format!("{}\n[cut off: the page is larger than the 60 bytes that are read]", "x".repeat(60))
    );
    let quick = Config { timeout: Duration::from_millis(200), ..local() };
    assert_eq!(text(quick, url("/silent")).await, "failed: the page did not come in time");
    let beyond = call(local(), json!({"url": url("/page"), "from": 999})).await.unwrap_err();
    assert_eq!(beyond.to_string(), "the page has 20 characters, fewer than 999");
}
