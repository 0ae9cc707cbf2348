//! [`Machine`]: the programs of this machine that sandboxes are made with.

use std::path::{Path, PathBuf};

use adjutant_core::{Code, Error, Result};

/// Which programs there are, and who starts them.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) bubblewrap: PathBuf,
    pub(super) prlimit: PathBuf,
    pub(super) shell: PathBuf,
    /// Files that this process was given when it was started, and would pass on.
    pub(super) inherited: Vec<u32>,
    /// What makes root another user; there where this process is root.
    pub(super) setpriv: Option<PathBuf>,
}

/// Where programs are looked for besides `PATH`.
const FOLDERS: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];

/// What brings bubblewrap.
const BUBBLEWRAP: &str = "install bubblewrap: `apt-get install bubblewrap`, `dnf install bubblewrap` or `apk add \
                          bubblewrap`; or run the tool without a sandbox, with every right of this user: `sandbox = \
                          \"unsafe\"`";

const UTIL_LINUX: &str = "install util-linux: `apt-get install util-linux`, `dnf install util-linux` or `apk add \
                          util-linux`";

impl Machine {
    /// Looks for the programs. Fails with [`Code::SandboxUnavailable`], saying what to install.
    pub(super) fn find() -> Result<Self> {
        if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
            return Err(unavailable("sandboxes need Linux on x86-64 or ARM64")
                .with_help("run Adjutant there, or run the tool without a sandbox: `sandbox = \"unsafe\"`"));
        }
        let bubblewrap = program("bwrap").ok_or_else(|| missing("bwrap", BUBBLEWRAP))?;
        let prlimit = program("prlimit").ok_or_else(|| missing("prlimit", UTIL_LINUX))?;
        let setpriv = match is_root() {
            true => Some(program("setpriv").ok_or_else(|| missing("setpriv", UTIL_LINUX))?),
            false => None,
        };
        let inherited = inherited();
        // Other shells know one digit only.
        let shell = match inherited.iter().any(|number| *number > 9) {
            true => program("bash").ok_or_else(|| {
                unavailable("this process was started with files open that it would pass on to the sandbox")
                    .with_help("start it without them, or install bash, which can close them")
            })?,
            false => PathBuf::from("/bin/sh"),
        };
        Ok(Self { bubblewrap, prlimit, shell, inherited, setpriv })
    }
}

/// Whether this process is root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A sandbox that cannot be had.
pub(super) fn unavailable(why: impl Into<String>) -> Error {
    Error::new(Code::SandboxUnavailable, why)
}

/// The numbers of open files, besides the standard streams, that are passed on to whatever is started.
fn inherited() -> Vec<u32> {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let passed_on = |number: &u32| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & CLOSE_ON_EXEC == 0)
    };
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number > 2 && passed_on(number)).collect()
}

fn missing(program: &str, help: &str) -> Error {
    unavailable(format!("there is no sandbox on this machine: the program `{program}` is not there"))
        .with_help(help)
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Whether a path is there, without following a link at its end.
pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
