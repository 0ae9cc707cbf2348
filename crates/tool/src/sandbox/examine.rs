//! What of a sandbox holds on this machine.

use std::process::{Command as Process, Stdio};

use adjutant_core::id::{RunId, Scope};
use adjutant_core::{Error, Result};

use super::cgroup::Base;
use super::config::Config;
use super::enter::{Command, Sandbox};
use super::folder::{Folder, Owner};
use super::group;
use super::inside::Landlock;
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
    let config = Config { read: Vec::new(), write: Vec::new(), ..config.clone() };
    let takes_part = Sandbox::new(config.clone())?;
    // What is asked here needs no network, and perhaps no runtime for its proxy is there.
    let sandbox = Sandbox::new(Config { hosts: Vec::new(), ..config.clone() })?;
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
    findings.push(landlock(&sandbox));
    findings.extend((!config.hosts.is_empty()).then(|| network(&takes_part)));
    findings.push(together(&config));
    drop(machine);
    Ok(findings)
}

/// Whether there is a second wall.
fn landlock(sandbox: &Sandbox) -> Finding {
    let (holds, what, help) = match (Landlock::of_kernel(), sandbox.inside()) {
        (Landlock::None, _) => (
            false,
            "landlock is not there; bubblewrap stands alone",
            Some("use a kernel with CONFIG_SECURITY_LANDLOCK, started with `lsm=landlock,..`"),
        ),
        (_, None) => (
            false,
            "landlock is not used: this program takes no part in making sandboxes",
            Some("call `adjutant::tool::first_in_main()` before anything else in its main function"),
        ),
        (Landlock::Files, _) => (true, "landlock as a second wall around files", None),
        (Landlock::Whole, _) => {
            (true, "landlock as a second wall around files, signals and abstract sockets", None)
        }
    };
    Finding { holds, what: what.to_owned(), help: help.map(str::to_owned) }
}

/// Whether hosts can be reached.
fn network(sandbox: &Sandbox) -> Finding {
    match sandbox.inside() {
        Some(_) => Finding {
            holds: true,
            what: match sandbox.config().hosts.len() {
                1 => "no network but a proxy that lets 1 host pass".to_owned(),
                count => format!("no network but a proxy that lets {count} hosts pass"),
            },
            help: None,
        },
        None => Finding {
            holds: false,
            what: "no host is reached: this program takes no part in making sandboxes".to_owned(),
            help: Some(
                "call `adjutant::tool::first_in_main()` before anything else in its main function".to_owned(),
            ),
        },
    }
}

/// Who looks after what all processes take together.
fn together(config: &Config) -> Finding {
    let base = match &config.cgroup {
        Some(folder) => Base::at(folder),
        None => Base::delegated(),
    };
    let why = match base {
        Ok(base) if base.limits("memory") => {
            let cpu = if base.limits("cpu") { ", processor time" } else { "" };
            return Finding {
                holds: true,
                what: format!(
                    "a control group for each call, which limits memory, processes{cpu} of all together and is killed as one"
                ),
                help: None,
            };
        }
        Ok(_) => "the control group is killed as one and limits no memory".to_owned(),
        Err(why) => why,
    };
    match group::is_told() {
        true => Finding {
            holds: config.limits.cpu_percent.is_none(),
            what: format!("a supervisor adds up the memory of all processes, ten times a second; {why}{}", match config.limits.cpu_percent {
                Some(_) => ", so `cpu_percent` is not held",
                None => "",
            }),
            help: Some("start Adjutant where a control group is its own: in a systemd unit with `Delegate=yes`, or name one as `cgroup`".to_owned()),
        },

        false => Finding {
            holds: false,
            what: "the kernel does not tell which processes a process has started, so their memory is not added up"
                .to_owned(),
            help: Some("use a kernel with CONFIG_PROC_CHILDREN".to_owned()),
        },
    }
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
