//! Servers in sandboxes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use adjutant_core::Code;
use adjutant_tool::mcp::{Config, Server, Transport};
use adjutant_tool::sandbox;
use serde_json::{Value, json};

use crate::real::node;
use crate::scene::{OneSecret, Scene, file, process};

/// A server in a sandbox, whose own folder is in `work`.
fn sandboxed(command: &[String], work: &Path, change: impl FnOnce(&mut sandbox::Config)) -> Config {
    let mut config = process("x", command);
    let Transport::Process(process) = &mut config.transport else { panic!("no process") };
    let mut sandbox = sandbox::Config::new(work.join("work"));
    change(&mut sandbox);
    process.sandbox = Some(sandbox);
    process.working_directory = Some(work.to_owned());
    config
}

/// A folder that the user of the sandbox may write to.
fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test]
async fn a_server_finds_nothing_that_it_was_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::fs::create_dir(folder.path().join("home")).unwrap();
    let secret = folder.path().join("home/secret");
    std::fs::write(&secret, "open sesame").unwrap();
    let words = ["python3", "-B", &file("hostile.py"), "spying", "home/secret"].map(str::to_owned);
    let spied = async |config: Config| {
        let scene = Scene::accepting(config).await;
        let found = scene.call("x__add", json!({ "a": port })).await.unwrap().as_text();
        serde_json::from_str::<Value>(&found).unwrap()
    };
    // A file that the command names is seen; what its sandbox does not name is not.
    let hidden = ["python3", "-B", &file("hostile.py"), "spying", "home"].map(str::to_owned);
    let found = spied(sandboxed(&hidden, folder.path(), |_| {})).await;
    assert_eq!(found["home"], "/session");
    assert_eq!(found["here"], folder.path().to_str().unwrap());
    assert_eq!(
        (&found["secret"], &found["network"]),
        (&json!("FileNotFoundError"), &json!("ConnectionRefusedError"))
    );
    assert_eq!(found["kept"], "FileNotFoundError");
    assert_ne!(found["user"], 0);
    assert!(found["processes"].as_u64().unwrap() < 6, "{found}");
    // What it keeps in its own folder is there when it is started again.
    let found = spied(sandboxed(&words, folder.path(), |_| {})).await;
    assert_eq!((&found["secret"], &found["kept"]), (&json!("open sesame"), &json!("from before")));
    // Without a sandbox all of it is there.
    let mut config = sandboxed(&words, folder.path(), |_| {});
    let Transport::Process(process) = &mut config.transport else { panic!("no process") };
    process.sandbox = None;
    let found = spied(config).await;
    assert!(found["network"].as_str().unwrap().contains("socket"), "{found}");
}

#[tokio::test]
async fn servers_in_node_run_in_sandboxes() {
    let folder = tempfile::tempdir().unwrap();
    let docs = folder.path().join("docs");
    std::fs::create_dir(&docs).unwrap();
    open_to_all(&docs);
    let Some(command) = node("filesystem", &["docs"]) else { return };
    let packages =
        Path::new(&command[1]).ancestors().find(|path| path.ends_with("node_modules")).unwrap().to_owned();
    let files = sandboxed(&command, folder.path(), |sandbox| {
        sandbox.read = vec![packages.clone()];
        sandbox.write = vec![docs.clone()];
    });
    let scene = Scene::accepting(files).await;
    scene.call("x__write_file", json!({ "path": docs.join("note.txt"), "content": "seven" })).await.unwrap();
    assert_eq!(std::fs::read_to_string(docs.join("note.txt")).unwrap(), "seven");

    let command = node("memory", &[]).unwrap();
    let memory = sandboxed(&command, folder.path(), |sandbox| sandbox.read = vec![packages]);
    let scene = Scene::accepting(memory).await;
    assert!(scene.call("x__read_graph", json!({})).await.is_ok());
}

#[tokio::test]
async fn a_server_that_takes_too_much_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["python3", "-B", &file("hostile.py"), "hoarding"].map(str::to_owned);
    let mut config = sandboxed(&words, folder.path(), |sandbox| sandbox.limits.memory = 256 << 20);
    config.effects.insert("*".to_owned(), adjutant_core::tool::Effect::Pure);
    let scene = Scene::accepting(config).await;
    assert!(scene.call("x__add", json!({ "a": 1 })).await.is_err());
    assert!(scene.server.said().join("\n").contains("emory"), "{:?}", scene.server.said());
}

#[tokio::test]
async fn what_cannot_be_seen_in_a_sandbox_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["python3", "-B", &file("hostile.py"), "well"].map(str::to_owned);
    let config = sandboxed(&words, folder.path(), |sandbox| sandbox.read = vec!["/proc".into()]);
    let error = Server::new(config).unwrap().offer(&OneSecret).await.unwrap_err();
    assert_eq!(error.code(), Code::ToolInvalid, "{error:?}");
}
