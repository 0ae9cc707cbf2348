//! Servers that everybody uses: the reference servers in Node, and one made with the official Python SDK.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_core::message::{MediaSource, Part};
use adjutant_core::tool::Effect;
use adjutant_tool::command::Variable;
use adjutant_tool::mcp::{Config, Http, Server, Transport};
use adjutant_tool::{Answer, Failure, Output, Question, Resumed, Until};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::scene::{OneSecret, Scene, TOKEN, file, installed, process};

/// The command of a reference server.
pub(crate) fn node(server: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let folder = installed("node")?;
    let script = folder.join(format!("node_modules/@modelcontextprotocol/server-{server}/dist/index.js"));
    let words = ["node".to_owned(), script.to_string_lossy().into_owned()];
    Some(words.into_iter().chain(arguments.iter().map(|word| (*word).to_owned())).collect())
}

/// The command of the server made with the Python SDK.
fn python(arguments: &[&str]) -> Option<Vec<String>> {
    let python = installed("python")?.join("bin/python").to_string_lossy().into_owned();
    let words = [python, "-B".to_owned(), file("servers/warehouse.py")];
    Some(words.into_iter().chain(arguments.iter().map(|word| (*word).to_owned())).collect())
}

/// A server on a port of this machine, which dies with this value.
async fn served(command: impl Fn(&str) -> Option<Vec<String>>) -> Option<(Child, Config)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let words = command(&port.to_string())?;
    let mut child = Command::new(&words[0]);
    child.args(&words[1..]).env("PORT", port.to_string()).kill_on_drop(true);
    let child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "the server does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = format!("http://127.0.0.1:{port}/mcp").parse().unwrap();
    let http = Http { url, headers: BTreeMap::new(), bearer: None, auth: None };
    Some((child, Config::new("x", Transport::Http(http))))
}

#[tokio::test]
async fn everything_over_standard_input_and_output() {
    let Some(command) = node("everything", &["stdio"]) else { return };
    everything(process("x", &command)).await;
}

#[tokio::test]
async fn everything_over_http() {
    let Some((_child, config)) = served(|_| node("everything", &["streamableHttp"])).await else { return };
    everything(config).await;
}

/// What the server that shows everything shows.
async fn everything(mut config: Config) {
    config.timeout = Duration::from_secs(30);
    let scene = Scene::accepting(config).await;
    assert!(scene.pin.tools.len() > 10 && scene.pin.resources, "{:?}", scene.pin.tools.keys());
    assert_eq!(scene.tool("x__get-sum").spec().effect, Effect::Pure);
    assert_eq!(scene.tool("x__toggle-simulated-logging").spec().effect, Effect::AtMostOnce);

    let sum = scene.call("x__get-sum", json!({ "a": 2, "b": 40 })).await.unwrap();
    assert!(sum.as_text().contains("42"), "{sum:?}");

    let image = scene.call("x__get-tiny-image", json!({})).await.unwrap();
    let is_picture = |part: &Part| {
        matches!(part, Part::Image(media) if media.media_type == "image/png"
            && matches!(&media.source, MediaSource::Base64(data) if data.starts_with("iVBOR")))
    };
    assert!(image.content.iter().any(is_picture), "{image:?}");

    let weather = scene.call("x__get-structured-content", json!({ "location": "Chicago" })).await.unwrap();
    assert_eq!(weather.data.unwrap()["conditions"], "Light rain / drizzle");

    let links = scene.call("x__get-resource-links", json!({ "count": 3 })).await.unwrap();
    assert!(links.as_text().contains("[a resource: demo://"), "{links:?}");

    let long = scene
        .call("x__trigger-long-running-operation", json!({ "duration": 0.2, "steps": 2 }))
        .await
        .unwrap();
    assert!(long.as_text().contains("completed"), "{long:?}");
    assert!(scene.progress().iter().any(|text| text.contains("of 2")), "{:?}", scene.progress());

    let prompt = json!({ "name": "args-prompt", "arguments": { "city": "Ghent" } });
    let got = scene.call("x__get_prompt", prompt).await.unwrap();
    assert!(got.as_text().contains("Ghent"), "{got:?}");
    let listed = scene.call("x__list_resources", json!({})).await.unwrap().as_text();
    let uri = listed.lines().find_map(|line| line.split(' ').next().filter(|uri| uri.starts_with("demo://")));
    let uri = uri.unwrap_or_else(|| panic!("{listed}")).trim_end_matches(':');
    let read = scene.call("x__read_resource", json!({ "uri": uri })).await.unwrap();
    assert!(read.as_text().starts_with(&format!("[{uri}]\n")), "{read:?}");
    let Err(Failure::Model(error)) = scene.call("x__read_resource", json!({ "uri": "demo://nothing" })).await
    else {
        panic!("there is no such resource")
    };
    assert_eq!(error.code(), Code::ToolFailed);
}

/// What a server asks a person, and what comes of it when the person has answered.
async fn answered(scene: &Scene, tool: &str, arguments: Value, content: Value) -> (Question, Output) {
    let Err(Failure::Pending(pending)) = scene.call(tool, arguments.clone()).await else { panic!("it asks") };
    let Until::Answered(question) = pending.until else { panic!("it asks a person") };
    let answer = question.fitting(Answer::Accept(content.as_object().cloned())).unwrap();
    let resumed = Resumed { state: pending.state, answer: Some(answer) };
    let output = scene.tool(tool).resume(arguments, resumed, scene.context()).await.unwrap();
    (question, output)
}

#[tokio::test]
async fn a_person_is_asked_over_standard_input_and_output() {
    let Some(command) = node("everything", &["stdio"]) else { return };
    let scene = Scene::accepting(process("x", &command)).await;
    let (question, output) =
        answered(&scene, "x__trigger-elicitation-request", json!({}), json!({ "name": "Ann" })).await;
    assert!(question.requires("name") && question.fields().count() > 5, "{question:?}");
    assert!(output.as_text().contains("Ann"), "{output:?}");
}

#[tokio::test]
async fn thoughts_are_taken_one_after_the_other() {
    let Some(command) = node("sequential-thinking", &[]) else { return };
    let scene = Scene::accepting(process("x", &command)).await;
    for (number, more) in [(1, true), (2, false)] {
        let thought = json!({ "thought": "It rains.", "thoughtNumber": number, "totalThoughts": 2, "nextThoughtNeeded": more });
        let taken = scene.call("x__sequentialthinking", thought).await.unwrap();
        assert_eq!(taken.data.unwrap()["thoughtHistoryLength"], number);
    }
}

#[tokio::test]
async fn files_are_read_and_written_within_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let Some(command) = node("filesystem", &[root.to_str().unwrap()]) else { return };
    let scene = Scene::accepting(process("files", &command)).await;
    let effect = |tool: &str| scene.tool(tool).spec().effect;
    assert_eq!(effect("files__read_text_file"), Effect::Pure);
    assert_eq!(effect("files__write_file"), Effect::Idempotent);
    assert_eq!(effect("files__move_file"), Effect::AtMostOnce);

    let path = root.join("note.txt");
    let written = json!({ "path": path, "content": "größer als 7\n" });
    scene.call("files__write_file", written).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "größer als 7\n");
    let read = scene.call("files__read_text_file", json!({ "path": path })).await.unwrap();
    assert_eq!(read.as_text(), "größer als 7\n");
    assert_eq!(read.data.unwrap()["content"], "größer als 7\n");
    let Err(Failure::Model(error)) =
        scene.call("files__read_text_file", json!({ "path": "/etc/passwd" })).await
    else {
        panic!("it lies outside")
    };
    assert!(error.message().contains("Access denied"), "{error}");
}

#[tokio::test]
async fn memory_is_kept_between_calls() {
    let folder = tempfile::tempdir().unwrap();
    let Some(command) = node("memory", &[]) else { return };
    let mut config = process("memory", &command);
    let Transport::Process(process) = &mut config.transport else { panic!("no process") };
    let path = folder.path().join("memory.jsonl").to_string_lossy().into_owned();
    process.environment.insert("MEMORY_FILE_PATH".into(), Variable::Text(path));
    let scene = Scene::accepting(config).await;
    let entity = json!({ "name": "Ann", "entityType": "person", "observations": ["likes bicycles"] });
    scene.call("memory__create_entities", json!({ "entities": [entity] })).await.unwrap();
    let found = scene.call("memory__search_nodes", json!({ "query": "bicycles" })).await.unwrap();
    assert_eq!(found.data.unwrap()["entities"][0]["name"], "Ann");
}

#[tokio::test]
async fn a_server_in_python_over_standard_input_and_output() {
    let Some(command) = python(&[]) else { return };
    warehouse(process("x", &command)).await;
}

#[tokio::test]
async fn a_server_in_python_over_http() {
    let Some((_child, config)) = served(|port| python(&[port])).await else { return };
    warehouse(config).await;
}

async fn warehouse(mut config: Config) {
    config.timeout = Duration::from_secs(2);
    let scene = Scene::accepting(config.clone()).await;
    let offer = scene.server.offer(&OneSecret).await.unwrap();
    assert_eq!((offer.server.as_str(), offer.protocol.as_str()), ("warehouse 1.0", "2026-07-28"));

    let stock = scene.call("x__stock", json!({ "article": "bell" })).await.unwrap();
    assert_eq!(stock.data, Some(json!({ "article": "bell", "pieces": 4 })));
    let Err(Failure::Model(error)) = scene.call("x__stock", json!({ "article": "nothing" })).await else {
        panic!("there is no such article")
    };
    assert_eq!(error.code(), Code::ToolFailed);

    let counted = scene.call("x__count", json!({ "until": 3 })).await.unwrap();
    assert_eq!(counted.as_text(), "3 shelves");
    assert!(scene.progress().contains(&"shelf 1 (1 of 3)".to_owned()), "{:?}", scene.progress());

    assert!(matches!(scene.call("x__order", json!({ "article": "bell" })).await, Err(Failure::Unknown(_))));
    let (question, reserved) =
        answered(&scene, "x__reserve", json!({ "article": "bell" }), json!({ "pieces": "3" })).await;
    assert_eq!(question.message, "How many are to be put aside?");
    assert_eq!(reserved.as_text(), "3 of bell");
    let prompts = scene.tool("x__get_prompt");
    assert!(
        prompts.spec().description.contains("- letter(article, [tone]): A letter to the supplier."),
        "{:?}",
        prompts.spec()
    );
    let letter = json!({ "name": "letter", "arguments": { "article": "bell", "tone": "stern" } });
    let got = scene.call("x__get_prompt", letter).await.unwrap();
    assert_eq!(got.as_text(), "Write a stern letter about bell.");
    let read = scene.call("x__read_resource", json!({ "uri": "warehouse://plan" })).await.unwrap();
    assert!(read.as_text().ends_with("Shelf 1 is by the door."), "{read:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_did_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/mcp?key={TOKEN}").parse().unwrap();
    let http = Http { url, headers: BTreeMap::new(), bearer: Some("token".into()), auth: None };
    let server = Server::new(Config::new("x", Transport::Http(http))).unwrap();
    let error = server.offer(&OneSecret).await.unwrap_err();
    assert!(
        error.message().contains("Connection refused") && !format!("{error:?}").contains(TOKEN),
        "{error:?}"
    );
}
