//! The child process: reads a program and runs it.

use std::io::{self, BufReader, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::advance::{Advance, Completion};
use super::confine;
use super::engine;
use super::protocol::{self, Begin, LONGEST_GIVEN, Ready, VERSION};

/// The one argument of the child process.
pub(super) const ARGUMENT: &str = "--adjutant-interpreter";

/// The stack of the thread that runs programs, in bytes. The interpreters keep well within it.
const STACK: usize = 64 << 20;

/// Whether this process would be an interpreter, if it were started as one.
static WOULD_BE: AtomicBool = AtomicBool::new(false);

/// In the child process runs the program that it is for, and ends the process; otherwise returns at once. See
/// [`first_in_main`](crate::first_in_main).
pub(crate) fn first_in_main() {
    WOULD_BE.store(true, Ordering::Release);
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != ARGUMENT) || arguments.next().is_some() {
        return;
    }
    let ended = std::thread::Builder::new().stack_size(STACK).spawn(serve).map(std::thread::JoinHandle::join);
    let code = if matches!(ended, Ok(Ok(Ok(())))) { 0 } else { 1 };
    std::process::exit(code)
}

/// Whether [`first_in_main`] was called in this process.
pub(super) fn would_be() -> bool {
    WOULD_BE.load(Ordering::Acquire)
}

fn serve() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin());
    let mut output = io::stdout();
    let begin: Begin = protocol::read(&mut input, LONGEST_GIVEN)?;
    if begin.version != VERSION {
        return Err(io::Error::other("another version of the messages"));
    }
    let engine = engine::version(begin.program.language).to_owned();
    let unconfined = confine::give_up(&begin.program.limits).err();
    let is_confined = unconfined.is_none();
    protocol::write(&mut output, &Ready { version: VERSION, engine, unconfined })?;
    if !is_confined {
        return Ok(());
    }
    let mut program = engine::begin(&begin.program);
    let mut completion: Option<Completion> = None;
    loop {
        let advance = work(&mut *program, completion.take());
        protocol::write(&mut output, &advance)?;
        output.flush()?;
        if advance.end.is_some() {
            return Ok(());
        }
        completion = Some(protocol::read(&mut input, LONGEST_GIVEN)?);
    }
}

fn work(program: &mut dyn engine::Engine, completion: Option<Completion>) -> Advance {
    let began = Instant::now();
    let advance = program.advance(completion);
    Advance { took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), ..advance }
}
