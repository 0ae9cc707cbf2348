//! What is wrong with `generationConfig`.

use serde_json::Value;

use super::super::received::list;
use super::check::unknown;
use super::model::Model;

const FIELDS: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "mediaResolution",
    "thinkingConfig",
];

/// The keywords of a schema for the answer (ai.google.dev/gemini-api/docs/structured-output).
const KEYWORDS: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

const LEVELS: [&str; 4] = ["minimal", "low", "medium", "high"];

pub(super) fn check(config: &Value, model: Model, faults: &mut Vec<String>) {
    if config.is_null() {
        return;
    }
    unknown(config, FIELDS, "generationConfig", faults);
    thinking(&config["thinkingConfig"], model, faults);
    let mut fault = |wrong: bool, what: &str| {
        if wrong {
            faults.push(what.to_owned());
        }
    };
    let temperature = &config["temperature"];
    let in_range = temperature.as_f64().is_some_and(|number| (0.0..=2.0).contains(&number));
    fault(!temperature.is_null() && !in_range, "`temperature` is not between 0 and 2");
    let most = &config["maxOutputTokens"];
    let is_positive = most.as_u64().is_some_and(|most| most > 0);
    fault(!most.is_null() && !is_positive, "`maxOutputTokens` is not a positive number");
    fault(list(&config["stopSequences"]).len() > 5, "more than 5 stop sequences");
    let penalized = ["presencePenalty", "frequencyPenalty"].iter().any(|name| !config[*name].is_null());
    fault(penalized && model.signs(), "penalties are not supported for this model");
    let (plain, json) = (&config["responseSchema"], &config["responseJsonSchema"]);
    fault(!plain.is_null() && !json.is_null(), "`responseSchema` and `responseJsonSchema`");
    let has_schema = !plain.is_null() || !json.is_null();
    let is_json = config["responseMimeType"] == "application/json";
    fault(has_schema && !is_json, "a schema without `responseMimeType: application/json`");
    if !json.is_null() {
        schema(json, faults);
    }
}

fn thinking(thinking: &Value, model: Model, faults: &mut Vec<String>) {
    if thinking.is_null() {
        return;
    }
    unknown(thinking, &["includeThoughts", "thinkingBudget", "thinkingLevel"], "thinkingConfig", faults);
    let budget = !thinking["thinkingBudget"].is_null();
    let level = thinking["thinkingLevel"].as_str().map(str::to_lowercase);
    let mut fault = |wrong: bool, what: String| {
        if wrong {
            faults.push(what);
        }
    };
    fault(model.never_thinks(), "this model does not think".into());
    fault(budget && level.is_some(), "a thinking budget and a thinking level".into());
    fault(budget && model.takes_levels_only(), "thinking budget is not supported for this model".into());
    if let Some(level) = level {
        fault(!LEVELS.contains(&level.as_str()), format!("the thinking level is `{level}`"));
        fault(model.is_old(), "thinking level is not supported for this model".into());
        let unknown = level == "minimal" && model.takes_levels_only();
        fault(unknown, format!("the thinking level `{level}` is not supported for this model"));
    }
}

fn schema(value: &Value, faults: &mut Vec<String>) {
    let Some(keywords) = value.as_object() else {
        if !value.is_boolean() {
            faults.push(format!("a schema is {value}"));
        }
        return;
    };
    for (key, value) in keywords {
        match key.as_str() {
            "properties" | "$defs" => {
                value
                    .as_object()
                    .into_iter()
                    .flat_map(|inner| inner.values())
                    .for_each(|inner| schema(inner, faults));
            }
            "items" | "additionalProperties" => schema(value, faults),
            "anyOf" | "oneOf" | "prefixItems" => list(value).iter().for_each(|inner| schema(inner, faults)),
            key if KEYWORDS.contains(&key) => {}
            key => faults.push(format!("the schema has the keyword `{key}`")),
        }
        let referring = keywords.contains_key("$ref") && !key.starts_with('$');
        if referring {
            faults.push(format!("the keyword `{key}` stands beside `$ref`"));
        }
    }
}
