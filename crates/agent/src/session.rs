//! What was said in a session, over all its turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::id::{RunId, SessionId};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Engine, Entry, Origin, Record};

use crate::conversation::Earlier;
use crate::history;
use crate::host::AgentHost;

/// How many sessions' latest turns are kept in memory.
const MOST: usize = 64;

/// What was said in the session of a run before it began; none for the first turn, and for a run without a session.
///
/// The turns of a session run one after the other, so those before a run are over when it begins, and this is the
/// same whenever it is asked. Fails with [`Code::NotFound`] when the run is not a turn of its session any more.
pub async fn before(engine: &dyn Engine, admission: &Admission) -> Result<Option<Arc<Earlier>>> {
    Sessions::default().before(engine, admission).await
}

/// All that was said in a session up to now; none where nothing was.
pub async fn whole(engine: &dyn Engine, session: &SessionId) -> Result<Option<Arc<Earlier>>> {
    let turns: Vec<RunId> = engine.turns(session).await?.into_iter().map(|info| info.run).collect();
    Sessions::default().read(engine, &turns).await
}

/// The transcripts of ended turns. They never change, so the next turn of a session need not read all turns again.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<VecDeque<Arc<Earlier>>>);

impl Sessions {
    /// See [`before`].
    pub(crate) async fn before(
        &self,
        engine: &dyn Engine,
        admission: &Admission,
    ) -> Result<Option<Arc<Earlier>>> {
        let Some(session) = &admission.session else { return Ok(None) };
        let run = original(engine, admission).await?;
        let turns: Vec<RunId> = engine.turns(session).await?.into_iter().map(|info| info.run).collect();
        let place = turns.iter().position(|turn| *turn == run).ok_or_else(|| {
            let message = format!("the run `{run}` is not a turn of the session `{session}` any more");
            Error::new(Code::NotFound, message)
        })?;
        self.read(engine, turns.get(..place).unwrap_or_default()).await
    }

    /// What was said in these turns, from the latest that is known on.
    async fn read(&self, engine: &dyn Engine, turns: &[RunId]) -> Result<Option<Arc<Earlier>>> {
        let known = turns.iter().enumerate().rev().find_map(|(index, turn)| Some((index, self.get(turn)?)));
        let (from, mut earlier) = known.map_or((0, None), |(index, earlier)| (index + 1, Some(earlier)));
        for turn in turns.iter().skip(from) {
            let records = engine.history(turn, 0).await?;
            if is_agent(&records) {
                let transcript = history::transcript(&records, earlier.as_deref())?;
                earlier = Some(self.keep(Earlier { run: turn.clone(), transcript }));
            }
        }
        Ok(earlier)
    }

    fn get(&self, run: &RunId) -> Option<Arc<Earlier>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|earlier| earlier.run == *run).cloned()
    }

    fn keep(&self, earlier: Earlier) -> Arc<Earlier> {
        let earlier = Arc::new(earlier);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::clone(&earlier));
        if kept.len() > MOST {
            kept.pop_front();
        }
        earlier
    }
}

/// The turn that a fork goes back to; it is no turn of the session itself.
async fn original(engine: &dyn Engine, admission: &Admission) -> Result<RunId> {
    let (mut run, mut origin) = (admission.run.clone(), admission.origin.clone());
    while let Some(Origin::Fork { of, .. }) = origin {
        origin = engine.info(&of).await?.origin;
        run = of;
    }
    Ok(run)
}

fn is_agent(records: &[Record]) -> bool {
    matches!(records.first().map(|record| &record.entry),
        Some(Entry::Admitted(admission)) if admission.program == AgentHost::PROGRAM)
}
