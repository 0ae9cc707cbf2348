//! What steps say while they work, heard in another process than theirs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_durable::stream::Piece;
use adjutant_durable::{Ctx, Effects, Engine, Observed, Outcome, RunState, work};
use adjutant_store::{Options, Store};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::serving::{Code, Serving, admission, run_id, until};

/// Says two things, each a letter at a time.
async fn talk(ctx: Ctx) -> Outcome {
    for text in ["hello", "world"] {
        let said = work(move |attempt| async move {
            for letter in text.chars() {
                attempt.sink.push(Piece::Text(letter.to_string()));
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            // What is said is forgotten with its step; who watches is to hear it before.
            tokio::time::sleep(Duration::from_millis(400)).await;
            Json::of(text)
        });
        ctx.effect("talk", Effects::pure(), Json::of(text)?, said).await?;
    }
    Ok(Json::null())
}

/// All that was said to one who watched to the end, and the records that they saw.
async fn heard(engine: Arc<dyn Engine>, run: RunId) -> (String, usize) {
    let (mut said, mut records) = (String::new(), 0);
    let mut observed = engine.watch(&run, 0);
    while let Some(observed) = observed.next().await {
        match observed.unwrap() {
            Observed::Delta(delta) => {
                if let Piece::Text(text) = delta.piece {
                    said.push_str(&text);
                }
            }
            Observed::Record(_) => records += 1,
            Observed::State(_) => {}
        }
    }
    (said, records)
}

fn other(path: &Path) -> Arc<dyn Engine> {
    Store::open(path, Options::default()).unwrap().engine(Scope::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_hears_what_is_said_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let serving = Serving::open(&path, Options::default(), Arc::new(Code(talk))).unwrap();
    let elsewhere = other(&path);
    serving.engine.start(admission(1)).await.unwrap();
    let early = tokio::spawn(heard(Arc::clone(&elsewhere), run_id(1)));
    tokio::time::sleep(Duration::from_millis(120)).await;
    let late = tokio::spawn(heard(Arc::clone(&elsewhere), run_id(1)));
    let here = heard(Arc::clone(&serving.engine), run_id(1)).await;
    assert_eq!(here.0, "helloworld");
    assert_eq!((early.await.unwrap(), late.await.unwrap()), (here.clone(), here));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_for_this_user_and_goes_with_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let socket = folder.path().join("a.db-worker-1.socket");
    let serving = Serving::open(&path, Options::default(), Arc::new(Code(talk))).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    until(&serving.engine, &run_id(1), RunState::Running).await;
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // Whoever asks for something else is told nothing.
    for asked in ["", "\n", "{}\n", "x".repeat(10_000).as_str()] {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let _ = stream.write_all(asked.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        assert!(told.is_empty(), "{asked:.9}");
    }
    until(&serving.engine, &run_id(1), RunState::Ended).await;
    serving.stop().await;
    assert!(!socket.exists());
}

/// Where nobody listens, records come all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_too_long_for_a_socket_takes_only_the_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x".repeat(120)).join("a.db");
    let serving = Serving::open(&path, Options::default(), Arc::new(Code(talk))).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    let (said, records) = heard(other(&path), run_id(1)).await;
    let all = serving.engine.history(&run_id(1), 0).await.unwrap().len();
    assert_eq!((said.as_str(), records), ("", all));
    serving.stop().await;
}
