//! [`Guard`]: watches a sandbox, and ends it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::artifact::Snapshot;
use super::call::Call;
use super::cgroup::Group;
use super::config::Limits;
use super::egress::{Proxy, Sink};
use super::group;
use super::launch::part;
use super::tree::{self, Size};

/// How often is looked at least, in between.
const TICK: Duration = Duration::from_millis(100);

/// How long what was killed may take to be gone.
const GRACE: Duration = Duration::from_secs(2);

/// Watches one sandbox, and ends it. What the call needed only while it ran is removed with the guard.
#[derive(Debug)]
pub struct Guard {
    pub(super) call: Call,
    pub(super) session: PathBuf,
    /// The session's files before the program began.
    pub(super) before: Snapshot,
    pub(super) limits: Limits,
    /// How much the session's folder may hold: the limit, or what it held already, so that a full one can be tidied up.
    pub(super) most: Size,
    pub(super) sandboxed: bool,
    /// What lets it reach hosts.
    pub(super) proxy: Option<Proxy>,
    /// The control group that holds all of it. Dropped, and so emptied, with the guard.
    pub(super) group: Option<Group>,
}

impl Guard {
    /// Takes over the process that [`Entered`](super::Entered) describes, once it is started.
    pub fn started(&self, process: u32) {
        if self.sandboxed {
            group::sacrifice(process);
        }
    }

    /// Waits until the processes take more than they may, and says what. `process` is the one that was started.
    pub async fn exceeded(&self, process: u32) -> String {
        if !self.sandboxed {
            return std::future::pending().await;
        }
        let mut pause = TICK;
        // Where the kernel limits the memory of all together, nobody need look.
        let look_at_memory = !self.group.as_ref().is_some_and(Group::limits_memory);
        loop {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            if let Some(why) = self.ended() {
                return why;
            }
            let (limits, most) = (self.limits, self.most);
            let own = [part::TEMPORARY, part::SHARED].map(|part| self.call.folder().join(part));
            let folders: Vec<_> = own.into_iter().chain([self.session.clone()]).collect();
            let look = move || excess(process, &folders, &limits, &most, look_at_memory);
            if let Ok(Some(why)) = tokio::task::spawn_blocking(look).await {
                return why;
            }
            // A large folder takes long to look at; that may take a tenth of the time.
            pause = TICK.max(began.elapsed() * 10);
        }
    }

    /// Kills everything in the sandbox. `process` is the one that was started, and must not have been waited for.
    pub fn kill(&self, process: u32) {
        if self.sandboxed && !self.group.as_ref().is_some_and(Group::kill) {
            // The first process of the sandbox is one of them, and takes all others with it.
            group::kill(&group::children(process));
        }
    }

    /// Waits until everything that was in the sandbox is gone, after the process that was started has ended.
    pub async fn gone(&self) {
        let Some(first) = self.first() else { return };
        let until = Instant::now() + GRACE;
        while group::is_alive(first) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Why the kernel has ended it, if it has.
    pub fn ended(&self) -> Option<String> {
        let is_out = self.group.as_ref().is_some_and(Group::is_out_of_memory);
        is_out.then(|| too_much_memory(&self.limits))
    }

    /// Tells why a connection is refused, from now on, whenever one is.
    pub fn tell_refusals(&self, sink: Sink) {
        if let Some(proxy) = &self.proxy {
            proxy.listen(sink);
        }
    }

    /// The connections that were refused, and why.
    pub fn refusals(&self) -> Vec<String> {
        self.proxy.as_ref().map(Proxy::refused).unwrap_or_default()
    }

    /// What is new and what was changed in the session's folder, in words. Blocks for as long as it takes to look.
    pub fn changes(&self) -> Vec<String> {
        Snapshot::of(&self.session).changes(&self.before)
    }

    /// Whether the program was run at all, after the process that was started has ended by itself. Otherwise the sandbox
    /// could not be made, and the process has said why.
    pub fn ran(&self) -> bool {
        !self.sandboxed || self.said(part::END, "exit-code").is_some()
    }

    /// The first process of the sandbox.
    fn first(&self) -> Option<u64> {
        [part::FIRST, part::END].iter().find_map(|part| self.said(part, "child-pid"))
    }

    /// What bubblewrap has said: one JSON object a line.
    fn said(&self, part: &str, key: &str) -> Option<u64> {
        let text = std::fs::read_to_string(self.call.folder().join(part)).ok()?;
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find_map(|line| line.get(key)?.as_u64())
    }
}

/// What the processes take that they may not.
fn excess(
    process: u32,
    folders: &[PathBuf],
    limits: &Limits,
    most: &Size,
    look_at_memory: bool,
) -> Option<String> {
    let members = group::members(process);
    if look_at_memory && group::memory(&members, limits.memory) > limits.memory {
        return Some(too_much_memory(limits));
    }
    let mut held = Size { bytes: group::nameless(&members), ..Size::default() };
    for folder in folders {
        let size = tree::measure(folder, most);
        held.bytes += size.bytes;
        held.files += size.files;
        held.beyond |= size.beyond;
    }
    match (held.bytes > most.bytes, held.files > most.files, held.exceeds(most)) {
        (true, ..) => Some(format!("its files took more than {} bytes", limits.folder_bytes)),
        (_, true, _) => Some(format!("it made more than {} files", limits.folder_files)),
        (.., true) => Some("it made folders that cannot be looked into, or nested too deep".to_owned()),
        _ => None,
    }
}

fn too_much_memory(limits: &Limits) -> String {
    format!("it took more than {} bytes of memory", limits.memory)
}
