//! A provider by OpenAI's interface for chats, which looks at as little as it can. Its model `bench` answers at once; `slow` after
//! [`DELAY`], as quick as models are; `steps` too, and calls a tool [`STEPS`] times first.

use std::convert::Infallible;
use std::time::Duration;

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
/// How long `slow` and `steps` take to answer.
const DELAY: Duration = Duration::from_millis(20);
/// How often `steps` calls a tool before it answers.
const STEPS: usize = 9;

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
    let has = |text: &[u8]| memchr::memmem::find(&body, text).is_some();
    let (streamed, steps) = (has(b"\"stream\":true"), has(b"\"steps\""));
    let results = memchr::memmem::find_iter(&body, b"\"role\":\"tool\"").count();
    if steps || has(b"\"slow\"") {
        tokio::time::sleep(DELAY).await;
    }
    let (kind, body) = match streamed {
        true if steps && results < STEPS => ("text/event-stream", call(results)),
        true => ("text/event-stream", pieces()),
        false => ("application/json", whole()),
    };
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

/// One piece of a streamed answer.
fn chunk(delta: &str, finish: &str, usage: &str) -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]{usage}}}\n\n"
    ))
}

const USAGE: &str = r#","usage":{"prompt_tokens":20,"completion_tokens":50,"total_tokens":70}"#;

fn call(number: usize) -> BoxBody<Bytes, Infallible> {
    let delta = format!(
        r#"{{"role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"call_{number}","type":"function","function":{{"name":"calculate","arguments":"{{\"expression\":\"6 * {number}\"}}"}}}}]}}"#
    );
    let all = [
        chunk(&delta, "null", ""),
        chunk("{}", "\"tool_calls\"", USAGE),
        Bytes::from_static(b"data: [DONE]\n\n"),
    ];
    StreamBody::new(futures::stream::iter(all.map(|piece| Ok(Frame::data(piece))))).boxed()
}

fn pieces() -> BoxBody<Bytes, Infallible> {
    let first = chunk(r#"{"role":"assistant","content":""}"#, "null", "");
    let words = std::iter::repeat_n(chunk(r#"{"content":"word "}"#, "null", ""), PIECES);
    let last = [chunk("{}", "\"stop\"", USAGE), Bytes::from_static(b"data: [DONE]\n\n")];
    let all = std::iter::once(first).chain(words).chain(last).map(|piece| Ok(Frame::data(piece)));
    StreamBody::new(futures::stream::iter(all)).boxed()
}
