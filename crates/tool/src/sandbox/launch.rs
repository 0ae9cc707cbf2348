//! The command line that starts a sandbox. Reads the host's folders for links, and changes nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::config::{Config, Limits};
use super::inside::Orders;
use super::machine::{Machine, is_there};

/// Where a sandboxed program finds its session's folder, and where it starts.
pub const HOME: &str = "/session";

/// Where the socket of the proxy is in the sandbox.
pub(super) const PROXY: &str = "/run/adjutant-proxy";

/// Where programs in the sandbox find the proxy, on their own loopback: the port that is usual for one.
pub(super) const PROXY_PORT: u16 = 3128;

/// Where the program is that puts up the second wall.
pub(super) const INSIDE: &str = "/run/adjutant-inside";

/// The user and group in the sandbox: the one that means nobody. On a host where Adjutant runs as root, that is who it is there, too.
pub(super) const NOBODY: u32 = 65_534;

/// Where programs are looked for in the sandbox.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of the host's top level holds programs and libraries.
const SYSTEM: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];

/// What programs need of `/etc` that says nothing of the host's secrets or users.
const SETTINGS: [&str; 13] = [
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/mime.types",
    "/etc/fonts",
    "/etc/magic",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
];

/// Enters the control group, with all that is started from here.
const JOIN: &str = r#"echo 0 >"$1" || exit 1; shift; "#;

/// Opens the files whose numbers bubblewrap is told, and becomes it: a process cannot hand files on by itself without
/// handing them to everything else that it starts at that moment.
const OPEN: &str = r#"exec 7>"$1" 9<"$2"; shift 2; exec "$@""#;

/// Closes what this process was itself given and would pass on: an open folder is a way out.
fn close(inherited: &[u32]) -> String {
    inherited.iter().map(|number| format!("exec {number}>&-; ")).collect()
}

/// What one call has of its own.
pub(super) struct Place<'a> {
    /// The folder with the files of all sessions, which stay out of sight.
    pub(super) work: &'a Path,
    /// The session's files.
    pub(super) session: &'a Path,
    /// What the call needs only while it runs.
    pub(super) call: &'a Path,
    /// The file that takes processes into its control group.
    pub(super) group: Option<PathBuf>,
    /// Where the program starts, if not with the session's files.
    pub(super) directory: Option<&'a Path>,
    /// The program that is started within, on the host.
    pub(super) inside: Option<&'a Path>,
}

/// What is in the folder of a call.
pub(super) mod part {
    /// Becomes `/tmp`.
    pub(in crate::sandbox) const TEMPORARY: &str = "tmp";
    /// Becomes `/dev/shm`.
    pub(in crate::sandbox) const SHARED: &str = "shm";
    /// Becomes `/etc/passwd`.
    pub(in crate::sandbox) const USERS: &str = "passwd";
    /// Becomes `/etc/group`.
    pub(in crate::sandbox) const GROUPS: &str = "group";
    /// The seccomp filter.
    pub(in crate::sandbox) const FILTER: &str = "filter";
    /// The socket of the proxy.
    pub(in crate::sandbox) const PROXY: &str = "proxy";
    /// Where bubblewrap says how the program ended.
    pub(in crate::sandbox) const END: &str = "end";
    /// Where bubblewrap says which process is the first of the sandbox, where that is not the same file.
    pub(in crate::sandbox) const FIRST: &str = "first";
}

/// The words of the command that runs `program` in a sandbox. `bound` are further files that it sees, as (on the host,
/// in the sandbox).
pub(super) fn command_line(
    machine: &Machine,
    config: &Config,
    place: &Place<'_>,
    bound: &[(PathBuf, PathBuf)],
    program: &str,
    arguments: &[String],
) -> Vec<OsString> {
    let mut words = Words::default();
    words.add([&machine.shell]);
    let join = if place.group.is_some() { JOIN } else { "" };
    let first = match machine.setpriv {
        Some(_) => r#"exec 8>"$1"; shift; "#,
        None => "",
    };
    words.add(["-c", &format!("{}{join}{first}{OPEN}", close(&machine.inherited)), "sh"]);
    words.add(&place.group);
    words.add(machine.setpriv.iter().map(|_| place.call.join(part::FIRST)));
    words.add([part::END, part::FILTER].map(|part| place.call.join(part)));
    words.add([&machine.bubblewrap]);
    words.add(["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
    words.add(["--hostname", "sandbox", "--die-with-parent", "--new-session"]);
    let nobody = NOBODY.to_string();
    match &machine.setpriv {
        Some(setpriv) => {
            // Root sets the mounts up, for it alone reaches every folder, and then becomes nobody.
            words.add(["--json-status-fd", "8", "--cap-drop", "ALL"]);
            words.add(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]);
            mounts(&mut words, config, place, bound);
            // By then it has no right to look into the session's folder any more.
            words.add(["--chdir", "/", "--"]);
            words.add([setpriv]);
            words.add(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
            words.add(["--bounding-set=-all", "--inh-caps=-all"]);
            words.add([&machine.bubblewrap]);
            words.add(["--unshare-user", "--die-with-parent", "--dev-bind", "/", "/"]);
        }
        None => {
            words.add(["--unshare-user", "--uid", &nobody, "--gid", &nobody, "--cap-drop", "ALL"]);
            mounts(&mut words, config, place, bound);
        }
    }
    words.add(["--json-status-fd", "7", "--seccomp", "9", "--chdir"]);
    words.add([place.directory.unwrap_or(Path::new(HOME))]);
    words.add(["--"]);
    // The relay is one, too, and so is who starts it.
    let own = if config.hosts.is_empty() { 0 } else { 2 };
    limits(&mut words, machine, &config.limits, own);
    if place.inside.is_some() {
        words.add([INSIDE]);
        words.add(orders(config, bound, program, arguments).write());
    } else {
        words.add([program]);
        words.add(arguments);
    }
    words.0
}

/// What is done within the sandbox before the program begins: it may use again what it sees, and nothing else.
fn orders(config: &Config, bound: &[(PathBuf, PathBuf)], program: &str, arguments: &[String]) -> Orders {
    let seen = ["/etc/passwd", "/etc/group", INSIDE, PROXY].map(PathBuf::from);
    let bound = bound.iter().map(|(_, inside)| inside.clone());
    let system = SYSTEM.iter().chain(&SETTINGS).map(PathBuf::from);
    let own = [HOME, "/tmp", "/dev", "/proc"].map(PathBuf::from);
    Orders {
        socket: (!config.hosts.is_empty()).then(|| PathBuf::from(PROXY)),
        read: system.chain(seen).chain(bound).chain(config.read.iter().cloned()).collect(),
        write: own.into_iter().chain(config.write.iter().cloned()).collect(),
        program: program.into(),
        arguments: arguments.iter().map(Into::into).collect(),
    }
}

/// What the program sees.
fn mounts(words: &mut Words, config: &Config, place: &Place<'_>, bound: &[(PathBuf, PathBuf)]) {
    for path in SYSTEM.iter().chain(&SETTINGS).map(Path::new).filter(|path| is_there(path)) {
        match path.read_link() {
            // Where the system's own folders are links, as `/bin` to `usr/bin`.
            Ok(target) if path.parent() == Some(Path::new("/")) => {
                words.add([Path::new("--symlink"), &target, path]);
            }
            _ => {
                folders_above(words, path);
                words.add([Path::new("--ro-bind"), path, path]);
            }
        }
    }
    words.add(["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]);
    let parts = [
        ("--bind", part::SHARED, "/dev/shm"),
        ("--bind", part::TEMPORARY, "/tmp"),
        ("--ro-bind", part::USERS, "/etc/passwd"),
        ("--ro-bind", part::GROUPS, "/etc/group"),
    ];
    folders_above(words, Path::new("/etc/passwd"));
    for (how, part, inside) in parts {
        words.add([Path::new(how), &place.call.join(part), Path::new(inside)]);
    }
    folders_above(words, Path::new(INSIDE));
    if !config.hosts.is_empty() {
        words.add([Path::new("--ro-bind"), &place.call.join(part::PROXY), Path::new(PROXY)]);
    }
    if let Some(inside) = place.inside {
        words.add([Path::new("--ro-bind"), inside, Path::new(INSIDE)]);
    }
    for path in &config.read {
        folders_above(words, path);
        words.add([Path::new("--ro-bind"), path, path]);
    }
    for path in &config.write {
        folders_above(words, path);
        words.add([Path::new("--bind"), path, path]);
    }
    let open = || config.read.iter().chain(&config.write);
    let hidden = config.hidden.iter().map(PathBuf::as_path).chain([config.work.as_path(), place.work]);
    let hidden: Vec<_> =
        hidden.filter(|path| is_there(path) && open().any(|open| path.starts_with(open))).collect();
    // What is in a hidden folder is out of sight with it; nothing more can be put there.
    let is_below = |path: &Path| hidden.iter().any(|folder| path != *folder && path.starts_with(folder));
    for path in hidden.iter().copied().filter(|path| !is_below(path)) {
        match path.is_dir() {
            true => words.add([Path::new("--tmpfs"), path, Path::new("--remount-ro"), path]),
            false => words.add([Path::new("--ro-bind"), Path::new("/dev/null"), path]),
        }
    }
    for (host, inside) in bound {
        // Nothing can be put upon a link in a folder of `read`; what it leads to is seen by it.
        let is_seen = host == inside && config.read.iter().any(|open| inside.starts_with(open));
        if is_seen && inside.is_symlink() {
            continue;
        }
        folders_above(words, inside);
        words.add([Path::new("--ro-bind"), host, inside]);
    }
    if let Some(directory) = place.directory {
        folders_above(words, &directory.join("itself"));
    }
    words.add([Path::new("--bind"), place.session, Path::new(HOME)]);
    // The root itself is memory that nobody counts.
    words.add(["--remount-ro", "/"]);
}

/// Makes the folders that something is in. Those that bubblewrap makes by itself, nobody else may enter.
fn folders_above(words: &mut Words, path: &Path) {
    let above: Vec<_> = path.ancestors().skip(1).filter(|folder| *folder != Path::new("/")).collect();
    for folder in above.into_iter().rev() {
        words.add([Path::new("--perms"), Path::new("0755"), Path::new("--dir"), folder]);
    }
}

/// What the kernel limits. The number of processes counts within the user namespace of the sandbox.
fn limits(words: &mut Words, machine: &Machine, limits: &Limits, own: u32) {
    let both = |name: &str, value: u64| format!("--{name}={value}:{value}");
    words.add([&machine.prlimit]);
    words.add([
        both("core", 0),
        both("nproc", limits.processes.saturating_add(own).into()),
        both("nofile", limits.open_files.into()),
        both("fsize", limits.file_bytes),
        both("data", limits.memory),
        both("memlock", 0),
        both("msgqueue", 0),
    ]);
    words.add(["--"]);
}

/// The words of a command line.
#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn add<T: Into<OsString>>(&mut self, words: impl IntoIterator<Item = T>) {
        self.0.extend(words.into_iter().map(Into::into));
    }
}

/// Whether every sandbox sees this path as a part of the system.
pub(super) fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|system| path.starts_with(system))
}
