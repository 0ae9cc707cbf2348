//! The hands of Adjutant: tools, and what stands between a model's text and a call.
//!
//! - [`tool`](macro@tool) makes a [`Tool`] of a function; [`command`] makes one of an executable, [`builtin`] holds
//!   those that come with Adjutant, and [`mcp`] those of servers that speak the Model Context Protocol. [`FunctionTool`]
//!   is for tools that are known only at run time.
//! - A [`Registry`] holds the tools of an agent. It reads and checks the [arguments](arguments()) that a model wrote.
//! - A call gets a [`Context`] and gives an [`Output`] or a [`Failure`], which says who hears it. One that is [`Pending`]
//!   waits for a person or for work elsewhere, and is gone on with later.

// What `#[tool]` writes names this crate from outside; in here that name must lead back.
extern crate self as adjutant_tool;

mod arguments;
pub mod artifact;
pub mod builtin;
pub mod code;
pub mod command;
mod context;
mod documents;
mod failure;
mod function;
#[doc(hidden)]
pub mod generated;
pub mod hook;
mod http;
pub mod library;
pub mod mcp;
pub mod moderation;
pub mod openapi;
mod output;
mod pending;
mod registry;
mod resource;
pub mod sandbox;
mod schema;
pub mod search;
pub mod skill;
mod tool;
pub mod vault;

pub use adjutant_core::tool::{Effect, ToolSpec};
/// Makes a tool of a function, or tools of the methods of a type.
///
/// ```
/// use adjutant_tool::{Context, ToolError, tool};
///
/// #[derive(serde::Serialize)]
/// struct Order {
///     number: u32,
///     state: String,
/// }
///
/// struct Orders;
///
/// /// Finds an order by its number.
/// #[tool(pure)]
/// async fn order(
///     /// As it stands on the invoice.
///     number: u32,
///     #[default(false)] with_lines: bool,
///     orders: &Orders,
///     context: &Context,
/// ) -> Result<Order, ToolError> {
///     context.progress("looking");
///     match number {
///         1042 => Ok(Order { number, state: "packed".into() }),
///         _ => Err(ToolError::new(format!("there is no order {number}"))),
///     }
/// }
///
/// let mut registry = adjutant_tool::Registry::new();
/// registry.add(order.with(Orders).into())?;
/// # Ok::<(), adjutant_core::Error>(())
/// ```
///
/// In place of the function stands a unit struct of its name, which is the tool: it turns into an `Arc<dyn Tool>` or a
/// [`FunctionTool`], and `order.with(resource)` binds a resource to it. The function itself is `order::call`, for tests.
///
/// **Options.** What happens if the tool is called twice must be said: `pure`, `idempotent`, `at_most_once`, or
/// `reconcile = function`, where the function is `async fn(Value, Context) -> Result<Reconciled, _>` and finds out what
/// came of the call with these arguments and the key of this context. `name = ".."`, `timeout = "30s"` and
/// `concurrency = 4` have the defaults of [`ToolSpec`].
///
/// **The doc comment** up to its first heading is what models read of the tool, and must be there.
///
/// **Parameters** are what the model writes, with a schema from their types ([`schemars::JsonSchema`], and serde's
/// `Deserialize`), their doc comments, `#[default(value)]` and `#[schemars(..)]`. `&str` and `&[T]` are read as `String`
/// and `Vec<T>`. A parameter of the type [`Context`] or `&Context` gets the context, and one of any other `&T` the
/// resource of that type: the one bound to the tool, otherwise the one of the run.
///
/// **The result** is anything that serde can write, or an [`Output`]; or a `Result` of it, whose error turns into a
/// [`Failure`]: [`ToolError`], [`adjutant_core::Error`], or `Failure` itself.
///
/// On an `impl` block, each method with `#[tool(..)]` becomes a tool, and `tools(self: Arc<Self>)` gives them all:
///
/// ```
/// use std::sync::Arc;
/// use adjutant_tool::tool;
///
/// struct Shop;
///
/// #[tool]
/// impl Shop {
///     /// Says when the shop opens.
///     #[tool(pure)]
///     fn opening(&self) -> &'static str {
///         "at nine"
///     }
/// }
///
/// assert_eq!(Arc::new(Shop).tools().len(), 1);
/// ```
///
/// Without an effect it does not compile:
///
/// ```compile_fail
/// /// Pays.
/// #[adjutant_tool::tool]
/// async fn pay(cents: u64) {}
/// ```
#[doc(inline)]
pub use adjutant_macros::tool;
pub use arguments::{MAX_ARGUMENTS, Validator, arguments};
pub use context::Context;
pub use documents::Documents;
pub use failure::{Failure, ToolError};
pub use function::FunctionTool;
pub use output::{Apart, Output};
pub use pending::{Answer, Pending, Question, Resumed, Until, Wanted};
pub use registry::Registry;
pub use resource::{Need, Resources};
pub use tool::{Reconciled, Tool};

/// Lets this executable be started again as what some tools need: a part of a [sandbox], and what interprets the
/// programs of agents ([`code`]). An application that embeds Adjutant calls it first thing in `main`; `adjutant` does.
///
/// In such a child process it does the work and does not return. Otherwise it returns at once.
///
/// ```no_run
/// // The first line of `main`:
/// adjutant_tool::first_in_main();
/// ```
pub fn first_in_main() {
    sandbox::first_in_main();
    code::first_in_main();
}
