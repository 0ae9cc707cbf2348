//! The outside: who kills the program, and the person who is asked what came of an effect.

use std::collections::BTreeSet;
use std::io::PipeReader;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::counter::What;
use crate::project::{Cli, Project, wait_for};
use crate::verdict::Retries;

/// How long a command may take that nobody kills.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a command is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// When the program is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    Never,
    /// So long after its start.
    After(Duration),
    /// So long after its tools have written so many lines; at the latest after two seconds.
    Lines(usize, Duration),
}

/// How a command came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    Exited(i32),
}

/// What the kills hit, and what people said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Kills before the program had said that the run was recorded.
    pub(crate) before_word: usize,
    /// Kills while a tool was at work and had had no effect yet.
    pub(crate) amid_tool: usize,
    /// Tools that were killed with the program before they had an effect.
    pub(crate) tools_killed: usize,
    /// Tools that had their effect though the program was dead.
    pub(crate) tools_outlived: usize,
    /// Unknown outcomes of which a person said that they had happened.
    pub(crate) happened: usize,
    /// Unknown outcomes of which a person said that they be tried again.
    pub(crate) retried: usize,
}

/// What all lanes share.
pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) kills: AtomicUsize,
    /// Pipes of programs that were killed: each ends when the last tool of its program is gone.
    graves: Mutex<Vec<PipeReader>>,
    /// Runs that the program has said to be recorded.
    pub(crate) acknowledged: Mutex<BTreeSet<String>>,
    pub(crate) retries: Mutex<Retries>,
    /// Runs that a person is deciding about: one person for each.
    deciding: Mutex<BTreeSet<String>>,
    pub(crate) faults: Mutex<Vec<String>>,
    pub(crate) tally: Mutex<Tally>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(project: Project) -> Self {
        Self {
            project,
            kills: AtomicUsize::new(0),
            graves: Mutex::default(),
            acknowledged: Mutex::default(),
            retries: Mutex::default(),
            deciding: Mutex::default(),
            faults: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    pub(crate) fn fault(&self, what: String) {
        lock(&self.faults).push(what);
    }

    /// Runs the program until it ends or is killed, its tools with it or not.
    pub(crate) fn live(&self, arguments: &[&str], death: Death, tools_die: bool) -> (End, Cli) {
        let mut cli = self.project.start(arguments);
        let born = Instant::now();
        let mut due = match death {
            Death::Never => born + PATIENCE,
            Death::After(delay) => born + delay,
            Death::Lines(..) => born + Duration::from_secs(2),
        };
        let mut lines_left = matches!(death, Death::Lines(..));
        let end = loop {
            if let Some(status) = cli.ended() {
                break exited(status);
            }
            if let Death::Lines(lines, delay) = death
                && lines_left
                && self.project.counter.count(cli.number) >= lines
            {
                (lines_left, due) = (false, Instant::now() + delay);
            }
            if Instant::now() >= due {
                break self.kill(&mut cli, tools_die);
            }
            std::thread::sleep(LOOK);
        };
        let acknowledged = cli.acknowledged();
        match end {
            End::Killed if matches!(death, Death::Never) => {
                self.fault(format!("{arguments:?} had not ended after {PATIENCE:?}: {}", cli.talk()));
            }
            End::Killed if acknowledged.is_none() && arguments.first() == Some(&"run") => {
                lock(&self.tally).before_word += 1;
            }
            End::Exited(code) if code != 0 && code != 3 => {
                self.fault(format!("{arguments:?} ended with {code}: {}", cli.talk()));
            }
            _ => {}
        }
        lock(&self.acknowledged).extend(acknowledged);
        (end, cli)
    }

    fn kill(&self, cli: &mut Cli, tools_die: bool) -> End {
        lock(&self.graves).extend(cli.gone.take());
        cli.child.kill().expect("the program can be killed");
        let status = cli.child.wait().expect("the program is gone");
        if status.signal() != Some(Signal::KILL.as_raw()) {
            return exited(status);
        }
        self.kills.fetch_add(1, Ordering::Relaxed);
        let counter = &self.project.counter;
        let lines = counter.lines(|line| line.cli == cli.number);
        let at_work: Vec<i32> = lines
            .iter()
            .filter(|line| line.what == What::Begun)
            .map(|line| line.process)
            .filter(|process| !lines.iter().any(|line| line.what == What::Done && line.process == *process))
            .collect();
        let mut tally = lock(&self.tally);
        tally.amid_tool += usize::from(!at_work.is_empty());
        if !tools_die {
            tally.tools_outlived += at_work.len();
        } else {
            for group in at_work.into_iter().filter_map(Pid::from_raw) {
                // It may just have ended by itself.
                tally.tools_killed += usize::from(kill_process_group(group, Signal::KILL).is_ok());
            }
        }
        End::Killed
    }

    /// Waits until no tool is left of a program that was killed.
    pub(crate) fn bury(&self) {
        // Held to the end, so that nobody takes the graves for empty meanwhile.
        lock(&self.graves).drain(..).for_each(wait_for);
    }

    /// Says of all effects of a run whose outcome is not known what the counter knows of them.
    pub(crate) fn resolve(&self, run: &str, mut chance: impl FnMut() -> (Death, bool)) {
        if !lock(&self.deciding).insert(run.to_owned()) {
            return;
        }
        let shown = self.project.json(&["runs", "show", run]);
        // In any other state somebody is at it, or an answer is under way that the program was killed after.
        if shown["info"]["state"] == "waiting" {
            // Before it is known that nothing more can happen, nobody knows what did.
            self.bury();
            for step in unknown(&shown) {
                let (death, tools_die) = chance();
                if self.resolve_step(run, &step, death, tools_die) == End::Killed {
                    break;
                }
            }
        }
        lock(&self.deciding).remove(run);
    }

    fn resolve_step(&self, run: &str, step: &str, death: Death, tools_die: bool) -> End {
        let is_it =
            |line: &crate::counter::Line| line.run == run && line.step == step && line.what == What::Done;
        let resolve = ["runs", "resolve", run, step];
        match self.project.counter.lines(is_it).first() {
            Some(line) => {
                lock(&self.tally).happened += 1;
                let result = json!({ "receipt": line.key }).to_string();
                self.live(&[&resolve[..], &["--happened", &result]].concat(), death, tools_die).0
            }
            None => {
                lock(&self.tally).retried += 1;
                *lock(&self.retries).entry((run.to_owned(), step.to_owned())).or_default() += 1;
                self.live(&[&resolve[..], &["--retry"]].concat(), death, tools_die).0
            }
        }
    }
}

/// The steps of a run that wait for somebody who knows what came of them.
pub(crate) fn unknown(shown: &Value) -> Vec<String> {
    let waits = shown["waits"].as_array().map(Vec::as_slice).unwrap_or_default();
    waits.iter().filter_map(|wait| wait["unknown"]["key"].as_str()).map(str::to_owned).collect()
}

fn exited(status: ExitStatus) -> End {
    End::Exited(status.code().unwrap_or(-1))
}
