//! Asks, and measures how long the answers take.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What is asked.
#[derive(Clone)]
pub(crate) struct Asked {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Asked {
    /// A chat of usual size.
    pub(crate) fn new(path: &str, headers: Vec<(&'static str, String)>, model: &str, streamed: bool) -> Self {
        let system = "You run the service desk of a shop. Look things up before you answer. ".repeat(8);
        let stream = if streamed { r#","stream":true"# } else { "" };
        let body = format!(
            r#"{{"model":"{model}","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"Where is order 1042?"}}]{stream}}}"#
        );
        Self { path: path.to_owned(), headers, body: body.into() }
    }

    /// The same of the provider itself.
    pub(crate) fn directly(streamed: bool) -> Self {
        Self::new("/v1/chat/completions", Vec::new(), "bench", streamed)
    }

    /// Another body to another path, as JSON.
    pub(crate) fn of(path: &str, token: &str, body: String) -> Self {
        Self {
            path: path.to_owned(),
            headers: vec![("authorization", format!("Bearer {token}"))],
            body: body.into(),
        }
    }

    fn request(&self, address: SocketAddr) -> Request<Full<Bytes>> {
        let mut request = Request::post(&self.path)
            .header("host", address.to_string())
            .header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(self.body.clone())).expect("the request is right")
    }
}

/// How long answers took.
pub(crate) struct Measured(Vec<Duration>);

impl Measured {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time, in milliseconds, that such a share of the answers took at most.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let place = ((self.0.len() as f64 * share) as usize).min(self.0.len().saturating_sub(1));
        self.0.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }
}

/// One connection.
struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        Self { address, sender }
    }

    /// Asks, and reads the answer to its end.
    async fn ask(&mut self, asked: &Asked) {
        if self.sender.ready().await.is_err() {
            *self = Self::open(self.address).await;
        }
        let response = self.sender.send_request(asked.request(self.address)).await.expect("it answers");
        let (status, body) = (response.status(), response.into_body().collect().await);
        let body = body.expect("the answer comes to its end").to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    }
}

/// So many who each ask again as soon as they are answered.
pub(crate) async fn closed(address: SocketAddr, asked: &Asked, clients: usize, time: Duration) -> Measured {
    let until = Instant::now() + time;
    let tasks = (0..clients).map(|_| {
        let asked = asked.clone();
        tokio::spawn(async move {
            let (mut connection, mut times) = (Connection::open(address).await, Vec::new());
            while Instant::now() < until {
                let began = Instant::now();
                connection.ask(&asked).await;
                times.push(began.elapsed());
            }
            times
        })
    });
    gather(tasks.collect()).await
}

/// So many who together ask so often.
pub(crate) async fn count(address: SocketAddr, asked: &Asked, clients: usize, count: usize) {
    let tasks = (0..clients).map(|client| {
        let asked = asked.clone();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            for _ in (client..count).step_by(clients) {
                connection.ask(&asked).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("whoever asks is answered");
    }
}

/// A steady rate, whatever the answers take: a time begins when it was due to ask.
pub(crate) async fn open(address: SocketAddr, asked: &Asked, rate: u32, time: Duration) -> Measured {
    let lanes: u32 = 16;
    let (began, every) = (Instant::now() + Duration::from_millis(50), Duration::from_secs(1) / rate);
    let tasks = (0..lanes).map(|lane| {
        let asked = asked.clone();
        tokio::spawn(async move {
            let (mut connection, mut times, mut number) = (Connection::open(address).await, Vec::new(), lane);
            loop {
                let due = every * number;
                // Whoever cannot keep up is not waited for.
                if due > time || began.elapsed() > time * 2 {
                    return times;
                }
                tokio::time::sleep_until((began + due).into()).await;
                // The timer is coarse; what counts is from when it really asks, unless it is late by more than that.
                let late = Instant::now().saturating_duration_since(began + due);
                let from = if late > Duration::from_millis(3) { began + due } else { Instant::now() };
                connection.ask(&asked).await;
                times.push(from.elapsed());
                number += lanes;
            }
        })
    });
    gather(tasks.collect()).await
}

async fn gather(tasks: Vec<tokio::task::JoinHandle<Vec<Duration>>>) -> Measured {
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("whoever asks is answered"));
    }
    Measured::of(all)
}
