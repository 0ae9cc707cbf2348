//! What all processes of a sandbox take together, as the host's `/proc` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// More processes are not looked at; the kernel's limit is far below.
const MOST: usize = 10_000;

/// A process and all below it. A process whose parent has ended is below the first one of its process namespace, and
/// that is below the one that made it: nothing in a sandbox is left out.
pub(super) fn members(first: u32) -> Vec<u32> {
    let (mut found, mut next) = (vec![first], 0);
    while let Some(process) = found.get(next).copied() {
        found.extend(children(process));
        next += 1;
        if found.len() > MOST {
            break;
        }
    }
    found
}

/// The processes that a process has started and not yet buried.
pub(super) fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Whether a process still does anything. The first of a process namespace is dead only when all others are gone.
pub(super) fn is_alive(process: u64) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).ok();
    // The name before it, in brackets, may hold anything.
    let state = state.as_deref().and_then(|line| line.rsplit_once(')')?.1.trim().chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Whether this system tells which processes a process has started.
pub(super) fn is_told() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// The memory of all of them, in bytes. Memory that several share counts once; that is only looked up where it decides.
pub(super) fn memory(processes: &[u32], most: u64) -> u64 {
    let own = |names: &[&str], file: &str, process: &u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let sizes = lines
            .filter(|(name, _)| names.contains(name))
            .filter_map(|(_, size)| size.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        Some(sizes.sum::<u64>() * 1_024)
    };
    let resident = |process: &u32| own(&["RssAnon", "RssShmem", "VmSwap"], "status", process).unwrap_or(0);
    let sum: u64 = processes.iter().map(resident).sum();
    if sum <= most {
        return sum;
    }
    let fair = |process: &u32| {
        own(&["Pss_Anon", "Pss_Shmem", "SwapPss"], "smaps_rollup", process)
            .unwrap_or_else(|| resident(process))
    };
    processes.iter().map(fair).sum()
}

/// The size of files that have no name any more and are held open, in bytes.
pub(super) fn nameless(processes: &[u32]) -> u64 {
    let mut files = BTreeMap::new();
    let open = processes
        .iter()
        .flat_map(|process| fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten());
    for entry in open {
        // Follows the link to the file itself.
        let Ok(file) = fs::metadata(entry.path()) else { continue };
        if file.is_file() && file.nlink() == 0 {
            files.insert((file.dev(), file.ino()), file.blocks() * 512);
        }
    }
    files.values().sum()
}

/// Kills these, and nothing that has taken the place of one meanwhile: only children of processes that are still there
/// are asked for.
pub(super) fn kill(processes: &[u32]) {
    let ids: BTreeSet<_> = processes.iter().filter_map(|id| i32::try_from(*id).ok()).collect();
    for id in ids.into_iter().filter_map(Pid::from_raw) {
        // It fails when the process is gone already.
        let _ = kill_process(id, Signal::KILL);
    }
}

/// Tells the kernel to take these first when memory is short on the host.
pub(super) fn sacrifice(process: u32) {
    // A kernel that does not let us is no reason not to go on.
    let _ = fs::write(format!("/proc/{process}/oom_score_adj"), "1000");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_what_it_started_are_found() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let found = loop {
            let found = members(child.id());
            if found.len() == 2 {
                break found;
            }
            std::thread::yield_now();
        };
        assert!(members(std::process::id()).contains(&found[1]));
        assert!(memory(&found, u64::MAX) > 0);
        assert_eq!(memory(&[], 0), 0);
        kill(&found);
        child.wait().unwrap();
    }

    #[test]
    fn a_file_without_a_name_is_counted() {
        let path = std::env::temp_dir().join(format!("nameless-{}", std::process::id()));
        let file = fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut &file, &vec![1; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(nameless(&[std::process::id()]) >= 1 << 20);
    }
}
