//! Pieces for those who watch in another process than the one that drives.
//!
//! What a step says while it works passes by in the memory of the process that drives its run. Each worker listens at a socket beside
//! its lock, which only this user can open. Whoever watches a run that another worker drives connects there, says which, and hears what
//! is still kept and what passes by. Nothing rests on it: where it fails, what was said is in the journal once the step is over.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::{RunId, Scope};
use adjutant_durable::stream::{Delta, Hub};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use crate::lease::socket;

/// How many pieces wait for one who watches slowly. The rest stays where it was said, for as long as it is kept there.
const WAITING: usize = 64;

/// How many watchers of one process hear others, and how many of other processes hear one: each is an open file on both sides.
pub(crate) const MOST: usize = 500;

/// The longest question, in bytes.
const LONGEST: u64 = 4 << 10;

/// How long one who has connected may take to say what they want to hear.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a worker waits that cannot take a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What somebody wants to hear.
#[derive(Serialize, Deserialize)]
struct Asked {
    scope: Scope,
    run: RunId,
}

/// Tells what passes by in this process, until it is dropped.
pub(crate) struct Speaker {
    path: PathBuf,
    _task: JoinSet<()>,
}

impl Speaker {
    /// Listens for a worker. None where nobody can, as under a path that is too long for a socket.
    pub(crate) fn listen(store: &Path, worker: i64, hub: Arc<Hub>) -> Option<Self> {
        let path = socket(store, worker);
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).ok()?;
        let mut task = JoinSet::new();
        let owner = fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::metadata(&path))
            .map(|file| file.uid());
        if let Ok(owner) = owner {
            task.spawn(take(listener, owner, hub));
        }
        Some(Self { path, _task: task })
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn take(listener: UnixListener, owner: u32, hub: Arc<Hub>) {
    let mut listening = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept() => match taken {
                // Between the making of the socket and its closing to others somebody may have come.
                Ok((stream, _)) if listening.len() < MOST && stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) => {
                    listening.spawn(speak(stream, Arc::clone(&hub)));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = listening.join_next() => {}
        }
    }
}

/// Tells one who has connected what they want to hear, until they are gone; none of it matters to anybody else.
async fn speak(stream: UnixStream, hub: Arc<Hub>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut heard = BufReader::new(read.take(LONGEST)).lines();
    let line = tokio::time::timeout(PATIENCE, heard.next_line()).await.ok()?.ok()??;
    let asked: Asked = serde_json::from_str(&line).ok()?;
    let mut reader = hub.channel(&asked.scope, &asked.run).subscribe();
    loop {
        let mut out = Vec::new();
        for delta in reader.read() {
            serde_json::to_writer(&mut out, &delta).ok()?;
            out.push(b'\n');
        }
        write.write_all(&out).await.ok()?;
        tokio::select! {
            () = reader.changed() => {}
            // They have nothing more to say: they are gone.
            _ = heard.next_line() => return None,
        }
    }
}

/// Hears what passes by in the process of another worker, until it is dropped.
pub(crate) struct Listening {
    /// The worker.
    pub(crate) worker: i64,
    deltas: mpsc::Receiver<Delta>,
    over: bool,
    _task: JoinSet<Option<()>>,
    /// Its place among those who hear others.
    _place: OwnedSemaphorePermit,
}

impl Listening {
    pub(crate) fn to(
        store: &Path,
        worker: i64,
        scope: &Scope,
        run: &RunId,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (sender, deltas) = mpsc::channel(WAITING);
        let asked = Asked { scope: scope.clone(), run: run.clone() };
        let mut task = JoinSet::new();
        task.spawn(hear(socket(store, worker), asked, sender));
        Self { worker, deltas, over: false, _task: task, _place: place }
    }

    /// What has come.
    pub(crate) fn read(&mut self) -> Vec<Delta> {
        std::iter::from_fn(|| self.deltas.try_recv().ok()).collect()
    }

    /// Waits for what comes; for ever where nothing more will.
    pub(crate) async fn next(&mut self) -> Delta {
        if !self.over
            && let Some(delta) = self.deltas.recv().await
        {
            return delta;
        }
        self.over = true;
        std::future::pending().await
    }
}

async fn hear(path: PathBuf, asked: Asked, to: mpsc::Sender<Delta>) -> Option<()> {
    let (read, mut write) = UnixStream::connect(path).await.ok()?.into_split();
    let mut line = serde_json::to_vec(&asked).ok()?;
    line.push(b'\n');
    write.write_all(&line).await.ok()?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await.ok()? {
        to.send(serde_json::from_str(&line).ok()?).await.ok()?;
    }
    Some(())
}
