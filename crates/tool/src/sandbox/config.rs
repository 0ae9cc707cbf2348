//! What a person decides about a sandbox.

use std::path::PathBuf;

/// What a person decides about a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether there is one at all.
    pub isolation: Isolation,
    /// The folder that holds the folders of all sessions.
    pub work: PathBuf,
    /// Files and folders of the host that may be read, at the same path.
    pub read: Vec<PathBuf>,
    /// Folders of the host that may be written to, at the same path.
    pub write: Vec<PathBuf>,
    /// Files and folders that stay out of sight also where they are in a folder that may be read.
    pub hidden: Vec<PathBuf>,
    /// The hosts that it may reach, through a proxy in this process: `example.org`, `*.example.org` (every host below
    /// it), `example.org:8443`, or an address. Without a port it is 80 and 443. Nothing is reached where none is listed.
    pub hosts: Vec<String>,
    /// The control group (cgroup v2) below which each call gets one; the one that was delegated to this process where
    /// nothing is said.
    pub cgroup: Option<PathBuf>,
    /// The program that is started within the sandbox to bind itself and to relay to the proxy: one that calls
    /// [`first_in_main`](crate::first_in_main), such as `adjutant`. This program itself where nothing is said.
    pub inside: Option<PathBuf>,
    /// How much it may take.
    pub limits: Limits,
}

impl Config {
    /// A sandbox with the default limits that sees nothing but the system and the session's folder, which is in `work`.
    pub fn new(work: impl Into<PathBuf>) -> Self {
        Self {
            isolation: Isolation::default(),
            work: work.into(),
            read: Vec::new(),
            write: Vec::new(),
            hidden: Vec::new(),
            hosts: Vec::new(),
            cgroup: None,
            inside: None,
            limits: Limits::default(),
        }
    }
}

/// Whether a program is kept apart from the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In a sandbox; where the machine cannot make one, nothing runs.
    #[default]
    Sandbox,
    /// Not at all: it has every right that this process has. Only time and output are limited.
    Unsafe,
}

/// How much a sandbox may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all processes together, in bytes.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Open files of each process.
    pub open_files: u32,
    /// The size of a file, in bytes.
    pub file_bytes: u64,
    /// The size of the session's folder with all that is in it, in bytes.
    pub folder_bytes: u64,
    /// How many files and folders the session's folder holds.
    pub folder_files: u64,
    /// What is sent and received through the proxy in one call, in bytes.
    pub network_bytes: u64,
    /// Processor time of all processes together, in percent of one processor. Only a control group can hold it.
    pub cpu_percent: Option<u32>,
}

impl Default for Limits {
    /// What analysing a table of some hundred megabytes takes: 1 GiB of memory, 128 processes, 256 open files, files of
    /// 256 MiB, a folder of 1 GiB with 10,000 files, 1 GiB over the network, as much processor time as there is.
    fn default() -> Self {
        Self {
            memory: 1 << 30,
            processes: 128,
            open_files: 256,
            file_bytes: 256 << 20,
            folder_bytes: 1 << 30,
            folder_files: 10_000,
            network_bytes: 1 << 30,
            cpu_percent: None,
        }
    }
}
