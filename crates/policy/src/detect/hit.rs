//! [`Hit`]: one thing that was found in a text.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One thing that was found in a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// What it is: `email`, `secret`, `injection`, ...
    pub category: String,
    /// How sure it is, from 0 to 1.
    pub score: f64,
    /// Where it stands, in bytes of the text.
    pub span: Range<usize>,
    /// What was seen, in a few words. Never the thing itself, since this goes into records and to operators.
    pub what: String,
}

impl Hit {
    /// A thing that was found there.
    pub fn new(category: &str, score: f64, span: Range<usize>, what: impl Into<String>) -> Self {
        Self { category: category.to_owned(), score, span, what: what.into() }
    }
}

/// The spans of some hits in the order of the text, each with the hit that it is most surely; those that overlap are one.
pub(super) fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| a.span.start.cmp(&b.span.start).then(b.span.end.cmp(&a.span.end)));
    let mut merged: Vec<Hit> = Vec::new();
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.span.start < last.span.end => {
                let span = last.span.start..last.span.end.max(hit.span.end);
                if hit.score > last.score {
                    *last = hit;
                }
                last.span = span;
            }
            _ => merged.push(hit),
        }
    }
    merged
}
