//! `adjutant-interpreter`: an executable that does nothing but interpret programs of agents and take part in sandboxes, for
//! applications that do not want to be started again for that. `adjutant` itself can do it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    adjutant_tool::first_in_main();
    eprintln!("adjutant-interpreter is started by Adjutant, which talks to it over its standard streams");
    ExitCode::FAILURE
}
