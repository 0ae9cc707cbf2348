//! What can be run: an agent from Rust, or one of the project's by name.

use adjutant_agent::{Agent, Definition};
use adjutant_core::Result;

use crate::adjutant::Adjutant;

mod sealed {
    /// Only this crate says what can be run.
    pub trait Sealed {}
    impl Sealed for adjutant_agent::Agent {}
    impl Sealed for str {}
    impl Sealed for String {}
}

/// What can be run: an [`Agent`] built in Rust, or the name of one of the project's agents.
pub trait Runnable: sealed::Sealed + Sync {
    /// The agent as data. Its tools are known to `adjutant` afterwards.
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition>;
}

impl Runnable for Agent {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        adjutant.add(self)?;
        self.definition_with(adjutant.defaults())
    }
}

impl Runnable for str {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        adjutant.project().definition(self).cloned()
    }
}

impl Runnable for String {
    fn definition(&self, adjutant: &Adjutant) -> Result<Definition> {
        self.as_str().definition(adjutant)
    }
}
