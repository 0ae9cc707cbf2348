//! [`Registry`]: the tools that an agent may call, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::arguments::Validator;
use crate::resource::Resources;
use crate::tool::Tool;

/// The tools that an agent may call, by name. Clones share the tools and their limits on concurrent calls.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Entry>);

#[derive(Clone)]
struct Entry {
    tool: Arc<dyn Tool>,
    validator: Arc<Validator>,
    slots: Option<Arc<Semaphore>>,
}

impl Registry {
    /// No tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool. Fails with [`Code::ToolInvalid`] when its name is not one or is taken, or its schema cannot be used.
    pub fn add(&mut self, tool: Arc<dyn Tool>) -> Result<()> {
        let spec = tool.spec();
        let name = spec.name.clone();
        check_name(&name)?;
        if self.0.contains_key(&name) {
            return Err(Error::new(Code::ToolInvalid, format!("there are two tools called `{name}`"))
                .with_help("give one of them another name"));
        }
        let slots = spec.concurrency.map(|most| Arc::new(Semaphore::new(most.max(1) as usize)));
        let validator = Arc::new(Validator::new(spec)?);
        self.0.insert(name, Entry { tool, validator, slots });
        Ok(())
    }

    /// Puts a tool in the place of the one of its name, which it does the same as for somebody else. The limit on concurrent calls
    /// stays the same one for both. Fails as [`add`](Self::add) does.
    pub fn replace(&mut self, tool: Arc<dyn Tool>) -> Result<()> {
        let before = self.0.remove(&tool.spec().name);
        let name = tool.spec().name.clone();
        self.add(tool)?;
        if let (Some(before), Some(now)) = (before, self.0.get_mut(&name)) {
            now.slots = before.slots;
        }
        Ok(())
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.0.get(name).map(|entry| &entry.tool)
    }

    /// What the tools say of themselves, in the order of their names.
    pub fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.0.values().map(|entry| entry.tool.spec())
    }

    /// Reads what a model wrote as the arguments of a call, as [`arguments`](crate::arguments()) does. Fails with
    /// [`Code::ToolUnknown`] or [`Code::ToolArguments`], both of which the model hears.
    pub fn arguments(&self, name: &str, text: &str) -> Result<Value> {
        self.entry(name)?.validator.read(text)
    }

    /// The arguments of a call that are values already, as the call would have them. Fails as
    /// [`arguments`](Self::arguments) does.
    pub fn fitting(&self, name: &str, arguments: &Map<String, Value>) -> Result<Map<String, Value>> {
        let text = Value::Object(arguments.clone()).to_string();
        Ok(match self.arguments(name, &text)? {
            Value::Object(arguments) => arguments,
            // A schema that asks for anything but an object: what was given is what it is called with.
            _ => arguments.clone(),
        })
    }

    /// Waits until the tool may be called once more in this process. The slot is free again when the permit is
    /// dropped; a tool without a limit gives none. Fails with [`Code::ToolUnknown`].
    pub async fn slot(&self, name: &str) -> Result<Option<OwnedSemaphorePermit>> {
        match self.entry(name)?.slots.clone() {
            // INVARIANT: the semaphore is never closed, so acquiring cannot fail.
            Some(slots) => Ok(slots.acquire_owned().await.ok()),
            None => Ok(None),
        }
    }

    /// Checks that every resource that the tools need is there. Fails with [`Code::ToolInvalid`].
    pub fn check(&self, resources: &Resources) -> Result<()> {
        for entry in self.0.values() {
            if let Some(need) = entry.tool.needs().iter().find(|need| !resources.meets(need)) {
                let missing = need.missing();
                let message =
                    format!("the tool `{}` cannot be called: {}", entry.tool.spec().name, missing.message());
                return Err(
                    Error::new(Code::ToolInvalid, message).with_help(missing.help().unwrap_or_default())
                );
            }
        }
        Ok(())
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.0.get(name).ok_or_else(|| {
            let names: Vec<_> = self.0.keys().map(|name| format!("`{name}`")).collect();
            let help = match names.is_empty() {
                true => "there are no tools; answer without them".to_owned(),
                false => format!("the tools are {}", names.join(", ")),
            };
            Error::new(Code::ToolUnknown, format!("there is no tool `{name}`")).with_help(help)
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The rule for names that every provider takes.
fn check_name(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Error::new(Code::ToolInvalid, format!("`{name}` is not a name for a tool"))
        .with_help("use 1 to 64 characters of a-z, A-Z, 0-9, _ and -"))
}
