//! [`FunctionTool`]: a tool made of a function, for tools that are known only at run time.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use adjutant_core::tool::ToolSpec;
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::resource::{Need, Resources};
use crate::tool::{Reconciled, Tool};

type Function<T> = Box<dyn Fn(Value, Context) -> BoxFuture<'static, Result<T, Failure>> + Send + Sync>;

/// A tool made of a function. [`#[tool]`](macro@crate::tool) makes these too.
pub struct FunctionTool {
    spec: ToolSpec,
    call: Function<Output>,
    reconcile: Option<Function<Reconciled>>,
    needs: Vec<Need>,
    resources: Resources,
}

impl FunctionTool {
    /// A tool that calls `function` with arguments that fit the schema of `spec`.
    pub fn new<F, R>(spec: ToolSpec, function: F) -> Self
    where
        F: Fn(Value, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Output, Failure>> + Send + 'static,
    {
        let call: Function<Output> = Box::new(move |arguments, context| function(arguments, context).boxed());
        Self { spec, call, reconcile: None, needs: Vec::new(), resources: Resources::new() }
    }

    /// Sets the function that says what came of a call whose answer was lost.
    #[must_use]
    pub fn with_reconcile<F, R>(mut self, function: F) -> Self
    where
        F: Fn(Value, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Reconciled, Failure>> + Send + 'static,
    {
        self.reconcile = Some(Box::new(move |arguments, context| function(arguments, context).boxed()));
        self
    }

    /// Says which resources the function takes from its context.
    #[must_use]
    pub fn with_needs(mut self, needs: Vec<Need>) -> Self {
        self.needs = needs;
        self
    }

    /// Binds a resource, which wins over one of the same type in the context of a call.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(self, resource: T) -> Self {
        self.with_shared(Arc::new(resource))
    }

    /// Binds a resource that others hold too.
    #[must_use]
    pub fn with_shared<T: Send + Sync + 'static>(mut self, resource: Arc<T>) -> Self {
        self.resources = self.resources.with_shared(resource);
        self.needs.retain(|need| *need != Need::of::<T>());
        self
    }
}

impl Tool for FunctionTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        (self.call)(arguments, context.with_resources(&self.resources))
    }

    fn reconcile(
        &self,
        arguments: Value,
        context: Context,
    ) -> BoxFuture<'static, Result<Reconciled, Failure>> {
        match &self.reconcile {
            Some(function) => function(arguments, context.with_resources(&self.resources)),
            None => futures::future::ready(Ok(Reconciled::Unknown)).boxed(),
        }
    }

    fn needs(&self) -> &[Need] {
        &self.needs
    }
}

impl From<FunctionTool> for Arc<dyn Tool> {
    fn from(tool: FunctionTool) -> Self {
        Arc::new(tool)
    }
}

impl fmt::Debug for FunctionTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionTool").field("spec", &self.spec).finish_non_exhaustive()
    }
}
