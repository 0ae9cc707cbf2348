//! `adjutant policy generate`: policies out of plain words, by a model.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant::policy::cedar::{File, Mode, Policies, Problem, Schema};
use adjutant::{Adjutant, Agent, Session};
use adjutant_core::{Code, Error, Result};
use cedar_policy::{Effect, SchemaFragment};
use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::commands::run::halted;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::prove::{MISSING, Solver, illustrate, in_words, outcome};
use crate::screen::Output;
use crate::turn::{Followed, Manners, People, Show, follow};

/// What the model is told, before the schema.
const INSTRUCTIONS: &str = "\
You write access policies in Cedar for agents that call tools. Answer with one code block of Cedar and nothing else. Use only \
what the schema declares. Whatever no policy permits is denied, and a forbid wins over every permit, so permit no more than \
was asked for. Give each policy an `@id` of a few words joined by `-`, and a `@reason` for the operator. `@ask(\"why\")` on a \
permit means that a person must agree first; on a forbid, that a person may lift it. An attribute that the schema marks with `?` \
must be tested with `has` before it is read. `context.session.today.TOOL` counts the calls of the last 24 hours, \
`context.session.sum.TOOL.ARGUMENT` is the sum of an argument over the calls of the session with this one, \
`context.session.seen.TOOL.ARGUMENT` has the values of earlier calls. `trusted` is whether the value came from the user.

Example: at most three refunds a day, and a person agrees to those over 100.
```cedar
@id(\"small-refunds\")
@reason(\"three refunds a day of at most 100\")
permit (principal, action == Action::\"refund\", resource)
when { context.session.today.refund < 3 && context.arguments.amount.value <= 100 };

@id(\"large-refunds\")
@ask(\"a refund of more than 100\")
permit (principal, action == Action::\"refund\", resource)
when { context.session.today.refund < 3 && context.arguments.amount.value > 100 };
```

Example: mail never goes to an address that did not come from the user.
```cedar
@id(\"known-recipients\")
@reason(\"the recipient of a mail must come from the user\")
forbid (principal, action == Action::\"send_mail\", resource)
unless { context.arguments.to.trusted };
```
";

/// The most tokens of an answer: a model that thinks first needs more of them than the policies have.
const MOST_TOKENS: u32 = 8_000;

/// How long the solver may look for one example.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes policies for what is said in plain words, by a model. They are checked against the schema of the project, shown with a
/// request that they allow and one that they deny, and never put in force: that is moving the file, which a person does.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What is to be allowed or forbidden.
    #[arg(value_name = "WORDS")]
    words: String,
    /// The model: a role, or an id.
    #[arg(long, value_name = "MODEL", default_value = "main")]
    model: String,
    /// Write them into this new file, which is in force only once it is moved into `policies`: for example
    /// `policies/proposed/refunds.cedar`.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    if let Some(path) = &arguments.output {
        refuse_active(path, &project.folder().join("policies"))?;
    }
    let schema = project.policy_schema();
    let model = project.models().get(&arguments.model)?;
    let adjutant = Adjutant::of(project)?;
    let author = Author::new(&adjutant, &arguments.model, &schema)?;
    let (text, policies) = match author.written(&schema, &arguments.words, output).await? {
        Ok(written) => written,
        Err(exit) => return Ok(exit),
    };
    let mut solver = Solver::find(PATIENCE);
    if solver.is_none() {
        output.talk(&format!("note: {MISSING}; the examples are made up and decided"));
    }
    let judged = judging(&text, &policies, &schema)?;
    let found = illustrate(&judged, solver.as_mut()).await?;
    if let Some(path) = &arguments.output {
        write(path, &text)?;
    }
    let decided = |request: &adjutant::policy::Request| judged.decide(request);
    if output.json {
        let shown = |request: &Option<adjutant::policy::Request>| {
            request.as_ref().map(|request| json!({ "request": request, "verdict": decided(request) }))
        };
        output.json(&json!({
            "policies": text,
            "model": model.id(),
            "allowed": shown(&found.allowed),
            "denied": shown(&found.denied),
            "file": arguments.output,
        }))?;
        return Ok(Exit::Success);
    }
    output.foreign(&text)?;
    for (word, request) in [("allow", &found.allowed), ("deny", &found.denied)] {
        let Some(request) = request else {
            output.line(&format!("\nno request was found that they would {word}"))?;
            continue;
        };
        let verdict = decided(request);
        output.foreign(&format!("\nwould {}: {}\n", outcome(&verdict.outcome), verdict.reason))?;
        for line in in_words(request) {
            output.foreign(&format!("  {line}\n"))?;
        }
    }
    match &arguments.output {
        Some(path) => output.talk(&format!("written to {}; it is not in force", path.display())),
        None => output.talk("nothing is written or in force; `--output FILE` keeps it"),
    }
    Ok(Exit::Success)
}

/// The agent that writes policies. Its runs are the project's, so they count in its budget for the day and stand among its runs.
struct Author<'a> {
    adjutant: &'a Adjutant,
    agent: Agent,
    session: Session,
}

impl<'a> Author<'a> {
    fn new(adjutant: &'a Adjutant, model: &str, schema: &Schema) -> Result<Self> {
        let agent = Agent::new("policy-generate")
            .model(model)
            // What the schema holds is no template.
            .instructions("{{ guide }}")
            .variable("guide", format!("{INSTRUCTIONS}\nThe schema:\n```\n{}\n```\n", told(schema)?))
            .max_output_tokens(MOST_TOKENS);
        Ok(Self { adjutant, agent, session: adjutant.new_session()? })
    }

    /// What the model writes, checked; with what is wrong it is asked once more. How the command ends instead where somebody
    /// interrupts it.
    async fn written(
        &self,
        schema: &Schema,
        words: &str,
        output: Output,
    ) -> Ended<std::result::Result<(String, Policies), Exit>> {
        let mut said = words.to_owned();
        let mut problems = Vec::new();
        for _ in 0..2 {
            let answer = match self.ask(&said, output).await? {
                Ok(answer) => answer,
                Err(exit) => return Ok(Err(exit)),
            };
            let text = cedar_of(&answer);
            match read(&text, schema) {
                Ok(policies) if policies.places().next().is_some() => return Ok(Ok((text, policies))),
                Ok(_) => {
                    let place = Problem {
                        file: "the answer".to_owned(),
                        line: 1,
                        column: 1,
                        message: "there is no policy".to_owned(),
                        help: None,
                    };
                    problems = vec![place];
                }
                Err(found) => problems = found,
            }
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            said = format!("This is not valid:\n{}\nWrite all of it once more, corrected.", told.join("\n"));
        }
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        Err(Error::new(Code::ModelAnswerInvalid, format!("the model wrote no valid policies: {first}"))
            .with_help("say it more exactly, or name another model with `--model`")
            .into())
    }

    /// What the model answers. A run that does not come to its end by itself is ended: nobody goes on with it later.
    async fn ask(&self, said: &str, output: Output) -> Ended<std::result::Result<String, Exit>> {
        let run = self.session.start(&self.agent, said).await?;
        let (mut show, mut people) = (Show::silent(output), People::new()?);
        let mut updates = run.drive();
        let followed =
            follow(self.adjutant, &run, &mut updates, &mut show, &mut people, Manners::Watch).await;
        updates.stop().await?;
        let (why, exit) = match followed? {
            Followed::Ended => return Ok(Ok(run.reply().await?.text)),
            Followed::Interrupted(interrupt) => (None, Exit::from(interrupt)),
            Followed::Halted => (Some(halted(&run).await?), Exit::Failure),
            Followed::Waiting | Followed::Paused | Followed::Behind => {
                let message = "the policies of the project ask a person before this model may be asked";
                (Some(Error::new(Code::Conflict, message)), Exit::Failure)
            }
        };
        run.cancel("no policies were written").await?;
        // It ends as cancelled, which is no news.
        drop(run.reply().await);
        match why {
            Some(why) => Err(Failure::of_run(why)),
            None => Ok(Err(exit)),
        }
    }
}

/// The schema in Cedar's own words.
fn told(schema: &Schema) -> Result<String> {
    let failed = |error: String| Error::new(Code::Internal, format!("the schema cannot be written: {error}"));
    let read = SchemaFragment::from_json_value(schema.cedar(&Default::default()));
    let fragment = read.map_err(|error| failed(error.to_string()))?;
    fragment.to_cedarschema().map_err(|error| failed(error.to_string()))
}

/// The code in an answer: what stands between fences, otherwise all of it.
fn cedar_of(answer: &str) -> String {
    let code = answer.split_once("```").map(|(_, rest)| rest.split_once('\n').map_or(rest, |(_, code)| code));
    let code = code.map(|code| code.split_once("```").map_or(code, |(code, _)| code));
    format!("{}\n", code.unwrap_or(answer).trim())
}

fn read(text: &str, schema: &Schema) -> std::result::Result<Policies, Vec<Problem>> {
    let file = File { name: "the answer".to_owned(), text: text.to_owned() };
    Policies::parse(&[file], Mode::Enforce, schema)
}

/// The policies as they show what they do: forbids alone deny everything, so all else is permitted beside them.
fn judging(text: &str, policies: &Policies, schema: &Schema) -> Ended<Policies> {
    let permits = policies.set().policies().any(|policy| policy.effect() == Effect::Permit);
    let beside = if permits { "" } else { "@id(\"all else\") permit (principal, action, resource);" };
    let problems = |problems: Vec<Problem>| problems.into_iter().map(Error::from).collect::<Vec<_>>();
    Ok(read(&format!("{text}{beside}"), schema).map_err(problems)?)
}

/// Refuses a file that would be in force where it is written.
fn refuse_active(path: &Path, active: &Path) -> Result<()> {
    let full = |path: &Path| std::fs::canonicalize(path).ok();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if full(parent).is_some_and(|parent| full(active) == Some(parent)) {
        let name = path.file_name().unwrap_or_default().display().to_string();
        return Err(Error::new(Code::InputInvalid, "what a model writes is not put in force by itself")
            .with_help(format!(
                "write it elsewhere, for example `policies/proposed/{name}`, and look at it"
            )));
    }
    if path.exists() {
        return Err(Error::new(Code::Conflict, format!("there is `{}` already", path.display()))
            .with_help("name a new file"));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = || -> std::io::Result<()> {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::File::create_new(path)?.write_all(text.as_bytes())
    };
    written().map_err(|error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be written", path.display())).caused_by(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_answer_is_taken() {
        for (answer, code) in [
            ("permit (principal, action, resource);", "permit (principal, action, resource);\n"),
            ("Here:\n```cedar\nforbid (a);\n```\nDone.", "forbid (a);\n"),
            ("```\nforbid (a);", "forbid (a);\n"),
        ] {
            assert_eq!(cedar_of(answer), code, "{answer}");
        }
    }
}
