//! What the counter must show at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::counter::{Line, What};
use crate::plan::{self, Tool};

/// A run that has ended.
pub(crate) struct Finished {
    pub(crate) run: String,
    pub(crate) answer: String,
}

/// Somebody said that a step be done again, so often.
pub(crate) type Retries = BTreeMap<(String, String), usize>;

/// Everything that the counter shows to be wrong with these runs; empty where nothing is.
pub(crate) fn faults(lines: &[Line], finished: &[Finished], retries: &Retries) -> Vec<String> {
    let mut faults = strangers(lines, finished);
    faults.extend(shared_keys(lines));
    for run in finished {
        let mut keys = Vec::new();
        for (number, tool) in plan::calls().into_iter().enumerate() {
            let of_call: Vec<&Line> =
                lines.iter().filter(|line| line.run == run.run && line.number == number).collect();
            let call = format!("run {}, call {number} ({})", run.run, tool.name());
            keys.push(of_call.first().map_or("none", |line| line.key.as_str()));
            faults.extend(
                faults_of_call(&of_call, tool, retries).into_iter().map(|fault| format!("{call}: {fault}")),
            );
        }
        let expected = plan::expected(keys);
        if run.answer != expected {
            faults.push(format!("run {}: the answer is `{}`, and not `{expected}`", run.run, run.answer));
        }
    }
    faults
}

fn faults_of_call(lines: &[&Line], tool: Tool, retries: &Retries) -> Vec<String> {
    let mut faults = Vec::new();
    let count = |what| lines.iter().filter(|line| line.what == what).count();
    let (begun, done) = (count(What::Begun), count(What::Done));
    let keys: BTreeSet<&str> = lines.iter().map(|line| line.key.as_str()).collect();
    if keys.len() > 1 {
        faults.push(format!("it was made under the keys {keys:?}"));
    }
    if let Some(other) = lines.iter().find(|line| line.tool != tool) {
        faults.push(format!("the tool `{}` was called instead", other.tool.name()));
    }
    if done == 0 {
        faults.push("it never happened".to_owned());
    }
    if tool == Tool::Pay {
        let allowed = 1 + lines
            .first()
            .and_then(|line| retries.get(&(line.run.clone(), line.step.clone())))
            .copied()
            .unwrap_or_default();
        if begun > allowed {
            faults.push(format!("it was begun {begun} times, and allowed {allowed} times"));
        }
        // A retry was only ever said where it had not happened.
        if done > 1 {
            faults.push(format!("it happened {done} times"));
        }
    }
    faults
}

/// Effects of runs that nobody knows, and calls that no plan has.
fn strangers(lines: &[Line], finished: &[Finished]) -> Vec<String> {
    let known: BTreeSet<&str> = finished.iter().map(|run| run.run.as_str()).collect();
    let calls = plan::calls().len();
    let is_strange = |line: &&Line| !known.contains(line.run.as_str()) || line.number >= calls;
    lines.iter().filter(is_strange).map(|line| format!("nobody asked for {line:?}")).collect()
}

/// Keys under which more than one call was made.
fn shared_keys(lines: &[Line]) -> Vec<String> {
    let mut calls: BTreeMap<&str, BTreeSet<(&str, usize)>> = BTreeMap::new();
    for line in lines {
        calls.entry(&line.key).or_default().insert((&line.run, line.number));
    }
    let shared = calls.iter().filter(|(_, calls)| calls.len() > 1);
    shared.map(|(key, calls)| format!("the key {key} is that of {calls:?}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: What, number: usize) -> Line {
        Line {
            what,
            cli: 1,
            process: 10,
            run: "r".into(),
            step: format!("/step#{number}"),
            key: format!("k{number}"),
            tool: plan::calls().get(number).copied().unwrap_or(Tool::Look),
            number,
        }
    }

    /// A run in which everything went well.
    fn good() -> (Vec<Line>, Finished) {
        let lines =
            (0..20).flat_map(|number| [line(What::Begun, number), line(What::Done, number)]).collect();
        let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
        let answer = plan::expected(keys.iter().map(String::as_str));
        (lines, Finished { run: "r".into(), answer })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<Line>, &mut Finished, &mut Retries), expected: &[&str]) {
        let (mut lines, mut run) = good();
        let mut retries = Retries::new();
        change(&mut lines, &mut run, &mut retries);
        let found = faults(&lines, &[run], &retries);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} does not contain {expected}");
        }
    }

    #[test]
    fn what_went_well_has_no_faults() {
        check(|_, _, _| {}, &[]);
        // The second call may be repeated.
        check(|lines, _, _| lines.extend([line(What::Begun, 1), line(What::Done, 1)]), &[]);
        // A payment that had begun and not happened, and was begun again by a person.
        check(
            |lines, _, retries| {
                lines.push(line(What::Begun, 2));
                retries.insert(("r".into(), "/step#2".into()), 1);
            },
            &[],
        );
    }

    #[test]
    fn a_payment_that_was_made_twice_is_found() {
        let twice = |lines: &mut Vec<Line>| lines.extend([line(What::Begun, 2), line(What::Done, 2)]);
        check(
            |lines, _, _| twice(lines),
            &["it was begun 2 times, and allowed 1 times", "it happened 2 times"],
        );
        check(
            |lines, _, retries| {
                twice(lines);
                retries.insert(("r".into(), "/step#2".into()), 1);
            },
            &["it happened 2 times"],
        );
        check(|lines, _, _| lines.push(line(What::Begun, 2)), &["it was begun 2 times"]);
    }

    #[test]
    fn what_is_lost_or_changed_is_found() {
        check(
            |lines, _, _| lines.retain(|there| *there != line(What::Done, 1)),
            &["call 1 (note): it never happened"],
        );
        check(
            |lines, _, _| lines.push(Line { key: "other".into(), ..line(What::Done, 1) }),
            &["it was made under the keys"],
        );
        check(
            |lines, _, _| lines.push(Line { tool: Tool::Look, ..line(What::Done, 1) }),
            &["the tool `look` was called instead"],
        );
        check(|_, run, _| run.answer.push('!'), &["the answer is"]);
        check(|lines, _, _| lines.push(line(What::Begun, 20)), &["nobody asked for"]);
        check(
            |lines, _, _| lines.push(Line { run: "ghost".into(), key: "g".into(), ..line(What::Done, 1) }),
            &["nobody asked for"],
        );
        check(
            |lines, _, _| {
                for line in lines.iter_mut().filter(|line| line.number == 3) {
                    line.key = "k1".into();
                }
            },
            &["the key k1 is that of", "the answer is"],
        );
    }
}
