//! What of a sandbox holds on this machine.

use std::process::{Command as Process, Stdio};

use adjutant_core::id::{RunId, Scope};
use adjutant_core::{Error, Result};

use super::config::Config;
use super::enter::{Command, Sandbox};
use super::folder::{Folder, Owner};
use super::group;
use super::machine::{self, Machine};

/// One thing about this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it holds.
    pub holds: bool,
    /// What it is, and how it is.
    pub what: String,
    /// What to do where it does not hold.
    pub help: Option<String>,
}

/// Makes a sandbox on this machine, in a folder of its own in `work`, and says what holds in it. Blocks for less than a
/// second.
///
/// Fails with [`Code::SandboxUnavailable`](adjutant_core::Code::SandboxUnavailable), saying what is missing, where no
/// sandbox can be made.
pub fn examine(config: &Config) -> Result<Vec<Finding>> {
    let machine = Machine::find()?;
    let sandbox = Sandbox::new(Config { read: Vec::new(), write: Vec::new(), ..config.clone() })?;
    let owner = Owner::Run(RunId::new(format!("examine-{}", std::process::id())));
    let folder = Folder::of(&config.work, &Scope::default(), &owner);
    let tried = attempt(&sandbox, &folder);
    let erased = folder.erase();
    tried?;
    erased?;
    let holds = |what: &str| Finding { holds: true, what: what.to_owned(), help: None };
    let mut findings = vec![
        holds("its own mount, process, IPC, host name, user and network namespaces, without a network"),
        holds(
            "a seccomp filter, no capabilities, limits on processes, open files, file size and memory of a process",
        ),
        match machine::is_root() {
            true => holds("Adjutant is root; sandboxed programs are user 65534"),
            false => holds("sandboxed programs are the user that runs Adjutant, without its rights"),
        },
    ];
    findings.push(match group::is_told() {
        true => holds("a supervisor adds up the memory of all processes, ten times a second"),
        false => Finding {
            holds: false,
            what: "the kernel does not tell which processes a process has started, so their memory is not added up"
                .to_owned(),
            help: Some("use a kernel with CONFIG_PROC_CHILDREN".to_owned()),
        },
    });
    drop(machine);
    Ok(findings)
}

/// Runs a program that does nothing.
fn attempt(sandbox: &Sandbox, folder: &Folder) -> Result<()> {
    let command = Command { program: "true".to_owned(), ..Command::default() };
    let entered = sandbox.enter(folder, command)?;
    let output = Process::new(&entered.program)
        .args(&entered.arguments)
        .env_clear()
        .envs(entered.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(refused(String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(machine::unavailable("a sandbox cannot be started").caused_by(&error)),
    }
}

/// The error of a sandbox that could not be made, by what bubblewrap says of it.
pub(crate) fn refused(said: &str) -> Error {
    let help = match said {
        said if said.contains("setting up uid map")
            || said.contains("No permissions to create new namespace") =>
        {
            "this machine does not let programs make user namespaces: as root `sysctl \
             kernel.unprivileged_userns_clone=1`, on Ubuntu an AppArmor profile for bwrap, or in a container \
             `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`; or run the tool without a sandbox: \
             `sandbox = \"unsafe\"`"
        }
        _ => {
            "`adjutant doctor` says what this machine can do; or run the tool without a sandbox: `sandbox = \"unsafe\"`"
        }
    };
    machine::unavailable(format!("the sandbox could not be made: {said}")).with_help(help)
}
