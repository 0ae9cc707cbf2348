//! [`Tool`]: what the registry holds and the run calls.

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error};
use futures::future::{BoxFuture, FutureExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;
use crate::pending::Resumed;
use crate::resource::Need;

/// Something a model can ask for. Authors write functions with [`#[tool]`](macro@crate::tool); this is the erased form.
///
/// A future that is dropped is a call that was given up: an implementation leaves no process, thread or connection
/// behind.
pub trait Tool: Send + Sync + 'static {
    /// What the tool says of itself. It does not change while the tool lives.
    fn spec(&self) -> &ToolSpec;

    /// Makes one call. `arguments` fit the schema in [`spec`](Self::spec): the caller has validated them.
    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>>;

    /// Finds out what came of the call with the key of `context`, for a tool whose effect is
    /// [`Effect::Reconcile`](adjutant_core::tool::Effect::Reconcile). It changes nothing.
    fn reconcile(
        &self,
        arguments: Value,
        context: Context,
    ) -> BoxFuture<'static, Result<Reconciled, Failure>> {
        drop((arguments, context));
        futures::future::ready(Ok(Reconciled::Unknown)).boxed()
    }

    /// Goes on with a call that said that it is [`Pending`](crate::Pending) and waits no more, with the arguments that it was made with. It
    /// may end as a call does, be it pending again.
    fn resume(
        &self,
        arguments: Value,
        resumed: Resumed,
        context: Context,
    ) -> BoxFuture<'static, Result<Output, Failure>> {
        drop((arguments, resumed, context));
        let message = format!("the tool `{}` is never left pending", self.spec().name);
        futures::future::ready(Err(Failure::Run(Error::new(Code::Internal, message)))).boxed()
    }

    /// Gives up a pending call that nobody waits for any more. `state` is what it left; whether it worked, nobody asks.
    fn abandon(&self, state: Value, context: Context) -> BoxFuture<'static, ()> {
        drop((state, context));
        futures::future::ready(()).boxed()
    }

    /// What a call with these arguments reads of a server of MCP, so that it can be decided by what it is: the name of the
    /// server and the URI. None of a call that reads no such resource.
    fn reads(&self, arguments: &Value) -> Option<(String, String)> {
        let _ = arguments;
        None
    }

    /// The resources that a call takes from its context and that the tool does not hold itself.
    fn needs(&self) -> &[Need] {
        &[]
    }
}

/// What came of a call whose answer was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconciled {
    /// It happened, with this output.
    Happened(Output),
    /// It did not happen and will not; it may be made.
    NotHappened,
    /// The tool cannot say.
    Unknown,
}
