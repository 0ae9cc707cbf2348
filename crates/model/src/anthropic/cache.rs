//! Marks for the prompt cache: after each of them the provider keeps what was said up to there.
//!
//! Source: platform.claude.com/docs, "Prompt caching". A request may have four, its order is tools, instructions, turns,
//! and from a mark the provider looks back over twenty blocks for what it kept before.

use serde_json::{Map, Value, json};

use super::kind_of;
use super::turns::{Side, Turn};
use crate::provider::PromptCache;

/// The most marks of a request.
const MOST: usize = 4;

/// Marks what a loop sends again: the newest turn, the instructions, the turn of the user before, which the request
/// before ended with, and the tools. `taken` is how many marks the configuration has made itself.
pub(super) fn mark(
    how: PromptCache,
    taken: usize,
    tools: &mut [Value],
    system: &mut [Value],
    turns: &mut [Turn],
) {
    let mark = match how {
        PromptCache::Off => return,
        PromptCache::Short => json!({"type": "ephemeral"}),
        PromptCache::Long => json!({"type": "ephemeral", "ttl": "1h"}),
    };
    let mut left = MOST.saturating_sub(taken);
    let mut newest_first = turns.iter_mut().rev();
    let newest = newest_first.next();
    let before = newest_first.find(|turn| turn.side == Side::User);
    let places =
        [newest.and_then(last_markable), system.last_mut(), before.and_then(last_markable), tools.last_mut()];
    for block in places.into_iter().flatten().filter_map(Value::as_object_mut) {
        if left > 0 && !block.contains_key("cache_control") {
            block.insert("cache_control".into(), mark.clone());
            left -= 1;
        }
    }
}

/// How many marks stand in tools and extra parameters already.
pub(super) fn taken(tools: &[Value], extra: &[&Map<String, Value>]) -> usize {
    let is_marked = |value: Option<&Value>| value.is_some_and(|mark| !mark.is_null());
    let of_tools = tools.iter().filter(|tool| is_marked(tool.get("cache_control"))).count();
    of_tools + usize::from(extra.iter().any(|extra| is_marked(extra.get("cache_control"))))
}

/// The last block of a turn, but for those that cannot have a mark or go back as they came.
fn last_markable(turn: &mut Turn) -> Option<&mut Value> {
    const MARKABLE: [&str; 5] = ["text", "image", "document", "tool_use", "tool_result"];
    let is_markable = |block: &&mut Value| MARKABLE.contains(&kind_of(block));
    turn.blocks.iter_mut().rev().find(is_markable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(sides: &[(Side, &[&str])]) -> Vec<Turn> {
        let blocks = |kinds: &[&str]| kinds.iter().map(|kind| json!({"type": kind})).collect();
        sides.iter().map(|(side, kinds)| Turn { side: *side, blocks: blocks(kinds) }).collect()
    }

    #[test]
    fn what_is_sent_again_is_marked() {
        use Side::{Assistant, User};
        let talk: &[(Side, &[&str])] = &[
            (User, &["text"]),
            (Assistant, &["thinking", "tool_use"]),
            (User, &["tool_result", "tool_result"]),
            (Assistant, &["tool_use"]),
            (User, &["tool_result"]),
        ];
        let paused: &[(Side, &[&str])] = &[(User, &["text"]), (Assistant, &["text", "server_tool_use"])];
        let unmarkable: &[(Side, &[&str])] = &[(User, &["text"]), (Assistant, &["thinking"])];
        // Of the tools, the instructions, and the blocks of all turns: `x` is marked.
        let cases = [
            (PromptCache::Off, 0, talk, "..|.|......."),
            (PromptCache::Short, 0, talk, ".x|x|....x.x"),
            (PromptCache::Long, 0, talk, ".x|x|....x.x"),
            (PromptCache::Short, 1, talk, "..|x|....x.x"),
            (PromptCache::Short, 2, talk, "..|x|......x"),
            (PromptCache::Short, 4, talk, "..|.|......."),
            (PromptCache::Short, 9, talk, "..|.|......."),
            (PromptCache::Short, 0, &talk[..1], ".x|x|x"),
            (PromptCache::Short, 0, paused, ".x|x|xx."),
            (PromptCache::Short, 0, unmarkable, ".x|x|x."),
        ];
        for (how, already, sides, expected) in cases {
            let (mut tools, mut system) = (vec![json!({}), json!({})], vec![json!({})]);
            let mut turns = turns(sides);
            mark(how, already, &mut tools, &mut system, &mut turns);
            let is_marked = |block: &Value| match block.get("cache_control") {
                Some(mark) => {
                    let ttl = (how == PromptCache::Long).then_some("1h");
                    assert_eq!(mark.get("ttl").and_then(Value::as_str), ttl);
                    'x'
                }
                None => '.',
            };
            let marks = |blocks: &[Value]| blocks.iter().map(is_marked).collect::<String>();
            let said: String = turns.iter().map(|turn| marks(&turn.blocks)).collect();
            assert_eq!(format!("{}|{}|{said}", marks(&tools), marks(&system)), expected, "{how:?} {already}");
        }
    }

    #[test]
    fn marks_of_the_configuration_count() {
        let marked = json!({"cache_control": {"type": "ephemeral"}});
        let extra = marked.as_object().unwrap();
        assert_eq!(taken(&[json!({}), marked.clone(), json!({"cache_control": null})], &[&Map::new()]), 1);
        assert_eq!(taken(std::slice::from_ref(&marked), &[extra, extra]), 2);
    }
}
