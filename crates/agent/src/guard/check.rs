//! What is looked for without asking anybody.

use std::ops::Range;
use std::sync::Arc;

use adjutant_core::message::{Message, Part, Role};
use adjutant_policy::detect::{
    Hit, Kind, Pseudonyms, canary, grounding, injection, language, length, markup, mask, sensitive, unseen,
    words,
};

use super::ruling::{Did, Found, Ruling, Verdict};
use super::subject::Subject;
use crate::definition::{Action, Check, Guardrail};
use crate::output::Form;

/// The name of the steps in which it is looked for.
pub(crate) const GUARD: &str = "guard";

/// How often a text is looked through: what is left of one thing may be another one.
const ROUNDS: usize = 8;

/// What is known around what is looked at.
#[derive(Clone, Default)]
pub(super) struct Around {
    /// What tells the pseudonyms and the canary of this conversation from others.
    pub(super) seed: String,
    /// The canary of the run.
    pub(super) canary: String,
    /// What was said up to here.
    pub(super) read: Vec<Arc<Message>>,
    /// What pseudonyms there are already.
    pub(super) names: Pseudonyms,
}

/// What guardrails say of something that need nobody else.
pub(super) fn rule(guardrails: &[Guardrail], subject: &Subject, around: &Around) -> Ruling {
    let (mut now, mut names, mut verdicts) = (subject.clone(), around.names.clone(), Vec::new());
    for guardrail in guardrails {
        let found = find(guardrail, &now, around);
        let did = match guardrail.action {
            _ if found.is_empty() => Did::Passed,
            Action::Block => Did::Blocked,
            Action::Warn => Did::Warned,
            Action::Mask => Did::Masked,
            Action::Pseudonymise => Did::Pseudonymised,
        };
        verdicts.push(Verdict { guardrail: guardrail.name.clone(), did, found });
        match did {
            Did::Blocked => break,
            Did::Masked => now = now.each(&mut |text| masked(guardrail, text, around)),
            Did::Pseudonymised => {
                let kinds = kinds(&guardrail.check);
                now = now.each(&mut |text| names.put(text, &around.seed, kinds, guardrail.threshold));
            }
            Did::Passed | Did::Warned => {}
        }
    }
    Ruling { verdicts, changed: (now != *subject).then_some(now), names }
}

fn find(guardrail: &Guardrail, subject: &Subject, around: &Around) -> Vec<Found> {
    let whole = |hits: Vec<Hit>| hits.into_iter().map(|hit| Found { text: 0, hit }).collect::<Vec<_>>();
    let found = match &guardrail.check {
        Check::Language(allowed) => whole(language::find(&subject.whole(), allowed)),
        Check::Length { least, most } => whole(length::find(&subject.whole(), *least, *most)),
        Check::Schema(wanted) => whole(misfits(wanted, &subject.whole())),
        Check::Grounding { numbers } => {
            let read = texts(&around.read);
            let read: Vec<_> = read.iter().map(String::as_str).collect();
            whole(grounding::find(&subject.whole(), &read, *numbers))
        }
        _ => {
            let hits = |(text, read): (usize, &String)| {
                places(guardrail, read, around)
                    .into_iter()
                    .map(move |hit| Found { text, hit })
                    .collect::<Vec<_>>()
            };
            subject.texts().iter().enumerate().flat_map(hits).collect()
        }
    };
    found.into_iter().filter(|found| found.hit.score >= guardrail.threshold).collect()
}

/// What is found in one text.
fn places(guardrail: &Guardrail, text: &str, around: &Around) -> Vec<Hit> {
    match &guardrail.check {
        Check::Unicode => unseen::find(text),
        Check::Injection => injection::find(text),
        Check::Markup(hosts) => markup::find(text, hosts),
        Check::Canary { tokens, prompt } => {
            let own = prompt.then(|| around.canary.clone());
            canary::find(text, &tokens.iter().cloned().chain(own).collect::<Vec<_>>())
        }
        Check::Secrets | Check::Personal(_) => sensitive(text, kinds(&guardrail.check), guardrail.threshold),
        Check::Words { words, topics } => {
            words::find(text, words).into_iter().chain(words::topics(text, topics)).collect()
        }
        _ => Vec::new(),
    }
}

fn kinds(check: &Check) -> &[Kind] {
    match check {
        Check::Personal(kinds) => kinds,
        _ => &[Kind::Secret],
    }
}

/// A text without what a guardrail finds in it.
fn masked(guardrail: &Guardrail, text: &str, around: &Around) -> String {
    if let Check::Markup(hosts) = &guardrail.check {
        return markup::sanitised(text, hosts);
    }
    let mut masked = text.to_owned();
    for _ in 0..ROUNDS {
        let mut hits = places(guardrail, &masked, around);
        hits.retain(|hit| hit.score >= guardrail.threshold);
        hits.sort_by_key(|hit| hit.span.start);
        let mut over = 0;
        // Of two that overlap, what the first leaves of the second is looked at again.
        hits.retain(|hit| {
            let Range { start, end } = hit.span;
            let stands = start >= over && end > start;
            over = if stands { end } else { over };
            stands
        });
        if hits.is_empty() {
            break;
        }
        masked = mask::replace(&masked, &hits, |hit, found| match (&guardrail.check, hit.what.as_str()) {
            // Nobody sees that it is gone; a word that is mixed of alphabets is one that somebody reads.
            (Check::Unicode, _) if !found.chars().any(char::is_alphanumeric) => String::new(),
            _ => format!("[{}]", hit.category),
        });
    }
    masked
}

/// What is wrong with a text as JSON of a schema.
fn misfits(wanted: &serde_json::Value, text: &str) -> Vec<Hit> {
    let wrong = match Form::new("guardrail", wanted) {
        Ok(form) => form.read(text).err(),
        Err(error) => Some(error.message().to_owned()),
    };
    wrong.map(|why| Hit::new("schema", 1.0, 0..text.len(), why)).into_iter().collect()
}

/// What was read and said, without what the agent said itself.
fn texts(messages: &[Arc<Message>]) -> Vec<String> {
    let said = messages.iter().filter(|message| message.role != Role::Assistant);
    let parts = said.flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::Text { text } => Some(text.clone()),
        Part::ToolResult(result) => Some(result.as_text()),
        _ => None,
    });
    parts.collect()
}
