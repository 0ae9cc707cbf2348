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
    /// What a right answer says.
    says: &'static str,
}

impl Asked {
    /// A chat of usual size.
    pub(crate) fn new(path: &str, headers: Vec<(&'static str, String)>, model: &str, streamed: bool) -> Self {
        let system = "You run the service desk of a shop. Look things up before you answer. ".repeat(8);
        let stream = if streamed { r#","stream":true"# } else { "" };
        let body = format!(
            r#"{{"model":"{model}","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"Where is order 1042?"}}]{stream}}}"#
        );
        Self { path: path.to_owned(), headers, body: body.into(), says: "" }
    }

    /// The same of the provider itself.
    pub(crate) fn directly(streamed: bool) -> Self {
        Self::new("/v1/chat/completions", Vec::new(), "bench", streamed)
    }

    /// Another body to another path, as JSON.
    pub(crate) fn of(path: &str, token: &str, body: String, says: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            headers: vec![("authorization", format!("Bearer {token}"))],
            body: body.into(),
            says,
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
pub(crate) struct Measured {
    times: Vec<Duration>,
    /// What was wrong with the first that was none.
    pub(crate) failed: Option<String>,
}

/// How long each answer took, or what was wrong with it.
type Times = Vec<Result<Duration, String>>;

impl Measured {
    fn of(all: Times) -> Self {
        let (mut times, mut failed) = (Vec::with_capacity(all.len()), None);
        for time in all {
            match time {
                Ok(time) => times.push(time),
                Err(why) => failed = failed.or(Some(why)),
            }
        }
        times.sort_unstable();
        Self { times, failed }
    }

    pub(crate) fn count(&self) -> usize {
        self.times.len()
    }

    /// The time, in milliseconds, that such a share of the answers took at most.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let place = ((self.times.len() as f64 * share) as usize).min(self.times.len().saturating_sub(1));
        self.times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
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

    /// Asks, and reads the answer to its end. Fails with what is wrong with it.
    async fn ask(&mut self, asked: &Asked) -> Result<(), String> {
        if self.sender.ready().await.is_err() {
            *self = Self::open(self.address).await;
        }
        let response = self.sender.send_request(asked.request(self.address)).await.expect("it answers");
        let (status, body) = (response.status(), response.into_body().collect().await);
        let body = body.expect("the answer comes to its end").to_bytes();
        let is_right = status.is_success() && memchr::memmem::find(&body, asked.says.as_bytes()).is_some();
        if is_right { Ok(()) } else { Err(format!("{status}: {}", String::from_utf8_lossy(&body))) }
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
                let answered = connection.ask(&asked).await;
                times.push(answered.map(|()| began.elapsed()));
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
                connection.ask(&asked).await.expect("it is answered as it should be");
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
                let answered = connection.ask(&asked).await;
                times.push(answered.map(|()| from.elapsed()));
                number += lanes;
            }
        })
    });
    gather(tasks.collect()).await
}

async fn gather(tasks: Vec<tokio::task::JoinHandle<Times>>) -> Measured {
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("whoever asks is answered"));
    }
    Measured::of(all)
}
