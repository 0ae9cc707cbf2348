//! What is known of some models without being told.

use adjutant_core::money::Prices;
use adjutant_model::Profile;
use rust_decimal::Decimal;

/// A model, its window and longest answer in tokens, and its prices in thousandths of a dollar for a million tokens:
/// input, output, cached input.
type Row = (&'static str, u64, u64, [i64; 3]);

/// OpenAI's own models, from its model and price pages of 2025. What a project says wins.
const OPENAI: &[Row] = &[
    ("gpt-4.1", 1_047_576, 32_768, [2_000, 8_000, 500]),
    ("gpt-4.1-mini", 1_047_576, 32_768, [400, 1_600, 100]),
    ("gpt-4.1-nano", 1_047_576, 32_768, [100, 400, 25]),
    ("gpt-4o", 128_000, 16_384, [2_500, 10_000, 1_250]),
    ("gpt-4o-mini", 128_000, 16_384, [150, 600, 75]),
];

/// What is known of a model of a provider at the provider's own address.
pub(super) fn profile(provider: &str, model: &str) -> Profile {
    let row = OPENAI.iter().find(|(name, ..)| provider == "openai" && *name == model);
    let Some((_, window, output, [input, answer, cached])) = row else { return Profile::default() };
    let price = |thousandths: i64| Decimal::new(thousandths, 3).normalize();
    Profile {
        context_window: Some(*window),
        max_output_tokens: Some(*output),
        prices: Some(Prices {
            input: price(*input),
            output: price(*answer),
            cached: Some(price(*cached)),
            cache_write: None,
        }),
        ..Profile::default()
    }
}
