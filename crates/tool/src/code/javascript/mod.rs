//! JavaScript, on QuickJS.
//!
//! The program is the body of an async function, so it may use `await` and `return` at its top. It finds the standard
//! objects of the language, `tools`, `console` and `ToolError`, and nothing of a browser or of Node. `Date` shows the
//! program's one moment in UTC, `Math.random` gives the same numbers each time.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::context::{EvalOptions, intrinsic};
use rquickjs::{CatchResultExt, Context, Ctx, Exception, Function, Object, Persistent, Runtime};
use serde_json::Value;

use super::advance::{Advance, Asked, Completion, End, Fault, Limit};
use super::engine::Engine;
use super::program::{Limits, Program};

/// The name and version of the interpreter, as the crate brings it.
pub(super) const VERSION: &str = "quickjs-ng 0.16.2";

const PRELUDE: &str = include_str!("prelude.js");

/// What errors call the program.
const FILE: &str = "program.js";

/// How many jumps and calls QuickJS makes before it asks whether to go on.
const TICK: u64 = 10_000;

/// What going on after an `await` counts: it takes about as long as so many jumps.
const JOB: u64 = 50;

/// How deep calls may nest, in bytes of the C stack: some thousand levels.
const STACK: usize = 1 << 20;

/// The longest arguments of all calls that are asked for at once, in bytes.
const LONGEST_ARGUMENTS: usize = 4 << 20;

/// What the standard objects are: all but those that show time, collect garbage visibly, or belong to browsers.
type Intrinsics = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// What the program has done, as the functions see it that it calls.
#[derive(Default)]
struct Doings {
    asked: Vec<Asked>,
    asked_bytes: usize,
    calls: u32,
    open: u32,
    printed: String,
    printed_in_all: usize,
    unprinted: u64,
    ticks: u64,
    end: Option<End>,
}

impl Doings {
    fn ask(&mut self, limits: &Limits, name: String, arguments: &str) -> Result<u32, String> {
        if self.calls >= limits.calls {
            self.end.get_or_insert(End::Limit(Limit::Calls));
            return Err(format!("more than {} calls", limits.calls));
        }
        self.asked_bytes += arguments.len();
        if self.asked_bytes > LONGEST_ARGUMENTS {
            let length = self.asked_bytes;
            return Err(format!("the arguments have {length} bytes, and {LONGEST_ARGUMENTS} are allowed"));
        }
        // The program may have had its own say in how they are written.
        let arguments = serde_json::from_str(arguments).ok().filter(Value::is_object);
        let arguments = arguments.ok_or_else(|| format!("the arguments of `{name}` are no JSON object"))?;
        let id = self.calls;
        self.calls += 1;
        self.open += 1;
        self.asked.push(Asked { id, name, arguments });
        Ok(id)
    }

    fn print(&mut self, limits: &Limits, text: &str) {
        let room = (limits.output as usize).saturating_sub(self.printed_in_all);
        let kept = text.get(..floor(text, room)).unwrap_or_default();
        self.printed.push_str(kept);
        // Once something was left out, nothing follows it.
        self.printed_in_all += if kept.len() < text.len() { limits.output as usize } else { kept.len() };
        self.unprinted += (text.len() - kept.len()) as u64;
    }

    /// Counts so many instructions, and says whether it is time to stop.
    fn count(&mut self, limits: &Limits, instructions: u64) -> bool {
        self.ticks += instructions;
        if self.ticks > limits.instructions {
            self.end.get_or_insert(End::Limit(Limit::Instructions));
        }
        self.end.is_some()
    }
}

/// The last place at or before `most` where a text may be cut.
fn floor(text: &str, most: usize) -> usize {
    if most >= text.len() {
        text.len()
    } else {
        (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// A program under way.
struct JavaScript {
    doings: Rc<RefCell<Doings>>,
    limits: Limits,
    lines: u32,
    source: Option<String>,
    /// What the prelude has given.
    hooks: Option<Persistent<Object<'static>>>,
    context: Context,
    runtime: Runtime,
}

/// Begins a program.
pub(super) fn begin(program: &Program) -> Result<Box<dyn Engine>, Fault> {
    let refused = |error: rquickjs::Error| fault(format!("the interpreter cannot begin: {error}"));
    let limits = program.limits;
    let runtime = Runtime::new().map_err(refused)?;
    runtime.set_memory_limit(usize::try_from(limits.memory).unwrap_or(usize::MAX));
    runtime.set_max_stack_size(STACK);
    let doings = Rc::new(RefCell::new(Doings::default()));
    let shared = Rc::clone(&doings);
    runtime.set_interrupt_handler(Some(Box::new(move || shared.borrow_mut().count(&limits, TICK))));
    let context = Context::custom::<Intrinsics>(&runtime).map_err(refused)?;
    let hooks =
        context.with(|ctx| prelude(&ctx, program, &doings).map(|hooks| Persistent::save(&ctx, hooks)));
    let hooks = hooks.map_err(refused)?;
    Ok(Box::new(JavaScript {
        doings,
        limits,
        lines: u32::try_from(program.source.lines().count()).unwrap_or(u32::MAX).max(1),
        source: Some(program.source.clone()),
        hooks: Some(hooks),
        context,
        runtime,
    }))
}

fn prelude<'js>(
    ctx: &Ctx<'js>,
    program: &Program,
    doings: &Rc<RefCell<Doings>>,
) -> rquickjs::Result<Object<'js>> {
    let limits = program.limits;
    let shared = Rc::clone(doings);
    let ask = move |ctx: Ctx<'js>, name: String, arguments: String| {
        let asked = shared.borrow_mut().ask(&limits, name, &arguments);
        asked.map_err(|why| Exception::throw_range(&ctx, &why))
    };
    let shared = Rc::clone(doings);
    let print = move |text: String| shared.borrow_mut().print(&limits, &text);
    let shared = Rc::clone(doings);
    let done = move |json: String| {
        let end = returned(&limits, &json);
        shared.borrow_mut().end.get_or_insert(end);
    };
    let shared = Rc::clone(doings);
    let failed = move |kind: String, message: String, stack: String| {
        let end = End::Fault(placed(kind, message, &stack));
        shared.borrow_mut().end.get_or_insert(end);
    };
    let prelude: Function<'js> = ctx.eval(PRELUDE)?;
    #[expect(clippy::cast_precision_loss, reason = "JavaScript counts milliseconds so, too")]
    let now = program.now.0 as f64;
    prelude.call((
        program.functions.clone(),
        now,
        Function::new(ctx.clone(), ask)?,
        Function::new(ctx.clone(), print)?,
        Function::new(ctx.clone(), done)?,
        Function::new(ctx.clone(), failed)?,
    ))
}

/// The end of a program that has returned this.
fn returned(limits: &Limits, json: &str) -> End {
    if json.len() > limits.output as usize {
        let message = format!(
            "the returned value has {} bytes, and {} are allowed; return less: count, sort and cut it first",
            json.len(),
            limits.output
        );
        return End::Fault(Fault { kind: "RangeError".to_owned(), message, ..Fault::default() });
    }
    match serde_json::from_str(json) {
        Ok(value) => End::Value(value),
        Err(error) => End::Fault(fault(format!("the returned value is not JSON: {error}"))),
    }
}

impl Engine for JavaScript {
    fn advance(&mut self, completion: Option<Completion>) -> Advance {
        let context = self.context.clone();
        let outcome = context.with(|ctx| self.step(&ctx, completion).map_err(|error| explained(&ctx, error)));
        if let Err(fault) = outcome {
            self.doings.borrow_mut().end.get_or_insert(End::Fault(fault));
        }
        self.work();
        self.take()
    }
}

impl JavaScript {
    /// Starts the program, or gives it what a call gave.
    fn step<'js>(&mut self, ctx: &Ctx<'js>, completion: Option<Completion>) -> rquickjs::Result<()> {
        let Some(hooks) = self.hooks.clone() else { return Ok(()) };
        let hooks = hooks.restore(ctx)?;
        if let Some(source) = self.source.take() {
            let mut options = EvalOptions::default();
            options.filename = Some(FILE.to_owned());
            // The program begins on a line of its own, and a comment at its end does not swallow what follows.
            let text = format!("(async () => {{\n{source}\n}})");
            let main: Function<'js> = ctx.eval_with_options(text, options)?;
            return hooks.get::<_, Function<'js>>("start")?.call((main,));
        }
        let Some(completion) = completion else { return Ok(()) };
        let mut doings = self.doings.borrow_mut();
        doings.open = doings.open.saturating_sub(1);
        drop(doings);
        match completion.outcome {
            Ok(value) => hooks.get::<_, Function<'js>>("settle")?.call((completion.id, value.to_string())),
            Err(fault) => {
                hooks.get::<_, Function<'js>>("fail")?.call((completion.id, fault.kind, fault.message))
            }
        }
    }

    /// Runs all that can run.
    fn work(&mut self) {
        loop {
            if self.doings.borrow_mut().count(&self.limits, JOB) {
                return;
            }
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => break,
                // A job of the program fails by itself only where it was stopped.
                Err(_) => drop(self.context.with(|ctx| explained(&ctx, rquickjs::Error::Exception))),
            }
        }
        let mut doings = self.doings.borrow_mut();
        if doings.open == 0 && doings.end.is_none() {
            doings.end = Some(End::Fault(fault("the program waits for something that never comes")));
        }
    }

    fn take(&mut self) -> Advance {
        let mut doings = self.doings.borrow_mut();
        let end = doings.end.clone().map(|end| self.judged(end));
        doings.asked_bytes = 0;
        let asked = std::mem::take(&mut doings.asked);
        // A program that fails is mended and run again: what it has just begun to ask for is not done.
        let stands = matches!(end, None | Some(End::Value(_)));
        Advance {
            asked: if stands { asked } else { Vec::new() },
            printed: std::mem::take(&mut doings.printed),
            unprinted: doings.unprinted,
            end,
            ..Advance::default()
        }
    }

    /// An end as it is told: what says that memory is out is a limit, and no place is outside of the program.
    fn judged(&self, end: End) -> End {
        match end {
            End::Fault(fault) if fault.kind == "InternalError" && fault.message == "out of memory" => {
                End::Limit(Limit::Memory)
            }
            // Where there is no room for an error either, QuickJS throws `null`, which no program does on purpose.
            End::Fault(fault) if fault.message == "thrown: null" => End::Limit(Limit::Memory),
            End::Fault(fault) => {
                End::Fault(Fault { line: fault.line.map(|line| line.clamp(1, self.lines)), ..fault })
            }
            end => end,
        }
    }
}

impl Drop for JavaScript {
    fn drop(&mut self) {
        // What is kept of the context must be gone before it.
        if let Some(hooks) = self.hooks.take() {
            self.context.with(|ctx| drop(hooks.restore(&ctx)));
        }
    }
}

fn fault(message: impl Into<String>) -> Fault {
    Fault { message: message.into(), ..Fault::default() }
}

/// What was thrown where nothing of the program could catch it: a mistake in its syntax, for example.
fn explained(ctx: &Ctx<'_>, error: rquickjs::Error) -> Fault {
    match Err::<(), _>(error).catch(ctx) {
        Err(rquickjs::CaughtError::Exception(exception)) => {
            let kind = exception.as_object().get::<_, String>("name").unwrap_or_default();
            placed(kind, exception.message().unwrap_or_default(), &exception.stack().unwrap_or_default())
        }
        Err(rquickjs::CaughtError::Error(error)) => fault(error.to_string()),
        Err(rquickjs::CaughtError::Value(_)) | Ok(()) => fault("the program was stopped"),
    }
}

/// An error with the first place of the program that its stack names. The program begins on the second line of its file.
fn placed(kind: String, message: String, stack: &str) -> Fault {
    let mut fault = Fault { kind, message, line: None, column: None };
    let place = stack.split_once(&format!("{FILE}:")).map(|(_, rest)| rest);
    let mut numbers = place.into_iter().flat_map(|rest| rest.split(|c: char| !c.is_ascii_digit()));
    fault.line = numbers.next().and_then(|line| line.parse::<u32>().ok()).map(|line| line.saturating_sub(1));
    fault.column = fault.line.and(numbers.next()).and_then(|column| column.parse().ok());
    fault
}
