//! `adjutant chat`: a conversation.

use std::ops::ControlFlow::{self, Break, Continue};
use std::path::PathBuf;

use adjutant::{Adjutant, Run, Task};
use adjutant_core::Code;
use clap::Args;

use super::exchanges::Exchanges;
use super::run::{close, halted, leave, notice, print};
use super::terms::Terms;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit, Failure};
use crate::place;
use crate::screen::{Output, Table, clean, local_time, report};
use crate::turn::{Followed, Interrupt, Manners, People, Show, follow};

/// Talks with an agent. The conversation is recorded: the same session goes on where it was.
///
/// Ctrl-C cancels what the agent is doing and keeps the conversation; a second one, and one at the prompt, leaves. What is typed while the
/// agent works is heard at its next turn. Without a terminal each line of standard input is one message, never the
/// answer to a question: where a run asks for an approval, the conversation ends with exit code 3. With --json each reply
/// is one line.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    exchanges: Exchanges,
    /// List the newest conversations, and leave.
    #[arg(long)]
    sessions: bool,
}

/// How many conversations are listed.
const MOST_SESSIONS: usize = 20;

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let place = arguments.place.as_deref();
    let adjutant = place::open(place, shared)?;
    let recording = arguments.exchanges.begin(&adjutant.project(), output)?;
    if arguments.sessions {
        return list(&adjutant, output).await;
    }
    arguments.terms.check(&adjutant.project())?;
    let session = match &arguments.terms.session {
        Some(session) => session.clone(),
        None => adjutant.new_session()?.id().to_string(),
    };
    let project = place::typed(place, shared);
    let terms = arguments.terms.in_session(&session);
    let mut reception = Reception { adjutant: &adjutant, terms: &terms, output, agent: None };
    let with = match reception.known()? {
        Some(agent) => format!("{agent}, "),
        None => String::new(),
    };
    output.aside(&format!("{with}session {session}; an empty line or Ctrl-D leaves"));
    if let Some(title) = adjutant.session(session.as_str()).title().await? {
        output.aside(&format!("it goes on: {}", clean(&title)));
    }
    let mut people = People::new()?;
    let mut flow = open_turns(&adjutant, &session, &mut people, output, &project).await?;
    while flow.is_continue() {
        let message = tokio::select! {
            biased;
            interrupt = people.interrupts.next() => {
                flow = Break(interrupt.into());
                continue;
            }
            message = people.keyboard.message() => message?,
        };
        let Some(message) = message else { break };
        if message.trim().is_empty() {
            if people.is_terminal() {
                break;
            }
            continue;
        }
        let task = terms.task(message);
        let agent = reception.agent(&task).await?;
        let run = adjutant.start(agent, task).await?;
        flow = turn(&adjutant, &run, &mut people, output, &project).await?;
    }
    output.aside(&format!("to go on: adjutant chat --session {session}{project}"));
    recording.finish()?;
    let (Continue(exit) | Break(exit)) = flow;
    Ok(exit)
}

/// Who answers in a conversation: known from its beginning, or only when something was said.
struct Reception<'a> {
    adjutant: &'a Adjutant,
    terms: &'a Terms,
    output: Output,
    agent: Option<String>,
}

impl Reception<'_> {
    /// The agent, where it does not depend on what is said. Fails where nobody will answer.
    fn known(&mut self) -> Ended<Option<&str>> {
        match self.adjutant.choose(self.terms.agent.as_deref()) {
            Ok(agent) => self.meet(agent),
            Err(_) if self.terms.agent.is_none() && self.adjutant.routes() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.agent.as_deref())
    }

    /// The agent that is told this, and all that follows.
    async fn agent(&mut self, task: &Task) -> Ended<&str> {
        if self.agent.is_none() {
            let agent = super::run::agent(self.adjutant, None, task, self.output).await?;
            self.meet(agent);
        }
        Ok(self.agent.as_deref().unwrap_or_default())
    }

    fn meet(&mut self, agent: String) {
        notice(self.adjutant, &agent, self.output);
        self.terms.warn(self.adjutant, &agent, self.output);
        self.agent = Some(agent);
    }
}

/// Lists the conversations.
async fn list(adjutant: &Adjutant, output: Output) -> Ended {
    let sessions = adjutant.sessions(MOST_SESSIONS).await?;
    if output.json {
        output.json(&sessions)?;
        return Ok(Exit::Success);
    }
    if sessions.is_empty() {
        output.talk("there are no conversations yet");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["session", "agent", "turns", "last", "title"]);
    for session in &sessions {
        table.row([
            session.id.as_str(),
            &session.agent,
            &session.turns.to_string(),
            &local_time(session.updated),
            session.title.as_deref().unwrap_or_default(),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// How a turn ended, and whether the conversation ends with it: it does where the turn was left in the middle, since the
/// next would wait for it.
type Flow = ControlFlow<Exit, Exit>;

/// Goes on with turns that an earlier process left open: the next one waits for them.
async fn open_turns(
    adjutant: &Adjutant,
    session: &str,
    people: &mut People,
    output: Output,
    project: &str,
) -> Ended<Flow> {
    let mut flow = Continue(Exit::Success);
    for open in adjutant.session(session).turns().await?.iter().filter(|turn| turn.outcome.is_none()) {
        output.aside(&format!("run {} of this session is not over; it goes on", open.run));
        let run = adjutant.handle(&open.run);
        flow = turn(adjutant, &run, people, output, project).await?;
        if flow.is_break() {
            break;
        }
    }
    Ok(flow)
}

/// One turn. An error of the run is told and does not end the conversation.
async fn turn(
    adjutant: &Adjutant,
    run: &Run,
    people: &mut People,
    output: Output,
    project: &str,
) -> Ended<Flow> {
    let manners = if people.is_terminal() { Manners::Converse } else { Manners::Watch };
    let mut show = Show::new(output);
    let mut updates = run.drive();
    let mut followed = follow(adjutant, run, &mut updates, &mut show, people, manners).await?;
    if followed == Followed::Interrupted(Interrupt::Key) {
        match run.cancel("the person pressed Ctrl-C").await {
            // It came to its end at that moment.
            Err(error) if error.code() == Code::Conflict => {}
            cancelled => cancelled?,
        }
        followed = follow(adjutant, run, &mut updates, &mut show, people, Manners::Watch).await?;
    }
    leave(updates, people).await?;
    let closed = match followed {
        // It is cancelled below, so nobody is told how it could go on.
        Followed::Halted => Err(Failure::of_run(halted(run).await?)),
        followed => close(adjutant, run, followed, &mut show, project).await,
    };
    if output.json {
        print(run, &closed, output).await?;
    }
    if followed == Followed::Halted {
        // The conversation goes on; what was asked can be asked again.
        run.cancel("the turn could not be finished").await?;
        let mut rest = run.drive();
        follow(adjutant, run, &mut rest, &mut Show::silent(output), people, Manners::Watch).await?;
        rest.stop().await?;
    }
    match closed {
        Ok(exit) if exit == Exit::Waiting || matches!(followed, Followed::Interrupted(_)) => Ok(Break(exit)),
        Ok(exit) => Ok(Continue(exit)),
        Err(Failure::ReaderGone) => Err(Failure::ReaderGone),
        Err(failure) => {
            failure.errors().iter().for_each(|error| output.raw_talk(&report(error, output.talk_colored)));
            Ok(Continue(failure.exit()))
        }
    }
}
