//! A process that drives runs: this test's own program, started again in another role.
//!
//! What its runs do is written to a log in the folder of the store, and told to whoever listens.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::id::RunId;
use adjutant_core::tool::Effect;
use adjutant_durable::Attempt;
use adjutant_store::Options;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::outside::World;
use crate::plan::Planned;
use crate::serving::Serving;

/// What the role is given in; without it, the role is not played.
const ROLE: &str = "ADJUTANT_TEST_WORKER";

/// What a worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) folder: PathBuf,
    /// How long a call takes, in milliseconds.
    pub(crate) call_ms: u64,
    pub(crate) silence_ms: u64,
    /// Where each call is told.
    pub(crate) listener: u16,
}

impl Role {
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("a.db")
    }

    pub(crate) fn options(&self) -> Options {
        Options { silence: Duration::from_millis(self.silence_ms), ..Options::default() }
    }

    /// Starts a worker.
    pub(crate) fn start(&self) -> Worker {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["worker::plays_its_role", "--exact", "--nocapture"])
            .env(ROLE, serde_json::to_string(self).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Worker(child)
    }
}

/// A worker's process; gone with this value.
pub(crate) struct Worker(Child);

impl Worker {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), signal).unwrap();
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A call, as a worker logged it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logged {
    pub(crate) process: u32,
    pub(crate) run: RunId,
    pub(crate) step: String,
    pub(crate) effect: Effect,
    pub(crate) key: String,
    /// Another process that was doing something for the run at that time.
    pub(crate) intruder: Option<u32>,
}

/// Everything that workers logged.
pub(crate) fn log(folder: &Path) -> Vec<Logged> {
    let text = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The world outside of a worker.
struct Log {
    role: Role,
    log: File,
    teller: UdpSocket,
    /// How many calls are being made for a run in this process.
    calls: Arc<Mutex<HashMap<RunId, u32>>>,
}

impl Log {
    fn open(role: &Role) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(role.folder.join("log")).unwrap();
        let teller = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self { role: role.clone(), log, teller, calls: Arc::default() }
    }

    async fn done(&self, attempt: Attempt, effect: Effect) {
        let wait = Duration::from_millis(self.role.call_ms) / 2;
        let (_presence, intruder) = Presence::enter(self, &attempt.run);
        tokio::time::sleep(wait).await;
        let logged = Logged {
            process: std::process::id(),
            run: attempt.run.clone(),
            step: format!("{}{}", attempt.run, attempt.key),
            effect,
            key: attempt.idempotency_key.to_string(),
            intruder,
        };
        // One write, so that lines of two processes do not mix.
        (&self.log).write_all((serde_json::to_string(&logged).unwrap() + "\n").as_bytes()).unwrap();
        let _ =
            self.teller.send_to(attempt.run.as_str().as_bytes(), (Ipv4Addr::LOCALHOST, self.role.listener));
        tokio::time::sleep(wait).await;
    }
}

impl World for Log {
    fn call(&self, attempt: Attempt, effect: Effect) -> BoxFuture<'_, ()> {
        Box::pin(self.done(attempt, effect))
    }
}

/// The mark of a process that does something for a run, while it does.
struct Presence {
    mark: PathBuf,
    run: RunId,
    calls: Arc<Mutex<HashMap<RunId, u32>>>,
}

impl Presence {
    /// Leaves a mark, and says which other living process has one.
    fn enter(log: &Log, run: &RunId) -> (Self, Option<u32>) {
        let mark = log.role.folder.join(format!("driving-{run}"));
        let mut calls = log.calls.lock().unwrap();
        let mut intruder = None;
        match OpenOptions::new().write(true).create_new(true).open(&mark) {
            Ok(mut file) => file.write_all(std::process::id().to_string().as_bytes()).unwrap(),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let other = std::fs::read_to_string(&mark).ok().and_then(|text| text.parse().ok());
                intruder = other.filter(|other| *other != std::process::id() && is_alive(*other));
                std::fs::write(&mark, std::process::id().to_string()).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
        *calls.entry(run.clone()).or_default() += 1;
        (Self { mark, run: run.clone(), calls: Arc::clone(&log.calls) }, intruder)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut calls = self.calls.lock().unwrap();
        let left = calls.entry(self.run.clone()).or_default();
        *left -= 1;
        if *left == 0 {
            let _ = std::fs::remove_file(&self.mark);
        }
    }
}

/// Whether a process runs, and is not on its way out.
fn is_alive(process: u32) -> bool {
    /// The kernel's flag of a process that is being ended (`PF_EXITING`).
    const EXITING: u64 = 4;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let flags: u64 = fields[6].parse().unwrap();
    !["Z", "X"].contains(&fields[0]) && flags & EXITING == 0
}

/// Not a test of its own: what a process does that another test starts. On its own there is no role to play.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let role: Role = serde_json::from_str(&role).unwrap();
    let serving =
        Serving::open(&role.store(), role.options(), Planned::on(&Arc::new(Log::open(&role)))).unwrap();
    // The end of the input is the end of the one who started this process.
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = ended.await;
    serving.stop().await;
}
