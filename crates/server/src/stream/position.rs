//! [`Position`]: how far a client has come in the events of a run.

use std::fmt;
use std::str::FromStr;

use adjutant_core::event::{Cursor, Event, EventKind};
use adjutant_core::id::StepKey;
use adjutant_core::{Code, Error};

/// How far a client has come in the events of a run: the id of the last one that it has seen.
///
/// It is written `OFFSET.NUMBER.BACK`: the record, which of its events, and how many records before it must be read once more for what
/// comes after to be understood. After a piece of what a step says there is `~ATTEMPT.SEQUENCE~STEP` behind it. Without `BACK` all
/// are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The record and which of its events, from 0; none before the first.
    event: Option<(u64, u32)>,
    /// The record from which on the run is read.
    rests_on: u64,
    /// The last piece that passed by since.
    piece: Option<(StepKey, Cursor)>,
}

impl Position {
    /// Before the record of that offset.
    pub(crate) fn before(offset: u64) -> Self {
        Self { event: offset.checked_sub(1).map(|offset| (offset, u32::MAX)), ..Self::default() }
    }

    /// From which record on the run is read for what comes after.
    pub(super) fn rests_on(&self) -> u64 {
        self.rests_on
    }

    /// Goes past an event of the run, with the record from which on the run is to be read after it. None where it has no place of its own.
    pub(super) fn pass(&mut self, event: &Event, rests_on: u64) -> Option<()> {
        if let Some(cursor) = cursor(event) {
            self.rests_on = rests_on;
            self.piece = Some((event.step.clone()?, cursor));
            return Some(());
        }
        let offset = event.offset?;
        let number = match self.event {
            Some((last, number)) if last == offset => number.saturating_add(1),
            _ => 0,
        };
        *self = Self { event: Some((offset, number)), rests_on, piece: None };
        Some(())
    }

    /// Whether somebody who has come as far as `self` has seen what comes at `at`, an event that was just passed.
    pub(super) fn has_seen(&self, at: &Self, event: &Event) -> bool {
        match (&self.piece, cursor(event)) {
            // Pieces that are still kept come anew, wherever in the records that is.
            (Some((step, seen)), Some(cursor)) => event.step.as_ref() == Some(step) && cursor <= *seen,
            (None, Some(_)) => false,
            (_, None) => self.event.is_some_and(|seen| at.event.is_some_and(|at| at <= seen)),
        }
    }
}

/// The place of a piece within its step.
fn cursor(event: &Event) -> Option<Cursor> {
    match &event.kind {
        EventKind::TextDelta { cursor, .. } | EventKind::ReasoningDelta { cursor, .. } => Some(*cursor),
        _ => None,
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((offset, number)) = self.event {
            write!(f, "{offset}.{number}.{}", offset.saturating_sub(self.rests_on))?;
        }
        if let Some((step, cursor)) = &self.piece {
            write!(f, "~{}.{}~{step}", cursor.attempt, cursor.sequence)?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(Code::InputInvalid, format!("`{text}` is no id of an event"))
                .with_help("send the `id` of the last event as it came")
        };
        let mut parts = text.splitn(3, '~');
        let (event, rests_on) = event(parts.next().unwrap_or_default()).ok_or_else(wrong)?;
        let piece = match (parts.next(), parts.next()) {
            (None, _) => None,
            (Some(cursor), Some(step)) if !step.is_empty() => {
                let (attempt, sequence) = cursor.split_once('.').ok_or_else(wrong)?;
                let cursor = Cursor {
                    attempt: attempt.parse().map_err(|_| wrong())?,
                    sequence: sequence.parse().map_err(|_| wrong())?,
                };
                Some((StepKey::parse(step), cursor))
            }
            _ => return Err(wrong()),
        };
        Ok(Self { event, rests_on, piece })
    }
}

/// Reads the part that says of an event, and from where on the run is read. None for what is no such part.
fn event(text: &str) -> Option<(Option<(u64, u32)>, u64)> {
    let mut numbers = text.split('.');
    let first = numbers.next().filter(|first| !first.is_empty());
    let (second, third, rest) = (numbers.next(), numbers.next(), numbers.next());
    let Some(offset) = first else { return second.is_none().then_some((None, 0)) };
    let offset: u64 = offset.parse().ok()?;
    // An offset alone means all of its events.
    let number = second.map_or(Some(u32::MAX), |number| number.parse().ok())?;
    let rests_on = third.map_or(Some(0), |back| offset.checked_sub(back.parse().ok()?))?;
    rest.is_none().then_some((Some((offset, number)), rests_on))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_is_read_as_it_is_written(
            event in proptest::option::of((any::<u64>(), any::<u32>())),
            back in any::<u64>(),
            piece in proptest::option::of((1u32.., any::<u64>())),
        ) {
            let piece = piece.map(|(attempt, sequence)| (StepKey::parse("/turn#0/model#1"), Cursor { attempt, sequence }));
            let rests_on = event.map_or(0, |(offset, _)| offset.saturating_sub(back));
            let position = Position { event, rests_on, piece };
            prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }

        #[test]
        fn no_text_is_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "x",
            "1.x",
            "1.0.x",
            "1.0.2",
            "1.0.0.0",
            ".0",
            "-1",
            "1.0~",
            "1.0~1",
            "1.0~1.1~",
            "1.0~1~/a",
            "99999999999999999999",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
        assert_eq!("7".parse::<Position>().unwrap(), Position::before(8));
        let [all, some] = ["7.1", "7.1.2"].map(|text| text.parse::<Position>().unwrap());
        assert_eq!((all.rests_on, some.rests_on, all.event), (0, 5, some.event));
        assert_eq!(Position::before(0), Position::default());
    }
}
