//! What this program does within a sandbox, where it is started once more before the command is.
//!
//! A process cannot be made to restrict itself from outside, and what listens on the sandbox's loopback must run in it.
//! So the program itself, [`first_in_main`](crate::first_in_main) at its beginning, is bound into the sandbox, starts the relay to the proxy
//! where there is one, puts up the second wall (landlock), and becomes the command.

mod orders;
mod relay;
mod wall;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub(super) use orders::Orders;
pub(super) use wall::Landlock;

/// The first argument of a program that is started within a sandbox.
const WITHIN: &str = "--adjutant-within-a-sandbox";

/// The one of the process that starts the relay and ends, so that the relay is nobody's child.
const DETACH: &str = "--adjutant-detach-a-relay";

/// The one of the relay.
const RELAY: &str = "--adjutant-relay";

/// How a program ends that could not become the command.
const FAILED: i32 = 126;

/// How a program ends whose command is not there.
const NOT_FOUND: i32 = 127;

/// This program, where it has called [`first_in_main`](crate::first_in_main).
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The part of [`first_in_main`](crate::first_in_main) for sandboxes: a process that was started within one does its work
/// and does not return.
pub(crate) fn first_in_main() {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    let failed = |why: String, code| {
        eprintln!("adjutant: {why}");
        std::process::exit(code)
    };
    match first.as_deref().and_then(|first| first.to_str()) {
        Some(WITHIN) => {
            let (why, code) = match Orders::read(arguments) {
                Ok(orders) => become_command(&orders),
                Err(why) => (why, FAILED),
            };
            failed(why, code);
        }
        Some(DETACH) => std::process::exit(relay::detach(arguments.next())),
        Some(RELAY) => std::process::exit(relay::run(arguments.next())),
        _ => {
            if let Ok(program) = std::env::current_exe() {
                // The first call counts; a second one says the same.
                let _ = PROGRAM.set(program);
            }
        }
    }
}

/// The program that is started within sandboxes, if there is one.
pub(super) fn program() -> Option<&'static Path> {
    PROGRAM.get().map(PathBuf::as_path)
}

/// Does what must be done, and becomes the command. Returns why it could not, and with which code to end.
fn become_command(orders: &Orders) -> (String, i32) {
    if let Some(socket) = &orders.socket
        && let Err(error) = relay::start(socket)
    {
        return (format!("the relay to the sandbox's proxy cannot be started: {error}"), FAILED);
    }
    if let Err(why) = wall::raise(orders) {
        return (why, FAILED);
    }
    let error = Command::new(&orders.program).args(&orders.arguments).exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { FAILED };
    (format!("`{}` cannot be started: {error}", orders.program.to_string_lossy()), code)
}
