//! Marks for the prompt cache: what stands before one is kept.
//!
//! docs.aws.amazon.com/bedrock, "Prompt caching": a request may have four, its order is tools, instructions, messages. A
//! mark is a block of its own, and none may follow a document or a video directly.

use serde_json::{Value, json};

use super::traits::Cache;
use super::turns::{Side, Turn, is};
use crate::provider::PromptCache;

/// The most marks of a request.
const MOST: usize = 4;

/// Marks what a loop sends again: the newest turn of the user, the instructions, the turn of the user before, which the
/// request before ended with, and the tools.
pub(super) fn mark(
    how: PromptCache,
    cache: Cache,
    tools: &mut Vec<Value>,
    system: &mut Vec<Value>,
    turns: &mut [Turn],
) {
    let mark = match (how, cache) {
        (PromptCache::Off, _) | (_, Cache::Nowhere) => return,
        (PromptCache::Long, Cache::Hour) => json!({"cachePoint": {"type": "default", "ttl": "1h"}}),
        _ => json!({"cachePoint": {"type": "default"}}),
    };
    if cache == Cache::System {
        put(system, &mark);
        return;
    }
    let left = MOST.saturating_sub(tools.iter().filter(|tool| is(tool, "cachePoint")).count());
    let mut of_user =
        turns.iter_mut().rev().filter(|turn| turn.side == Side::User).map(|turn| &mut turn.blocks);
    let (newest, before) = (of_user.next(), of_user.next());
    let places = [newest, Some(system), before, Some(tools)];
    for blocks in places.into_iter().flatten().filter(|blocks| !blocks.is_empty()).take(left) {
        put(blocks, &mark);
    }
}

/// Puts a mark as far behind as one may stand.
fn put(blocks: &mut Vec<Value>, mark: &Value) {
    let bears = |block: &Value| !is(block, "document") && !is(block, "video") && !is(block, "audio");
    if blocks.last().is_some_and(|last| is(last, "cachePoint")) {
        return;
    }
    if let Some(last) = blocks.iter().rposition(bears) {
        blocks.insert(last + 1, mark.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(kinds: &[&str]) -> Vec<Value> {
        kinds.iter().map(|kind| json!({*kind: {}})).collect()
    }

    /// The first letters of the blocks, marks as `!` and `!1h`: tools, instructions, turns.
    fn shown(
        how: PromptCache,
        cache: Cache,
        tools: &[&str],
        system: &[&str],
        sides: &[(Side, &[&str])],
    ) -> String {
        let (mut tools, mut system) = (blocks(tools), blocks(system));
        let mut turns: Vec<Turn> =
            sides.iter().map(|(side, kinds)| Turn { side: *side, blocks: blocks(kinds) }).collect();
        mark(how, cache, &mut tools, &mut system, &mut turns);
        let letter = |block: &Value| match block.pointer("/cachePoint/ttl").and_then(Value::as_str) {
            Some(ttl) => format!("!{ttl}"),
            None if is(block, "cachePoint") => "!".to_owned(),
            None => block.as_object().unwrap().keys().next().unwrap()[..1].to_owned(),
        };
        let letters = |blocks: &[Value]| blocks.iter().map(letter).collect::<String>();
        let turns: Vec<String> = turns.iter().map(|turn| letters(&turn.blocks)).collect();
        format!("{}|{}|{}", letters(&tools), letters(&system), turns.join("|"))
    }

    #[test]
    fn what_is_sent_again_is_marked() {
        use PromptCache::{Long, Off, Short};
        use Side::{Assistant, User};
        let talk: &[(Side, &[&str])] = &[
            (User, &["text"]),
            (Assistant, &["toolUse"]),
            (User, &["Result", "Result"]),
            (Assistant, &["toolUse"]),
            (User, &["Result"]),
        ];
        let files: &[(Side, &[&str])] = &[(User, &["text", "document", "video"])];
        let only_files: &[(Side, &[&str])] = &[(User, &["document"])];
        let (tools, system): (&[&str], &[&str]) = (&["spec"], &["text"]);
        let cases = [
            (Off, Cache::Hour, tools, system, talk, "s|t|t|t|RR|t|R"),
            (Short, Cache::Nowhere, tools, system, talk, "s|t|t|t|RR|t|R"),
            (Short, Cache::System, tools, system, talk, "s|t!|t|t|RR|t|R"),
            (Short, Cache::Hour, tools, system, talk, "s!|t!|t|t|RR!|t|R!"),
            (Long, Cache::Hour, tools, system, &talk[..1], "s!1h|t!1h|t!1h"),
            (Long, Cache::Minutes, &[], &[], &talk[..1], "||t!"),
            (Short, Cache::System, tools, &[], &talk[..1], "s||t"),
            (Short, Cache::Minutes, &[], &[], files, "||t!dv"),
            (Short, Cache::Minutes, &[], &[], only_files, "||d"),
            (Short, Cache::Minutes, &["spec", "cachePoint"], system, talk, "s!|t!|t|t|RR!|t|R!"),
            (Short, Cache::Minutes, &["cachePoint"; 4], system, talk, "!!!!|t|t|t|RR|t|R"),
        ];
        for (how, cache, tools, system, turns, expected) in cases {
            assert_eq!(shown(how, cache, tools, system, turns), expected, "{how:?} {cache:?}");
        }
    }
}
