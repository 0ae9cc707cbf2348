//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! [`plan`] decides what to run, [`step`] runs it and stops at the first failure, and [`requirement`] is the list of
//! what the tests need beyond the toolchain.

mod plan;
mod requirement;
mod step;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plan::Machine;
use requirement::REQUIREMENTS;
use step::Step;

const USAGE: &str = "\
usage: cargo xtask COMMAND

commands:
  test [ARGUMENT]...  runs every test, or those that the arguments for the test runner choose,
                      as in `cargo xtask test -p store`
  ci                  checks format, lints, documentation and dependencies, then runs every test
  bench               measures what docs/performance.md quotes
  help                prints this

environment:
  CI=true             a test whose counterpart (a program, a server) is missing fails instead of being skipped
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
            run(|machine, root| plan::test(machine, arguments, |name| package_of(root, name)))
        }
        ("ci", []) => run(|machine, _| plan::ci(machine)),
        ("bench", []) => run(|machine, _| plan::bench(machine)),
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

/// Installs what is missing, then takes the steps of a plan.
fn run(plan: impl FnOnce(&Machine, &Path) -> Vec<Step>) -> ExitCode {
    let root = root();
    let machine = Machine::look();
    let missing = requirement::missing(REQUIREMENTS, env::var_os("PATH").as_deref());
    let steps = match requirement::install(&missing, machine.superuser, machine.apt) {
        Ok(steps) => steps.into_iter().chain(plan(&machine, &root)),
        Err(problem) => {
            eprintln!("xtask: {problem}");
            return ExitCode::FAILURE;
        }
    };
    match step::take_all(&root, steps) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
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
