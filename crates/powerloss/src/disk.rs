//! The disk: its files, its power, its room, and the calls that are to fail.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::fault::{Call, Failing, Faults};
use crate::history::{History, Read, Remains, SECTOR};
use crate::survivors::{Chooser, Survivors};
use crate::vfs;

/// A disk, as a file system of SQLite's with a name of its own. Cheap to clone; a clone is the same disk. It stays
/// registered until the process ends.
#[derive(Clone, Debug)]
pub struct Disk(Arc<Shared>);

/// How often a disk was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes, also those that failed.
    pub writes: u64,
    /// Syncs, also those that failed.
    pub syncs: u64,
}

impl Disk {
    /// Registers a disk under a name, which no other file system of SQLite's has in this process. Fails where SQLite
    /// has no file system to build on, or no memory.
    pub fn register(name: &str) -> rusqlite::Result<Self> {
        let disk =
            Self(Arc::new(Shared { name: name.to_owned(), state: Mutex::default(), closed: Condvar::new() }));
        vfs::register(name, disk.shared())?;
        Ok(disk)
    }

    /// The name to open files by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The power fails now.
    pub fn fail_power(&self, survivors: Survivors) {
        self.0.state().fail_power(survivors);
    }

    /// The power fails in the middle of a change to the disk, after so many more (writes, truncations, syncs,
    /// deletions).
    pub fn fail_power_after(&self, changes: u64, survivors: Survivors) {
        self.0.state().cut = Some((changes, survivors));
    }

    /// Whether there is power.
    pub fn has_power(&self) -> bool {
        self.0.state().power
    }

    /// Gives power again, once every file that was open when it failed is closed. Returns false if that is not so
    /// within `patience`. Room and calls that fail stay as they are.
    #[must_use]
    pub fn restore_power(&self, patience: Duration) -> bool {
        let waited = self.0.closed.wait_timeout_while(self.0.state(), patience, |state| state.open > 0);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.power |= !timeout.timed_out();
        state.power
    }

    /// Leaves room for so many more bytes; none is no limit. What overwrites needs no room; what is truncated or
    /// deleted gives it back. A write that does not fit fails as full, with a part of it written.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.0.state().space = bytes;
    }

    /// Makes `times` calls of a kind fail, after so many that pass.
    pub fn fail(&self, call: Call, after: u64, times: u64) {
        self.0.state().faults.add(Failing { call, after, times });
    }

    /// No call fails any more, there is room, and the power will not fail by itself.
    pub fn heal(&self) {
        let mut state = self.0.state();
        state.faults.clear();
        state.space = None;
        state.cut = None;
    }

    /// How often it was asked so far.
    pub fn counts(&self) -> Counts {
        self.0.state().counts
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }
}

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no power, or there was none since the file was opened.
    NoPower,
    /// It was made to fail.
    Fault,
    /// There is room for only so many bytes of it.
    Full(usize),
}

#[derive(Debug)]
pub(crate) struct Shared {
    name: String,
    state: Mutex<State>,
    closed: Condvar,
}

impl Shared {
    /// The state; held while a change is made, so that the power never fails within one.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file was closed.
    pub(crate) fn close(&self) {
        self.state().open -= 1;
        self.closed.notify_all();
    }
}

#[derive(Debug)]
pub(crate) struct State {
    power: bool,
    /// Counts how often the power failed: what was opened before is dead.
    failures: u64,
    open: usize,
    files: HashMap<PathBuf, History>,
    /// Deleted files that come back if the power fails now, with what they held.
    ghosts: HashMap<PathBuf, Vec<u8>>,
    changes: u64,
    space: Option<u64>,
    faults: Faults,
    cut: Option<(u64, Survivors)>,
    counts: Counts,
}

impl Default for State {
    fn default() -> Self {
        Self {
            power: true,
            failures: 0,
            open: 0,
            files: HashMap::new(),
            ghosts: HashMap::new(),
            changes: 0,
            space: None,
            faults: Faults::default(),
            cut: None,
            counts: Counts::default(),
        }
    }
}

impl State {
    /// Whether what was opened after so many failures of the power still works.
    pub(crate) fn lives(&self, opened: u64) -> Result<(), Refusal> {
        if self.power && self.failures == opened { Ok(()) } else { Err(Refusal::NoPower) }
    }

    /// Whether files can be opened, deleted and looked for.
    pub(crate) fn answers(&self) -> Result<(), Refusal> {
        self.lives(self.failures)
    }

    /// A file is opened. Returns how often the power has failed by now.
    pub(crate) fn open(&mut self, path: Option<&Path>, new: bool, size: u64) -> u64 {
        self.open += 1;
        if let Some(path) = path {
            if new {
                self.changes += 1;
                self.files.insert(path.to_owned(), History::new(0, Some(self.changes)));
            } else {
                self.files.entry(path.to_owned()).or_insert_with(|| History::new(size, None));
            }
        }
        self.failures
    }

    pub(crate) fn read(&mut self, opened: u64) -> Result<(), Refusal> {
        self.lives(opened)?;
        if self.faults.strikes(Call::Read) { Err(Refusal::Fault) } else { Ok(()) }
    }

    /// Whether a read is to be cut short.
    pub(crate) fn cuts_read(&mut self) -> bool {
        self.faults.strikes(Call::ShortRead)
    }

    /// Takes a write, and says how much of it is to be done and how it ends.
    pub(crate) fn write(
        &mut self,
        opened: u64,
        path: &Path,
        offset: u64,
        data: &[u8],
        read: Read<'_>,
    ) -> (usize, Result<(), Refusal>) {
        if let Err(refusal) = self.lives(opened) {
            return (0, Err(refusal));
        }
        self.counts.writes += 1;
        let half = data.len() / 2;
        let (length, result) = if self.faults.strikes(Call::Write) {
            (half, Err(Refusal::Fault))
        } else {
            match self.room(path, offset, data.len()) {
                Some(room) if room < data.len() => (room, Err(Refusal::Full(room))),
                _ => (data.len(), Ok(())),
            }
        };
        if let (Some(history), Some(data)) = (self.files.get_mut(path), data.get(..length)) {
            let before = history.size();
            history.write(&mut self.changes, offset, data, read);
            let grown = history.size() - before;
            self.space = self.space.map(|space| space.saturating_sub(grown));
        }
        (length, result)
    }

    /// How many bytes of a write there is room for; none is no limit.
    fn room(&self, path: &Path, offset: u64, length: usize) -> Option<usize> {
        let end = self.files.get(path).map_or(0, History::size) + self.space?;
        Some(usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(length))
    }

    pub(crate) fn truncate(
        &mut self,
        opened: u64,
        path: &Path,
        size: u64,
        read: Read<'_>,
    ) -> Result<(), Refusal> {
        self.lives(opened)?;
        if let Some(history) = self.files.get_mut(path) {
            let given = history.size().saturating_sub(size);
            history.truncate(&mut self.changes, size, read);
            self.space = self.space.map(|space| space + given);
        }
        Ok(())
    }

    /// Syncs a file. Syncing a new log or journal syncs its folder with it: so SQLite's own file system does it.
    pub(crate) fn sync(&mut self, opened: u64, path: &Path, log: bool) -> Result<(), Refusal> {
        self.lives(opened)?;
        self.counts.syncs += 1;
        let fails = self.faults.strikes(Call::Sync);
        let Some(history) = self.files.get_mut(path) else { return Ok(()) };
        if fails {
            history.fail_sync();
            return Err(Refusal::Fault);
        }
        if history.is_new() && log {
            self.ghosts.retain(|ghost, _| ghost.parent() != path.parent());
        }
        history.sync();
        Ok(())
    }

    /// A file is about to be deleted; `sync` says whether its folder is synced with it.
    pub(crate) fn delete(&mut self, path: &Path, sync: bool) -> Result<(), Refusal> {
        self.answers()?;
        let content = std::fs::read(path).unwrap_or_default();
        self.space = self.space.map(|space| space + content.len() as u64);
        let synced = match self.files.remove(path) {
            Some(history) => history.remains(&mut Chooser::Oldest).map(|remains| restored(content, &remains)),
            None => Some(content),
        };
        if sync {
            self.ghosts.retain(|ghost, _| ghost.parent() != path.parent());
        } else if let Some(synced) = synced {
            self.ghosts.insert(path.to_owned(), synced);
        }
        Ok(())
    }

    /// Counts a change that is being made, and fails the power within it if its time has come.
    pub(crate) fn count_change(&mut self) -> Result<(), Refusal> {
        match &mut self.cut {
            Some((0, survivors)) => {
                let survivors = *survivors;
                self.fail_power(survivors);
                Err(Refusal::NoPower)
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn fail_power(&mut self, survivors: Survivors) {
        self.cut = None;
        if !self.power {
            return;
        }
        self.power = false;
        self.failures += 1;
        let mut files: Vec<_> = self.files.drain().collect();
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        let first = files.iter().filter_map(|(_, history)| history.first_change()).min();
        let mut chooser = Chooser::new(survivors, first.unwrap_or(self.changes + 1), self.changes);
        for (path, history) in files {
            let ghost = self.ghosts.remove(&path);
            // A file that cannot be mended would fail the test for a reason that is not its subject; it is said loudly.
            let mended = match (history.remains(&mut chooser), ghost) {
                (Some(remains), _) => mend(&path, &remains),
                (None, Some(ghost)) => std::fs::write(&path, ghost),
                (None, None) => std::fs::remove_file(&path),
            };
            report(&path, mended);
        }
        let mut ghosts: Vec<_> = self.ghosts.drain().collect();
        ghosts.sort();
        for (path, content) in ghosts {
            if !chooser.survives(self.changes) {
                report(&path, std::fs::write(&path, content));
            }
        }
    }
}

fn report(path: &Path, result: io::Result<()>) {
    if let Err(error) = result {
        eprintln!(
            "powerloss: `{}` cannot be made what the power failure left of it: {error}",
            path.display()
        );
    }
}

/// Makes a real file what is left of it.
fn mend(path: &Path, remains: &Remains) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    for (number, content) in &remains.sectors {
        file.seek(SeekFrom::Start(number * SECTOR as u64))?;
        file.write_all(content)?;
    }
    resize(&file, remains.size)
}

fn resize(file: &File, size: u64) -> io::Result<()> {
    file.set_len(size)
}

/// What is left of a file, given what it holds.
fn restored(content: Vec<u8>, remains: &Remains) -> Vec<u8> {
    let mut cursor = io::Cursor::new(content);
    for (number, sector) in &remains.sectors {
        cursor.set_position(number * SECTOR as u64);
        // Writing to memory does not fail.
        let _ = cursor.write_all(sector);
    }
    let mut content = cursor.into_inner();
    content.resize(usize::try_from(remains.size).unwrap_or(usize::MAX), 0);
    content
}
