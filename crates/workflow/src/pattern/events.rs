//! Events: steps that wait for events of some kinds, and give rise to others.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;

use adjutant_agent::workflow::{Item, Stage};
use adjutant_core::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use jsonschema::Validator;
use serde_json::Value;

use crate::fit::{passes, validator};

/// Something that has happened in a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind of thing: the steps that wait for this kind are given it.
    pub kind: String,
    /// What is known of it.
    pub data: Item,
}

impl Event {
    /// The kind of the event that ends a workflow; its data is what the workflow gives.
    pub const END: &str = "end";

    /// An event.
    pub fn new(kind: impl Into<String>, data: impl Into<Item>) -> Self {
        Self { kind: kind.into(), data: data.into() }
    }

    /// The event that ends a workflow.
    pub fn end(data: impl Into<Item>) -> Self {
        Self::new(Self::END, data)
    }
}

type Work<'a> = Box<dyn Fn(Stage, Vec<Event>) -> BoxFuture<'a, Result<Vec<Event>>> + Send + Sync + 'a>;

/// A step that waits for events.
struct Waiting<'a> {
    name: String,
    /// How many events of which kinds it takes at once.
    takes: BTreeMap<String, usize>,
    /// How many of it work at the same time.
    workers: usize,
    work: Work<'a>,
}

/// Steps that wait for events of some kinds, and give rise to others, until one of them [ends](Event::end) the workflow.
#[derive(Default)]
pub struct Events<'a> {
    steps: Vec<Waiting<'a>>,
    /// What checks the events of a kind; what is wrong with the schema where it is none.
    kinds: BTreeMap<String, std::result::Result<Validator, String>>,
    most: Option<usize>,
}

impl<'a> Events<'a> {
    /// How many events there may be where nothing is said.
    pub(crate) const MOST: usize = 10_000;

    /// No steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that is given each event of a kind, `workers` of them at the same time.
    #[must_use]
    pub fn on<W, F>(self, name: &str, kind: &str, workers: usize, work: W) -> Self
    where
        W: Fn(Stage, Event) -> F + Send + Sync + 'a,
        F: Future<Output = Result<Vec<Event>>> + Send + 'a,
    {
        let work = move |stage, events: Vec<Event>| match events.into_iter().next() {
            Some(event) => work(stage, event).boxed(),
            None => std::future::ready(Ok(Vec::new())).boxed(),
        };
        self.collect(name, [(kind, 1)], workers, work)
    }

    /// Adds a step that is given several events at once, as soon as there are so many of each kind: those of one kind in the order
    /// in which they happened, and the kinds in the order of their names.
    #[must_use]
    pub fn collect<'k, W, F>(
        mut self,
        name: &str,
        takes: impl IntoIterator<Item = (&'k str, usize)>,
        workers: usize,
        work: W,
    ) -> Self
    where
        W: Fn(Stage, Vec<Event>) -> F + Send + Sync + 'a,
        F: Future<Output = Result<Vec<Event>>> + Send + 'a,
    {
        let takes = takes.into_iter().map(|(kind, count)| (kind.to_owned(), count.max(1))).collect();
        let work = Box::new(move |stage, events| work(stage, events).boxed());
        self.steps.push(Waiting { name: name.to_owned(), takes, workers: workers.max(1), work });
        self
    }

    /// Adds a step that waits, for each event of the kind `on`, until somebody outside signals `kind`: what they say is an event of
    /// that kind, and not trusted. `request` makes what they are shown of the event.
    #[must_use]
    pub fn from_outside<R>(self, name: &str, on: &str, workers: usize, kind: &str, request: R) -> Self
    where
        R: Fn(&Event) -> Value + Send + Sync + 'a,
    {
        let kind = kind.to_owned();
        self.on(name, on, workers, move |stage, event| {
            let (request, kind) = (request(&event), kind.clone());
            async move {
                let said = stage.signal(&kind, &request).await?;
                Ok(vec![Event::new(kind, said.influenced_by([&event.data]))])
            }
        })
    }

    /// Gives events of a kind a JSON schema, which what they hold must fit; also of the kind that [ends](Event::END) it all.
    #[must_use]
    pub fn kind(mut self, kind: &str, schema: &Value) -> Self {
        self.kinds.insert(kind.to_owned(), validator(schema));
        self
    }

    /// Sets how many events there may be in all; 10,000 where nothing is said.
    #[must_use]
    pub fn most(self, most: usize) -> Self {
        Self { most: Some(most), ..self }
    }

    /// As [`run_all`](Self::run_all), beginning with one event.
    ///
    /// Fails as that does.
    pub async fn run(&self, stage: &Stage, first: Event) -> Result<Item> {
        self.run_all(stage, vec![first]).await
    }

    /// Works on events until one ends the workflow, and gives what that one holds. What is under way then is given up.
    ///
    /// Fails where an event does not fit its schema, where nothing is under way and no step has the events that it waits for, where
    /// there are too many events, and with what a step fails with.
    pub async fn run_all(&self, stage: &Stage, first: Vec<Event>) -> Result<Item> {
        let most = self.most.unwrap_or(Self::MOST);
        let mut queues: Vec<BTreeMap<&str, VecDeque<Event>>> = vec![BTreeMap::new(); self.steps.len()];
        let mut busy = vec![0_usize; self.steps.len()];
        let mut open = FuturesUnordered::new();
        let mut new = first;
        let mut happened = 0;
        loop {
            for event in std::mem::take(&mut new) {
                self.check(stage, &event)?;
                if event.kind == Event::END {
                    return Ok(event.data);
                }
                happened += 1;
                if happened > most {
                    let message = format!("there were more than {most} events");
                    return Err(Error::new(Code::ToolFailed, message)
                        .with_help("two steps may give rise to each other's events for ever"));
                }
                self.deliver(&event, &mut queues)?;
            }
            for (index, step) in self.steps.iter().enumerate() {
                let Some(queue) = queues.get_mut(index) else { continue };
                while busy.get(index).is_some_and(|busy| *busy < step.workers)
                    && let Some(events) = step.take(queue)
                {
                    if let Some(busy) = busy.get_mut(index) {
                        *busy += 1;
                    }
                    // What it is given is all that it knows.
                    let data: Vec<Item> = events.iter().map(|event| event.data.clone()).collect();
                    let work = (step.work)(stage.apart(&step.name, &data), events);
                    open.push(async move { (index, work.await) });
                }
            }
            let Some((index, done)) = open.next().await else {
                return Err(Error::new(Code::ToolFailed, "no step has the events that it waits for")
                    .with_help("let one of them give rise to the event that ends the workflow"));
            };
            if let Some(busy) = busy.get_mut(index) {
                *busy -= 1;
            }
            new = done?;
        }
    }

    /// Fails where an event does not hold what those of its kind do.
    fn check(&self, stage: &Stage, event: &Event) -> Result<()> {
        let checked = match self.kinds.get(&event.kind) {
            None => Ok(()),
            Some(Ok(validator)) => passes(validator, &event.data.value),
            Some(Err(why)) => Err(format!("the schema itself is wrong: {why}")),
        };
        checked.map_err(|why| {
            stage.failed_for(&event.data);
            let message = format!("an event of the kind `{}` does not fit its schema: {why}", event.kind);
            Error::new(Code::ToolFailed, message)
        })
    }

    /// Puts an event where steps wait for its kind.
    fn deliver<'s>(&'s self, event: &Event, queues: &mut [BTreeMap<&'s str, VecDeque<Event>>]) -> Result<()> {
        let mut is_awaited = false;
        for (step, queue) in self.steps.iter().zip(queues) {
            if let Some((kind, _)) = step.takes.get_key_value(&event.kind) {
                queue.entry(kind.as_str()).or_default().push_back(event.clone());
                is_awaited = true;
            }
        }
        match is_awaited {
            true => Ok(()),
            false => {
                let kinds = self.steps.iter().flat_map(|step| step.takes.keys().map(String::as_str));
                let error = Error::new(
                    Code::ToolFailed,
                    format!("no step waits for events of the kind `{}`", event.kind),
                );
                Err(match adjutant_core::nearest(&event.kind, kinds) {
                    Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                    None => error,
                })
            }
        }
    }
}

impl Waiting<'_> {
    /// Takes the events that it is given at once; none while some are missing.
    fn take(&self, queue: &mut BTreeMap<&str, VecDeque<Event>>) -> Option<Vec<Event>> {
        let has =
            |(kind, count): (&String, &usize)| queue.get(kind.as_str()).map_or(0, VecDeque::len) >= *count;
        if !self.takes.iter().all(has) {
            return None;
        }
        let mut events = Vec::new();
        for (kind, count) in &self.takes {
            if let Some(waiting) = queue.get_mut(kind.as_str()) {
                events.extend(waiting.drain(..(*count).min(waiting.len())));
            }
        }
        Some(events)
    }
}
