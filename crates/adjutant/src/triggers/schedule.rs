//! [`Schedule`]: the times of a cron expression in a time zone. Pure: it asks no clock.

use adjutant_core::time::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp as Instant};

/// How many days ahead a time is looked for: the 29th of February comes back within eight years.
const MOST_DAYS: usize = 366 * 9;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The times of a cron expression of five fields in a time zone.
///
/// A time that the zone does not have on a day, since its clocks go forward, is the moment at which they do; one that it has
/// twice is the first of the two.
#[derive(Clone, Debug)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether either of two restricted kinds of days will do, as cron has it.
    either: bool,
    zone: TimeZone,
    text: String,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Schedule {
    /// Reads an expression. Fails with what is wrong with it, in words.
    pub fn read(expression: &str, zone: &str) -> Result<Self, String> {
        let time_zone = TimeZone::get(zone)
            .map_err(|_| format!("`{zone}` is no time zone; write it as `Europe/Berlin` or `UTC`"))?;
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!(
                "`{expression}` has {} fields, and must have five: minute, hour, day, month, weekday",
                fields.len()
            ));
        };
        let weekday_bits = field(weekdays, 0..=7, &DAYS, 0)?;
        let schedule = Self {
            minutes: field(minutes, 0..=59, &[], 0)?,
            hours: field(hours, 0..=23, &[], 0)?,
            days: field(days, 1..=31, &[], 0)?,
            months: field(months, 1..=12, &MONTHS, 1)?,
            // Sunday is 0 and 7.
            weekdays: (weekday_bits | (weekday_bits >> 7)) & 0x7f,
            either: !days.starts_with('*') && !weekdays.starts_with('*'),
            zone: time_zone,
            text: format!("{} {zone}", fields.join(" ")),
        };
        match schedule.after(Timestamp(0)) {
            Some(_) => Ok(schedule),
            None => Err(format!("`{expression}` never comes")),
        }
    }

    /// The expression and its zone, as they are compared.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first time after a moment; none where it never comes.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let instant = Instant::from_millisecond(moment.0).ok()?;
        let now = self.zone.to_datetime(instant);
        let mut day = now.date();
        for _ in 0..MOST_DAYS {
            if self.has_day(day) {
                // What the clocks of the zone have shown before is never later than now.
                let hour = if day == now.date() { now.hour() } else { 0 };
                let times = self.times_of(day, hour).filter(|time| *time > now);
                let found = times.filter_map(|time| self.moment(time)).find(|time| *time > moment);
                if found.is_some() {
                    return found;
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn has_day(&self, day: Date) -> bool {
        let month = has(self.months, day.month());
        let date = has(self.days, day.day());
        let weekday = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        month && if self.either { date || weekday } else { date && weekday }
    }

    /// The times of a day, from an hour on.
    fn times_of(&self, day: Date, from: i8) -> impl Iterator<Item = DateTime> {
        let (hours, minutes) = (self.hours, self.minutes);
        let hours = (from..24).filter(move |hour| has(hours, *hour));
        hours.flat_map(move |hour| {
            (0..60).filter(move |minute| has(minutes, *minute)).map(move |minute| day.at(hour, minute, 0, 0))
        })
    }

    fn moment(&self, time: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let instant = match ambiguous.offset() {
            // By the offset of afterwards, what the clocks leave out lies before they go forward.
            AmbiguousOffset::Gap { after, .. } => {
                let before_it = after.to_timestamp(time).ok()?;
                self.zone.following(before_it.checked_sub(Span::new().seconds(1)).ok()?).next()?.timestamp()
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok()?,
        };
        Some(Timestamp(instant.as_millisecond()))
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits & (1 << value) != 0)
}

/// The values of one field as bits: `*`, `5`, `1-5`, `*/15`, `1-30/2`, lists of these, and names.
fn field(
    text: &str,
    range: std::ops::RangeInclusive<u32>,
    names: &[&str],
    first: u32,
) -> Result<u64, String> {
    let (least, most) = (*range.start(), *range.end());
    let wrong =
        |part: &str| format!("`{part}` is none of {least} to {most}, nor a range, a step or a list of them");
    let number = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let named = named.and_then(|index| u32::try_from(index).ok()).map(|index| index + first);
        named.or_else(|| text.parse().ok()).filter(|value| range.contains(value))
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => {
                (span, step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(|| wrong(part))?)
            }
            None => (part, 1),
        };
        let (from, to) = match (span, span.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => {
                (number(from).ok_or_else(|| wrong(part))?, number(to).ok_or_else(|| wrong(part))?)
            }
            (single, None) => {
                let from = number(single).ok_or_else(|| wrong(part))?;
                (from, if part.contains('/') { most } else { from })
            }
        };
        if from > to {
            return Err(format!("`{part}` ends before it begins"));
        }
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        (from..=to).step_by(step).for_each(|value| bits |= 1_u64 << value);
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::read(expression, zone).unwrap();
        let mut moment = Timestamp(from.parse::<Instant>().unwrap().as_millisecond());
        let mut found = Vec::new();
        while found.len() < count {
            moment = schedule.after(moment).unwrap();
            found.push(Instant::from_millisecond(moment.0).unwrap().to_string());
        }
        found
    }

    #[test]
    fn times_come_in_their_zone() {
        for (expression, zone, from, expected) in [
            (
                "0 9 * * 1-5",
                "Europe/Berlin",
                "2026-01-02T09:00:00Z",
                ["2026-01-05T08:00:00Z", "2026-01-06T08:00:00Z"],
            ),
            ("*/30 * * * *", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"]),
            ("0 0 29 feb *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
            ("0 0 13 * fri", "UTC", "2026-01-09T12:00:00Z", ["2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"]),
            ("0 12 * * 7", "UTC", "2026-01-01T00:00:00Z", ["2026-01-04T12:00:00Z", "2026-01-11T12:00:00Z"]),
            (
                "5/20 3 1,2 * *",
                "UTC",
                "2026-01-01T03:10:00Z",
                ["2026-01-01T03:25:00Z", "2026-01-01T03:45:00Z"],
            ),
        ] {
            assert_eq!(times(expression, zone, from, 2), expected, "{expression}");
        }
    }

    #[test]
    fn a_time_that_is_not_there_comes_once_when_the_clocks_go_forward() {
        let berlin = |expression: &str| times(expression, "Europe/Berlin", "2026-03-29T00:30:00Z", 2);
        assert_eq!(berlin("30 2 * * *"), ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        assert_eq!(berlin("*/20 2 * * *"), ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
        assert_eq!(berlin("*/30 * * * *"), ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]);
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first() {
        let found = times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let found = times("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (expression, expected) in [
            ("0 9 * *", "has 4 fields"),
            ("60 9 * * *", "`60` is none of 0 to 59"),
            ("0 9 * * 5-1", "ends before it begins"),
            ("*/0 9 * * *", "`*/0`"),
            ("0 9 * foo *", "`foo`"),
        ] {
            let why = Schedule::read(expression, "UTC").unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
        assert!(Schedule::read("0 9 * * *", "Europe/Berln").unwrap_err().contains("no time zone"));
        assert_eq!(Schedule::read("0 0 31 2 *", "UTC").unwrap_err(), "`0 0 31 2 *` never comes");
    }
}
