//! `interpreter`: what interprets the programs of agents in the tests of this crate, whose own executables are not made for it.

use std::process::ExitCode;

fn main() -> ExitCode {
    adjutant_tool::first_in_main();
    eprintln!("the tests of agents start this, and talk to it over its standard streams");
    ExitCode::FAILURE
}
