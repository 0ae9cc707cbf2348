//! Keeps a conversation within the window of its model.
//!
//! Old tool results are shortened first. When that is not enough, the older part of the conversation gives way to a
//! summary, which is a recorded step; when no summary can be made, it is left out. A call and its result are never
//! parted, and all that is dropped stays in the journal.

use std::sync::Arc;

use adjutant_core::event::EventKind;
use adjutant_core::message::{Message, Role};
use adjutant_core::{Code, Result};
use adjutant_durable::Ctx;
use adjutant_model::token;

use crate::compact::summarise;
use crate::memory::Memory;
use crate::room::Room;
use crate::rules::Log;
use crate::runtime::Runtime;
use crate::transcript::{COMPACT, Transcript};

/// What a summary may take of the room, at most, in tokens.
const LONGEST_SUMMARY: u64 = 1_500;
/// To how many tokens a result is shortened at least.
const SHORTEST_RESULT: u64 = 50;

/// Makes room in the conversation before its next request would fill more of the window than the agent allows.
pub(crate) async fn fit(step: &Ctx, agent: &Arc<Runtime>, memory: &mut Memory, log: &Log) -> Result<()> {
    let room = room(agent);
    if memory.conversation.tokens() <= room {
        return Ok(());
    }
    make_room(step, agent, memory, log, room).await
}

/// How many tokens a request may have. An answer of the greatest length that is asked for must fit beside it: many
/// servers refuse the request otherwise.
fn room(agent: &Runtime) -> u64 {
    let window = agent.window();
    let share = window.saturating_mul(u64::from(agent.definition.context.compact_at)) / 100;
    let answer = agent.definition.max_output_tokens.unwrap_or(0);
    share.min(window.saturating_sub(u64::from(answer))).max(window / 10)
}

/// Brings the conversation to `room` tokens, as far as that is possible.
pub(crate) async fn make_room(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    room: u64,
) -> Result<()> {
    let context = &agent.definition.context;
    let overhead = agent.overhead(&memory.found);
    let recent = recent(memory.conversation.messages(), context.keep_turns);
    shorten(memory, recent, u64::from(context.shorten_results_to), overhead);
    if memory.conversation.tokens() <= room {
        return Ok(());
    }
    let summary = LONGEST_SUMMARY.min(room / 4);
    let keep = room.saturating_sub(overhead).saturating_sub(summary);
    if let Some(count) = cut(memory.conversation.transcript(), recent, keep) {
        compact(step, agent, memory, log, count, summary).await?;
        step.emit(&EventKind::Compacted { messages: count })?;
    }
    if memory.conversation.tokens() > room {
        let most = share(memory.conversation.messages(), room.saturating_sub(overhead));
        let all = memory.conversation.messages().len();
        shorten(memory, all, most, overhead);
    }
    Ok(())
}

async fn compact(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    count: usize,
    words: u64,
) -> Result<()> {
    memory.recorded += 1;
    let overhead = agent.overhead(&memory.found);
    let room = Room::before_the_last(&agent.definition.limits, &memory.tally);
    let conversation = &mut memory.conversation;
    match summarise(step, agent, conversation, log, (count, words), room).await {
        Ok(summary) => {
            memory.tally.spend(&summary);
            conversation.summarise(count, step.path().join(COMPACT, 0), &summary, overhead);
        }
        Err(error) if error.code() == Code::RunCancelled => return Err(error),
        // The run goes on without what it would have remembered.
        Err(_) => conversation.forget(count, overhead),
    }
    Ok(())
}

/// Shortens the results among the first `before` messages, where any is longer.
fn shorten(memory: &mut Memory, before: usize, tokens: u64, overhead: u64) {
    let most = usize::try_from(tokens.saturating_mul(token::BYTES_PER_TOKEN)).unwrap_or(usize::MAX);
    let is_long = |message: &Arc<Message>| message.results().any(|result| result.as_text().len() > most);
    if memory.conversation.messages().iter().take(before).any(is_long) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        memory.conversation.shorten(before, tokens, overhead);
    }
}

/// Where the last `turns` turns of the model begin.
fn recent(messages: &[Arc<Message>], turns: u32) -> usize {
    let answers = messages.iter().enumerate().rev().filter(|(_, message)| message.role == Role::Assistant);
    let first = answers.take(turns.max(1) as usize).last();
    first.map_or(0, |(index, _)| index)
}

/// How many messages after the instructions must go so that the rest counts at most `room`: at best all before
/// `recent`, more if need be. None where nothing that a model did would go.
fn cut(transcript: &Transcript, recent: usize, room: u64) -> Option<usize> {
    let messages = transcript.messages();
    let start = transcript.start();
    let head: u64 = messages.iter().take(start).map(|message| token::estimate(message)).sum();
    let kept =
        |from: usize| -> u64 { messages.iter().skip(from).map(|message| token::estimate(message)).sum() };
    // Before any other message than a tool's, every call has its result.
    let whole = |index: &usize| messages.get(*index).is_some_and(|message| message.role != Role::Tool);
    let mut ends = (recent.max(start)..messages.len()).filter(whole);
    let fits = ends.clone().find(|end| head + kept(*end) <= room);
    let end = fits.or_else(|| ends.next_back())?;
    let mut gone = messages.iter().take(end).skip(start);
    gone.any(|message| message.role == Role::Assistant).then_some(end - start)
}

/// To how many tokens each result must be shortened so that everything counts at most `room`.
fn share(messages: &[Arc<Message>], room: u64) -> u64 {
    let (results, others): (Vec<_>, Vec<_>) = messages.iter().partition(|message| message.role == Role::Tool);
    let others: u64 = others.iter().map(|message| token::estimate(message)).sum();
    let count = u64::try_from(results.len()).unwrap_or(u64::MAX).max(1);
    (room.saturating_sub(others) / count).max(SHORTEST_RESULT)
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Part, ToolCall, ToolResult, transcript_fault};
    use proptest::prelude::*;

    use super::*;

    fn call(id: usize) -> ToolCall {
        ToolCall { id: format!("c{id}").as_str().into(), name: "read".into(), arguments: "{}".into() }
    }

    /// `s` instructions, `u` a person, `a` an answer, digits: an answer with so many calls, and their results.
    fn transcript(form: &str) -> Transcript {
        let mut transcript = Transcript::default();
        for (place, letter) in form.chars().enumerate() {
            match letter {
                's' => transcript.push(Message::system("be kind")),
                'u' => transcript.push(Message::user("please")),
                'a' => transcript.push(Message::assistant(vec![Part::text("done")])),
                digit => {
                    let calls: Vec<_> =
                        (0..digit.to_digit(10).unwrap()).map(|i| call(place * 10 + i as usize)).collect();
                    transcript.push(Message::assistant(calls.iter().cloned().map(Part::ToolCall).collect()));
                    calls.iter().for_each(|call| {
                        transcript.push(Message::tool(ToolResult::text(call, "x".repeat(400))));
                    });
                }
            }
        }
        transcript
    }

    fn check(form: &str, turns: u32, room: u64) -> Option<usize> {
        let transcript = transcript(form);
        cut(&transcript, recent(transcript.messages(), turns), room)
    }

    #[test]
    fn the_cut_keeps_the_latest_turns_or_what_fits() {
        let all = u64::MAX / 2;
        let cases = [
            ("suaua", 1, all, Some(3)),
            ("suaua", 2, all, None),
            ("su1a", 1, all, Some(3)),
            ("su2a", 1, all, Some(4)),
            ("su11", 1, all, Some(3)),
            // The last turn alone is too much: it stays whole all the same.
            ("su11", 4, 10, Some(3)),
            ("su2u", 4, 10, Some(4)),
            ("su1", 4, 10, None),
            ("u", 4, 10, None),
            ("", 4, 10, None),
        ];
        for (form, turns, room, expected) in cases {
            assert_eq!(check(form, turns, room), expected, "{form}");
        }
    }

    proptest! {
        #[test]
        fn calls_and_results_stay_together(form in "s?(u[a123]{0,6}){1,6}", turns in 1u32..5, room in 0u64..3_000) {
            let mut transcript = transcript(&form);
            if let Some(count) = cut(&transcript, recent(transcript.messages(), turns), room) {
                transcript.forget(count);
                let messages: Vec<Message> = transcript.messages().iter().map(|m| (**m).clone()).collect();
                prop_assert_eq!(transcript_fault(&messages), None);
                prop_assert!(messages.iter().any(|message| message.text() == "please"));
            }
        }
    }
}
