//! What is wrong with the tools of a request.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::{at, list};
use super::check::unknown;
use super::model::Model;

const TOOLS: &[&str] = &[
    "functionDeclarations",
    "googleSearch",
    "urlContext",
    "codeExecution",
    "googleMaps",
    "fileSearch",
    "computerUse",
    "mcpServers",
    "retrieval",
    "enterpriseWebSearch",
];

const FUNCTION: &[&str] = &[
    "name",
    "description",
    "parameters",
    "parametersJsonSchema",
    "response",
    "responseJsonSchema",
    "behavior",
];

pub(super) fn check(body: &Value, model: Model, is_vertex: bool, faults: &mut Vec<String>) {
    let tools = list(&body["tools"]);
    if body.get("tools").is_some() && tools.is_empty() {
        faults.push("`tools` is not a list with tools".into());
    }
    let mut names = HashSet::new();
    let mut hosted = false;
    for tool in tools {
        unknown(tool, TOOLS, "tools", faults);
        hosted |= tool.as_object().is_some_and(|tool| tool.keys().any(|key| key != "functionDeclarations"));
        for function in list(&tool["functionDeclarations"]) {
            let name = function["name"].as_str().unwrap_or_default();
            if !is_name(name) || !names.insert(name) {
                faults.push(format!("the function `{name}` has an invalid name, or one that is taken"));
            }
            declaration(name, function, faults);
        }
    }
    let config = &body["toolConfig"];
    unknown(
        config,
        &["functionCallingConfig", "retrievalConfig", "includeServerSideToolInvocations"],
        "toolConfig",
        faults,
    );
    let shows = config["includeServerSideToolInvocations"] == true;
    if shows && is_vertex {
        faults.push("`includeServerSideToolInvocations` is unknown to Vertex".into());
    }
    if hosted && !names.is_empty() {
        if model.is_old() {
            faults.push("tool use with function calling is unsupported".into());
        } else if model.signs() && !shows && !is_vertex {
            faults.push("`includeServerSideToolInvocations` is needed beside functions".into());
        }
    }
    calling(&config["functionCallingConfig"], &names, faults);
}

fn declaration(name: &str, function: &Value, faults: &mut Vec<String>) {
    unknown(function, FUNCTION, "functionDeclarations", faults);
    let (plain, json) = (&function["parameters"], &function["parametersJsonSchema"]);
    match (plain.is_null(), json.is_null()) {
        (true, true) => {}
        (false, false) => faults.push(format!("the function `{name}` has parameters twice")),
        (false, true) => {
            if at(plain, "/properties").as_object().is_none_or(serde_json::Map::is_empty) {
                faults.push(format!("the parameters of the function `{name}` have no properties"));
            }
        }
        (true, false) => {
            if json["type"] != "object" {
                faults
                    .push(format!("the parameters of the function `{name}` are not the schema of an object"));
            }
        }
    }
}

fn calling(config: &Value, names: &HashSet<&str>, faults: &mut Vec<String>) {
    if config.is_null() {
        return;
    }
    unknown(config, &["mode", "allowedFunctionNames"], "functionCallingConfig", faults);
    let mode = config["mode"].as_str().unwrap_or("AUTO");
    if !["AUTO", "ANY", "NONE", "VALIDATED"].contains(&mode) {
        faults.push(format!("the mode is `{mode}`"));
    }
    if mode == "ANY" && names.is_empty() {
        faults.push("a function must be called, and there is none".into());
    }
    let allowed = list(&config["allowedFunctionNames"]);
    if !allowed.is_empty() && !["ANY", "VALIDATED"].contains(&mode) {
        faults.push(format!("`allowedFunctionNames` with the mode `{mode}`"));
    }
    for name in allowed.iter().filter(|name| name.as_str().is_none_or(|name| !names.contains(name))) {
        let name = name.as_str().unwrap_or_default();
        faults.push(format!("the function `{name}` is allowed and not declared"));
    }
}

/// Whether a text can be the name of a function.
pub(super) fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_.:-".contains(&b);
    begins && name.len() <= 64 && name.bytes().all(fits)
}
