//! What survives a crash: the journal as far as it is on disk, mail, the outside, and time.

use adjutant_core::Error;
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_durable::{Admission, Entry, Letter, Outcome, Record, Resolution, Wait, waits};

use crate::outside::Outside;
use crate::random::{Random, fold};

/// A record, and what was committed with it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) record: Record,
    /// The mail that it takes out of the box.
    pub(crate) mail: Vec<usize>,
    /// Whether its transaction ends with it.
    pub(crate) commits: bool,
}

/// Mail in the box.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) at: i64,
    pub(crate) letter: Letter,
}

/// What goes wrong, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) seed: u64,
    /// The most crashes.
    pub(crate) crashes: u32,
    /// Of a thousand moments at which the process can die, in how many it does.
    pub(crate) in_thousand: u64,
    /// Whether people and the outside say something else each time; otherwise a program without races has one result.
    pub(crate) volatile: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self { seed: 1, crashes: 0, in_thousand: 0, volatile: false };
}

pub(crate) struct World {
    pub(crate) run: RunId,
    pub(crate) clock: i64,
    pub(crate) random: Random,
    pub(crate) journal: Vec<Line>,
    /// How many lines are on disk.
    pub(crate) durable: usize,
    pub(crate) mail: Vec<Post>,
    pub(crate) outside: Outside,
    pub(crate) faults: Faults,
    pub(crate) crashed: bool,
    pub(crate) halted: Option<Error>,
    pub(crate) ended: Option<Outcome>,
}

impl World {
    pub(crate) fn new(faults: Faults, mail: Vec<Post>) -> Self {
        let run = RunId::from_bytes([7; 10]);
        let definition = adjutant_core::hash::Digest::of(b"plan");
        let admission = Admission::new(run.clone(), "simulated", "plan", definition, Json::null());
        let mut world = Self {
            run,
            clock: 1_000,
            random: Random::new(faults.seed),
            journal: Vec::new(),
            durable: 0,
            mail,
            outside: Outside::default(),
            faults,
            crashed: false,
            halted: None,
            ended: None,
        };
        world.write(0, vec![(Entry::Admitted(Box::new(admission)), None)]);
        world.durable = 1;
        world
    }

    /// The same world, had its process died when the first `length` lines were on disk.
    pub(crate) fn rewound(&self, length: usize, faults: Faults) -> Self {
        Self {
            run: self.run.clone(),
            clock: self.clock,
            random: Random::new(faults.seed),
            journal: self.journal[..length].to_vec(),
            durable: length,
            mail: self.mail.clone(),
            outside: self.outside.split(),
            faults,
            crashed: false,
            halted: None,
            ended: None,
        }
    }

    /// Writes lines that are on disk all or not at all.
    pub(crate) fn write(&mut self, segment: u32, entries: Vec<(Entry, Option<usize>)>) {
        let last = entries.len() - 1;
        for (index, (entry, mail)) in entries.into_iter().enumerate() {
            let record =
                Record { offset: self.journal.len() as u64, segment, at: Timestamp(self.clock), entry };
            self.journal.push(Line { record, mail: mail.into_iter().collect(), commits: index == last });
        }
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.journal.iter().map(|line| line.record.clone()).collect()
    }

    pub(crate) fn is_taken(&self, mail: usize) -> bool {
        self.journal.iter().any(|line| line.mail.contains(&mail))
    }

    /// Whether the process dies here. What was not on disk is lost, from some line on.
    pub(crate) fn dies(&mut self) -> bool {
        if self.faults.crashes == 0 || !self.random.chance(self.faults.in_thousand) {
            return false;
        }
        self.faults.crashes -= 1;
        let mut keep = self.durable + self.random.below(self.journal.len() - self.durable + 1);
        while !self.journal[keep - 1].commits {
            keep -= 1;
        }
        self.journal.truncate(keep);
        self.durable = keep;
        self.crashed = true;
        self.clock += self.random.between(0, 200);
        true
    }

    /// Time goes on until something happens; where nothing would, a person does what the run waits for.
    pub(crate) fn wake(&mut self) {
        let waits = waits(&self.run, &self.records());
        assert!(!waits.is_empty(), "a parked run waits for something: {:#?}", self.records());
        let timers = waits.iter().filter_map(|wait| match wait {
            Wait::Timer { until, .. } => Some(until.0),
            _ => None,
        });
        let post = self.mail.iter().map(|post| post.at).filter(|at| *at > self.clock);
        match timers.chain(post).min() {
            Some(at) => self.clock = self.clock.max(at),
            None => waits.iter().for_each(|wait| self.attend(wait)),
        }
    }

    fn attend(&mut self, wait: &Wait) {
        match wait {
            Wait::Signal { name, .. } => self.signal(name),
            Wait::Unknown { key, .. } => self.resolve(key),
            Wait::Timer { .. } | Wait::Child { .. } => {}
        }
    }

    pub(crate) fn post(&mut self, letter: Letter) {
        let at = self.clock + self.random.between(0, 60);
        self.mail.push(Post { at, letter });
    }

    fn signal(&mut self, name: &str) {
        let salt = if self.faults.volatile { self.random.draw() } else { 0 };
        let payload = Json::of(&fold(salt, name)).unwrap();
        self.post(Letter::Signal { name: name.to_owned(), payload });
    }

    /// A person says what came of an effect.
    pub(crate) fn resolve(&mut self, key: &StepKey) {
        let happened = Resolution::Happened(Json::of(&fold(0, key.as_str())).unwrap());
        let choices = if self.faults.volatile {
            vec![happened, Resolution::Retry, Resolution::Retry, Resolution::Abort]
        } else {
            vec![happened, Resolution::Retry]
        };
        let resolution = choices[self.random.below(choices.len())].clone();
        self.post(Letter::Resolve { key: key.clone(), resolution });
    }

    /// Another run begins, and will end; a second start of it changes nothing.
    pub(crate) fn start_child(&mut self, segment: u32, key: &StepKey) {
        let started = self.mail.iter().any(|post| {
            matches!(&post.letter, Letter::ChildEnded { key: of, segment: at, .. } if of == key && *at == segment)
        });
        if !started {
            let child = RunId::child(&self.run, segment, key.as_str());
            let outcome = Json::of(&fold(0, child.as_str()));
            self.post(Letter::ChildEnded { key: key.clone(), segment, outcome });
        }
    }
}
