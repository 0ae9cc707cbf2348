//! How an answer ended, and what it used.

use adjutant_core::usage::Usage;
use serde_json::Value;

use crate::delta::StopReason;
use crate::transport::Complaint;

/// Why there is no answer.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// The provider says why; with the status that it would have had before the answer began.
    Complaint(u16, Complaint),
    /// It is in a state, in the provider's word, in which nothing more comes.
    Unfinished(String),
}

/// How a response ended, whose answer calls tools or declines.
pub(super) fn outcome(response: &Value, calls: bool, refused: bool) -> Result<StopReason, Failure> {
    let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
    Ok(match response.get("status").and_then(Value::as_str).unwrap_or_default() {
        "completed" if calls => StopReason::ToolCalls,
        "completed" if refused => StopReason::Refusal,
        "completed" => StopReason::EndTurn,
        "incomplete" => match reason {
            Some("max_output_tokens") => StopReason::MaxTokens,
            Some("content_filter") => StopReason::ContentFilter,
            other => StopReason::Other(other.unwrap_or("incomplete").to_owned()),
        },
        "failed" => return Err(complaint(Complaint::find(response).unwrap_or_default())),
        other => return Err(Failure::Unfinished(other.to_owned())),
    })
}

/// What a complaint within an answer means.
pub(super) fn complaint(complaint: Complaint) -> Failure {
    Failure::Complaint(complaint.status.unwrap_or_else(|| status_of(&complaint.word)), complaint)
}

/// The status that an error would have had before the answer began. The words are those of `response_error.py` in
/// OpenAI's client, and those that its guide of error codes has; what no word says may pass.
fn status_of(word: &str) -> u16 {
    const LIMITS: &[&str] = &[
        "rate_limit_exceeded",
        "rate_limit_error",
        "slow_down",
        "insufficient_quota",
        "credit_balance_exhausted",
    ];
    const MISTAKES: &[&str] =
        &["invalid", "image", "policy", "unsupported", "mismatch", "not_found", "context_length"];
    let says = |words: &[&str]| words.iter().any(|known| word.contains(known));
    if says(LIMITS) {
        429
    } else if says(MISTAKES) {
        400
    } else {
        500
    }
}

/// The tokens that were counted: input includes what came from the cache and went into it, output includes the reasoning.
pub(super) fn usage(response: &Value) -> Option<Usage> {
    let number = |path: &str| response.pointer(path).and_then(Value::as_u64);
    let (input, output) = (number("/usage/input_tokens"), number("/usage/output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        cached: number("/usage/input_tokens_details/cached_tokens").unwrap_or(0),
        cache_write: number("/usage/input_tokens_details/cache_write_tokens").unwrap_or(0),
        reasoning: number("/usage/output_tokens_details/reasoning_tokens").unwrap_or(0),
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_has_its_reason() {
        let incomplete = |reason: Value| json!({"status": "incomplete", "incomplete_details": reason});
        let completed = json!({"status": "completed", "error": null});
        let cases = [
            (completed.clone(), false, false, Ok(StopReason::EndTurn)),
            (completed.clone(), true, false, Ok(StopReason::ToolCalls)),
            (completed.clone(), false, true, Ok(StopReason::Refusal)),
            (completed, true, true, Ok(StopReason::ToolCalls)),
            (incomplete(json!({"reason": "max_output_tokens"})), true, false, Ok(StopReason::MaxTokens)),
            (incomplete(json!({"reason": "content_filter"})), false, false, Ok(StopReason::ContentFilter)),
            (incomplete(json!({"reason": "steered"})), false, false, Ok(StopReason::Other("steered".into()))),
            (incomplete(json!(null)), false, false, Ok(StopReason::Other("incomplete".into()))),
            (json!({"status": "cancelled"}), false, false, Err(Failure::Unfinished("cancelled".into()))),
            (
                json!({"status": "failed", "error": null}),
                false,
                false,
                Err(Failure::Complaint(500, Complaint::default())),
            ),
            (json!([]), false, false, Err(Failure::Unfinished(String::new()))),
        ];
        for (response, calls, refused, expected) in cases {
            assert_eq!(outcome(&response, calls, refused), expected, "{response}");
        }
    }

    #[test]
    fn an_error_has_the_status_that_it_would_have_had() {
        let cases = [
            ("server_error", 500),
            ("server_is_overloaded", 500),
            ("vector_store_timeout", 500),
            ("something_new", 500),
            ("", 500),
            ("rate_limit_exceeded", 429),
            ("slow_down", 429),
            ("insufficient_quota", 429),
            ("invalid_prompt", 400),
            ("invalid_encrypted_content", 400),
            ("bio_policy", 400),
            ("data_residency_mismatch", 400),
            ("image_too_large", 400),
            ("failed_to_download_image", 400),
            ("image_file_not_found", 400),
            ("context_length_exceeded", 400),
        ];
        for (word, status) in cases {
            let response = json!({"status": "failed", "error": {"code": word, "message": "no"}});
            let Err(Failure::Complaint(got, complaint)) = outcome(&response, false, false) else {
                panic!("{word}")
            };
            assert_eq!((got, complaint.word.as_str(), complaint.message.as_str()), (status, word, "no"));
        }
    }

    #[test]
    fn tokens_are_counted_as_they_come() {
        let cases = [
            (json!({}), None),
            (json!({"usage": null}), None),
            (json!({"usage": {"input_tokens": -1}}), None),
            (json!({"usage": {"output_tokens": 3}}), Some(Usage { output: 3, ..Usage::default() })),
            (
                json!({"usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5},
                    "output_tokens": 33, "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 44}}),
                Some(Usage {
                    input: 11,
                    output: 33,
                    cached: 4,
                    cache_write: 5,
                    reasoning: 20,
                    ..Usage::default()
                }),
            ),
        ];
        for (response, expected) in cases {
            assert_eq!(usage(&response), expected, "{response}");
        }
    }
}
