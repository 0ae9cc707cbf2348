//! [`Programs`]: programs under way in child processes, and the executable that interprets them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::id::StepKey;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};

use super::advance::{Advance, Completion, End, Limit};
use super::child;
use super::live::{Live, Lost};
use super::program::{Language, Limits, Program};

/// What is allowed on top of the time that a program may work: to start, and to be heard.
const GRACE: Duration = Duration::from_secs(2);

/// How often a program is run again whose process is gone, before that is taken for its own doing.
const TRIES: usize = 3;

/// The executable that interprets programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interpreter(Option<PathBuf>);

impl Interpreter {
    /// This executable. Its `main` must call [`first_in_main`](crate::first_in_main).
    pub fn own() -> Self {
        Self(None)
    }

    /// Another executable, whose `main` calls [`first_in_main`](crate::first_in_main): `adjutant` is one.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Some(path.into()))
    }

    /// The path to start. Fails with [`Code::InterpreterUnavailable`] when this executable would do something else.
    pub(super) fn executable(&self) -> Result<PathBuf> {
        let unavailable = |why: &str| {
            Error::new(
                Code::InterpreterUnavailable,
                format!("programs of agents cannot be interpreted here: {why}"),
            )
            .with_help(
                "call `adjutant::tool::first_in_main()` first thing in `main`, or name an executable that \
                     does: `Adjutant::builder().interpreter(path)`",
            )
        };
        match &self.0 {
            Some(path) => Ok(path.clone()),
            None if !child::would_be() => {
                Err(unavailable("this executable was not made to be an interpreter"))
            }
            // Also where the file has been replaced meanwhile, this is the one that runs.
            None if cfg!(target_os = "linux") => Ok(PathBuf::from("/proc/self/exe")),
            None => std::env::current_exe()
                .map_err(|error| unavailable("this executable is not found").caused_by(&error)),
        }
    }
}

/// Whether programs can be interpreted: has one run, and gives the name and version of what did.
///
/// Fails with [`Code::InterpreterUnavailable`].
pub async fn examine(interpreter: &Interpreter, language: Language) -> Result<String> {
    let program = Program {
        language,
        source: "return 1".to_owned(),
        functions: Vec::new(),
        now: Timestamp::default(),
        limits: Limits::default(),
    };
    let programs = Programs::new(interpreter.clone());
    let advance = programs.advance(&StepKey::root(), &program, &[], None).await?;
    match advance.end {
        Some(End::Value(_)) => Ok(advance.engine),
        end => {
            let message = format!("a program that returns 1 ended otherwise: {end:?}");
            Err(Error::new(Code::InterpreterUnavailable, message))
        }
    }
}

/// One advance of a program's past.
#[derive(Clone, Debug, PartialEq)]
pub struct Chapter {
    /// What the program was given; nothing at first.
    pub given: Option<Completion>,
    /// What it did then.
    pub told: Advance,
}

/// Programs under way, each in a child process of its own. They end when this is dropped.
pub struct Programs {
    interpreter: Interpreter,
    live: Mutex<BTreeMap<StepKey, Live>>,
}

impl Programs {
    /// No programs yet.
    pub fn new(interpreter: Interpreter) -> Self {
        Self { interpreter, live: Mutex::default() }
    }

    /// Brings the program at `place` on by what it is given: in its process where that lives, otherwise in a new one that
    /// first does again what is `told`.
    ///
    /// Fails with [`Code::ProgramDiverged`] when it then does something else, and with [`Code::InterpreterUnavailable`].
    pub async fn advance(
        &self,
        place: &StepKey,
        program: &Program,
        told: &[Arc<Chapter>],
        given: Option<&Completion>,
    ) -> Result<Advance> {
        let worked: u64 = told.iter().map(|chapter| chapter.told.took_ms).sum();
        let worked = Duration::from_millis(worked);
        let left = program.limits.time().saturating_sub(worked);
        if left.is_zero() {
            self.end(place);
            return Ok(Advance { end: Some(End::Limit(Limit::Time)), ..Advance::default() });
        }
        let mut kept = self.take(place).filter(|live| live.advances == told.len());
        let mut absent = None;
        for _ in 0..TRIES {
            let live = match kept.take() {
                Some(live) => Ok(live),
                None => match self.again(program, told, worked * 2 + GRACE).await {
                    Ok(live) => live,
                    // It may have been killed before it had said that it was there.
                    Err(error) if error.code() == Code::InterpreterUnavailable => {
                        absent = Some(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            absent = None;
            let advanced = match live {
                Ok(mut live) => live.advance(given, left + GRACE).await.map(|advance| (live, advance)),
                Err(lost) => Err(lost),
            };
            match advanced {
                Ok((live, advance)) => {
                    if advance.end.is_none() {
                        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone(), live);
                    }
                    return Ok(advance);
                }
                Err(Lost::Late) => {
                    let took_ms = program.limits.time_ms;
                    return Ok(Advance { end: Some(End::Limit(Limit::Time)), took_ms, ..Advance::default() });
                }
                Err(Lost::Gone) => {}
            }
        }
        match absent {
            Some(error) => Err(error),
            None => Ok(Advance { end: Some(End::Limit(Limit::Process)), ..Advance::default() }),
        }
    }

    /// Lets go of a program.
    pub fn end(&self, place: &StepKey) {
        drop(self.take(place));
    }

    fn take(&self, place: &StepKey) -> Option<Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(place)
    }

    /// A process in which the program has done again what it did.
    async fn again(
        &self,
        program: &Program,
        told: &[Arc<Chapter>],
        within: Duration,
    ) -> Result<Result<Live, Lost>> {
        let mut live = Live::start(&self.interpreter, program).await?;
        let deadline = tokio::time::Instant::now() + within;
        for chapter in told {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            match live.advance(chapter.given.as_ref(), left).await {
                Ok(advance) => same(&chapter.told, &advance)?,
                Err(lost) => return Ok(Err(lost)),
            }
        }
        Ok(Ok(live))
    }
}

/// Whether a program does again what it did. Fails with [`Code::ProgramDiverged`], with both sides.
fn same(before: &Advance, now: &Advance) -> Result<()> {
    if before.asked == now.asked && before.printed == now.printed && now.end.is_none() {
        return Ok(());
    }
    let calls = |advance: &Advance| {
        let calls = advance.asked.iter().map(|asked| format!("{}({})", asked.name, asked.arguments));
        let text: String = calls.collect::<Vec<_>>().join(", ").chars().take(300).collect();
        match (&advance.end, text.is_empty()) {
            (Some(_), _) => "ended".to_owned(),
            (None, true) => format!("printed `{}`", advance.printed.chars().take(100).collect::<String>()),
            (None, false) => format!("called {text}"),
        }
    };
    let message =
        format!("the program does something else than before: it {} and now {}", calls(before), calls(now));
    let help = match before.engine == now.engine {
        true => "cancel the run, or fork it from before the program; and report this, as it must not happen"
            .to_owned(),
        false => format!(
            "it was interpreted by {} and now by {}: resume the run with the version of the executable that began it",
            before.engine, now.engine
        ),
    };
    Err(Error::new(Code::ProgramDiverged, message).with_help(help))
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Programs")
            .field("interpreter", &self.interpreter)
            .field("live", &live.keys())
            .finish()
    }
}
