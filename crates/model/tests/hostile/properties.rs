//! What holds for whatever a provider sends.

use std::sync::Arc;

use adjutant_core::message::{Message, ToolResult, transcript_fault};
use adjutant_core::{Code, Result};
use adjutant_model::{Collector, Delta, Model};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::change::{Change, Damage, Edit, change, damage, edit, seed, wire};
use crate::read::{Canned, Subject, question};

fn settings() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_shrink_iters: 5_000, ..ProptestConfig::default() }
}

/// The properties of one provider, which are tests of their own so that they run side by side.
macro_rules! hostile {
    ($($name:ident: $subject:literal),*) => {$(mod $name {
        use super::*;

        proptest! {
            #![proptest_config(settings())]

            /// Events that were changed, in a stream that was damaged or not.
            #[test]
            fn streams(
                at in any::<Index>(),
                changes in prop::collection::vec(change(), 0..6),
                damages in prop::collection::vec(damage(), 0..3),
                kind in kind(),
                cuts in prop::collection::vec(any::<Index>(), 0..8),
            ) {
                check_stream($subject, &at, &changes, &damages, kind, &cuts);
            }

            /// Answers that came whole.
            #[test]
            fn wholes(
                at in any::<Index>(),
                edits in prop::collection::vec(edit(), 0..6),
                damages in prop::collection::vec(damage(), 0..3),
                kind in kind(),
                cuts in prop::collection::vec(any::<Index>(), 0..8),
            ) {
                check_whole($subject, &at, &edits, &damages, kind, &cuts);
            }

            /// Bytes that mean nothing.
            #[test]
            fn noise(
                bytes in prop::collection::vec(any::<u8>(), 0..600),
                kind in kind(),
                cuts in prop::collection::vec(any::<Index>(), 0..8),
            ) {
                check(Subject::ALL[$subject], kind.unwrap_or("text/event-stream"), &bytes, &cuts);
            }
        }
    })*};
}

hostile!(chat: 0, responses: 1, messages: 2, gemini: 3, converse: 4);

/// The content type that is sent instead of the right one, if any.
fn kind() -> impl Strategy<Value = Option<&'static str>> {
    let others =
        ["", "text/html", "application/json", "text/event-stream", "application/vnd.amazon.eventstream"];
    prop_oneof![3 => Just(None), 2 => prop::sample::select(others.to_vec()).prop_map(Some)]
}

fn check_stream(
    subject: usize,
    at: &Index,
    changes: &[Change],
    damages: &[Damage],
    kind: Option<&str>,
    cuts: &[Index],
) {
    let mut events = seed(subject, at).events;
    changes.iter().for_each(|change| change.make(subject, &mut events));
    let subject = Subject::ALL[subject];
    let mut bytes = wire(subject, &events);
    damages.iter().for_each(|damage| damage.make(&mut bytes));
    check(subject, kind.unwrap_or(subject.content_type()), &bytes, cuts);
}

fn check_whole(
    subject: usize,
    at: &Index,
    edits: &[Edit],
    damages: &[Damage],
    kind: Option<&str>,
    cuts: &[Index],
) {
    let mut value = serde_json::from_str(&seed(subject, at).whole).unwrap();
    edits.iter().for_each(|edit| edit.make(subject, &mut value));
    let mut bytes = value.to_string().into_bytes();
    damages.iter().for_each(|damage| damage.make(&mut bytes));
    check(Subject::ALL[subject], kind.unwrap_or("application/json"), &bytes, cuts);
}

fn check(subject: Subject, kind: &str, bytes: &[u8], cuts: &[Index]) {
    let read = subject.read(kind, [bytes]);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
    assert_eq!(subject.read(kind, pieces), read, "cut at {cuts:?}");
    assert_eq!(subject.read(kind, bytes.chunks(1)), read, "cut into bytes");
    ends_once(&read);
    is_bounded(&read, bytes.len());
    may_go_back(read);
}

/// Exactly one end or one error, and nothing behind it.
fn ends_once(read: &[Result<Delta>]) {
    let ends = |delta: &Result<Delta>| matches!(delta, Ok(Delta::End(_)) | Err(_));
    let end = read.iter().position(ends);
    assert_eq!(end, read.len().checked_sub(1), "{read:?}");
}

/// What comes out is no larger than what went in, but for what JSON adds and an error explains.
fn is_bounded(read: &[Result<Delta>], bytes: usize) {
    let size = |delta: &Result<Delta>| match delta {
        Ok(delta) => serde_json::to_string(delta).unwrap().len(),
        Err(error) => format!("{error:?}").len(),
    };
    let total: usize = read.iter().map(size).sum();
    assert!(total <= 8 * bytes + 6_000, "{total} bytes came of {bytes}: {read:?}");
}

/// An answer that is taken for one makes a valid transcript, which every provider takes or refuses for a reason.
fn may_go_back(read: Vec<Result<Delta>>) {
    let mut next = question();
    let mut collector = Collector::for_request(&next);
    for delta in read {
        let Ok(delta) = delta else { return };
        collector.push(delta);
    }
    let Ok(response) = collector.finish() else { return };
    let mut messages: Vec<Message> = next.messages.iter().map(|message| message.as_ref().clone()).collect();
    let results: Vec<Message> =
        response.message.calls().map(|call| Message::tool(ToolResult::text(call, "ok"))).collect();
    messages.push(response.message);
    messages.extend(results);
    messages.push(Message::user("And now?"));
    assert_eq!(transcript_fault(&messages), None);
    next.messages = messages.into_iter().map(Arc::new).collect();
    for subject in Subject::ALL {
        if let Err(error) = subject.over(Canned::default()).preview(&next) {
            let is_refused = matches!(error.code(), Code::ModelUnsupported | Code::InputInvalid);
            assert!(is_refused, "{subject:?}: {error:?}");
        }
    }
}
