//! One of several who use the program at the same time, and lose it at random moments.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::RngExt as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;

use crate::verdict::Finished;
use crate::world::{Death, End, World, lock};

/// After so many kills it is enough.
pub(crate) const KILLS: usize = 200;

/// How many use the program at the same time.
pub(crate) const LANES: usize = 4;

/// How often a run may ask what came of its effects when nobody kills anything any more.
const QUESTIONS: usize = 50;

/// One who uses the program.
pub(crate) struct Lane<'a> {
    number: usize,
    world: &'a World,
    /// The newest task of each lane.
    tasks: &'a [AtomicUsize; LANES],
    random: TestRng,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(number: usize, world: &'a World, tasks: &'a [AtomicUsize; LANES], seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8] = u8::try_from(number).expect("there are few lanes");
        Self { number, world, tasks, random: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes) }
    }

    /// Uses the program until it has been killed often enough.
    pub(crate) fn use_it(&mut self) {
        while self.world.kills.load(Ordering::Relaxed) < KILLS && lock(&self.world.faults).is_empty() {
            if self.random.random_ratio(1, 6) {
                let (death, tools_die) = chance(&mut self.random);
                self.world.live(&["runs", "resume", "--all"], death, tools_die);
                continue;
            }
            // Now and then two ask for the same.
            let lane =
                if self.random.random_ratio(1, 8) { self.random.random_range(0..LANES) } else { self.number };
            self.ask(lane);
        }
    }

    fn ask(&mut self, lane: usize) {
        let newest = self.tasks[lane].load(Ordering::Relaxed);
        let (death, tools_die) = chance(&mut self.random);
        let (end, cli) = self.world.live(&words(&name(lane, newest)), death, tools_die);
        match end {
            End::Exited(0) if lane == self.number => {
                self.tasks[lane].fetch_add(1, Ordering::Relaxed);
            }
            End::Exited(3) => {
                let run = cli.acknowledged().expect("a run that waits was said to be recorded");
                self.world.resolve(&run, || chance(&mut self.random));
            }
            End::Exited(_) | End::Killed => {}
        }
    }

    /// Brings every task of this lane to its end, without kills.
    pub(crate) fn finish(&self) -> Vec<Finished> {
        let newest = self.tasks[self.number].load(Ordering::Relaxed);
        (0..=newest).filter_map(|task| self.finish_task(&name(self.number, task))).collect()
    }

    fn finish_task(&self, task: &str) -> Option<Finished> {
        for _ in 0..QUESTIONS {
            let (end, cli) = self.world.live(&[&words(task)[..], &["--json"]].concat(), Death::Never, false);
            let said: Value = serde_json::from_str(&cli.output()).unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            match end {
                End::Exited(0) => {
                    return Some(Finished { run: text(&said["run"]), answer: text(&said["reply"]["text"]) });
                }
                End::Exited(3) => self.world.resolve(&text(&said["run"]), || (Death::Never, false)),
                End::Exited(_) | End::Killed => return None,
            }
        }
        self.world.fault(format!("the task {task} never ends"));
        None
    }
}

/// When the program dies, and whether its tools die with it.
fn chance(random: &mut TestRng) -> (Death, bool) {
    let mut millis = |least, most| Duration::from_millis(random.random_range(least..most));
    let (early, late, soon) = (millis(20, 120), millis(20, 500), millis(0, 9));
    let death = match random.random_range(0..4) {
        0 => Death::After(early),
        1 => Death::After(late),
        _ => Death::Lines(random.random_range(1..14), soon),
    };
    (death, random.random_bool(0.5))
}

fn name(lane: usize, task: usize) -> String {
    format!("{lane}-{task}")
}

fn words(task: &str) -> [&str; 4] {
    ["run", "--id", task, "Settle the day."]
}
