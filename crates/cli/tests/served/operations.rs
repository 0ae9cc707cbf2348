//! What whoever operates a service sees of it: its log, its measures, what it tells systemd, and what it does with changed files.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::place::{PATIENCE, Place, Served, cashier};

/// The lines of the log, each of which is JSON.
fn lines(served: &Served) -> Vec<Value> {
    let log = served.log();
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}\n{log}"))).collect()
}

/// Waits until the log has a line that says so.
async fn logged(served: &Served, text: &str) -> Value {
    let began = Instant::now();
    loop {
        let said = |line: &Value| line["message"].as_str().is_some_and(|message| message.contains(text));
        if let Some(line) = lines(served).into_iter().find(said) {
            return line;
        }
        assert!(began.elapsed() < PATIENCE, "{}", served.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_log_for_programs_is_one_from_the_first_to_the_last() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let mut served = place.serve("first", &[]).await;
    let run = served.start().await;
    served.until(&run, &["ended"]).await;
    served.signal(Signal::TERM);
    served.ended().await;
    let lines = lines(&served);
    let says = |line: &Value, text: &str| line["message"].as_str().unwrap().starts_with(text);
    assert!(says(lines.first().unwrap(), "listening at http://127.0.0.1:"), "{lines:?}");
    assert!(says(lines.last().unwrap(), "stopping"), "{lines:?}");
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_when_it_is_ready_and_when_it_stops() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let path = place.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut served = place.serve_with("first", &[], &[("NOTIFY_SOCKET", path.to_str().unwrap())]).await;
    assert_eq!(heard(), "READY=1");
    assert_eq!(served.status("/api/health/ready").await, Some(200), "it is ready when it says so");
    served.signal(Signal::TERM);
    assert_eq!(heard(), "STOPPING=1");
    served.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_file_holds_at_once_and_a_bad_one_leaves_what_was() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let served = place.serve("first", &[]).await;
    assert_eq!(served.status("/api/agents/night").await, Some(404));
    place.write("agents/night.md", "---\nmodel: main\n---\nYou watch.\n");
    logged(&served, "changed files of the project hold now").await;
    assert_eq!(served.status("/api/agents/night").await, Some(200));

    place.write("agents/night.md", "---\nmodle: main\n---\nYou sleep.\n");
    logged(&served, "changed files of the project do not hold").await;
    assert!(served.log().contains("agents/night.md:2:1: "), "{}", served.log());
    let (status, shown) = served.get("/api/agents/night").await;
    assert_eq!((status, &shown["model"]), (StatusCode::OK, &json!("openai/mock")), "{shown}");

    let (_, audit) = served.get("/api/audit?what=files.").await;
    let told: Vec<_> =
        audit["events"].as_array().unwrap().iter().map(|event| event["what"].clone()).collect();
    assert_eq!(told, ["files.refused", "files.taken"], "{audit}");
    assert_eq!(audit["events"][0]["by"], "service");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_money_are_counted_by_model() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let toml = std::fs::read_to_string(place.path("adjutant.toml")).unwrap();
    let priced = toml.replace("context_window", "prices = { input = 1000, output = 2000 }\ncontext_window");
    place.write("adjutant.toml", &priced);
    let served = place.serve("first", &[]).await;
    let asked = json!({ "model": "main", "messages": [{ "role": "user", "content": "Pay." }] });
    let answer = served.request(Method::POST, "/v1/chat/completions").json(&asked).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let used = |name: &str| answer["usage"][name].as_u64().unwrap_or_else(|| panic!("{answer}"));
    let text = served.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    let counted = |name: &str, labels: &[&str]| {
        let is_it = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
        let line = text.lines().find(is_it).unwrap_or_else(|| panic!("{name} {labels:?}: {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let (input, output) = (used("prompt_tokens") as f64, used("completion_tokens") as f64);
    assert_eq!(counted("adjutant_model_calls_total", &["openai/mock", "answered"]), 1.0);
    assert_eq!(counted("adjutant_model_tokens_total", &["openai/mock", "input"]), input);
    assert_eq!(counted("adjutant_model_tokens_total", &["openai/mock", "output"]), output);
    let money = counted("adjutant_model_cost_usd_total", &["openai/mock"]);
    assert!(
        (money - (input * 1_000.0 + output * 2_000.0) / 1e6).abs() < 1e-9,
        "{money} for {input} and {output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_this_machine_does_what_its_settings_say_and_no_more() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "[server]\nanonymous = \"viewer\"\n");
    let served = place.serve("first", &[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asks = async |method: Method, path: &str, host: Option<&str>| {
        let mut request =
            client.request(method, format!("{}{path}", served.base)).json(&json!({ "input": "Pay." }));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(asks(Method::GET, "/api/agents", None).await, 200);
    assert_eq!(asks(Method::POST, "/api/runs", None).await, 403, "a viewer starts nothing");
    assert_eq!(
        asks(Method::GET, "/api/agents", Some("evil.example")).await,
        403,
        "a page that calls itself otherwise"
    );
    assert_eq!(asks(Method::GET, "/api/keys", None).await, 403);
}
