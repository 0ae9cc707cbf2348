//! Resources: what tools share that does not come from the model, such as a pool of connections.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use adjutant_core::{Code, Error};

/// Values by their type. Cheap to clone.
#[derive(Clone, Default)]
pub struct Resources(HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>);

impl Resources {
    /// No resources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, in place of one of the same type.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.with_shared(Arc::new(value))
    }

    /// Adds a value that others hold too, in place of one of the same type.
    #[must_use]
    pub fn with_shared<T: Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.0.insert(TypeId::of::<T>(), (type_name::<T>(), value));
        self
    }

    /// Adds all of `others`, which win over those of the same type.
    #[must_use]
    pub fn overlaid(mut self, others: &Self) -> Self {
        self.0.extend(others.0.iter().map(|(id, value)| (*id, value.clone())));
        self
    }

    /// The value of that type. Fails with [`Code::ToolInvalid`] when there is none.
    pub fn get<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, Error> {
        let found = self.0.get(&TypeId::of::<T>()).map(|(_, value)| value.clone());
        found.and_then(|value| value.downcast().ok()).ok_or_else(|| Need::of::<T>().missing())
    }

    /// Whether a tool's need is met.
    pub fn meets(&self, need: &Need) -> bool {
        self.0.contains_key(&need.id)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values().map(|(name, _)| name)).finish()
    }
}

/// A resource that a tool takes from the context of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    id: TypeId,
    name: &'static str,
}

impl Need {
    /// The need of a value of that type.
    pub fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: type_name::<T>() }
    }

    /// The error for a need that nothing meets.
    pub(crate) fn missing(&self) -> Error {
        Error::new(Code::ToolInvalid, format!("there is no resource `{}`", self.name))
            .with_help("bind it to the tool with `.with(value)`, or give it to the agent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_found_by_its_type() {
        let resources = Resources::new().with(7u32).with("seven".to_owned());
        assert_eq!(*resources.get::<u32>().unwrap(), 7);
        assert!(resources.meets(&Need::of::<String>()));
        let error = resources.get::<u8>().unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::ToolInvalid, "there is no resource `u8`"));
        assert_eq!(*resources.overlaid(&Resources::new().with(8u32)).get::<u32>().unwrap(), 8);
    }
}
