//! [`Loader`]: reads a project that names functions of the program.

use std::path::Path;
use std::sync::Arc;

use adjutant_core::Error;
use adjutant_tool::Tool;

use super::{Environment, Project};

/// Reads a project whose agents and workflows may name functions of the program as tools, beside those under `[tools]`.
///
/// ```no_run
/// use adjutant::prelude::*;
///
/// /// Gives money back.
/// #[tool(idempotent)]
/// async fn refund(order: u64) -> Result<String, ToolError> {
///     Ok(format!("refunded {order}"))
/// }
///
/// // `workflows/returns.yaml` may say `- { tool: refund, arguments: { order: "= input" } }`.
/// let project = Project::with_tool(refund).load("helpdesk");
/// ```
#[derive(Default)]
pub struct Loader {
    tools: Vec<Arc<dyn Tool>>,
    environment: Option<Environment>,
}

impl Loader {
    /// Adds a function, which is named as it is.
    #[must_use]
    pub fn with_tool(mut self, tool: impl Into<Arc<dyn Tool>>) -> Self {
        self.tools.push(tool.into());
        self
    }

    /// Sets the environment; that of the process where nothing is said.
    #[must_use]
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// Reads the project, as [`Project::load`] does.
    pub fn load(self, path: impl AsRef<Path>) -> Result<Project, Vec<Error>> {
        let environment = self.environment.unwrap_or_else(Environment::process);
        let (project, errors) = Project::read(path.as_ref(), environment, self.tools)?;
        if errors.is_empty() { Ok(project) } else { Err(errors) }
    }
}
