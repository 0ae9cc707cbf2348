//! A provider that answers at once, by OpenAI's interface for chats, and looks at as little as it can.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// How many pieces a streamed answer has.
const PIECES: usize = 50;

/// Listens, says where on standard output, and answers until the process ends.
pub(crate) async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("{}", listener.local_addr().expect("a listener has an address"));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let streamed = memchr::memmem::find(&body, b"\"stream\":true").is_some();
    let (kind, body) = if streamed { ("text/event-stream", pieces()) } else { ("application/json", whole()) };
    let response = Response::builder().header("content-type", kind).body(body);
    Ok(response.expect("the head is right"))
}

fn whole() -> BoxBody<Bytes, Infallible> {
    let text = "word ".repeat(PIECES);
    Full::from(format!(
        r#"{{"id":"c1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":20,"completion_tokens":50,"total_tokens":70}}}}"#
    ))
    .boxed()
}

fn pieces() -> BoxBody<Bytes, Infallible> {
    let chunk = |delta: &str, finish: &str, usage: &str| {
        Bytes::from(format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]{usage}}}\n\n"
        ))
    };
    let first = chunk(r#"{"role":"assistant","content":""}"#, "null", "");
    let words = std::iter::repeat_n(chunk(r#"{"content":"word "}"#, "null", ""), PIECES);
    let usage = r#","usage":{"prompt_tokens":20,"completion_tokens":50,"total_tokens":70}"#;
    let last = [chunk("{}", "\"stop\"", usage), Bytes::from_static(b"data: [DONE]\n\n")];
    let all = std::iter::once(first).chain(words).chain(last).map(|piece| Ok(Frame::data(piece)));
    StreamBody::new(futures::stream::iter(all)).boxed()
}
