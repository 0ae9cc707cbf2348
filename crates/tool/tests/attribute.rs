//! `#[tool]` as its users write it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::{Code, Error};
use adjutant_tool::{
    Context, Effect, Failure, FunctionTool, Output, Reconciled, Registry, Resources, Tool, ToolError, tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The number on the slip.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
struct OrderNumber(u32);

#[derive(Serialize)]
struct Order {
    number: u32,
    state: &'static str,
}

struct Orders(&'static str);

/// Finds an order by its number.
///
/// Use it before you answer.
///
/// # Errors
/// This is for programmers.
#[tool(pure)]
async fn order(number: OrderNumber, orders: &Orders) -> Result<Order, ToolError> {
    match number.0 {
        1042 => Ok(Order { number: 1042, state: orders.0 }),
        other => Err(ToolError::new(format!("there is no order {other}"))),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Urgency {
    Low,
    High,
}

/// Files a ticket.
#[tool(reconcile = look_up, name = "file-ticket", timeout = "5s", concurrency = 2)]
async fn file_ticket(
    /// One line.
    summary: &str,
    /// How soon.
    #[default(Urgency::Low)]
    urgency: Urgency,
    tags: &[String],
    #[default(3)]
    #[schemars(range(min = 1, max = 5))]
    copies: u8,
    note: Option<String>,
    context: &Context,
) -> Result<String, Error> {
    context.progress("filing");
    Ok(format!("{summary} {urgency:?} {tags:?} {copies} {note:?} {}", context.attempt()))
}

async fn look_up(arguments: Value, context: Context) -> Result<Reconciled, ToolError> {
    Ok(match arguments.get("summary").and_then(Value::as_str) {
        Some("lost") => Reconciled::NotHappened,
        _ => Reconciled::Happened(Output::text(context.idempotency_key())),
    })
}

/// Says a word.
#[tool(pure)]
fn word() -> &'static str {
    "hello"
}

struct Counter {
    count: AtomicU32,
}

#[tool]
impl Counter {
    /// Adds to the count.
    #[tool(at_most_once)]
    async fn add(&self, #[default(1)] by: u32, _context: Context) -> u32 {
        self.count.fetch_add(by, Ordering::SeqCst) + by
    }

    /// Reads the count.
    #[tool(pure)]
    fn read(&self) -> u32 {
        self.plain()
    }

    fn plain(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }
}

fn context() -> Context {
    Context::new(RunId::from_bytes([1; 10]), StepKey::root().join("tool", 0), "call".into())
}

fn text(result: Result<Output, Failure>) -> String {
    result.map_or_else(|failure| format!("failed: {failure}"), |output| output.as_text())
}

#[test]
fn the_specification_comes_from_the_function() {
    let tool: Arc<dyn Tool> = order.into();
    let spec = tool.spec();
    assert_eq!((spec.name.as_str(), spec.effect), ("order", Effect::Pure));
    assert_eq!(spec.description, "Finds an order by its number.\n\nUse it before you answer.");
    assert_eq!(
        spec.parameters,
        json!({
            "type": "object",
            "properties": {"number": {"type": "integer", "minimum": 0, "description": "The number on the slip."}},
            "required": ["number"],
            "additionalProperties": false,
        })
    );

    let tool: Arc<dyn Tool> = file_ticket.into();
    let spec = tool.spec();
    assert_eq!(
        (spec.name.as_str(), spec.effect, spec.concurrency),
        ("file-ticket", Effect::Reconcile, Some(2))
    );
    assert_eq!(spec.timeout.as_secs(), 5);
    let parameters = &spec.parameters;
    assert_eq!(parameters["required"], json!(["summary", "tags"]));
    assert_eq!(parameters["properties"]["summary"], json!({"type": "string", "description": "One line."}));
    assert_eq!(
        parameters["properties"]["copies"],
        json!({"type": "integer", "minimum": 1, "maximum": 5, "default": 3})
    );
    assert_eq!(parameters["properties"]["urgency"]["enum"], json!(["low", "high"]));
}

#[tokio::test]
async fn a_resource_comes_from_the_tool_or_from_the_run() {
    let mut registry = Registry::new();
    registry.add(order.into()).unwrap();
    let error = registry.check(&Resources::new()).unwrap_err();
    assert_eq!(error.code(), Code::ToolInvalid);
    assert!(
        error.message().starts_with("the tool `order` cannot be called: there is no resource `"),
        "{error}"
    );
    let resources = Resources::new().with(Orders("packed"));
    registry.check(&resources).unwrap();

    let arguments = registry.arguments("order", "{number: '1042'}").unwrap();
    let tool = registry.get("order").unwrap();
    let output = text(tool.call(arguments.clone(), context().with_resources(&resources)).await);
    assert_eq!(output, r#"{"number":1042,"state":"packed"}"#);
    let failure = tool.call(arguments.clone(), context()).await.unwrap_err();
    assert!(matches!(failure, Failure::Run(_)), "{failure:?}");

    let bound: FunctionTool = order.with(Orders("sent"));
    assert!(bound.needs().is_empty());
    assert!(text(bound.call(arguments, context().with_resources(&resources)).await).contains("sent"));
}

#[tokio::test]
async fn the_function_stays_callable() {
    let found = order::call(OrderNumber(1042), &Orders("lost")).await.unwrap();
    assert_eq!(found.state, "lost");
    assert_eq!(word::call(), "hello");
    assert!(order::call(OrderNumber(1), &Orders("")).await.is_err());
}

#[tokio::test]
async fn arguments_have_defaults_and_references() {
    let tool: Arc<dyn Tool> = file_ticket.into();
    let arguments =
        adjutant_tool::arguments(tool.spec(), r#"{"summary": "door", "tags": ["a"], "note": null}"#).unwrap();
    assert_eq!(text(tool.call(arguments, context().with_attempt(2)).await), r#"door Low ["a"] 3 None 2"#);
    let error = adjutant_tool::arguments(tool.spec(), r#"{"summary": "door", "copies": 9, "colour": 1}"#)
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the arguments of `file-ticket` do not fit its schema: \"tags\" is missing; `/copies`: value is greater \
         than the maximum of 5; there is no argument `colour`"
    );
    assert_eq!(
        error.help().unwrap(),
        "the tool expects {copies?: integer, note?: string | null, summary: string, tags: [string], urgency?: \"low\" | \"high\"}"
    );
}

#[tokio::test]
async fn a_lost_call_is_looked_up() {
    let tool: Arc<dyn Tool> = file_ticket.into();
    let lost = tool.reconcile(json!({"summary": "lost"}), context()).await.unwrap();
    assert_eq!(lost, Reconciled::NotHappened);
    let found = tool.reconcile(json!({}), context().with_idempotency_key("key")).await.unwrap();
    assert_eq!(found, Reconciled::Happened(Output::text("key")));
    let other: Arc<dyn Tool> = word.into();
    assert_eq!(other.reconcile(json!({}), context()).await.unwrap(), Reconciled::Unknown);
}

#[tokio::test]
async fn methods_share_their_value() {
    let counter = Arc::new(Counter { count: AtomicU32::new(0) });
    let mut registry = Registry::new();
    for tool in Arc::clone(&counter).tools() {
        registry.add(tool).unwrap();
    }
    assert_eq!(registry.specs().map(|spec| spec.name.as_str()).collect::<Vec<_>>(), ["add", "read"]);
    let call = |name: &'static str, arguments| registry.get(name).unwrap().call(arguments, context());
    assert_eq!(text(call("add", json!({})).await), "1");
    assert_eq!(text(call("add", json!({"by": 4})).await), "5");
    assert_eq!(text(call("read", json!({})).await), "5");
    assert_eq!(counter.plain(), 5);
}

#[tokio::test]
async fn names_and_duplicates_are_refused() {
    let mut registry = Registry::new();
    registry.add(word.into()).unwrap();
    assert_eq!(registry.add(word.into()).unwrap_err().message(), "there are two tools called `word`");
    let named = |name: &str| {
        let tool: Arc<dyn Tool> = word.into();
        let spec = adjutant_tool::ToolSpec { name: name.into(), ..tool.spec().clone() };
        FunctionTool::new(spec, |_, _| async { Ok(Output::text("x")) })
    };
    for bad in ["", "a b", "ü", &"x".repeat(65)] {
        assert_eq!(registry.add(Arc::new(named(bad))).unwrap_err().code(), Code::ToolInvalid, "{bad}");
    }
    let error = registry.arguments("wrod", "{}").unwrap_err();
    assert_eq!((error.code(), error.help()), (Code::ToolUnknown, Some("the tools are `word`")));
}

#[tokio::test]
async fn slots_are_shared_by_clones() {
    let mut registry = Registry::new();
    registry.add(file_ticket.into()).unwrap();
    let other = registry.clone();
    let first = registry.slot("file-ticket").await.unwrap().unwrap();
    let _second = other.slot("file-ticket").await.unwrap().unwrap();
    let wait = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(wait, registry.slot("file-ticket")).await.is_err());
    drop(first);
    assert!(registry.slot("file-ticket").await.unwrap().is_some());
}
