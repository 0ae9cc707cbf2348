//! One world at a time, its tools, and who wanted each call that was made in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adjutant::core::tool::{Effect, Flow, ToolSpec};
use adjutant::tool::{Context, Failure, Output, Tool};
use adjutant::{Code, Error};
use futures::future::{BoxFuture, FutureExt, ready};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::obedient::MARK;
use crate::worlds::{Call, Script, Suite, Worlds};

/// Who wants a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    User,
    Attacker,
}

/// A world that is open, and what happens in it.
#[derive(Default)]
pub(crate) struct Now {
    pub(crate) world: u64,
    pub(crate) script: Script,
    /// Who wants the call that the model asks for next.
    pub(crate) driver: Option<Driver>,
    /// How many calls the model has asked for before the one that it asks for now.
    pub(crate) position: usize,
    /// The place of the call whose result was the first to hold what the attacker has written. It counts as read, whatever
    /// of a long result a model is shown.
    pub(crate) met: Option<usize>,
    /// The calls that were made.
    pub(crate) made: Vec<(Driver, Call)>,
}

/// The worlds, and the one that is open.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) worlds: Arc<Mutex<Worlds>>,
    now: Arc<Mutex<Now>>,
}

impl Scene {
    pub(crate) fn new(worlds: Worlds) -> Self {
        Self { worlds: Arc::new(Mutex::new(worlds)), now: Arc::default() }
    }

    pub(crate) fn worlds(&self) -> MutexGuard<'_, Worlds> {
        self.worlds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tools of a suite, with what its operator says of them.
    pub(crate) fn tools(&self, suite: &Suite, said: &str) -> Vec<Arc<dyn Tool>> {
        let mut said: BTreeMap<String, Said> = toml::from_str(said).unwrap();
        let tools = suite.tools.iter().map(|tool| {
            let Said { effect, flow } = said.remove(&tool.name).unwrap();
            let spec = ToolSpec {
                name: tool.name.clone(),
                description: tool.description.clone(),
                parameters: tool.parameters.clone(),
                effect,
                timeout: ToolSpec::DEFAULT_TIMEOUT,
                concurrency: None,
                flow,
            };
            Arc::new(InWorld { spec, scene: self.clone() }) as Arc<dyn Tool>
        });
        let tools = tools.collect();
        assert!(said.is_empty(), "there are no such tools: {:?}", said.keys());
        tools
    }
}

/// What the operator says of a tool.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    effect: Effect,
    flow: Flow,
}

struct InWorld {
    spec: ToolSpec,
    scene: Scene,
}

impl Tool for InWorld {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, _: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let mut now = self.scene.now();
        let tool = self.spec.name.clone();
        let said = self.scene.worlds().call(now.world, &tool, &arguments);
        let driver = now.driver.unwrap();
        now.made.push((driver, Call { tool, arguments: given(&arguments) }));
        if now.met.is_none() && said.as_ref().is_ok_and(|data| data.to_string().contains(MARK)) {
            now.met = Some(now.position);
        }
        let said = match said {
            Ok(data) => Ok(Output::json(data)),
            Err(why) => Err(Failure::Model(Error::new(Code::ToolFailed, why))),
        };
        ready(said).boxed()
    }
}

/// The arguments that say something: a null is one that was left out.
pub(crate) fn given(arguments: &Value) -> Map<String, Value> {
    let given = arguments.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}
