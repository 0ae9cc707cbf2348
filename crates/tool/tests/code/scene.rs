//! A host that answers the calls of a program.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::id::StepKey;
use adjutant_core::time::Timestamp;
use adjutant_tool::code::{
    Advance, Asked, Chapter, Completion, End, Fault, Interpreter, Language, Limits, Program, Programs,
};
use serde_json::{Value, json};

pub(crate) fn interpreter() -> Interpreter {
    Interpreter::at(env!("CARGO_BIN_EXE_adjutant-interpreter"))
}

/// An interpreter that writes down its processes, for tests that look at them or kill them.
#[cfg(target_os = "linux")]
pub(crate) struct Watched {
    folder: tempfile::TempDir,
}

#[cfg(target_os = "linux")]
impl Watched {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, binary) = (folder.path().display(), env!("CARGO_BIN_EXE_adjutant-interpreter"));
        let script = format!(
            "#!/bin/sh\n/bin/cat /proc/$$/environ > {path}/environ\necho $$ >> {path}/processes\nexec {binary} \"$@\"\n"
        );
        let program = folder.path().join("interpreter");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub(crate) fn programs(&self) -> Programs {
        Programs::new(Interpreter::at(self.folder.path().join("interpreter")))
    }

    /// What the environment of the last process was when it was started.
    pub(crate) fn environment(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("environ")).unwrap()
    }

    /// The last process that was started; none where there is none yet.
    pub(crate) fn process(&self) -> Option<i32> {
        let listed = std::fs::read_to_string(self.folder.path().join("processes")).ok()?;
        listed.lines().last()?.parse().ok()
    }

    /// Kills the last process that was started. It may have ended.
    pub(crate) fn kill(&self) -> bool {
        let Some(process) = self.process().and_then(rustix::process::Pid::from_raw) else { return false };
        rustix::process::kill_process(process, rustix::process::Signal::KILL).is_ok()
    }
}

pub(crate) fn program(source: &str) -> Program {
    Program {
        language: Language::Javascript,
        source: source.to_owned(),
        functions: ["add", "fail", "rows"].map(str::to_owned).into(),
        now: Timestamp(1_700_000_000_000),
        limits: Limits { time_ms: 20_000, ..Limits::default() },
    }
}

pub(crate) fn limited(source: &str, change: impl FnOnce(&mut Limits)) -> Program {
    let mut program = program(source);
    change(&mut program.limits);
    program
}

pub(crate) fn place() -> StepKey {
    StepKey::root().join("program", 0)
}

/// What the host answers.
pub(crate) fn answer(asked: &Asked) -> Completion {
    let number = |name: &str| asked.arguments.get(name).and_then(Value::as_i64).unwrap_or_default();
    let outcome = match asked.name.as_str() {
        "add" => Ok(json!(number("a") + number("b"))),
        "rows" => Ok((0..number("count")).map(|n| json!({ "n": n, "half": n / 2 })).collect()),
        _ => Err(Fault { kind: "tool-failed".into(), message: "no paper".into(), ..Fault::default() }),
    };
    Completion { id: asked.id, outcome }
}

/// Brings a program to its end, answering its calls in their order. Returns its whole course.
pub(crate) async fn course(programs: &Programs, program: &Program) -> Result<Vec<Arc<Chapter>>> {
    let mut told: Vec<Arc<Chapter>> = Vec::new();
    let mut open: std::collections::VecDeque<Asked> = std::collections::VecDeque::new();
    let mut given = None;
    loop {
        let advance = programs.advance(&place(), program, &told, given.as_ref()).await?;
        open.extend(advance.asked.clone());
        let ended = advance.end.is_some();
        told.push(Arc::new(Chapter { given, told: advance }));
        if ended {
            return Ok(told);
        }
        given = Some(answer(&open.pop_front().expect("a program that goes on has asked for something")));
    }
}

/// How a program ends, and what it printed.
pub(crate) async fn run(program: &Program) -> (End, String) {
    let told = course(&Programs::new(interpreter()), program).await.unwrap();
    let printed = told.iter().map(|chapter| chapter.told.printed.as_str()).collect();
    (last(&told).end.clone().unwrap(), printed)
}

pub(crate) fn last(told: &[Arc<Chapter>]) -> &Advance {
    &told.last().unwrap().told
}

pub(crate) async fn value(source: &str) -> Value {
    match run(&program(source)).await.0 {
        End::Value(value) => value,
        other => panic!("{source}: {other:?}"),
    }
}

pub(crate) async fn fault(source: &str) -> Fault {
    match run(&program(source)).await.0 {
        End::Fault(fault) => fault,
        other => panic!("{source}: {other:?}"),
    }
}
