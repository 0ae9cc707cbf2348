//! A whole answer as the pieces in which a model would send it.

use adjutant_core::message::{Message, Part, ToolCall};

use crate::delta::{Delta, StopReason};
use crate::request::Request;
use crate::token;

/// Words in one piece of text.
const WORDS: usize = 4;

/// The deltas of an answer, with its estimated usage and its end.
pub(super) fn deltas(request: &Request, answer: Message) -> Vec<Delta> {
    let (answer, stop) = limited(request, answer);
    let usage = token::estimate_usage(request, &answer);
    let mut deltas = Vec::new();
    let mut index = 0u32;
    for part in &answer.parts {
        match part {
            Part::Text { text } => deltas.extend(pieces(text).map(|piece| Delta::Text(piece.to_owned()))),
            Part::ToolCall(call) => {
                deltas.extend(call_pieces(index, call));
                index = index.saturating_add(1);
            }
            _ => {}
        }
    }
    deltas.extend([Delta::Usage(usage), Delta::End(stop)]);
    deltas
}

/// The answer within the limits that the request sets, and why it ends. Calls are never cut.
fn limited(request: &Request, answer: Message) -> (Message, StopReason) {
    if answer.calls().next().is_some() {
        return (answer, StopReason::ToolCalls);
    }
    let whole = answer.text();
    let most = request.max_output_tokens.map_or(usize::MAX, |tokens| {
        usize::try_from(u64::from(tokens).saturating_mul(token::BYTES_PER_TOKEN)).unwrap_or(usize::MAX)
    });
    let cut = whole.floor_char_boundary(most);
    let stopped = request
        .stop
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| whole.find(stop.as_str()))
        .min();
    let (end, stop) = match stopped {
        Some(at) if at <= cut => (at, StopReason::StopSequence),
        _ if cut < whole.len() => (cut, StopReason::MaxTokens),
        _ => (whole.len(), StopReason::EndTurn),
    };
    let text = whole.get(..end).unwrap_or_default();
    (Message::assistant(vec![Part::text(text)]), stop)
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut spaces = text.match_indices(' ').map(|(at, _)| at + 1);
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = spaces.nth(WORDS - 1).unwrap_or(text.len());
        let piece = text.get(start..end).filter(|piece| !piece.is_empty())?;
        start = end;
        Some(piece)
    })
}

fn call_pieces(index: u32, call: &ToolCall) -> [Delta; 2] {
    let middle = call.arguments.floor_char_boundary(call.arguments.len() / 2);
    let (first, second) = call.arguments.split_at(middle);
    [
        Delta::ToolCall {
            index,
            id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            arguments: first.to_owned(),
        },
        Delta::ToolCall { index, id: None, name: None, arguments: second.to_owned() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &Request, text: &str) -> (String, StopReason) {
        let mut collector = crate::Collector::new();
        deltas(request, Message::assistant(vec![Part::text(text)]))
            .into_iter()
            .for_each(|d| collector.push(d));
        let response = collector.finish().unwrap();
        (response.message.text(), response.stop)
    }

    #[test]
    fn limits_cut_the_text() {
        let limit = |tokens| Request { max_output_tokens: Some(tokens), ..Request::default() };
        let stop = |text: &str| Request { stop: vec![text.to_owned()], ..Request::default() };
        let text = "one two three four five six";
        let cases = [
            (Request::default(), text, StopReason::EndTurn),
            (limit(2), "one two ", StopReason::MaxTokens),
            (limit(100), text, StopReason::EndTurn),
            (stop("three"), "one two ", StopReason::StopSequence),
            (stop("seven"), text, StopReason::EndTurn),
            (stop(""), text, StopReason::EndTurn),
        ];
        for (request, expected, stop) in cases {
            assert_eq!(check(&request, text), (expected.to_owned(), stop));
        }
        assert_eq!(pieces(text).collect::<Vec<_>>(), ["one two three four ", "five six"]);
    }
}
