//! Tree search: several lines of work at a time, of which the best go on.
//!
//! After Yao et al., *Tree of Thoughts: Deliberate Problem Solving with Large Language Models* (2023): level by level, with a beam.

use adjutant_agent::definition::{Over, Strategy, Tree};
use adjutant_agent::workflow::{Item, Stage, is_failure};
use adjutant_core::{Code, Result};
use serde_json::Value;

use super::Itself;
use crate::pattern::{Fan, Join, parallel};

/// Grows lines of work, and answers with the best of them.
pub(super) async fn tree(agent: &Itself, task: &Item, settings: Tree) -> Result<Item> {
    let mut search = Search { agent, task, settings, lines: vec![Line::default()], said: Item::default() };
    // Half of the limits is for the answer.
    agent.0.expect(2);
    let part = agent.0.part()?;
    let searched = search.grow(&part).await;
    agent.0.settle(&part);
    match searched {
        Ok(()) => {}
        Err(error) if is_failure(&error) || error.code() == Code::RunLimit => {}
        Err(error) => return Err(error),
    }
    search.answer().await
}

/// A search, as far as it has come.
struct Search<'a> {
    agent: &'a Itself,
    task: &'a Item,
    settings: Tree,
    /// The best lines, the very best first.
    lines: Vec<Line>,
    /// What has decided which these are.
    said: Item,
}

/// A line of work, as far as it has come.
#[derive(Clone, Default)]
struct Line {
    steps: Vec<Step>,
    score: f64,
    /// Whether nothing is left to be worked out.
    solves: bool,
}

#[derive(Clone)]
struct Step {
    what: Item,
    /// What came of it, where it was done.
    result: Option<Item>,
}

impl Search<'_> {
    /// Grows the lines level by level, until one of them solves the task or there is no room for another level.
    async fn grow(&mut self, part: &Stage) -> Result<()> {
        for _ in 0..self.settings.depth {
            let level = part.scope("level").under([&self.said]);
            let widths = self.widths(part.model_calls());
            let ways = self.propose(&level, &widths).await?;
            let tried = self.attempt(&level, ways).await?;
            let (lines, scores): (Vec<Line>, Vec<Item>) = tried.into_iter().unzip();
            let failures = part.failures();
            self.said = Item::made_of(Value::Null, scores.iter().chain([&self.said, &failures]));
            let best = best(lines, self.settings.keep as usize);
            let Some(first) = best.first() else { break };
            let is_solved = first.solves;
            self.lines = best;
            if is_solved {
                break;
            }
        }
        Ok(())
    }

    /// In how many ways each line may go on, where models were asked so often before.
    fn widths(&self, asked: u64) -> Vec<u32> {
        let left = self.settings.calls.map(|calls| u64::from(calls).saturating_sub(asked));
        // What one run of the agent takes at most stands in its own limits.
        let name = &self.agent.0.definition().name;
        let itself = self.agent.0.definition().agents.iter().find(|asked| asked.definition.name == *name);
        let each = itself.and_then(|itself| itself.definition.most_model_calls()).unwrap_or(u64::MAX);
        let (to_propose, branch) = (self.settings.most_to_propose(), self.settings.most_for_a_branch(each));
        widths(left, self.lines.len(), self.settings.width, (to_propose, branch))
    }

    /// Finds in which ways the lines could go on.
    async fn propose(&self, level: &Stage, widths: &[u32]) -> Result<Vec<Line>> {
        let lines = self.lines.iter().zip(widths).filter(|(_, width)| **width > 0);
        let branches = lines.map(|(line, width)| {
            move |stage: Stage| async move {
                let asked = format!("{}\n\nName {width} ways to go on, or fewer.", self.so_far(line));
                let known: Vec<&Item> = self.knows(line).collect();
                let ways =
                    unless_over(self.agent.as_helper(&stage, Strategy::PROPOSER, asked, &known)).await?;
                Ok(ways.map(|ways| line.going_on(&ways, *width as usize)))
            }
        });
        let found = parallel(level, Fan::join(Join::Rest(0)), branches).await?;
        Ok(found.into_iter().flatten().flatten().flatten().collect())
    }

    /// Goes each of these ways one step, and has it said how far that comes.
    async fn attempt(&self, level: &Stage, ways: Vec<Line>) -> Result<Vec<(Line, Item)>> {
        let branches = ways
            .into_iter()
            .map(|line| move |stage: Stage| async move { unless_over(self.attempt_one(&stage, line)).await });
        let tried = parallel(level, Fan::join(Join::Rest(0)), branches).await?;
        Ok(tried.into_iter().flatten().flatten().collect())
    }

    async fn attempt_one(&self, stage: &Stage, mut line: Line) -> Result<(Line, Item)> {
        if self.settings.over == Over::Actions {
            let what = line.steps.last().map(|step| step.what.text()).unwrap_or_default();
            let asked = format!("{}\n\nDo this step now, and nothing else of it: {what}", self.so_far(&line));
            let known: Vec<&Item> = self.knows(&line).collect();
            let result = self.agent.does(stage, asked, &known).await?;
            if let Some(step) = line.steps.last_mut() {
                step.result = Some(result);
            }
        }
        let known: Vec<&Item> = self.knows(&line).collect();
        let score = self.agent.as_helper(stage, Strategy::SCORER, self.so_far(&line), &known).await?;
        let number = score.value.get("score").and_then(Value::as_f64).unwrap_or_default();
        line.score = number.clamp(0.0, 1.0);
        line.solves = score.value.get("solves").and_then(Value::as_bool).unwrap_or_default();
        Ok((line, score))
    }

    /// Answers with the best line. Where nothing is left of the limits, that line itself is the answer.
    async fn answer(&self) -> Result<Item> {
        let stage = self.agent.0.scope("answer").under([&self.said]);
        let Some(line) = self.lines.first().filter(|line| !line.steps.is_empty()) else {
            return self.agent.does(&stage, self.task.text(), &[self.task]).await;
        };
        let asked = format!("{}\n\nNow answer the task, along this line of work.", self.so_far(line));
        let known: Vec<&Item> = self.knows(line).collect();
        match self.agent.does(&stage, asked, &known).await {
            Err(error) if self.agent.0.is_over(&error) && self.agent.0.definition().output.is_none() => {
                Ok(Item::made_of(line.text(), known).influenced_by([&self.said]))
            }
            answered => answered,
        }
    }

    fn knows<'s>(&'s self, line: &'s Line) -> impl Iterator<Item = &'s Item> {
        let steps = line.steps.iter().flat_map(|step| [&step.what].into_iter().chain(&step.result));
        [self.task].into_iter().chain(steps)
    }

    /// The task, and how far a line of work on it has come.
    fn so_far(&self, line: &Line) -> String {
        match line.steps.is_empty() {
            true => format!("The task:\n{}", self.task.text()),
            false => format!("The task:\n{}\n\nThe work so far:\n{}", self.task.text(), line.text()),
        }
    }
}

impl Line {
    /// The line, once for each of these ways in which it could go on.
    fn going_on(&self, ways: &Item, most: usize) -> Vec<Self> {
        let found = ways.value.get("ways").and_then(Value::as_array).into_iter().flatten();
        let found = found.filter_map(Value::as_str).filter(|way| !way.trim().is_empty()).take(most);
        let longer = |way: &str| {
            let mut line = self.clone();
            line.steps.push(Step { what: ways.part(way), result: None });
            line
        };
        found.map(longer).collect()
    }

    fn text(&self) -> String {
        let lines = self.steps.iter().zip(1..).map(|(step, number)| {
            let result = step.result.as_ref().map(|result| format!("\n{}", result.text()));
            format!("{number}. {}{}", step.what.text(), result.unwrap_or_default())
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Waits for some work; none where a limit of the run has ended it.
async fn unless_over<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    match work.await {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.code() == Code::RunLimit => Ok(None),
        Err(error) => Err(error),
    }
}

/// The best lines, the very best first; of equals the first. What leads nowhere is not kept.
fn best(mut lines: Vec<Line>, keep: usize) -> Vec<Line> {
    lines.retain(|line| line.solves || line.score > 0.0);
    lines.sort_by(|one, other| other.solves.cmp(&one.solves).then(other.score.total_cmp(&one.score)));
    lines.truncate(keep);
    lines
}

/// In how many ways each of so many lines may go on, the best first, where so many calls are left: `to_propose` is what it takes at
/// most to find ways, `branch` what each of them takes.
fn widths(left: Option<u64>, lines: usize, width: u32, (to_propose, branch): (u64, u64)) -> Vec<u32> {
    let Some(mut left) = left else { return vec![width; lines] };
    let mut share = || {
        let fit = left.saturating_sub(to_propose).checked_div(branch).unwrap_or_default();
        let fit = u32::try_from(fit).unwrap_or(u32::MAX).min(width);
        if fit > 0 {
            left = left.saturating_sub(to_propose + u64::from(fit) * branch);
        }
        fit
    };
    (0..lines).map(|_| share()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_go_to_the_best_lines_first() {
        assert_eq!(widths(None, 2, 3, (4, 4)), [3, 3]);
        assert_eq!(widths(Some(16), 2, 3, (4, 4)), [3, 0]);
        assert_eq!(widths(Some(25), 2, 3, (4, 4)), [3, 1]);
        assert_eq!(widths(Some(7), 2, 3, (4, 4)), [0, 0]);
        assert_eq!(widths(Some(u64::MAX), 1, 3, (4, u64::MAX)), [0]);
    }

    #[test]
    fn the_best_lines_are_kept_and_none_that_lead_nowhere() {
        let line = |score, solves| Line { score, solves, ..Line::default() };
        let kept = |lines: Vec<Line>| -> Vec<(f64, bool)> {
            best(lines, 2).iter().map(|line| (line.score, line.solves)).collect()
        };
        assert_eq!(
            kept(vec![line(0.2, false), line(0.9, false), line(0.5, false)]),
            [(0.9, false), (0.5, false)]
        );
        assert_eq!(kept(vec![line(0.9, false), line(0.1, true)]), [(0.1, true), (0.9, false)]);
        assert_eq!(kept(vec![line(0.0, false)]), []);
    }
}
