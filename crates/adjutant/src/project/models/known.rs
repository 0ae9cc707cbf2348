//! What is known of a model without being told, and what a project says of it.

use adjutant_model::Profile;
use adjutant_model::catalogue::Catalogue;
use adjutant_model::embed::Known;
use serde_json::{Map, Value};

use super::endpoint::Endpoint;

/// What a project says of a model, completed by what the catalogue knows of it. At another address than the provider's own
/// nothing is known: a model of that name may be anything there, and cost anything.
pub(super) fn profile(catalogue: &Catalogue, endpoint: &Endpoint, at_home: bool) -> Profile {
    let known = catalogue.profile(endpoint.provider.name, &endpoint.model, endpoint.prompt_cache);
    let mut profile = known.filter(|_| at_home).unwrap_or_default();
    let knows_long = profile.prices.is_some_and(|prices| prices.cache_write_long.is_some());
    if !is_at_list_price(&endpoint.extra, knows_long) {
        profile.prices = None;
    }
    let written = &endpoint.written;
    profile.context_window = written.context_window.or(profile.context_window);
    profile.max_output_tokens = written.max_output_tokens.or(profile.max_output_tokens);
    profile.prices = written.prices.or(profile.prices);
    for (name, able) in &written.abilities {
        if let Some(ability) = profile.abilities.named(name) {
            *ability = *able;
        }
    }
    profile
}

/// What a project says of a model that makes vectors, completed in the same way. The window is that of one text.
pub(super) fn embedding(catalogue: &Catalogue, endpoint: &Endpoint, at_home: bool) -> Known {
    let known = catalogue.embedding(endpoint.provider.name, &endpoint.model);
    let mut known = known.filter(|_| at_home).unwrap_or_default();
    known.most_tokens = endpoint.written.context_window.or(known.most_tokens);
    known.prices = endpoint.written.prices.or(known.prices);
    known
}

/// Whether nothing in the extra parameters has requests charged at other prices than those of the list.
///
/// OpenAI's API reference calls the standard tier `default`; `auto`, which holds without the parameter, means what the
/// account says, and that is the same unless somebody changed it there. Anthropic's `standard_only` is its standard tier,
/// and so is Google's `standard`; Bedrock writes it as `{"type": "default"}`. Anthropic charges more for `speed` and for
/// staying in one country, and for a cache that is kept for an hour; `knows_long` is whether the price of that is known.
fn is_at_list_price(extra: &Map<String, Value>, knows_long: bool) -> bool {
    let is_one_of =
        |value: &Value, usual: &[&str]| value.as_str().is_some_and(|value| usual.contains(&value));
    extra.iter().filter(|(_, value)| !value.is_null()).all(|(key, value)| match key.as_str() {
        "service_tier" | "serviceTier" => {
            is_one_of(value.get("type").unwrap_or(value), &["auto", "default", "standard_only", "standard"])
        }
        "speed" => is_one_of(value, &["standard"]),
        "inference_geo" => is_one_of(value, &["global"]),
        "performanceConfig" => value.get("latency").is_none_or(|latency| latency == "standard"),
        "cache_control" => knows_long || value.get("ttl").is_none_or(|ttl| ttl == "5m"),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use adjutant_model::provider::Provider;
    use serde_json::json;

    use super::*;

    fn endpoint(provider: &str, model: &str) -> Endpoint {
        Endpoint::new(Provider::named(provider).unwrap(), model)
    }

    /// The window, the longest answer, and the prices of input, output and cached input.
    fn known(model: &str, at_home: bool, extra: &Value) -> String {
        let mut endpoint = endpoint("openai", model);
        endpoint.extra = extra.as_object().cloned().unwrap_or_default();
        let profile = profile(Catalogue::built_in(), &endpoint, at_home);
        let prices = profile.prices.map(|p| format!("{} {} {}", p.input, p.output, p.cached.unwrap()));
        format!("{:?} {:?} {prices:?}", profile.context_window, profile.max_output_tokens)
    }

    #[test]
    fn models_are_known_by_their_name_address_and_tier() {
        let nothing = "None None None";
        let mini = r#"Some(1047576) Some(32768) Some("0.4 1.6 0.1")"#;
        let unpriced = "Some(1047576) Some(32768) None";
        let none = json!(null);
        let cases = [
            ("gpt-4.1", true, &none, r#"Some(1047576) Some(32768) Some("2 8 0.5")"#),
            ("gpt-4.1-mini", true, &none, mini),
            ("gpt-4o-2024-05-13", true, &none, nothing),
            ("gpt-4.1-mini", false, &none, nothing),
            ("gpt-4.1-mini", true, &json!({"service_tier": "default"}), mini),
            ("gpt-4.1-mini", true, &json!({"service_tier": null, "top_p": 1}), mini),
            ("gpt-4.1-mini", true, &json!({"service_tier": "priority"}), unpriced),
            ("gpt-4.1-mini", true, &json!({"service_tier": "flex"}), unpriced),
            ("gpt-4.1-mini", true, &json!({"service_tier": 1}), unpriced),
            ("gpt-4.1-mini", true, &json!({"serviceTier": "standard"}), mini),
            ("gpt-4.1-mini", true, &json!({"serviceTier": "priority"}), unpriced),
            ("gpt-4.1-mini", true, &json!({"serviceTier": {"type": "default"}}), mini),
            ("gpt-4.1-mini", true, &json!({"serviceTier": {"type": "flex"}}), unpriced),
            ("gpt-4.1-mini", true, &json!({"speed": "standard", "inference_geo": "global"}), mini),
            ("gpt-4.1-mini", true, &json!({"speed": "fast"}), unpriced),
            ("gpt-4.1-mini", true, &json!({"inference_geo": "us"}), unpriced),
            ("gpt-4.1-mini", true, &json!({"performanceConfig": {"latency": "optimized"}}), unpriced),
            ("gpt-4.1-mini", true, &json!({"cache_control": {"type": "ephemeral", "ttl": "5m"}}), mini),
            ("gpt-4.1-mini", true, &json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}), unpriced),
        ];
        for (model, at_home, extra, expected) in cases {
            assert_eq!(known(model, at_home, extra), expected, "{model} {at_home} with {extra}");
        }
    }

    #[test]
    fn an_hour_in_the_cache_has_its_price() {
        let mut endpoint = endpoint("anthropic", "claude-opus-4-6");
        endpoint.extra.insert("cache_control".into(), json!({"type": "ephemeral", "ttl": "1h"}));
        let prices = profile(Catalogue::built_in(), &endpoint, true).prices.unwrap();
        assert!(prices.cache_write_long > prices.cache_write);
    }

    #[test]
    fn what_a_project_says_wins() {
        let mut endpoint = endpoint("openai", "gpt-4o");
        endpoint.written.context_window = Some(9);
        endpoint.written.abilities.insert("images", false);
        let profile = profile(Catalogue::built_in(), &endpoint, true);
        assert_eq!((profile.context_window, profile.max_output_tokens), (Some(9), Some(16_384)));
        assert!(!profile.abilities.images && profile.abilities.tools && profile.prices.is_some());
    }

    #[test]
    fn a_name_of_another_provider_is_another_model() {
        let profile = profile(Catalogue::built_in(), &endpoint("openrouter", "gpt-4o"), true);
        assert_eq!(profile, Profile::default());
    }
}
