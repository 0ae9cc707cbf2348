//! The child process: reads a program and runs it.

use std::io::{self, BufReader, Write};
use std::process::ExitCode;
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

/// Makes this executable one that can interpret programs of agents. Call it first thing in `main`.
///
/// Code mode starts the executable again, as a child that runs one program. In that child this function does the work
/// and gives what `main` is to return; otherwise it gives nothing, at once.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     if let Some(code) = adjutant_tool::code::interpreter() {
///         return code;
///     }
///     // What the program is for.
///     ExitCode::SUCCESS
/// }
/// ```
#[must_use = "the child process is to end with this code"]
pub fn interpreter() -> Option<ExitCode> {
    WOULD_BE.store(true, Ordering::Release);
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT || arguments.next().is_some() {
        return None;
    }
    let ended = std::thread::Builder::new().stack_size(STACK).spawn(serve).map(std::thread::JoinHandle::join);
    match ended {
        Ok(Ok(Ok(()))) => Some(ExitCode::SUCCESS),
        _ => Some(ExitCode::FAILURE),
    }
}

/// Whether [`interpreter`] was called in this process.
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
