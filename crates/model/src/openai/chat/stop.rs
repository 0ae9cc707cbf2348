//! Why a model stopped, in the words of each server.

use crate::delta::StopReason;

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The model stopped.
    Stopped(StopReason),
    /// The server gave up.
    Failed,
}

/// What a `finish_reason` means; none where it says nothing.
///
/// The first words are OpenAI's. Then come Mistral's `model_length`, Together's `eos`, and what means that the server gave up:
/// `error` of OpenRouter and Mistral, vLLM's `abort`, DeepSeek's `insufficient_system_resource`. xAI ends calls with an empty
/// text. vLLM names the text that it stopped at beside the reason.
pub(super) fn read(reason: &str, matched_stop_text: bool) -> Option<Ending> {
    Some(Ending::Stopped(match reason {
        "" => return None,
        "error" | "abort" | "insufficient_system_resource" => return Some(Ending::Failed),
        "stop" if matched_stop_text => StopReason::StopSequence,
        "stop" | "eos" => StopReason::EndTurn,
        "length" | "model_length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolCalls,
        "content_filter" => StopReason::ContentFilter,
        other => StopReason::Other(other.to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_meaning() {
        let stopped = |reason| Some(Ending::Stopped(reason));
        let cases = [
            ("", None),
            ("stop", stopped(StopReason::EndTurn)),
            ("eos", stopped(StopReason::EndTurn)),
            ("model_length", stopped(StopReason::MaxTokens)),
            ("tool_calls", stopped(StopReason::ToolCalls)),
            ("content_filter", stopped(StopReason::ContentFilter)),
            ("tired", stopped(StopReason::Other("tired".into()))),
            ("error", Some(Ending::Failed)),
            ("abort", Some(Ending::Failed)),
            ("insufficient_system_resource", Some(Ending::Failed)),
        ];
        for (reason, expected) in cases {
            assert_eq!(read(reason, false), expected, "{reason}");
        }
        assert_eq!(read("stop", true), stopped(StopReason::StopSequence));
    }
}
