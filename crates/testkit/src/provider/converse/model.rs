//! What the model itself refuses.

use serde_json::Value;

use super::super::received::{at, list};

/// Makers whose models do less.
const OTHERS: [&str; 4] = ["meta.", "mistral.", "qwen.", "deepseek."];

/// Adds what is wrong with a body for this model. A model that the mock does not know refuses nothing.
pub(super) fn check(model: &str, body: &Value, faults: &mut Vec<String>) {
    let is_nova = model.contains("amazon.nova");
    let is_other = OTHERS.iter().any(|maker| model.starts_with(maker));
    let mut fault = |wrong: bool, what: &str| {
        if wrong {
            faults.push(what.to_owned());
        }
    };
    let blocks = || list(&body["messages"]).iter().flat_map(|message| list(&message["content"]));
    let has = |blocks: &[Value], member: &str| blocks.iter().any(|block| !block[member].is_null());
    let tools = list(at(body, "/toolConfig/tools"));
    let marked = blocks().any(|block| !block["cachePoint"].is_null());
    let marks_tools = has(tools, "cachePoint");
    fault(
        is_other && (marked || marks_tools || has(list(&body["system"]), "cachePoint")),
        "You invoked an unsupported model or your request did not allow prompt caching.",
    );
    fault(is_nova && marks_tools, "this model caches no tools");
    let choice = at(body, "/toolConfig/toolChoice");
    let forces = !choice["any"].is_null() || !choice["tool"].is_null();
    fault(is_other && forces, "This model doesn't support the toolConfig.toolChoice field.");
    let thinking = at(body, "/additionalModelRequestFields/thinking/type");
    let thinks = thinking == "enabled" || thinking == "adaptive";
    fault(thinks && forces, "Thinking may not be enabled when tool_choice forces tool use.");
    let temperature = at(body, "/inferenceConfig/temperature").as_f64();
    fault(
        thinks && temperature.is_some_and(|temperature| (temperature - 1.0).abs() > f64::EPSILON),
        "`temperature` may only be set to 1 when thinking is enabled.",
    );
    let results = || blocks().map(|block| &block["toolResult"]).filter(|result| !result.is_null());
    fault(
        is_other && results().any(|result| !result["status"].is_null()),
        "This model doesn't support the status field of results.",
    );
    let has_media = |result: &Value| {
        ["image", "document", "video"].iter().any(|kind| has(list(&result["content"]), kind))
    };
    fault(is_other && results().any(has_media), "This model doesn't support media in results.");
    let budget = at(body, "/additionalModelRequestFields/thinking/budget_tokens").as_u64();
    let most = at(body, "/inferenceConfig/maxTokens").as_u64().unwrap_or(u64::MAX);
    fault(
        budget.is_some_and(|budget| budget < 1_024 || budget >= most),
        "`budget_tokens` must be at least 1024 and less than `maxTokens`.",
    );
}
