//! Agents and workflows: what there is to run, and what was published of it.

mod drawing;
mod labels;
mod show;
mod versions;

use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Caller;
use crate::endpoint::Routes;

/// The part of the documentation that these stand in.
const TAG: &str = "Agents";

/// One agent or workflow.
#[derive(Deserialize, JsonSchema)]
struct AgentPath {
    /// Its name.
    agent: String,
}

impl AgentPath {
    /// Its name, where the caller may see it.
    fn seen(&self, caller: &Caller) -> Result<&str> {
        seen(caller, &self.agent)
    }
}

/// The name of an agent or workflow that the caller may see. Fails with [`Code::NotFound`]: what somebody is confined away from is
/// not there for them.
fn seen<'a>(caller: &Caller, name: &'a str) -> Result<&'a str> {
    match caller.who().reaches(&format!("agent:{name}")) {
        true => Ok(name),
        false => Err(Error::new(Code::NotFound, format!("there is no agent `{name}`"))),
    }
}

pub(super) fn routes() -> Routes {
    Routes::default().and(show::routes()).and(drawing::routes()).and(versions::routes()).and(labels::routes())
}
