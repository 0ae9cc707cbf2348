//! A bare proxy: what a Rust program needs at least that passes a request on and its answer back.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::TcpListener;

/// Listens, says where on standard output, and passes everything on until the process ends.
pub(crate) async fn serve(provider: &str) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be built");
    let router = Router::new().fallback(pass).with_state((client, format!("http://{provider}")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("{}", listener.local_addr().expect("a listener has an address"));
    axum::serve(listener, router).await.expect("it serves until the process ends");
}

async fn pass(State((client, provider)): State<(reqwest::Client, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("the body comes");
    let url = format!("{provider}{}", parts.uri.path());
    let sent =
        client.request(parts.method, url).header("content-type", "application/json").body(body).send().await;
    let answer = sent.expect("the provider answers");
    let mut response = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get("content-type") {
        response = response.header("content-type", kind);
    }
    response.body(Body::from_stream(answer.bytes_stream())).expect("the head is right")
}
