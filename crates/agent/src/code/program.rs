//! [`RunProgram`]: the routine that runs a program.

use std::collections::VecDeque;
use std::sync::Arc;

use adjutant_core::hash::Digest;
use adjutant_core::id::CallId;
use adjutant_core::json::Json;
use adjutant_core::message::ToolCall;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code as ErrorCode, Error, Result};
use adjutant_durable::{Attempt, Effects, work};
use adjutant_tool::code::{Asked, Chapter, Completion, Interpreter, Program, Programs};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};

use super::told;
use crate::definition::{Code, Definition};
use crate::flow::Carried;
use crate::patience::unless;
use crate::returned::Returned;
use crate::routine::{Routine, Scene};

/// The name of the steps in which a program advances.
const ADVANCE: &str = "advance";

/// The tool that runs programs.
pub(crate) struct RunProgram {
    spec: ToolSpec,
    code: Code,
    programs: Arc<Programs>,
}

impl RunProgram {
    /// The routine of an agent that is in code mode.
    pub(crate) fn of(definition: &Definition, interpreter: &Interpreter) -> Option<Arc<dyn Routine>> {
        let code = definition.code.clone()?;
        let spec = definition.tool(Code::TOOL)?.clone();
        Some(Arc::new(Self { spec, code, programs: Arc::new(Programs::new(interpreter.clone())) }))
    }
}

impl Routine for RunProgram {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, scene: Scene<'a>) -> BoxFuture<'a, Result<Returned>> {
        async move {
            let source = scene.called().arguments.get("program").and_then(Value::as_str).unwrap_or_default();
            let program = Program {
                language: self.code.language,
                source: source.to_owned(),
                functions: self.code.functions.clone(),
                now: scene.ctx().now(),
                limits: self.code.limits,
            };
            let course = Course { scene: &scene, programs: &self.programs, program: Arc::new(program) };
            course.run().await
        }
        .boxed()
    }
}

/// A program under way.
struct Course<'a> {
    scene: &'a Scene<'a>,
    programs: &'a Arc<Programs>,
    program: Arc<Program>,
}

impl Course<'_> {
    /// Advances the program and makes its calls, a few at a time, until it has ended and all its calls have. It is given
    /// one result at a time, in the order in which the run was.
    async fn run(self) -> Result<Returned> {
        let parallel = self.program.limits.parallel.max(1) as usize;
        // The model that wrote the program may have put into it what it has read.
        let mut label = self.scene.conversation().transcript().label().clone();
        let mut carried = Arc::new(Carried::new(&self.program.source));
        let mut told: Vec<Arc<Chapter>> = Vec::new();
        let mut waiting: VecDeque<Asked> = VecDeque::new();
        let mut open = FuturesUnordered::new();
        let mut given = None;
        let mut done: Vec<String> = Vec::new();
        let mut stopped: Option<Result<Returned>> = None;
        loop {
            if stopped.is_none() {
                match self.advance(&told, given.take()).await {
                    Ok(chapter) => {
                        told.push(Arc::new(chapter));
                        waiting
                            .extend(told.last().into_iter().flat_map(|chapter| chapter.told.asked.clone()));
                        stopped = told::returned(&told, &self.program).map(Ok);
                    }
                    Err(error) => stopped = Some(Err(error)),
                }
            }
            if matches!(stopped, Some(Err(_))) || self.is_late() {
                waiting.clear();
            }
            while open.len() < parallel
                && let Some(asked) = waiting.pop_front()
            {
                open.push(self.call(asked, Arc::clone(&carried)));
            }
            match open.next().await {
                Some((id, Ok(returned))) => {
                    let of = told::label(&returned);
                    label = label.join(&of);
                    if let Some(asked) = asked(&told, id) {
                        let value = told::value(&returned);
                        carried = Arc::new(carried.with(&asked.name, &asked.arguments, value, of));
                    }
                    done.extend(self.lasting(&told, id, &returned));
                    given = Some(Completion { id, outcome: told::outcome(&returned) });
                }
                // All calls come to an end, also when one stops the run, so that none is left in the middle.
                Some((_, Err(error))) => stopped = Some(Err(error)),
                None => break,
            }
        }
        match stopped {
            Some(outcome) => outcome.map(|returned| told::labelled(told::warned(returned, &done), label)),
            // No calls are made any more, and the program waits for them.
            None => Ok(Returned::Failed(
                Error::new(
                    ErrorCode::ProgramFailed,
                    "the time of the run is over, and the program had not ended",
                )
                .with_help("answer with what you have"),
            )),
        }
    }

    /// A call that was made and must not be made again, in words.
    fn lasting(&self, told: &[Arc<Chapter>], id: u32, returned: &Returned) -> Option<String> {
        let asked = asked(told, id)?;
        let effect = self.scene.agent().definition.tool(&asked.name)?.effect;
        let is_lasting = !returned.is_error() && !effect.is_repeatable();
        is_lasting.then(|| format!("{}({})", asked.name, asked.arguments))
    }

    /// Whether the run has taken the time that it may.
    fn is_late(&self) -> bool {
        self.scene.active() >= self.scene.agent().definition.limits.wall_time
    }

    /// One step of the program, after those that are `told`.
    async fn advance(&self, told: &[Arc<Chapter>], given: Option<Completion>) -> Result<Chapter> {
        let ctx = self.scene.ctx();
        let what = given
            .as_ref()
            .map(|given| (given.id, Json::of(given).map(|json| Digest::of(json.as_str().as_bytes()))));
        let what =
            what.map(|(id, digest)| digest.map(|digest| json!({ "call": id, "result": digest.to_string() })));
        let input = json!({ "program": self.program.digest().to_string(), "given": what.transpose()? });
        let (programs, program) = (Arc::clone(self.programs), Arc::clone(&self.program));
        let (place, told, fed) = (ctx.path().clone(), told.to_vec(), given.clone());
        let step = work(move |attempt: Attempt| {
            let (programs, program) = (Arc::clone(&programs), Arc::clone(&program));
            let (place, told, fed) = (place.clone(), told.clone(), fed.clone());
            async move {
                let cancelled = async {
                    attempt.cancel.cancelled().await;
                    Err(Error::new(ErrorCode::RunCancelled, "the program was cancelled"))
                };
                let advanced =
                    unless(cancelled, programs.advance(&place, &program, &told, fed.as_ref())).await?;
                Json::of(&advanced)
            }
        });
        let recorded = ctx.effect(ADVANCE, Effects::pure().halting(), input.into(), step).await?;
        Ok(Chapter { given, told: recorded.to()? })
    }

    /// One call of the program.
    async fn call(&self, asked: Asked, carried: Arc<Carried>) -> (u32, Result<Returned>) {
        let outer = &self.scene.called().call;
        let call = ToolCall {
            id: CallId::from(format!("{outer}.{}", asked.id).as_str()),
            name: asked.name,
            arguments: asked.arguments.to_string(),
        };
        (asked.id, self.scene.call_of(&carried, &call).await)
    }
}

/// The call of that number.
fn asked(told: &[Arc<Chapter>], id: u32) -> Option<&Asked> {
    told.iter().flat_map(|chapter| &chapter.told.asked).find(|asked| asked.id == id)
}

impl Drop for Course<'_> {
    fn drop(&mut self) {
        self.programs.end(self.scene.ctx().path());
    }
}
