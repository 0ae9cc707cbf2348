//! Forks: a run whose journal begins with a part of another's, by reference.

use std::collections::HashSet;

use adjutant_core::id::{Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Edit, Entry, Fork, Forked, Letter, Origin, Record};
use rusqlite::{Connection, params};

use crate::claim;
use crate::codec;
use crate::connection::fault;

/// What a run was started with.
pub(crate) fn admission(connection: &Connection, scope: &Scope, row: i64) -> Result<Admission> {
    let first = codec::read(connection, &scope.tenant, row, 0, Some(1))?.pop();
    match first.map(|record| record.entry) {
        Some(Entry::Admitted(admission)) => Ok(*admission),
        _ => Err(Error::new(Code::StoreCorrupt, "a journal does not begin with the admission of its run")),
    }
}

/// The records of a run from an offset on, those it shares with another included.
pub(crate) fn records(connection: &Connection, scope: &Scope, row: i64, from: u64) -> Result<Vec<Record>> {
    let Some(prefix) = claim::prefix(connection, row)? else {
        return codec::read(connection, &scope.tenant, row, from, None);
    };
    let mut records = Vec::new();
    if from < prefix.before {
        let admission = admission(connection, scope, row)?;
        let Some(Origin::Fork { before, edits, .. }) = &admission.origin else {
            return Err(Error::new(
                Code::StoreCorrupt,
                "a run that begins with another's records is no fork of it",
            ));
        };
        let mut shared = self::records(connection, scope, prefix.of, from)?;
        shared.retain(|record| record.offset < *before);
        records = adopt(shared, edits);
        if let Some(first) = records.first_mut().filter(|record| record.offset == 0) {
            first.entry = Entry::Admitted(Box::new(admission));
        }
    }
    records.extend(codec::read(connection, &scope.tenant, row, from.max(prefix.before), None)?);
    Ok(records)
}

/// Makes the records of one run the beginning of another: with some answers edited, and without the attempts of
/// effects that had no answer yet, since those were made for the other run.
fn adopt(records: Vec<Record>, edits: &[Edit]) -> Vec<Record> {
    let answered: HashSet<StepKey> = records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Completed { key, .. } | Entry::Late { key, .. } => Some(key.clone()),
            _ => None,
        })
        .collect();
    let belongs = |record: &Record| match &record.entry {
        Entry::Attempted { key, .. } | Entry::Unknown { key, .. } => answered.contains(key),
        Entry::Received(letter) => matches!(letter, Letter::Cancel { .. }),
        Entry::Halted(_) | Entry::Activated { .. } => false,
        _ => true,
    };
    let edit = |mut record: Record| {
        if let Entry::Completed { key, outcome } | Entry::Answered { key, outcome, .. } = &mut record.entry
            && let Some(edit) = edits.iter().find(|edit| edit.key == *key)
        {
            outcome.clone_from(&edit.outcome);
        }
        record
    };
    records.into_iter().filter(belongs).map(edit).collect()
}

/// What a segment began with, and when, given the offset of the record that ended the one before.
pub(crate) fn rolled_over(
    connection: &Connection,
    scope: &Scope,
    row: i64,
    at: u64,
) -> Result<Option<(Json, Timestamp)>> {
    // In a fork the record may be the other run's.
    let owner = match claim::prefix(connection, row)? {
        Some(prefix) if at < prefix.before => return rolled_over(connection, scope, prefix.of, at),
        _ => row,
    };
    let record = codec::read(connection, &scope.tenant, owner, at, Some(at + 1))?.pop();
    Ok(record.and_then(|record| match record.entry {
        Entry::RolledOver { state, .. } => Some((state, record.at)),
        _ => None,
    }))
}

/// The first free offset of a run, and the time of its last record.
pub(crate) fn end(connection: &Connection, row: i64) -> Result<(u64, Timestamp)> {
    let (offset, at) = claim::end_of_journal(connection, row)?;
    let before = claim::prefix(connection, row)?.map_or(0, |prefix| prefix.before);
    Ok((offset.max(before), at))
}

/// Where a fork leaves the other run.
struct Cut {
    before: u64,
    segment: u32,
    segment_start: u64,
    segment_active: u64,
    /// The record at the cut, if the step had an answer.
    answer: Option<Record>,
}

/// Starts a run from a point of another's journal.
pub(crate) fn fork(connection: &Connection, scope: &Scope, fork: &Fork, now: Timestamp) -> Result<Forked> {
    let of = claim::row_of(connection, scope, &fork.of)?;
    let history = records(connection, scope, of, 0)?;
    let cut = cut(&history, fork)?;
    for edit in &fork.edits {
        let known =
            history.iter().any(|record| record.offset <= cut.before && record.entry.key() == Some(&edit.key));
        if !known {
            return Err(Error::new(
                Code::NotFound,
                format!("the run `{}` has no step `{}` before `{}` to edit", fork.of, edit.key, fork.from),
            ));
        }
    }
    let mut admission = admission(connection, scope, of)?;
    admission.run = fork.run.clone();
    admission.by.clone_from(&fork.by);
    admission.origin =
        Some(Origin::Fork { of: fork.of.clone(), before: cut.before, edits: fork.edits.clone() });
    // It is no turn of the session; what came before it in the session is found by its origin.
    let session = admission.session.take();
    let (row, new) = claim::enter(connection, scope, &admission, now)?;
    if !new {
        return Err(Error::new(Code::Conflict, format!("there is already a run `{}`", fork.run)));
    }
    admission.session = session;
    let mut own =
        vec![Record { offset: 0, segment: 0, at: now, entry: Entry::Admitted(Box::new(admission)) }];
    own.extend(edited(&cut, fork, now));
    for record in &own {
        claim::write(connection, scope, (row, &fork.run), record)?;
    }
    connection
        .execute(
            "UPDATE runs SET fork_of = ?2, fork_before = ?3, segment = ?4, segment_start = ?5, segment_active = ?6
             WHERE id = ?1",
            params![
                row,
                of,
                cut.before,
                cut.segment,
                cut.segment_start,
                cut.segment_active
            ],
        )
        .map_err(fault)?;
    Ok(Forked { run: fork.run.clone(), caused: adjutant_durable::caused(&history, cut.before) })
}

fn cut(history: &[Record], fork: &Fork) -> Result<Cut> {
    let wanted = |record: &&Record| fork.segment.is_none_or(|segment| segment == record.segment);
    let about = |record: &&Record| record.entry.key() == Some(&fork.from);
    let segment =
        history.iter().rev().filter(wanted).find(about).map(|record| record.segment).ok_or_else(|| {
            Error::new(Code::NotFound, format!("the run `{}` has no step `{}`", fork.of, fork.from))
                .with_help(format!("`adjutant runs show {}` lists its steps", fork.of))
        })?;
    let answer = history.iter().filter(|record| record.segment == segment).find(|record| {
        matches!(&record.entry, Entry::Completed { key, .. } | Entry::Answered { key, .. } if *key == fork.from)
    });
    let within = |record: &&Record| {
        record.segment == segment && !matches!(record.entry, Entry::Ended(_) | Entry::RolledOver { .. })
    };
    let end = history.iter().rfind(within).map_or(0, |record| record.offset + 1);
    let before = answer.map_or(end, |record| record.offset);
    let ends = |record: &&Record| record.segment.checked_add(1) == Some(segment);
    let rolled = history.iter().filter(ends).find_map(|record| match record.entry {
        Entry::RolledOver { active_ms, .. } => Some((record.offset + 1, active_ms)),
        _ => None,
    });
    let (segment_start, segment_active) = rolled.unwrap_or((0, 0));
    Ok(Cut { before, segment, segment_start, segment_active, answer: answer.cloned() })
}

/// The edited answer of the step at the cut.
fn edited(cut: &Cut, fork: &Fork, now: Timestamp) -> Option<Record> {
    let edit = fork.edits.iter().find(|edit| edit.key == fork.from)?;
    let outcome = edit.outcome.clone();
    let entry = match cut.answer.as_ref().map(|record| &record.entry) {
        Some(Entry::Answered { key, hash, operation, .. }) => {
            Entry::Answered { key: key.clone(), hash: *hash, operation: operation.clone(), outcome }
        }
        _ => Entry::Completed { key: edit.key.clone(), outcome },
    };
    Some(Record { offset: cut.before, segment: cut.segment, at: now, entry })
}

/// The whole history of a run, for people and for the view.
pub(crate) fn history(
    connection: &Connection,
    scope: &Scope,
    run: &adjutant_core::id::RunId,
    from: u64,
) -> Result<Vec<Record>> {
    records(connection, scope, claim::row_of(connection, scope, run)?, from)
}

/// The outcome of a run that is over.
pub(crate) fn outcome(
    connection: &Connection,
    scope: &Scope,
    row: i64,
) -> Result<Option<adjutant_durable::Outcome>> {
    let (offset, _) = claim::end_of_journal(connection, row)?;
    let last = codec::read(connection, &scope.tenant, row, offset.saturating_sub(1), None)?.pop();
    Ok(last.and_then(|record| match record.entry {
        Entry::Ended(outcome) => Some(outcome),
        _ => None,
    }))
}
