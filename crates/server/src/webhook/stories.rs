//! [`Stories`]: what records mean, read on where it was read to.

use std::collections::HashMap;

use adjutant::Adjutant;
use adjutant::agent::View;
use adjutant::durable::Recorded;
use adjutant_core::event::Event;
use adjutant_core::id::RunId;
use adjutant_core::{Code, Result};

/// How many runs are kept in mind at a time. One that was forgotten is read again from its beginning.
const MOST: usize = 256;

/// What the records of runs mean. The meaning of one may rest on those before it.
#[derive(Default)]
pub(super) struct Stories(HashMap<RunId, (View, u64)>);

impl Stories {
    /// What happened in a batch of records, each event with which it is of those of its record. Nothing where the run was erased.
    pub(super) async fn read(
        &mut self,
        adjutant: &Adjutant,
        recorded: &Recorded,
    ) -> Result<Vec<(u32, Event)>> {
        let run = &recorded.run;
        let (mut view, next) = self.0.remove(run).unwrap_or_else(|| (View::new(run.clone()), 0));
        let records = match adjutant.engine().history(run, next).await {
            Ok(records) => records,
            Err(error) if error.code() == Code::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let end = recorded.first + recorded.count;
        let mut events = Vec::new();
        for record in records.iter().filter(|record| record.offset < end) {
            let of_record = view.record(record);
            if record.offset >= recorded.first {
                events.extend((0..).zip(of_record));
            }
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(run.clone(), (view, end.max(next)));
        Ok(events)
    }
}
