//! What was said in a session, over all its turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, SessionId};
use adjutant_core::message::Role;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Engine, Entry, Origin, Record, seen_turns};

use crate::conversation::Earlier;
use crate::guard;
use crate::handoff::Standing;
use crate::history;
use crate::host::AgentHost;
use crate::lesson::Lesson;
use crate::reply::Reply;
use crate::rules::past;
use crate::transcript::Transcript;

/// How many sessions' latest turns are kept in memory.
const MOST: usize = 64;

/// What is still there of what was said in the session of a run before it began; none for the first turn, and for a run without a session.
///
/// The turns of a session run one after the other, so those before a run are over when it begins, and this is the
/// same whenever it is asked, until one of them is erased. Fails with [`Code::NotFound`] when the run is not a turn of its session any more.
pub async fn before(engine: &dyn Engine, admission: &Admission) -> Result<Option<Arc<Earlier>>> {
    Sessions::default().before(engine, admission).await
}

/// All that was said in a session up to now; none where nothing was.
pub async fn whole(engine: &dyn Engine, session: &SessionId) -> Result<Option<Arc<Earlier>>> {
    let turns = seen_turns(&engine.turns(session).await?, None).unwrap_or_default();
    Sessions::default().read(engine, &turns).await
}

/// The transcripts of ended turns, each with the digest of the turns that it is made of. They never change, so the next
/// turn of a session need not read all turns again; once one of them is erased, the others are read anew.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<VecDeque<(Digest, Arc<Earlier>)>>);

impl Sessions {
    /// See [`before`].
    pub(crate) async fn before(
        &self,
        engine: &dyn Engine,
        admission: &Admission,
    ) -> Result<Option<Arc<Earlier>>> {
        let Some(session) = &admission.session else { return Ok(None) };
        let run = original(engine, admission).await?;
        let turns = seen_turns(&engine.turns(session).await?, Some(&run)).ok_or_else(|| {
            let message = format!("the run `{run}` is not a turn of the session `{session}` any more");
            Error::new(Code::NotFound, message)
        })?;
        self.read(engine, &turns).await
    }

    /// As [`before`], for a run that is about to go on. Fails with [`Code::NotFound`] when the run has seen turns that
    /// were erased since: its steps would not be repeated as they were.
    pub(crate) async fn resume(
        &self,
        engine: &dyn Engine,
        admission: &Admission,
    ) -> Result<Option<Arc<Earlier>>> {
        let earlier = self.before(engine, admission).await?;
        // A run that has only been admitted has seen nothing.
        if admission.session.is_some() && engine.info(&admission.run).await?.records > 1 {
            history::check(&engine.history(&admission.run, 0).await?, earlier.as_deref())?;
        }
        Ok(earlier)
    }

    /// What was said in these turns, from the latest that is known on.
    async fn read(&self, engine: &dyn Engine, turns: &[RunId]) -> Result<Option<Arc<Earlier>>> {
        let marks = marks(turns);
        let known = marks.iter().enumerate().rev().find_map(|(index, mark)| Some((index, self.get(*mark)?)));
        let (from, mut earlier) = known.map_or((0, None), |(index, earlier)| (index + 1, Some(earlier)));
        for (turn, mark) in turns.iter().zip(marks).skip(from) {
            let records = engine.history(turn, 0).await?;
            if is_agent(&records) {
                let transcript = history::transcript(&records, earlier.as_deref())?;
                let before = earlier.as_ref().map(|earlier| earlier.past.iter().cloned());
                let past = before.into_iter().flatten().chain(past(&records)).collect();
                let mut names = earlier.as_ref().map(|earlier| earlier.names.clone()).unwrap_or_default();
                names.extend(guard::names(&records));
                let standing = standing(&records, &transcript, earlier.as_deref());
                let lessons = lessons(&records, earlier.as_deref());
                let made = Earlier { run: turn.clone(), transcript, past, names, standing, lessons };
                earlier = Some(self.keep(mark, made));
            }
        }
        Ok(earlier)
    }

    fn get(&self, mark: Digest) -> Option<Arc<Earlier>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| *known == mark).map(|(_, earlier)| Arc::clone(earlier))
    }

    fn keep(&self, mark: Digest, earlier: Earlier) -> Arc<Earlier> {
        let earlier = Arc::new(earlier);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((mark, Arc::clone(&earlier)));
        if kept.len() > MOST {
            kept.pop_front();
        }
        earlier
    }
}

/// For each turn, the digest of it and of all before it.
fn marks(turns: &[RunId]) -> Vec<Digest> {
    let next = |before: &mut Digest, turn: &RunId| {
        *before = Digest::of_parts(&[before.as_bytes(), turn.to_string().as_bytes()]);
        Some(*before)
    };
    turns.iter().scan(Digest::of(&[]), next).collect()
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

/// Who has the conversation after a turn. One that has no reply has moved it to nobody.
fn standing(
    records: &[Record],
    transcript: &Transcript,
    earlier: Option<&Earlier>,
) -> Option<(Standing, usize)> {
    let before = earlier.and_then(|earlier| earlier.standing.clone());
    let Some(Entry::Ended(Ok(reply))) = records.last().map(|record| &record.entry) else { return before };
    let reply = reply.to::<Reply>().ok()?;
    // What a guardrail has held back moves it to nobody either.
    if reply.blocked.is_some() {
        return before;
    }
    let now = reply.handed_to?;
    let said = transcript.messages().iter().filter(|message| message.role != Role::System).count();
    // It has given the last answer itself.
    let since =
        before.filter(|(before, _)| *before == now).map_or(said.saturating_sub(1), |(_, since)| since);
    Some((now, since))
}

/// What was learned up to the end of a turn. One that tells of nothing has learned nothing new.
fn lessons(records: &[Record], earlier: Option<&Earlier>) -> Arc<[Lesson]> {
    let reply = match records.last().map(|record| &record.entry) {
        Some(Entry::Ended(Ok(reply))) => reply.to::<Reply>().ok(),
        _ => None,
    };
    match reply.filter(|reply| !reply.lessons.is_empty()) {
        Some(reply) => reply.lessons.into(),
        None => earlier.map(|earlier| Arc::clone(&earlier.lessons)).unwrap_or_default(),
    }
}

fn is_agent(records: &[Record]) -> bool {
    matches!(records.first().map(|record| &record.entry),
        Some(Entry::Admitted(admission)) if admission.program == AgentHost::PROGRAM)
}
