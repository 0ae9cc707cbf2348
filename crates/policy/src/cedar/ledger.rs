//! [`Ledger`]: what rules have found in the calls of a session.
//!
//! Each thing that is asked is found in the calls that came since it was asked last, and added to what was found before.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy_core::ast::{Literal, Set, Value as Fact, ValueKind};
use serde_json::Value;

use super::types::Type;
use super::value::{Unfit, decimal, long, plain};
use crate::facts::Past;

/// What rules have found in the calls of a session, by tool.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    /// How many calls it has taken in.
    read: usize,
    tools: BTreeMap<String, Page>,
}

/// The calls of one tool that count, and what was found in them.
#[derive(Clone, Default)]
struct Page {
    /// Where they stand among all calls.
    places: Vec<usize>,
    /// When they were made.
    moments: Vec<i64>,
    numbers: BTreeMap<String, Column<Dated>>,
    seen: BTreeMap<String, Column<Values>>,
    returned: BTreeMap<String, Column<Values>>,
}

/// The numbers that an argument was, each with the moment of its call.
type Dated = Vec<(i64, Result<i64, Unfit>)>;

/// What was found of one argument, or of one field of the results.
#[derive(Clone, Default)]
struct Column<T> {
    /// What its values were taken for.
    kind: Option<Type>,
    /// In how many of the tool's calls it was looked for.
    read: usize,
    found: T,
}

/// Distinct values, as policies compare them.
#[derive(Clone)]
struct Values {
    set: Set,
    /// Why one of them is no such value.
    unfit: Option<Unfit>,
}

/// The calls of one tool, to be asked about.
pub(super) struct Done<'a> {
    page: &'a mut Page,
    calls: &'a [Past],
}

impl Ledger {
    /// Takes in the calls that are new.
    pub(crate) fn read(&mut self, calls: &[Past]) {
        for (place, call) in calls.iter().enumerate().skip(self.read) {
            // A tool that says that it failed has done nothing that counts.
            if call.failed {
                continue;
            }
            match self.tools.get_mut(&call.tool) {
                Some(page) => page.add(place, call.at.0),
                None => self.tools.entry(call.tool.clone()).or_default().add(place, call.at.0),
            }
        }
        self.read = calls.len();
    }

    /// What is known of one tool among the calls that were taken in.
    pub(super) fn of<'a>(&'a mut self, tool: &str, calls: &'a [Past]) -> Done<'a> {
        Done { page: self.tools.entry(tool.to_owned()).or_default(), calls }
    }
}

impl Page {
    fn add(&mut self, place: usize, moment: i64) {
        self.places.push(place);
        self.moments.push(moment);
    }
}

impl Done<'_> {
    /// How many were made after a moment.
    pub(super) fn count(&self, since: i64) -> i64 {
        let count = self.page.moments.iter().filter(|at| **at > since).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// The sum of a number over those that were made after a moment, and over one that is about to be.
    pub(super) fn sum(
        &mut self,
        argument: &str,
        kind: &Type,
        since: i64,
        this: Option<&Value>,
    ) -> Result<i64, Unfit> {
        let read: fn(&Value) -> Result<i64, Unfit> = if *kind == Type::Long { long } else { decimal };
        let Page { places, numbers, .. } = &mut *self.page;
        let column = numbers.entry(argument.to_owned()).or_default();
        for call in column.news(kind, places, self.calls) {
            let value = call.arguments.get(argument).filter(|value| !value.is_null());
            column.found.extend(value.map(|value| (call.at.0, read(value))));
        }
        let earlier = column.found.iter().filter(|(at, _)| *at > since).map(|(_, number)| number.clone());
        let mut sum = 0_i64;
        for number in earlier.chain(this.filter(|value| !value.is_null()).map(read)) {
            let number = number.map_err(|Unfit(why)| Unfit(format!("`{argument}` {why}")))?;
            let too_large = || Unfit(format!("the sum of `{argument}` is too large"));
            sum = sum.checked_add(number).ok_or_else(too_large)?;
        }
        Ok(sum)
    }

    /// What an argument was; of a list, each of its items.
    pub(super) fn seen(&mut self, argument: &str, kind: &Type) -> Result<Fact, Unfit> {
        let Page { places, seen, .. } = &mut *self.page;
        let column = seen.entry(argument.to_owned()).or_default();
        let news = column.news(kind, places, self.calls).filter_map(|call| call.arguments.get(argument));
        column.found.add(news.flat_map(each).map(|value| plain(kind, value)));
        match &column.found.unfit {
            Some(Unfit(why)) => Err(Unfit(format!("`{argument}` of an earlier call {why}"))),
            None => Ok(column.found.fact()),
        }
    }

    /// What a field of their results held, as text; of a list of results, of each.
    pub(super) fn returned(&mut self, field: &str) -> Fact {
        let Page { places, returned, .. } = &mut *self.page;
        let column = returned.entry(field.to_owned()).or_default();
        let news = column.news(&Type::Text, places, self.calls).filter_map(|call| call.data.as_ref());
        let values = news.flat_map(each).filter_map(|result| result.get(field)).flat_map(each);
        column.found.add(values.map(|value| plain(&Type::Text, value)));
        column.found.fact()
    }
}

/// A value, or each item of a list.
fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        value => std::slice::from_ref(value),
    }
}

impl<T: Default> Column<T> {
    /// The calls in which it was not looked for yet; all of them once its values are taken for something else.
    fn news<'a>(
        &mut self,
        kind: &Type,
        places: &'a [usize],
        calls: &'a [Past],
    ) -> impl Iterator<Item = &'a Past> + use<'a, T> {
        if self.kind.as_ref() != Some(kind) {
            *self = Self { kind: Some(kind.clone()), ..Self::default() };
        }
        let from = std::mem::replace(&mut self.read, places.len());
        places.iter().skip(from).filter_map(|place| calls.get(*place))
    }
}

impl Default for Values {
    fn default() -> Self {
        Self { set: Set::empty(), unfit: None }
    }
}

impl Values {
    fn add(&mut self, values: impl Iterator<Item = Result<Fact, Unfit>>) {
        let mut new = Vec::new();
        for value in values {
            match value {
                Ok(value) => new.push(value),
                Err(why) => self.unfit = self.unfit.take().or(Some(why)),
            }
        }
        if new.is_empty() {
            return;
        }
        // Cedar keeps literals once more where there is nothing else.
        if new.iter().any(|value| literal(value).is_none()) {
            self.set.fast = None;
        }
        if let Some(fast) = &mut self.set.fast {
            let fast = Arc::make_mut(fast);
            fast.reserve(new.len());
            new.retain(|value| literal(value).is_some_and(|literal| fast.insert(literal.clone())));
        }
        match self.set.authoritative.is_empty() {
            // Many at once are sorted once.
            true => self.set.authoritative = Arc::new(new.into_iter().collect()),
            false => Arc::make_mut(&mut self.set.authoritative).extend(new),
        }
    }

    fn fact(&self) -> Fact {
        Fact::new(ValueKind::Set(self.set.clone()), None)
    }
}

fn literal(value: &Fact) -> Option<&Literal> {
    match &value.value {
        ValueKind::Lit(literal) => Some(literal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use adjutant_core::time::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::facts::Calls;

    const TOOLS: [&str; 2] = ["pay", "look"];
    const SINCE: i64 = 50;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            8 => (0..6_i64).prop_map(|number| json!(number)),
            4 => (0..6_i64).prop_map(|number| json!(number as f64 / 4.0)),
            4 => "[a-c]".prop_map(|text| json!(text)),
            1 => Just(json!(i64::MAX / 20_000)),
            1 => Just(json!([1, 2.5, "a"])),
            1 => Just(json!(0.12345)),
            1 => Just(Value::Null),
        ]
    }

    fn call() -> impl Strategy<Value = Past> {
        let data = prop::option::of(prop_oneof![
            value().prop_map(|value| json!({ "x": value })),
            prop::collection::vec(value(), 0..3)
                .prop_map(|values| values.into_iter().map(|value| json!({ "x": value })).collect()),
        ]);
        let tool = prop::sample::select(TOOLS.to_vec());
        (tool, 0..100_i64, prop::option::of(value()), data, prop::bool::weighted(0.1)).prop_map(
            |(tool, at, value, data, failed)| Past {
                tool: tool.to_owned(),
                at: Timestamp(at),
                arguments: Map::from_iter(value.map(|value| ("x".to_owned(), value))),
                data,
                failed,
            },
        )
    }

    #[derive(Clone, Debug)]
    enum Happens {
        Called(Past),
        /// Something is asked, of arguments as they are taken for this.
        Asked(Type),
        /// Somebody keeps a copy, and goes on with it.
        Copied,
        /// A call turns out to have failed.
        Failed(usize),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        let kinds = vec![Type::Long, Type::Decimal, Type::Text];
        prop_oneof![
            6 => call().prop_map(Happens::Called),
            4 => prop::sample::select(kinds).prop_map(Happens::Asked),
            1 => Just(Happens::Copied),
            1 => (0..8_usize).prop_map(Happens::Failed),
        ]
    }

    /// What is found without keeping anything.
    fn counted<'a>(calls: &'a [Past], tool: &'a str) -> impl Iterator<Item = &'a Past> {
        calls.iter().filter(move |call| !call.failed && call.tool == tool)
    }

    fn summed(calls: &[Past], tool: &str, kind: &Type, since: i64, this: &Value) -> Result<i64, Unfit> {
        let later = counted(calls, tool).filter(|call| call.at.0 > since);
        let values = later.filter_map(|call| call.arguments.get("x")).chain([this]);
        values.filter(|value| !value.is_null()).try_fold(0_i64, |sum, value| {
            let number = if *kind == Type::Long { long(value) } else { decimal(value) };
            let number = number.map_err(|Unfit(why)| Unfit(format!("`x` {why}")))?;
            sum.checked_add(number).ok_or_else(|| Unfit("the sum of `x` is too large".to_owned()))
        })
    }

    fn items(value: &Value) -> Vec<&Value> {
        match value {
            Value::Array(items) => items.iter().collect(),
            Value::Null => Vec::new(),
            value => vec![value],
        }
    }

    fn seen(calls: &[Past], tool: &str, kind: &Type) -> Result<Fact, Unfit> {
        let values = counted(calls, tool).filter_map(|call| call.arguments.get("x")).flat_map(items);
        let facts: Result<Vec<Fact>, Unfit> = values.map(|value| plain(kind, value)).collect();
        match facts {
            Ok(facts) => Ok(Fact::set(facts, None)),
            Err(Unfit(why)) => Err(Unfit(format!("`x` of an earlier call {why}"))),
        }
    }

    fn returned(calls: &[Past], tool: &str) -> Fact {
        let results = counted(calls, tool).filter_map(|call| call.data.as_ref()).flat_map(items);
        let values = results.filter_map(|result| result.get("x")).flat_map(items);
        let texts: BTreeSet<String> = values.map(super::super::value::text).collect();
        super::super::value::texts(texts)
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_is_found_anew(all in prop::collection::vec(happens(), 0..40), this in value()) {
            let mut sessions = vec![Calls::default()];
            let mut now = 0;
            for one in all {
                let calls = &mut sessions[now];
                match one {
                    Happens::Called(call) => calls.push(call),
                    Happens::Failed(place) => calls.iter_mut().skip(place).take(1).for_each(|call| call.failed = true),
                    Happens::Copied => {
                        let copy = calls.clone();
                        sessions.push(copy);
                        // Those that were copied go on as well.
                        now = (now + 1) % sessions.len();
                    }
                    Happens::Asked(kind) => for tool in TOOLS {
                        calls.ask(|ledger| {
                            let mut done = ledger.of(tool, calls);
                            for since in [i64::MIN, SINCE] {
                                let count = counted(calls, tool).filter(|call| call.at.0 > since).count();
                                assert_eq!(done.count(since), i64::try_from(count).unwrap());
                                let sum = summed(calls, tool, &kind, since, &this);
                                assert_eq!(done.sum("x", &kind, since, Some(&this)), sum);
                            }
                            let (kept, anew) = (done.seen("x", &kind), seen(calls, tool, &kind));
                            assert_eq!(kept, anew, "what it was called with");
                            if let Ok(Fact { value: ValueKind::Set(set), .. }) = kept {
                                assert_eq!(set.fast.is_some(), set.iter().all(|value| matches!(value.value, ValueKind::Lit(_))));
                            }
                            assert_eq!(done.returned("x"), returned(calls, tool), "what it has returned");
                        });
                    },
                }
            }
        }
    }
}
