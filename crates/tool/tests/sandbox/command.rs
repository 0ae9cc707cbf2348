//! The ways out once more, for a program of the project that runs in a sandbox.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use adjutant_tool::command::{CommandTool, Config};
use adjutant_tool::{Effect, Failure, Tool};
use serde_json::json;

use super::{Place, context, heard, read};

/// Runs a program of the project as a command tool in a sandbox. It reads its arguments, as programs do.
async fn run(place: &Place, session: &str, text: &str) -> Result<String, Failure> {
    let program = place.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\nread arguments\n{text}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = Config::new("program", vec![program.display().to_string()], Effect::Idempotent);
    config.description = "Does something.".to_owned();
    config.timeout = place.timeout;
    config.sandbox = Some(place.config.clone());
    let output = CommandTool::new(config).unwrap().call(json!({}), context(session)).await?;
    Ok(read(&output))
}

#[tokio::test]
async fn it_sees_its_own_file_and_the_session_alone() {
    let Some(place) = Place::new() else { return };
    std::fs::write(place.path().join("secret"), "s3cret").unwrap();
    let secret = place.path().join("secret").display().to_string();
    let tries = format!(
        "cat {secret} 2>/dev/null || echo no; cat /etc/shadow 2>/dev/null || echo no; ls {0}; \
         (echo x >> {0}/program) 2>/dev/null || echo no; id -u; cat /proc/1/environ 2>/dev/null | wc -c",
        place.path().display()
    );
    let seen = run(&place, "one", &tries).await.unwrap();
    assert!(seen.starts_with("no\nno\nprogram\nno\n65534\n"), "{seen}");
    run(&place, "other", "echo private > note").await.unwrap();
    let note = place.folder("other").files().join("note");
    assert!(note.exists());
    let seen =
        run(&place, "one", &format!("cat {} note 2>/dev/null || echo no", note.display())).await.unwrap();
    assert_eq!(seen, "no");
}

#[tokio::test]
async fn it_reaches_no_network() {
    let Some(place) = Place::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tries = format!(
        "python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 2)\" 2>/dev/null || echo no\n\
         python3 -c \"import socket; socket.getaddrinfo('example.org', 80)\" 2>/dev/null || echo no"
    );
    assert_eq!(run(&place, "one", &tries).await.unwrap(), "no\nno");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[tokio::test]
async fn it_takes_no_more_than_it_may() {
    let Some(mut place) = Place::new() else { return };
    place.timeout = Duration::from_secs(3);
    let bomb = heard(run(&place, "one", "bomb() { bomb | bomb & }; bomb; bomb | bomb; sleep 10").await);
    assert!(bomb.contains("was killed") || bomb.contains("exited"), "{bomb}");
    let full = "i=0; while :; do head -c 4000000 /dev/zero > file$i; i=$((i+1)); done";
    let said = heard(run(&place, "one", full).await);
    assert!(said.contains("more than 33554432 bytes"), "{said}");
}

#[tokio::test]
async fn nothing_of_it_outlives_the_call() {
    let Some(place) = Place::new() else { return };
    let stays = "(setsid sh -c 'while :; do date >> alive; sleep 0.05; done' &) >/dev/null 2>&1; sleep 0.3; test -s alive";
    run(&place, "one", stays).await.unwrap();
    let alive = place.folder("one").files().join("alive");
    let before = std::fs::metadata(&alive).unwrap().len();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(std::fs::metadata(&alive).unwrap().len(), before);
}
