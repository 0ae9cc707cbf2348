//! Guardrails that ask a service over HTTP, against one on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use adjutant_agent::definition::{Check, Guardrail, Point};
use adjutant_agent::summary::Summary;
use adjutant_agent::{Agent, Opinion, Reply, Stop};
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Record;
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_tool::moderation::{Endpoint, Score};
use serde_json::{Value, json};

use crate::bench::{Bench, Roles};

const KEY: &str = "sesame-open-7781";

/// A service that answers the texts that it is given.
struct Service {
    port: u16,
    /// The headers of each request, and its body.
    heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Service {
    /// Answers each request by its place, from 0: a status and a body. None hangs up.
    fn answering(answer: impl Fn(usize) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let list = Arc::clone(&heard);
        #[expect(clippy::disallowed_methods, reason = "a server stands outside the code of a run")]
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                let mut list = list.lock().unwrap();
                list.push(request);
                let Some((status, body)) = answer(list.len() - 1) else { continue };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} .\r\nlocation: /elsewhere\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { port, heard }
    }

    /// Gives every text the same scores.
    fn scoring(scores: Value) -> Self {
        Self::answering(move |_| {
            Some((200, json!({ "results": [{ "category_scores": scores }] }).to_string()))
        })
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: format!("http://127.0.0.1:{}/moderations", self.port),
            secret: None,
            field: "input".to_owned(),
            scores: "/results/0/category_scores".to_owned(),
            local: true,
        }
    }

    fn guardrail(&self) -> Guardrail {
        Guardrail::new(Check::External(self.endpoint())).on([Point::Output])
    }

    fn heard(&self) -> Vec<(String, Value)> {
        self.heard.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

struct Kept;

impl Secrets for Kept {
    fn get(&self, name: &str) -> Result<Secret> {
        match name {
            "key" => Ok(Secret::new(KEY)),
            _ => Err(Error::new(Code::NotFound, format!("there is no secret called `{name}`"))),
        }
    }
}

/// What came of a run whose answer this guardrail looks at, and its records.
async fn run(guardrail: Guardrail) -> (Reply, Vec<Record>) {
    let agent = Agent::new("desk").instructions("You are a desk.").guardrail(guardrail);
    let bench = Bench::with(agent, Roles::main(Scripted::new([Turn::text("an answer")]))).holding(Kept);
    bench.serve();
    let run = bench.begin("answer me", None).await;
    let reply = bench.end(&run).await.unwrap();
    bench.check(&run).await;
    (reply, bench.records(&run).await)
}

/// What the only step with an opinion says.
fn opinion(records: &[Record]) -> Opinion {
    let steps = Summary::of(records).unwrap().steps;
    let mut opinions = steps.into_iter().filter_map(|step| step.opinion);
    let opinion = opinions.next().unwrap();
    assert_eq!(opinions.next(), None);
    opinion
}

#[tokio::test]
async fn a_judge_tells_its_score_and_why() {
    for (said, score, reason) in [
        (r#"{"score": 0.2, "category": "tone", "reason": "curt"}"#, Some(0.2), Some("curt")),
        (r#"{"score": 0.9, "category": "tone"}"#, Some(0.9), None),
        ("fine with me", None, None),
    ] {
        let judge = Scripted::new([Turn::text(said)]).with_id("judge-1");
        let roles = Roles::main(Scripted::new([Turn::text("an answer")])).with("judge", judge);
        let guardrail = Guardrail::new(Check::Judge("No rudeness.".to_owned()));
        let agent = Agent::new("desk").instructions("You are a desk.").guardrail(guardrail);
        let bench = Bench::with(agent, roles);
        bench.serve();
        let run = bench.begin("answer me", None).await;
        bench.end(&run).await.unwrap();
        let score = score.map(|score| Score { category: "tone".to_owned(), score });
        let expected = Opinion { scores: Vec::from_iter(score), reason: reason.map(str::to_owned) };
        assert_eq!(opinion(&bench.records(&run).await), expected);
    }
}

#[tokio::test]
async fn a_service_is_asked_for_scores_and_the_threshold_decides() {
    let service = Service::scoring(json!({ "hate": 0.72, "violence": 0.01 }));
    for (threshold, stop) in [(0.5, Stop::Blocked), (0.72, Stop::Blocked), (0.8, Stop::Answered)] {
        let (reply, records) = run(service.guardrail().threshold(threshold)).await;
        assert_eq!(reply.stop, stop, "{threshold}");
        assert_eq!(reply.text == "an answer", stop == Stop::Answered, "{}", reply.text);
        let scores = [("hate", 0.72), ("violence", 0.01)];
        let scores = scores.map(|(category, score)| Score { category: category.to_owned(), score }).to_vec();
        assert_eq!(opinion(&records), Opinion { scores, reason: None });
    }
    let heard = service.heard();
    assert_eq!(heard.len(), 3, "once for each run");
    for (head, body) in heard {
        assert!(head.starts_with("post /moderations "), "{head}");
        assert!(!head.contains("authorization"), "{head}");
        assert_eq!(body, json!({ "input": "an answer" }));
    }
}

#[tokio::test]
async fn the_secret_is_sent_and_stands_in_no_record() {
    // The service repeats what it was sent, where it is recorded.
    let service = Service::scoring(json!({ format!("bearer {KEY}"): 0.1 }));
    let endpoint = Endpoint { secret: Some("key".to_owned()), ..service.endpoint() };
    let (reply, records) = run(Guardrail::new(Check::External(endpoint)).on([Point::Output])).await;
    assert_eq!(reply.stop, Stop::Answered);
    let (head, _) = service.heard().remove(0);
    assert!(head.contains(&format!("authorization: bearer {KEY}\r\n")), "{head}");
    let recorded = format!("{records:?}");
    assert!(recorded.contains("moderate") && !recorded.contains(KEY), "{recorded}");

    // Without its secret it is not asked at all.
    let endpoint = Endpoint { secret: Some("another".to_owned()), ..service.endpoint() };
    let (reply, _) = run(Guardrail::new(Check::External(endpoint)).on([Point::Output])).await;
    assert_eq!(reply.stop, Stop::Blocked);
    assert_eq!(service.heard().len(), 1);
}

#[tokio::test]
async fn a_service_that_gives_no_scores_does_not_agree() {
    let answers: [(u16, &str); 8] = [
        (400, r#"{ "results": [{ "category_scores": { "hate": 0 } }] }"#),
        (302, ""),
        (200, ""),
        (200, "<html>fine</html>"),
        (200, r#"{ "results": [] }"#),
        (200, r#"{ "results": [{ "category_scores": {} }] }"#),
        (200, r#"{ "results": [{ "category_scores": { "hate": "none" } }] }"#),
        (200, r#"{ "results": [{ "category_scores": { "hate": 0 } }] "#),
    ];
    for (status, body) in answers {
        let service = Service::answering(move |_| Some((status, body.to_owned())));
        let (reply, _) = run(service.guardrail()).await;
        assert_eq!(reply.stop, Stop::Blocked, "{status} {body}");
        assert!(reply.text.contains("could not be asked"), "{}", reply.text);
        assert_eq!(service.heard().len(), 1, "a redirect is not followed: {status} {body}");
        let lenient = Guardrail { lenient: true, ..service.guardrail() };
        let (reply, _) = run(lenient).await;
        assert_eq!((reply.stop, reply.text.as_str()), (Stop::Answered, "an answer"), "{status} {body}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_up_or_is_not_there_does_not_agree() {
    let service = Service::answering(|_| None);
    assert_eq!(run(service.guardrail()).await.0.stop, Stop::Blocked);
    let lenient = Guardrail { lenient: true, ..service.guardrail() };
    assert_eq!(run(lenient).await.0.stop, Stop::Answered);

    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = Endpoint { url: format!("http://{gone}/"), ..service.endpoint() };
    let guardrail = Guardrail::new(Check::External(endpoint)).on([Point::Output]);
    assert_eq!(run(guardrail).await.0.stop, Stop::Blocked);
}

#[tokio::test]
async fn a_service_that_is_busy_is_asked_again() {
    let fine = json!({ "results": [{ "category_scores": { "hate": 0.0 } }] }).to_string();
    let service = Service::answering(move |place| match place {
        0 => Some((429, String::new())),
        _ => Some((200, fine.clone())),
    });
    assert_eq!(run(service.guardrail()).await.0.stop, Stop::Answered);
    assert_eq!(service.heard().len(), 2);

    let down = Service::answering(|_| Some((503, String::new())));
    assert_eq!(run(down.guardrail()).await.0.stop, Stop::Blocked);
    assert_eq!(down.heard().len(), 3);
}

#[tokio::test]
async fn a_service_in_a_private_network_is_asked_only_where_that_is_said() {
    let service = Service::scoring(json!({ "hate": 0.0 }));
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/moderations", service.port);
        let endpoint = Endpoint { url, local: false, ..service.endpoint() };
        let (reply, records) = run(Guardrail::new(Check::External(endpoint)).on([Point::Output])).await;
        assert_eq!(reply.stop, Stop::Blocked, "{host}");
        let recorded = format!("{records:?}");
        assert!(recorded.contains("is not on the public internet"), "{recorded}");
    }
    assert!(service.heard().is_empty());
    assert_eq!(run(service.guardrail()).await.0.stop, Stop::Answered);
}
