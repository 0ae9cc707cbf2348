//! [`UsageReport`]: what was used of models, day by day: by clients that ask them, and by agents and workflows.

use std::collections::BTreeMap;

use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Amount, Spending};
use jiff::civil::Date;
use serde::Serialize;

use crate::adjutant::Adjutant;
use crate::gateway::{self, Used};

/// Some days (UTC), the first and the last included; all of them by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    from: Option<Date>,
    until: Option<Date>,
}

impl Days {
    /// From one day until another, as `2026-12-01`. Fails with [`Code::InputInvalid`] for what is no date.
    pub fn new(from: Option<&str>, until: Option<&str>) -> Result<Self> {
        let date = |name: &str, text: Option<&str>| {
            let read = |text: &str| {
                Date::strptime("%Y-%m-%d", text).map_err(|_| {
                    Error::new(Code::InputInvalid, format!("`{name}` is no day: `{text}`"))
                        .with_help("a day is written as `2026-12-01`")
                })
            };
            text.map(read).transpose()
        };
        Ok(Self { from: date("from", from)?, until: date("until", until)? })
    }

    /// The first and the last, as numbers since 1970-01-01.
    fn numbers(self) -> (i64, i64) {
        let number = |date: Date| (date - Date::constant(1970, 1, 1)).get_days().into();
        (self.from.map_or(i64::MIN, number), self.until.map_or(i64::MAX, number))
    }
}

/// What was used of models.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UsageReport {
    /// By clients that ask a model themselves: by day, client and model.
    pub clients: Vec<Used>,
    /// By the runs of agents and workflows: by day, name and person.
    pub agents: Vec<AgentUsed>,
}

/// What the runs of an agent or workflow used of models on one day, for one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentUsed {
    /// The day, as `2026-12-01` (UTC).
    pub day: String,
    /// Its name. What an agent has others do counts for those.
    pub agent: String,
    /// For whom; none where it was for nobody in particular, or is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How often a model was asked.
    pub calls: u64,
    /// The tokens, sent and received.
    pub tokens: u64,
    /// What they cost, as far as their price is known, in billionths of a dollar.
    pub nanos: i64,
}

impl From<Spending> for AgentUsed {
    fn from(Spending { day, name, user, calls, amount: Amount { tokens, nanos } }: Spending) -> Self {
        Self { day: gateway::named(day), agent: name, user, calls, tokens, nanos }
    }
}

impl Adjutant {
    /// What was used of models on some days. What clients use is written down some seconds later; each process does so for itself, and
    /// they are added up here.
    pub async fn usage(&self, days: Days) -> Result<UsageReport> {
        let (from, until) = days.numbers();
        let mut clients: BTreeMap<_, Used> = BTreeMap::new();
        for used in self.gateway().used(days.from, days.until).await? {
            let key = (used.day.clone(), used.who.clone(), used.model.clone());
            clients.entry(key).and_modify(|sum| sum.add(&used)).or_insert(used);
        }
        let agents = self.engine().spending(from, until).await?;
        Ok(UsageReport {
            clients: clients.into_values().collect(),
            agents: agents.into_iter().map(Into::into).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(Days::new(None, None).unwrap().numbers(), (i64::MIN, i64::MAX));
        let days = Days::new(Some("1970-01-02"), Some("2026-12-01")).unwrap();
        assert_eq!(days.numbers(), (1, 20_788));
        assert_eq!(gateway::named(20_788), "2026-12-01");
        for text in ["yesterday", "2026-13-01", "", "2026-12-01T10:00"] {
            assert_eq!(Days::new(Some(text), None).unwrap_err().code(), Code::InputInvalid, "{text}");
        }
    }
}
