//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! [`plan`] decides what to run, [`step`] runs it and stops at the first failure, [`requirement`] is the list of what
//! the tests need beyond the toolchain, [`python`] and [`node`] have what they need of Python and Node, [`document`] the one
//! large document.

mod document;
mod node;
mod plan;
mod python;
mod requirement;
mod step;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use document::Document;
use node::Packages;
use plan::Machine;
use python::Environment;
use requirement::REQUIREMENTS;
use step::{Failure, Step};

const USAGE: &str = "\
usage: cargo xtask COMMAND

commands:
  test [ARGUMENT]...  runs every test, or those that the arguments for the test runner choose,
                      as in `cargo xtask test -p store`
  ci                  checks format, lints, documentation and dependencies, then runs every test
  bench               measures what docs/performance.md quotes
  help                prints this

environment:
  CI=true             a test whose counterpart (a program, a client, a server) is missing fails instead of being skipped
";

/// What a wrong command line ends with.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.to_string_lossy(), rest),
        None => return refuse("a command is missing"),
    };
    match (command.as_ref(), rest) {
        ("test", arguments) => {
            let needs = Needs {
                clients: plan::tests(arguments, "testkit"),
                servers: plan::tests(arguments, "tool") || plan::tests(arguments, "cli"),
                simulation: plan::tests_exactly(arguments, "adjutant"),
                service: plan::tests(arguments, "server"),
            };
            run(needs, |machine, root| plan::test(machine, arguments, |name| package_of(root, name)))
        }
        ("ci", []) => {
            let all = Needs { clients: true, servers: true, simulation: true, service: true };
            run(all, |machine, _| plan::ci(machine))
        }
        ("bench", []) => run(Needs::default(), |machine, _| plan::bench(machine)),
        ("ci" | "bench", _) => refuse(&format!("`{command}` takes no arguments")),
        ("help" | "--help" | "-h", _) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        (other, _) => refuse(&format!("there is no command `{other}`")),
    }
}

fn refuse(problem: &str) -> ExitCode {
    eprint!("xtask: {problem}\n\n{USAGE}");
    ExitCode::from(WRONG_USAGE)
}

/// Which counterparts the tests work with.
#[derive(Clone, Copy, Default)]
struct Needs {
    /// The vendors' clients.
    clients: bool,
    /// Servers of others.
    servers: bool,
    /// The worlds that the gate is measured in.
    simulation: bool,
    /// The clients of the service, and what holds it to its OpenAPI document.
    service: bool,
}

/// Installs what is missing, and the counterparts that are needed, then takes the steps of a plan.
fn run(needs: Needs, plan: impl FnOnce(&Machine, &Path) -> Vec<Step>) -> ExitCode {
    let root = root();
    let machine = Machine::look();
    let steps = plan(&machine, &root);
    let taken = install(&machine, &root)
        .and_then(|()| install_counterparts(&machine, &root, needs))
        .and_then(|()| step::take_all(&root, steps));
    match taken {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn install(machine: &Machine, root: &Path) -> Result<(), Failure> {
    let mut missing = requirement::missing(REQUIREMENTS, env::var_os("PATH").as_deref());
    if missing.is_empty() {
        missing.extend(python::missing());
    }
    let steps = requirement::install(&missing, machine.superuser, machine.apt).map_err(Failure::told)?;
    step::take_all(root, steps)
}

fn install_counterparts(machine: &Machine, root: &Path, needs: Needs) -> Result<(), Failure> {
    let Some(target) = target() else { return Ok(()) };
    if needs.clients {
        let clients = Environment::clients(root, &target);
        set_up(machine, root, "the vendors' clients", clients.steps(), || clients.note())?;
    }
    if needs.simulation {
        let worlds = Environment::simulation(root, &target);
        set_up(machine, root, "AgentDojo's worlds", worlds.steps(), || worlds.note())?;
    }
    if needs.service {
        let (python, node) = (Environment::service(root, &target), Packages::service(root, &target));
        set_up(machine, root, "clients of the service", python.steps(), || python.note())?;
        set_up(machine, root, "clients of the service", node.steps(), || node.note())?;
        let contract = Environment::contract(root, &target);
        set_up(machine, root, "schemathesis", contract.steps(), || contract.note())?;
    }
    if needs.servers {
        let (python, node) = (Environment::servers(root, &target), Packages::servers(root, &target));
        set_up(machine, root, "Python servers", python.steps(), || python.note())?;
        set_up(machine, root, "Node servers", node.steps(), || node.note())?;
        let document = Document::new(&target);
        set_up(machine, root, "GitHub's OpenAPI document", document.steps(), || document.note())?;
    }
    Ok(())
}

/// Sets counterparts up. Where that fails, as it does without a network, their tests say so and skip themselves, except
/// with `CI=true`.
fn set_up(
    machine: &Machine,
    root: &Path,
    what: &str,
    steps: Vec<Step>,
    note: impl Fn() -> std::io::Result<()>,
) -> Result<(), Failure> {
    if steps.is_empty() {
        return Ok(());
    }
    let noted = |()| note().map_err(|error| Failure::told(format!("cannot note it: {error}")));
    match step::take_all(root, steps).and_then(noted) {
        Err(failure) if !machine.ci => {
            eprintln!("\nxtask: {failure}\nxtask: so {what} are missing, and their tests will be skipped");
            Ok(())
        }
        result => result,
    }
}

/// The folder that cargo builds in, which holds this program as `debug/xtask`.
fn target() -> Option<PathBuf> {
    env::current_exe().ok()?.ancestors().nth(2).map(Path::to_path_buf)
}

/// The root of the checkout that cargo runs this program for.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.as_deref().and_then(Path::parent).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The package in the folder `crates/NAME`, so that `-p store` means `-p adjutant-store`.
fn package_of(root: &Path, name: &str) -> Option<String> {
    let manifest = std::fs::read_to_string(root.join("crates").join(name).join("Cargo.toml")).ok()?;
    let line = manifest.lines().find(|line| line.starts_with("name = "))?;
    line.split('"').nth(1).map(str::to_owned)
}
