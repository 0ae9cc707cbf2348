//! Why a model stopped.
//!
//! The words are those of `FinishReason` and `BlockedReason` in Google's client for Python.

use adjutant_core::Code;

use crate::delta::StopReason;

/// What a reason means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The answer ends here. That tools are called is no reason of its own: the calls say it.
    End(StopReason),
    /// There is no answer.
    Fault(Code, &'static str),
}

pub(super) fn meaning(reason: &str) -> Stop {
    match reason {
        "STOP" => Stop::End(StopReason::EndTurn),
        // `CONTINUATION`: the most tokens of one answer were reached, and another request could go on.
        "MAX_TOKENS" | "CONTINUATION" => Stop::End(StopReason::MaxTokens),
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "ESCALATION" => Stop::End(StopReason::ContentFilter),
        // The model wrote something that Google threw away. Asked again, it mostly writes it well.
        "MALFORMED_FUNCTION_CALL" => {
            Stop::Fault(Code::ModelAnswerInvalid, "was stopped within a call that is not well-formed")
        }
        "UNEXPECTED_TOOL_CALL" => {
            Stop::Fault(Code::ModelAnswerInvalid, "was stopped at a call of a tool that was not offered")
        }
        "MALFORMED_RESPONSE" => Stop::Fault(Code::ModelAnswerInvalid, "was stopped: it is not well-formed"),
        "MISSING_THOUGHT_SIGNATURE" => Stop::Fault(
            Code::ModelRequestRefused,
            "was stopped: a call of an earlier answer has lost its thought signature",
        ),
        other => Stop::End(StopReason::Other(other.to_owned())),
    }
}
