//! [`ProposeTool`]: the routine by which an agent proposes a tool for the library of its project.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::json::Json;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code as ErrorCode, Error, Result};
use adjutant_durable::{Effects, work};
use adjutant_tool::Output;
use adjutant_tool::code::{Advance, Interpreter, Programs};
use adjutant_tool::library::{Library, Origin, Proposal};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::approval::{self, Answered, Asked};
use crate::definition::{Code, Definition};
use crate::returned::Returned;
use crate::routine::{Routine, Scene};

/// The name of the step in which the test is run.
const TEST: &str = "test";

/// The name of the step in which the tool is signed and written.
const SIGN: &str = "sign";

/// What the test of a proposal has shown.
#[derive(Serialize, Deserialize)]
struct Trial {
    advance: Advance,
    /// The version of the tool of that name that is in the library already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<u32>,
}

/// The tool that proposes tools.
pub(crate) struct ProposeTool {
    spec: ToolSpec,
    library: Library,
    programs: Arc<Programs>,
}

impl ProposeTool {
    /// The routine of an agent that may propose tools, where there is a library.
    pub(crate) fn of(
        definition: &Definition,
        library: Option<&Library>,
        interpreter: &Interpreter,
    ) -> Option<Arc<dyn Routine>> {
        let spec = definition
            .tool(Code::PROPOSE)
            .filter(|_| definition.code.as_ref().is_some_and(|code| code.make_tools));
        let programs = Arc::new(Programs::new(interpreter.clone()));
        Some(Arc::new(Self { spec: spec?.clone(), library: library?.clone(), programs }))
    }

    /// Tests a proposal, asks a person about it, and signs it. The inner error is for the model.
    async fn propose(&self, scene: &Scene<'_>) -> Result<Result<Output>> {
        let proposal = match read(scene) {
            Ok(proposal) => proposal,
            Err(error) => return Ok(Err(error)),
        };
        let Trial { advance, replaces } = self.test(scene, &proposal).await?;
        if let Err(error) = proposal.tested(&advance) {
            return Ok(Err(error));
        }
        let why = match replaces {
            None => "it is for the library of the project; its test has passed".to_owned(),
            Some(version) => format!(
                "it replaces version {version} in the library of the project, for all agents that have it; its test has \
                 passed"
            ),
        };
        let asked = Asked {
            called: scene.called(),
            why: &why,
            policies: &[],
            origins: &BTreeMap::new(),
            read: &scene.label(),
            each_time: true,
        };
        match approval::ask(scene.ctx(), scene.agent(), &asked).await? {
            Answered::Approved(_) => {}
            // Only what was tested is signed.
            Answered::Edited(edited) => {
                let message = format!("{} wants it otherwise: {}", edited.by, edited.arguments);
                return Ok(Err(Error::new(ErrorCode::ToolDenied, message).with_help("propose it so")));
            }
            Answered::Instead(output) => return Ok(Ok(output)),
            Answered::Denied(denied) => return Ok(Err(denied)),
        }
        let name = proposal.name.clone();
        let version: u32 = self.sign(scene, proposal).await?.to()?;
        Ok(Ok(Output::text(format!(
            "the tool `{name}` is in the library of the project now, in version {version}; agents that name it have it from \
             their next run on"
        ))))
    }

    async fn test(&self, scene: &Scene<'_>, proposal: &Proposal) -> Result<Trial> {
        let (programs, program, place) =
            (Arc::clone(&self.programs), proposal.trial(), scene.ctx().path().clone());
        let (library, name) = (self.library.clone(), proposal.name.clone());
        let input = Json::of(&program.digest().to_string())?;
        let step = work(move |_| {
            let (programs, program, place) = (Arc::clone(&programs), program.clone(), place.clone());
            let replaces = library.entry(&name).ok().map(|entry| entry.manifest.version);
            async move {
                let advance = programs.advance(&place, &program, &[], None).await?;
                Json::of(&Trial { advance, replaces })
            }
        });
        scene.ctx().effect(TEST, Effects::pure().halting(), input, step).await?.to()
    }

    async fn sign(&self, scene: &Scene<'_>, proposal: Proposal) -> Result<Json> {
        let (ctx, definition) = (scene.ctx(), &scene.agent().definition);
        let origin = Origin {
            run: ctx.run().to_string(),
            step: format!("{}:{}", ctx.segment(), ctx.path()),
            agent: definition.name.clone(),
            model: definition.model.clone(),
            at: ctx.now(),
        };
        // Where it comes from is no part of what is asked: a fork asks the same.
        let input = Json::of(&proposal)?;
        let library = self.library.clone();
        let step = work(move |_| {
            let (library, proposal, origin) = (library.clone(), proposal.clone(), origin.clone());
            async move { Json::of(&library.add(&proposal, &origin)?) }
        });
        ctx.effect(SIGN, Effects::new(Effect::Idempotent), input, step).await
    }
}

impl Routine for ProposeTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, scene: Scene<'a>) -> BoxFuture<'a, Result<Returned>> {
        async move {
            Ok(match self.propose(&scene).await? {
                Ok(output) => Returned::Output(output),
                Err(error) => Returned::Failed(error),
            })
        }
        .boxed()
    }
}

/// Reads a proposal that could be a tool.
fn read(scene: &Scene<'_>) -> Result<Proposal> {
    let proposal: Proposal = serde_json::from_value(scene.called().arguments.clone())
        .map_err(|error| Error::new(ErrorCode::ToolArguments, error.to_string()))?;
    proposal.check()?;
    Ok(proposal)
}
