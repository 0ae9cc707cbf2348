//! What is wrong with the fields of a request beside its messages.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::{Received, at, list};
use super::block::{is_filled, is_name};
use super::model::Model;

const CURRENT: &str = "2026-10-21";
const EARLIER: &str = "2023-06-01";
const BINDING: &str = "thinking-binding-controls-2026-08-01";
const BETAS: [&str; 3] = [BINDING, "interleaved-thinking-2025-05-14", "context-management-2025-06-27"];
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// What is wrong with the headers.
pub(super) fn check_headers(request: &Received, faults: &mut Vec<String>) {
    let version = request.header("anthropic-version").unwrap_or_default();
    if ![CURRENT, EARLIER].contains(&version) {
        faults.push(format!("the version of the interface is `{version}`"));
    }
    for name in SAMPLING.iter().filter(|name| version == CURRENT && request.body.get(**name).is_some()) {
        faults.push(format!("the version `{version}` has no `{name}`"));
    }
    let betas: Vec<&str> = request.header("anthropic-beta").unwrap_or_default().split(',').collect();
    for beta in betas.iter().filter(|beta| !beta.is_empty() && !BETAS.contains(*beta)) {
        faults.push(format!("unknown beta `{beta}`"));
    }
    if at(&request.body, "/thinking/block_binding").is_object() && !betas.contains(&BINDING) {
        faults.push(format!("`block_binding` needs the beta `{BINDING}`"));
    }
}

/// What is wrong with the tools and the choice among them.
pub(super) fn check_tools(body: &Value, faults: &mut Vec<String>) {
    let tools = list(&body["tools"]);
    if body.get("tools").is_some() && tools.is_empty() {
        faults.push("`tools` is not a list with tools".to_owned());
    }
    let mut names = HashSet::new();
    for tool in tools {
        let name = tool["name"].as_str().unwrap_or_default();
        if !is_name(name, 64) || !names.insert(name) {
            faults.push(format!("the tool `{name}` has an invalid name, or one that is taken"));
        }
        let is_own = matches!(tool["type"].as_str(), None | Some("custom"));
        if is_own && at(tool, "/input_schema/type") != "object" {
            faults.push(format!("the input schema of the tool `{name}` is not that of an object"));
        }
    }
    let choice = &body["tool_choice"];
    let parallel = choice.get("disable_parallel_tool_use");
    let is_right = match choice["type"].as_str() {
        None => choice.is_null(),
        Some("none") => parallel.is_none(),
        Some("auto" | "any") => true,
        Some("tool") => choice["name"].as_str().is_some_and(|name| names.contains(name)),
        Some(_) => false,
    };
    if !is_right
        || (tools.is_empty() && !choice.is_null())
        || parallel.is_some_and(|parallel| !parallel.is_boolean())
    {
        faults.push(format!("`tool_choice` is {choice}"));
    }
}

/// What is wrong for the model that is asked.
pub(super) fn check_model(body: &Value, faults: &mut Vec<String>) {
    let model = Model::named(body["model"].as_str().unwrap_or_default());
    let most = &body["max_tokens"];
    let mut fault = |wrong: bool, what: &str| {
        if wrong {
            faults.push(what.to_owned());
        }
    };
    fault(most.as_u64().is_none_or(|most| most > model.most_output), "`max_tokens` is missing or too large");
    let thinking = at(body, "/thinking/type").as_str();
    fault(
        !body["thinking"].is_null() && !thinking.is_some_and(|kind| model.thinking.contains(&kind)),
        "the model does not know this `thinking`",
    );
    let budget = at(body, "/thinking/budget_tokens").as_u64();
    let is_enough =
        budget.is_some_and(|budget| budget >= 1_024 && most.as_u64().is_some_and(|most| budget < most));
    fault(
        thinking == Some("enabled") && !is_enough,
        "`budget_tokens` is less than 1024 or not less than `max_tokens`",
    );
    let effort = at(body, "/output_config/effort");
    let is_known = effort.as_str().is_some_and(|effort| model.efforts.contains(&effort));
    fault(!effort.is_null() && !is_known, "the model does not know this `effort`");
    let forced = matches!(at(body, "/tool_choice/type").as_str(), Some("any" | "tool"));
    fault(forced && !model.forced_tools, "the model cannot be forced to use tools");
    fault(
        forced && model.sampling && matches!(thinking, Some("enabled" | "adaptive")),
        "Thinking may not be enabled when tool_choice forces tool use.",
    );
    let temperature = &body["temperature"];
    let in_range = temperature.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
    fault(!temperature.is_null() && !in_range, "`temperature` is not between 0 and 1");
    fault(
        !model.sampling && SAMPLING.iter().any(|name| body.get(*name).is_some()),
        "the model takes no sampling parameters",
    );
    fault(
        thinking == Some("enabled") && !temperature.is_null() && *temperature != 1.0,
        "`temperature` may only be set to 1 when thinking is enabled",
    );
}

/// What is wrong with the form of the answer, the texts to stop at, and the marks for the cache.
pub(super) fn check_rest(body: &Value, marks: &[&Value], faults: &mut Vec<String>) {
    let stops = &body["stop_sequences"];
    let are_texts = list(stops).iter().all(|text| text.as_str().is_some_and(|text| !text.trim().is_empty()));
    if !stops.is_null() && (!stops.is_array() || !are_texts) {
        faults.push("`stop_sequences` is not a list of texts with more than white space".to_owned());
    }
    let format = at(body, "/output_config/format");
    if !format.is_null() {
        if format["type"] != "json_schema" || !format["schema"].is_object() {
            faults.push("the format of the answer is not a schema".to_owned());
        }
        check_schema(&format["schema"], faults);
    }
    if marks.len() > 4 {
        faults.push(format!("{} marks for the cache, and 4 are allowed", marks.len()));
    }
    for mark in marks {
        let is_right =
            mark["type"] == "ephemeral" && matches!(mark["ttl"].as_str(), None | Some("5m" | "1h"));
        if !is_right {
            faults.push(format!("a mark for the cache is {mark}"));
        }
    }
}

/// Keywords that no schema of an answer may have.
const REFUSED: [&str; 13] = [
    "oneOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "patternProperties",
    "prefixItems",
    "not",
];

fn check_schema(schema: &Value, faults: &mut Vec<String>) {
    for keyword in REFUSED.iter().filter(|keyword| schema.get(**keyword).is_some()) {
        faults.push(format!("the schema of the answer has `{keyword}`"));
    }
    if schema["type"] == "object" && schema["additionalProperties"] != false {
        faults.push("an object of the schema of the answer is not closed".to_owned());
    }
    let says_what =
        ["type", "anyOf", "allOf", "enum", "const", "$ref"].iter().any(|key| schema.get(*key).is_some());
    if !says_what || schema["type"].is_array() {
        faults.push("a schema of the answer does not say what it is of".to_owned());
    }
    if schema.get("$ref").is_some() && !is_filled(&schema["$ref"]) {
        faults.push("a schema of the answer refers to nothing".to_owned());
    }
    let named = ["properties", "$defs"]
        .iter()
        .filter_map(|key| schema[*key].as_object())
        .flat_map(serde_json::Map::values);
    let listed = ["anyOf", "allOf"].iter().flat_map(|key| list(&schema[*key]));
    named.chain(listed).chain(schema.get("items")).for_each(|inner| check_schema(inner, faults));
}
