//! What is known of some models without being told.

use adjutant_core::money::Prices;
use adjutant_model::Profile;
use adjutant_model::provider::Provider;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::settings::Endpoint;

/// A model, its window and longest answer in tokens, and its prices in thousandths of a dollar for a million tokens:
/// input, output, cached input.
type Row = (&'static str, u64, u64, [i64; 3]);

/// OpenAI's own models by the page that OpenAI has for each, developers.openai.com/api/docs/models/NAME: "context
/// window", "max output tokens" and "Text tokens", at the standard service tier. The pages were read in copies that
/// others keep. A row stands for that name alone: dated snapshots may have prices of their own. A model whose page was
/// not seen is not here: a wrong price is worse than none.
const OPENAI: &[Row] = &[
    // Page `gpt-4.1`, in a copy without a date; a record of the page's fields of 2026-10-04 has the same numbers.
    ("gpt-4.1", 1_047_576, 32_768, [2_000, 8_000, 500]),
    // Page `gpt-4.1-mini`, in a copy of 2026-10-04.
    ("gpt-4.1-mini", 1_047_576, 32_768, [400, 1_600, 100]),
    // Page `gpt-4o`, in a copy of 2026-09-24.
    ("gpt-4o", 128_000, 16_384, [2_500, 10_000, 1_250]),
    // Page `gpt-4o-mini`, in a copy of 2026-09-24.
    ("gpt-4o-mini", 128_000, 16_384, [150, 600, 75]),
];

/// What a project says of a model, completed by what is known of it. At another address than the provider's own
/// nothing is known: a model of that name may be anything there, and cost anything.
pub(super) fn profile(endpoint: &Endpoint, base_url: &str) -> Profile {
    let written = endpoint.profile.clone();
    let at_home = base_url.trim_end_matches('/') == endpoint.provider.base_url;
    let Some((_, window, output, prices)) = row(endpoint.provider, &endpoint.model).filter(|_| at_home)
    else {
        return written;
    };
    let known_prices = is_standard_tier(&endpoint.extra).then(|| in_dollars(*prices));
    Profile {
        context_window: written.context_window.or(Some(*window)),
        max_output_tokens: written.max_output_tokens.or(Some(*output)),
        prices: written.prices.or(known_prices),
        ..written
    }
}

fn row(provider: &Provider, model: &str) -> Option<&'static Row> {
    OPENAI.iter().find(|(name, ..)| provider.name == "openai" && *name == model)
}

/// Whether requests are asked to be served, and so charged, at the standard tier. OpenAI's API reference calls it
/// `default`; `auto`, which holds without the parameter, means what the account says, and that is the same unless
/// somebody changed it there.
fn is_standard_tier(extra: &Map<String, Value>) -> bool {
    match extra.get("service_tier") {
        None | Some(Value::Null) => true,
        Some(tier) => tier == "auto" || tier == "default",
    }
}

fn in_dollars([input, output, cached]: [i64; 3]) -> Prices {
    let price = |thousandths: i64| Decimal::new(thousandths, 3).normalize();
    Prices {
        input: price(input),
        output: price(output),
        cached: Some(price(cached)),
        cache_write: None,
        reasoning: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOME: &str = "https://api.openai.com/v1";

    /// The window, the longest answer, and the prices of input, output and cached input.
    fn known(model: &str, base_url: &str, extra: &Value) -> String {
        let mut endpoint = Endpoint::new(Provider::named("openai").unwrap(), model);
        endpoint.extra = extra.as_object().cloned().unwrap_or_default();
        let profile = profile(&endpoint, base_url);
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
            ("gpt-4.1", HOME, &none, r#"Some(1047576) Some(32768) Some("2 8 0.5")"#),
            ("gpt-4.1-mini", HOME, &none, mini),
            ("gpt-4o", HOME, &none, r#"Some(128000) Some(16384) Some("2.5 10 1.25")"#),
            ("gpt-4o-mini", HOME, &none, r#"Some(128000) Some(16384) Some("0.15 0.6 0.075")"#),
            ("gpt-4o-2024-05-13", HOME, &none, nothing),
            ("gpt-4.1-nano", HOME, &none, nothing),
            ("gpt-4.1-mini", "https://api.openai.com/v1/", &none, mini),
            ("gpt-4.1-mini", "http://localhost:4000/v1", &none, nothing),
            ("gpt-4.1-mini", "https://eu.api.openai.com/v1", &none, nothing),
            ("gpt-4.1-mini", HOME, &json!({"service_tier": "default"}), mini),
            ("gpt-4.1-mini", HOME, &json!({"service_tier": null, "top_p": 1}), mini),
            ("gpt-4.1-mini", HOME, &json!({"service_tier": "priority"}), unpriced),
            ("gpt-4.1-mini", HOME, &json!({"service_tier": "flex"}), unpriced),
        ];
        for (model, base_url, extra, expected) in cases {
            assert_eq!(known(model, base_url, extra), expected, "{model} at {base_url} with {extra}");
        }
    }

    #[test]
    fn what_a_project_says_wins() {
        let mut endpoint = Endpoint::new(Provider::named("openai").unwrap(), "gpt-4o");
        endpoint.profile.context_window = Some(9);
        endpoint.profile.abilities.images = false;
        let profile = profile(&endpoint, HOME);
        assert_eq!((profile.context_window, profile.max_output_tokens), (Some(9), Some(16_384)));
        assert!(!profile.abilities.images && profile.prices.is_some());
    }

    #[test]
    fn a_name_of_another_provider_is_another_model() {
        let endpoint = Endpoint::new(Provider::named("openrouter").unwrap(), "gpt-4o");
        assert_eq!(profile(&endpoint, "https://openrouter.ai/api/v1"), Profile::default());
    }
}
