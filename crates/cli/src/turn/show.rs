//! Shows the events of a run: the answer as data, everything else as talk.

use std::collections::HashMap;
use std::time::Duration;

use adjutant::Reply;
use adjutant::agent::Called;
use adjutant::agent::summary::{Step, Summary};
use adjutant_core::event::{Event, EventKind};
use adjutant_core::id::{CallId, RunId, StepKey};
use adjutant_core::message::{ToolCall, ToolResult};
use adjutant_core::time::Timestamp;

use crate::exit::Ended;
use crate::screen::markdown::Renderer;
use crate::screen::{Output, Style, bytes, clean, count, duration, first_line};

/// Shows the events of a run.
pub(crate) struct Show {
    output: Output,
    renderer: Renderer,
    /// What is on the screen of the text of a step that still goes on.
    streamed: Option<(StepKey, String)>,
    calls: HashMap<(RunId, CallId), Timestamp>,
    /// What the runs are called that the run waits for; what happens in them is shown under these names.
    children: HashMap<RunId, String>,
    /// When the run began by itself: what a fork shares with its original happened before.
    began: Timestamp,
    /// Whether text of an answer was shown.
    answered: bool,
    /// Whether text is shown as it comes.
    live: bool,
    /// Whether nothing is shown.
    silent: bool,
}

impl Show {
    /// Shows events. Text is shown as it comes only to a person: a program must not read half an answer that is then
    /// given up.
    pub(crate) fn new(output: Output) -> Self {
        let live = output.interactive && !output.json;
        let renderer = Renderer::new(output.width, output.data_colored);
        Self {
            output,
            renderer,
            streamed: None,
            calls: HashMap::new(),
            children: HashMap::new(),
            began: Timestamp::default(),
            answered: false,
            live,
            silent: false,
        }
    }

    /// Shows nothing of what happens.
    pub(crate) fn silent(output: Output) -> Self {
        Self { silent: true, ..Self::new(output) }
    }

    /// Counts the time of a call that a fork makes anew from the fork's own beginning, whenever the original made it.
    pub(crate) fn since(mut self, began: Timestamp) -> Self {
        self.began = began;
        self
    }

    /// Where it shows them.
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    /// Shows one event.
    pub(crate) fn event(&mut self, event: &Event) -> Ended<()> {
        if self.silent {
            return Ok(());
        }
        if let EventKind::ChildStarted { run, name } = &event.kind {
            let path = self.children.get(&event.run).map(|above| format!("{above} > {name}"));
            self.children.insert(run.clone(), path.unwrap_or_else(|| name.clone()));
        }
        if let Some(child) = self.children.get(&event.run) {
            // What it says is for the one that asked it; what it does is for whoever watches.
            let indent = format!("{}: ", self.output.painted(Style::Dim, child));
            return self.deed(event, &indent);
        }
        match &event.kind {
            EventKind::TextDelta { text, .. } if self.live => self.streams(event.step.as_ref(), text),
            EventKind::Reset { .. } if self.streamed.take().is_some() => {
                self.finish()?;
                self.output.aside("(the answer broke off; the model is asked again)");
                Ok(())
            }
            EventKind::ModelAnswered { message, .. } if self.live => {
                self.whole(event.step.as_ref(), &message.text())?;
                self.finish()
            }
            _ => self.deed(event, ""),
        }
    }

    /// Shows what a run does, behind a mark that says which one it is.
    fn deed(&mut self, event: &Event, mark: &str) -> Ended<()> {
        let text = match &event.kind {
            EventKind::Retrying { error, wait_ms } => format!(
                "{}; trying again in {}",
                first_line(error.message(), 300),
                duration(Duration::from_millis(*wait_ms))
            ),
            EventKind::ToolCalled(call) => return self.called(event, call, mark),
            EventKind::ModelProgress { text } => text.clone(),
            EventKind::ToolProgress { text, .. } => format!("     {}", first_line(text, 200)),
            EventKind::ToolAnswered(result) => self.returned(event, result),
            EventKind::LimitReached { limit } => {
                format!("the limit of {} is reached: one last turn without tools", limit.as_str())
            }
            EventKind::HandedOver { by, to } => format!("`{by}` hands the conversation over to `{to}`"),
            EventKind::Strategy { name, most_model_calls } => {
                format!("{name}: models are asked {} at most", count(*most_model_calls, "time"))
            }
            EventKind::Todo { done, open } => format!("to do: {}", to_do(done, open)),
            EventKind::Compacted { messages } => {
                format!("{} shortened to fit the model's window", count(*messages as u64, "message"))
            }
            EventKind::CancelRequested { reason } => format!("cancelled: {reason}"),
            EventKind::Paused { reason } => format!("paused: {reason}"),
            EventKind::Halted { error } => format!("halted: {error}"),
            EventKind::Resumed => "resumed".to_owned(),
            _ => return Ok(()),
        };
        self.finish()?;
        self.output.aside(&format!("{mark}{text}"));
        Ok(())
    }

    /// Ends the line that text is in.
    pub(crate) fn finish(&mut self) -> Ended<()> {
        let rest = self.renderer.finish();
        if rest.is_empty() { Ok(()) } else { self.output.data(&rest) }
    }

    /// Shows the answer, unless it is on the screen already.
    pub(crate) fn answer(&mut self, reply: &Reply) -> Ended<()> {
        if self.output.json || (self.live && self.answered) {
            return Ok(());
        }
        match self.live {
            true => self.text(&reply.text)?,
            false if reply.text.trim().is_empty() => {}
            false => self.output.foreign(&format!("{}\n", reply.text.trim_end()))?,
        }
        self.finish()
    }

    /// Shows a piece of a step's text.
    fn streams(&mut self, step: Option<&StepKey>, piece: &str) -> Ended<()> {
        let Some(step) = step else { return Ok(()) };
        match &mut self.streamed {
            Some((streaming, shown)) if streaming == step => shown.push_str(piece),
            _ => {
                self.finish()?;
                self.streamed = Some((step.clone(), piece.to_owned()));
            }
        }
        self.text(piece)
    }

    /// Shows what of a step's text is not on the screen yet: pieces are dropped where the step ends before they are
    /// read.
    fn whole(&mut self, step: Option<&StepKey>, text: &str) -> Ended<()> {
        let shown = self.streamed.take().filter(|(streaming, _)| Some(streaming) == step);
        match shown.as_ref().map(|(_, shown)| text.strip_prefix(shown.as_str())) {
            Some(Some(rest)) => self.text(rest),
            None => self.text(text),
            Some(None) => {
                self.finish()?;
                self.output.aside("(the text above is not the answer; this is:)");
                self.text(text)
            }
        }
    }

    fn text(&mut self, text: &str) -> Ended<()> {
        self.answered = true;
        let shown = self.renderer.push(text);
        self.output.data(&shown)
    }

    fn called(&mut self, event: &Event, call: &ToolCall, mark: &str) -> Ended<()> {
        self.finish()?;
        self.calls.insert((event.run.clone(), call.id.clone()), event.at);
        let name = self.output.painted(Style::Cyan, &clean(&call.name));
        let arguments = first_line(&call.arguments, self.output.width.saturating_sub(call.name.len() + 10));
        self.output.raw_talk(&format!("{mark}tool {name} {}\n", clean(&arguments)));
        Ok(())
    }

    fn returned(&mut self, event: &Event, result: &ToolResult) -> String {
        let called = self.calls.remove(&(event.run.clone(), result.call.clone()));
        let took = called.map(|called| took(called, event.at, self.began));
        let took = took.map_or_else(String::new, |took| format!(", {}", duration(took)));
        let text = result.as_text();
        match result.is_error {
            true => format!("  -> {} failed: {}", result.name, first_line(&text, 300)),
            false => format!("  -> {}: {}{took}", result.name, bytes(text.len())),
        }
    }
}

/// What is done and what is not, as one line.
pub(crate) fn to_do(done: &[String], open: &[String]) -> String {
    let marked = |mark: &'static str| move |what: &String| format!("[{mark}] {}", first_line(what, 80));
    let items: Vec<_> = done.iter().map(marked("x")).chain(open.iter().map(marked(" "))).collect();
    match items.as_slice() {
        [] => "nothing".to_owned(),
        items => items.join("  "),
    }
}

/// How long a call took that was answered at `answered`, in a run that began by itself at `began`.
fn took(called: Timestamp, answered: Timestamp, began: Timestamp) -> Duration {
    let is_own = answered >= began;
    answered.since(if is_own { called.max(began) } else { called })
}

/// A run that is over, in one line.
pub(crate) fn summary(reply: &Reply, summary: &Summary) -> String {
    let is_call = |step: &&Step| {
        step.kind == "effect" && Called::read(&step.input).is_ok_and(|called| called.resumed.is_none())
    };
    let cost = match &reply.cost {
        Some(cost) => cost.to_string(),
        None => "price unknown".to_owned(),
    };
    let open = reply.ending.as_ref().map(|ending| ending.open.join("; ")).unwrap_or_default();
    let open = if open.is_empty() { open } else { format!("; left open: {open}") };
    format!(
        "{} after {}, {}, {}, {cost}, {}{open}",
        reply.stop.describe(),
        count(u64::from(reply.turns), "turn"),
        count(summary.steps.iter().filter(is_call).count() as u64, "tool call"),
        count(reply.usage.total(), "token"),
        duration(summary.updated.since(summary.started))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_shown_as_one_line() {
        let items = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        assert_eq!(to_do(&items(&["lay\nthe plate"]), &items(&["eat"])), "[x] lay...  [ ] eat");
        assert_eq!(to_do(&[], &[]), "nothing");
    }

    #[test]
    fn a_call_that_a_fork_makes_anew_begins_with_the_fork() {
        let cases = [
            // In the original alone, in the fork alone, and begun in one and answered in the other.
            (1_000, 1_030, 9_000, 30),
            (9_005, 9_025, 9_000, 20),
            (1_000, 9_026, 9_000, 26),
        ];
        for (called, answered, began, expected) in cases {
            let took = took(Timestamp(called), Timestamp(answered), Timestamp(began));
            assert_eq!(took.as_millis(), expected, "{called} {answered} {began}");
        }
    }
}
