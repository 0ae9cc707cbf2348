//! [`Group`]: a control group of the kernel (cgroup v2) for one call, where a part of their tree has been given to us.
//!
//! The kernel then limits memory, processes and processor time of all processes of the sandbox together, and kills them
//! as one. Where it is not so, the supervisor does what it can by looking.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::Access;

use super::config::Limits;
use super::machine;

/// What limits something that a sandbox may take.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// How many processes there are besides the program's own: bubblewrap, twice for root, and the relay with who starts it.
const OWN_PROCESSES: u32 = 6;

/// The kernel's measure of processor time, in microseconds.
const PERIOD: u64 = 100_000;

/// How often a group is removed whose processes are still ending.
const TRIES: u32 = 50;

/// The group below which those of calls are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    folder: PathBuf,
    controllers: Vec<&'static str>,
}

/// The group of one call. All in it is killed, and it is removed, when dropped.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    controllers: Vec<&'static str>,
}

impl Base {
    /// The group that a person has named. Says what is wrong with it where it cannot be used.
    pub(super) fn at(folder: &Path) -> Result<Self, String> {
        let wrong = |why: &dyn std::fmt::Display| {
            format!("the control group `{}` cannot be used: {why}", folder.display())
        };
        if !folder.join("cgroup.procs").exists() {
            return Err(wrong(&"it is no control group of version 2"));
        }
        rustix::fs::access(folder, Access::WRITE_OK).map_err(|error| wrong(&error))?;
        let is_empty =
            fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|processes| processes.is_empty());
        let controllers: Vec<_> =
            CONTROLLERS.into_iter().filter(|name| enable(folder, name).is_ok()).collect();
        if !controllers.contains(&"memory") && !is_empty {
            // Where it limits nothing and others are in it, it is nobody's to give.
            return Err(wrong(&"it limits nothing, and has processes of its own"));
        }
        Ok(Self { folder: folder.to_owned(), controllers })
    }

    /// The group that this machine has given to this process: its own, or the one above. Says why there is none.
    pub(super) fn delegated() -> Result<Self, String> {
        let (mount, own) = place(
            &fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
            &fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
        )
        .ok_or("this system has no control groups of version 2")?;
        let own = mount.join(own.strip_prefix("/").unwrap_or(&own));
        let above = own.parent().filter(|above| above.starts_with(&mount)).map(Path::to_owned);
        let given = [Some(own), above].into_iter().flatten().find(|folder| is_given(folder));
        let given = given.ok_or("no control group was delegated to this process")?;
        let base = Self::at(&given)?;
        match base.controllers.contains(&"memory") && base.controllers.contains(&"pids") {
            true => Ok(base),
            false => Err(format!("the control group `{}` limits no memory and processes", given.display())),
        }
    }

    /// Whether it limits that.
    pub(super) fn limits(&self, controller: &str) -> bool {
        self.controllers.contains(&controller)
    }

    /// Makes the group of one call, and removes those of processes that are gone.
    pub(super) fn create(&self, limits: &Limits) -> io::Result<Group> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        self.sweep();
        let name = format!("adjutant-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let group = Group { folder: self.folder.join(name), controllers: self.controllers.clone() };
        // One with the same name is from a process that had the same number.
        remove(&group.folder);
        fs::create_dir(&group.folder)?;
        let limit = |file: &str, value: String| fs::write(group.folder.join(file), value);
        if self.limits("memory") {
            limit("memory.max", limits.memory.to_string())?;
            // All of it ends, not the one process that the kernel likes least.
            limit("memory.oom.group", "1".to_owned())?;
            // Not there on a kernel that does not swap.
            let _ = limit("memory.swap.max", "0".to_owned());
        }
        if self.limits("pids") {
            limit("pids.max", limits.processes.saturating_add(OWN_PROCESSES).to_string())?;
        }
        if let (true, Some(percent)) = (self.limits("cpu"), limits.cpu_percent) {
            limit("cpu.max", format!("{} {PERIOD}", u64::from(percent) * PERIOD / 100))?;
        }
        Ok(group)
    }

    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.strip_prefix("adjutant-")?.split('-').next());
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                remove(&entry.path());
            }
        }
    }
}

impl Group {
    /// The file that takes processes in.
    pub(super) fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Whether it limits memory.
    pub(super) fn limits_memory(&self) -> bool {
        self.controllers.contains(&"memory")
    }

    /// Whether the kernel has ended it since it took too much memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let count =
            |line: &str| line.strip_prefix("oom_kill ").and_then(|count| count.trim().parse::<u64>().ok());
        events.lines().find_map(count).is_some_and(|count| count > 0)
    }

    /// Kills everything in it. False where the kernel cannot (before Linux 5.14).
    pub(super) fn kill(&self) -> bool {
        kill(&self.folder).is_ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.folder);
        let _ = kill(&folder);
        // Usually everything is gone already; what is not is not waited for here.
        if fs::remove_dir(&folder).is_err() {
            std::thread::spawn(move || remove(&folder));
        }
    }
}

fn kill(folder: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(folder.join("cgroup.kill"))?;
    io::Write::write_all(&mut &file, b"1")
}

/// Removes a group, as soon as all in it has ended.
fn remove(folder: &Path) {
    for _ in 0..TRIES {
        let _ = kill(folder);
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => return,
        }
    }
}

/// Lets groups below `folder` be limited.
fn enable(folder: &Path, controller: &str) -> io::Result<()> {
    let names = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let has = |text: &str| text.split_whitespace().any(|name| name == controller);
    if has(&names("cgroup.subtree_control")) {
        return Ok(());
    }
    match has(&names("cgroup.controllers")) {
        // The kernel refuses where the group has processes of its own.
        true => fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}")),
        false => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Where groups are mounted, and the one of this process: of `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn place(mounts: &str, groups: &str) -> Option<(PathBuf, PathBuf)> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        (kind.split(' ').next() == Some("cgroup2")).then(|| place.split(' ').nth(4)).flatten()
    })?;
    // A group outside of what this process sees of the tree cannot be named in it.
    (!own.starts_with("/..")).then(|| (PathBuf::from(mount), PathBuf::from(own)))
}

/// Whether whoever started this process has said that the group is its own: by giving it to this user, or, as root owns
/// all of them, by the mark that systemd leaves (`Delegate=yes`).
fn is_given(folder: &Path) -> bool {
    match machine::is_root() {
        false => {
            rustix::fs::access(folder.join("cgroup.procs"), Access::WRITE_OK).is_ok()
                && rustix::fs::access(folder, Access::WRITE_OK).is_ok()
        }
        true => ["trusted.delegate", "user.delegate"].into_iter().any(|mark| {
            let mut value = [0; 8];
            let read = rustix::fs::getxattr(folder, mark, &mut value[..]);
            read.is_ok_and(|length| value.get(..length) == Some(b"1"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files of a group that was delegated, as the kernel makes them.
    fn base(controllers: &str, processes: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in
            [("cgroup.procs", processes), ("cgroup.controllers", controllers), ("cgroup.subtree_control", "")]
        {
            fs::write(folder.path().join(file), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_group_is_made_with_its_limits() {
        let folder = base("cpuset cpu io memory pids", "");
        let base = Base::at(folder.path()).unwrap();
        assert_eq!(base.controllers, CONTROLLERS);
        let limits = Limits { memory: 1 << 20, processes: 10, cpu_percent: Some(150), ..Limits::default() };
        let group = base.create(&limits).unwrap();
        let says = |file: &str| fs::read_to_string(group.folder.join(file)).unwrap();
        assert_eq!((says("memory.max"), says("memory.oom.group")), ("1048576".to_owned(), "1".to_owned()));
        assert_eq!((says("pids.max"), says("cpu.max")), ("16".to_owned(), "150000 100000".to_owned()));
        assert!(group.limits_memory() && !group.is_out_of_memory());
        fs::write(group.folder.join("memory.events"), "low 0\nmax 3\noom 1\noom_kill 0\n").unwrap();
        assert!(!group.is_out_of_memory());
        fs::write(group.folder.join("memory.events"), "oom 1\noom_kill 2\n").unwrap();
        assert!(group.is_out_of_memory());
        fs::write(group.folder.join("cgroup.kill"), "").unwrap();
        assert!(group.kill());
        assert_eq!(says("cgroup.kill"), "1");
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let nothing = tempfile::tempdir().unwrap();
        assert!(Base::at(nothing.path()).unwrap_err().contains("no control group of version 2"));
        let others = base("cpu", "1\n");
        assert!(Base::at(others.path()).unwrap_err().contains("limits nothing, and has processes"));
        let bare = base("cpu", "");
        let base = Base::at(bare.path()).unwrap();
        assert!(base.limits("cpu") && !base.limits("memory"));
        let group = base.create(&Limits::default()).unwrap();
        assert!(!group.limits_memory() && !group.folder.join("memory.max").exists());
        // A kernel without it.
        assert!(!group.kill());
    }

    #[test]
    fn the_groups_of_processes_that_are_gone_are_removed() {
        let folder = base("memory pids", "");
        let gone = folder.path().join("adjutant-4194305-0");
        let (others, ours) = (folder.path().join("other"), folder.path().join("adjutant-1-0"));
        [&gone, &others, &ours].iter().for_each(|path| fs::create_dir(path).unwrap());
        Base::at(folder.path()).unwrap().create(&Limits::default()).unwrap();
        assert!(!gone.exists() && others.exists() && ours.exists());
    }

    #[test]
    fn the_own_group_is_found() {
        let mounts = "24 29 0:21 / /proc rw - proc proc rw\n\
                      30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let at = |groups: &str| place(mounts, groups);
        let found = at("0::/user.slice/adjutant.service\n").unwrap();
        assert_eq!(found, ("/sys/fs/cgroup".into(), "/user.slice/adjutant.service".into()));
        assert_eq!(at("4:memory:/x\n"), None);
        assert_eq!(at("0::/../other\n"), None);
        assert_eq!(place("1 2 0:1 / /cg rw - cgroup cgroup rw,memory\n", "0::/\n"), None);
    }
}
