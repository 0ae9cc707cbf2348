//! What is wrong with everything beside the conversation.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::{at, list};
use super::block::{is_name, is_seen};

pub(super) fn check(body: &Value, faults: &mut Vec<String>) {
    check_tools(&body["toolConfig"], faults);
    check_inference(&body["inferenceConfig"], faults);
    check_output(&body["outputConfig"], faults);
    let additional = &body["additionalModelRequestFields"];
    if !additional.is_null() && !additional.is_object() {
        faults.push("`additionalModelRequestFields` is no object".to_owned());
    }
    let paths = &body["additionalModelResponseFieldPaths"];
    let right = list(paths).iter().all(|path| path.as_str().is_some_and(|path| path.starts_with('/')));
    if !paths.is_null() && (!paths.is_array() || list(paths).len() > 10 || !right) {
        faults.push("`additionalModelResponseFieldPaths` is no list of up to ten JSON pointers".to_owned());
    }
}

fn check_tools(config: &Value, faults: &mut Vec<String>) {
    if config.is_null() {
        return;
    }
    check_fields("toolConfig", config, &["tools", "toolChoice"], faults);
    let tools = list(&config["tools"]);
    if tools.iter().all(|tool| !tool["cachePoint"].is_null()) {
        faults.push("`toolConfig` has no tools".to_owned());
    }
    let mut names = HashSet::new();
    for tool in tools {
        let spec = &tool["toolSpec"];
        if spec.is_null() {
            let own = is_seen(at(tool, "/systemTool/name")) || !tool["cachePoint"].is_null();
            if !own {
                faults.push(format!("{tool} is no tool"));
            }
            continue;
        }
        check_fields("toolSpec", spec, &["name", "description", "inputSchema", "strict"], faults);
        let name = spec["name"].as_str().unwrap_or_default();
        if !is_name(name) || !names.insert(name) {
            faults.push(format!("the tool `{name}` has an invalid name, or one that is taken"));
        }
        if !spec["description"].is_null() && !is_seen(&spec["description"]) {
            faults.push(format!("the description of the tool `{name}` is empty"));
        }
        if at(spec, "/inputSchema/json/type") != "object" {
            faults.push(format!("the input schema of the tool `{name}` is not that of an object"));
        }
    }
    let choice = &config["toolChoice"];
    let named = at(choice, "/tool/name").as_str().is_some_and(|name| names.contains(name));
    let right = choice.is_null() || choice["auto"].is_object() || choice["any"].is_object() || named;
    if !right || choice.as_object().is_some_and(|choice| choice.len() != 1) {
        faults.push(format!("`toolChoice` is {choice}"));
    }
}

fn check_inference(config: &Value, faults: &mut Vec<String>) {
    check_fields("inferenceConfig", config, &["maxTokens", "temperature", "topP", "stopSequences"], faults);
    let most = &config["maxTokens"];
    if !most.is_null() && most.as_u64().is_none_or(|most| most == 0) {
        faults.push("`maxTokens` is no positive number".to_owned());
    }
    for name in ["temperature", "topP"] {
        let number = &config[name];
        if !number.is_null() && !number.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number)) {
            faults.push(format!("`{name}` is not between 0 and 1"));
        }
    }
    let stops = &config["stopSequences"];
    if !stops.is_null()
        && (list(stops).is_empty()
            || !list(stops).iter().all(|stop| stop.as_str().is_some_and(|stop| !stop.is_empty())))
    {
        faults.push("`stopSequences` is no list of texts".to_owned());
    }
}

fn check_output(config: &Value, faults: &mut Vec<String>) {
    check_fields("outputConfig", config, &["textFormat", "effort"], faults);
    let efforts = [Value::Null, "low".into(), "medium".into(), "high".into(), "xhigh".into(), "max".into()];
    if !efforts.contains(&config["effort"]) {
        faults.push(format!("the effort {} is unknown", config["effort"]));
    }
    let format = &config["textFormat"];
    if format.is_null() {
        return;
    }
    let inner = at(format, "/structure/jsonSchema");
    let schema = inner["schema"].as_str().and_then(|schema| serde_json::from_str::<Value>(schema).ok());
    let named = inner["name"].is_null() || inner["name"].as_str().is_some_and(is_name);
    if format["type"] != "json_schema" || !named || !schema.is_some_and(|schema| schema.is_object()) {
        faults.push("`textFormat` is no schema in the text of JSON".to_owned());
    }
}

fn check_fields(whose: &str, value: &Value, known: &[&str], faults: &mut Vec<String>) {
    for name in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !known.contains(&name.as_str()) {
            faults.push(format!("unknown field `{name}` of `{whose}`"));
        }
    }
}
