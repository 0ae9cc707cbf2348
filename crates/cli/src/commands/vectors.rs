//! A model that makes vectors, shown and tried.

use std::time::Instant;

use adjutant::model::embed::{Dimensions, Embedder, Known, Purpose};
use adjutant_core::time::format_duration;
use serde_json::{Value, json};

use super::models::{call, millis};
use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// What is known of it, line by line.
pub(super) fn lines(known: &Known) -> Vec<(String, String)> {
    let dimensions = match &known.dimensions {
        Dimensions::Unknown => "its usual dimensions".to_owned(),
        Dimensions::Between { least, usual } => format!("{usual} dimensions, or as few as {least}"),
        Dimensions::Fixed(number) => format!("{number} dimensions"),
        Dimensions::OneOf(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            format!("{} dimensions", numbers.join(" or "))
        }
    };
    let text = known.most_tokens.map_or("not known".to_owned(), |tokens| format!("{tokens} tokens at most"));
    let price = known
        .prices
        .map_or("not known".to_owned(), |prices| format!("USD for a million tokens: input {}", prices.input));
    vec![("vectors".to_owned(), dimensions), ("text".to_owned(), text), ("prices".to_owned(), price)]
}

/// What is known of it, as JSON.
pub(super) fn as_json(known: &Known) -> Value {
    json!({
        "dimensions": known.dimensions.usual(),
        "max_tokens": known.most_tokens,
        "price": known.prices.map(|prices| prices.input),
    })
}

/// Has a vector made of one text, and tells how long that took and what it cost.
pub(super) async fn try_out(embedder: &dyn Embedder, text: &str, output: Output) -> Ended {
    let begin = Instant::now();
    let made = embedder.embed(vec![text.to_owned()], Purpose::Query, call(output)).await?;
    let whole = begin.elapsed();
    let dimensions = made.vectors.first().map_or(0, Vec::len);
    let cost = embedder.profile().prices.zip(made.usage).map(|(prices, usage)| prices.cost(&usage));
    if output.json {
        output.json(&json!({
            "model": embedder.id(),
            "dimensions": dimensions,
            "whole_ms": millis(whole),
            "usage": made.usage,
            "cost": cost,
        }))?;
        return Ok(Exit::Success);
    }
    output.line(&format!("a vector of {dimensions} dimensions"))?;
    let usage = made.usage.map_or("tokens not counted by the provider".to_owned(), |usage| {
        format!("{} tokens in", usage.input)
    });
    let cost = cost.map_or("cost not known".to_owned(), |cost| cost.to_string());
    output.talk(&format!("{}: after {}, {usage}, {cost}", embedder.id(), format_duration(whole)));
    Ok(Exit::Success)
}
