//! What we send to a client is what its vendor would send: we understand it ourselves.

use adjutant::model::{Response, StopReason};
use adjutant_core::message::Part;
use proptest::prelude::*;

use super::said::{pieces, response, vendors};
use super::vendor::{Vendor, collected, opened};

/// What is left of an answer in a format: all of it, but that chat completions have what was thought before the rest in one text, and
/// Anthropic knows a filter as a refusal.
fn expected(vendor: Vendor, response: &Response) -> (Vec<Part>, StopReason) {
    let stop = match (vendor, &response.stop) {
        (Vendor::Messages, StopReason::ContentFilter) => StopReason::Refusal,
        (_, stop) => stop.clone(),
    };
    (response.message.parts.clone(), stop)
}

fn understood(response: &Response) -> (Vec<Part>, StopReason) {
    (opened(&response.message.parts), response.stop.clone())
}

/// What was thought in plain text, and what was sealed. Chat completions keep no order between the two.
fn sorted(parts: &[Part]) -> (String, Vec<Part>, Vec<Part>) {
    let plain = |part: &&Part| matches!(part, Part::Reasoning(thought) if thought.provider.is_none());
    let text = |part: &Part| match part {
        Part::Reasoning(thought) => thought.text.clone(),
        _ => String::new(),
    };
    let said = |part: &&Part| matches!(part, Part::Text { .. } | Part::ToolCall(_));
    (
        parts.iter().filter(plain).map(text).collect(),
        parts.iter().filter(|part| !plain(part) && !said(part)).cloned().collect(),
        parts.iter().filter(said).cloned().collect(),
    )
}

proptest! {
    #[test]
    fn a_whole_answer_is_understood(vendor in vendors(), response in response()) {
        let body = vendor.whole(&response);
        let heard = vendor.understand(&body);
        prop_assert_eq!(heard.usage, response.usage);
        let (parts, stop) = understood(&heard);
        let (wanted, reason) = expected(vendor, &response);
        prop_assert_eq!(stop, reason);
        prop_assert_eq!(sorted(&parts), sorted(&wanted), "{:?} {}", vendor, body);
        if vendor != Vendor::Chat {
            prop_assert_eq!(parts, wanted, "{:?} {}", vendor, body);
        }
    }

    #[test]
    fn an_answer_in_pieces_is_understood_however_it_is_cut(
        vendor in vendors(),
        response in response(),
        cuts in proptest::collection::vec(1_usize..60, 1..8),
    ) {
        let deltas = pieces(&response);
        let text = vendor.streamed(&deltas);
        let heard = vendor.hear(&text, &cuts);
        prop_assert_eq!(heard.usage, response.usage);
        let (parts, stop) = understood(&heard);
        let (wanted, reason) = expected(vendor, &collected(deltas));
        prop_assert_eq!(stop, reason);
        if vendor != Vendor::Chat {
            prop_assert_eq!(&parts, &wanted, "{:?} {}", vendor, text);
        }
        prop_assert_eq!(sorted(&parts).2, sorted(&wanted).2, "{:?} {}", vendor, text);
    }
}
