//! What was said in a session, and what was sent to a model, read from the journals.

use adjutant_agent::history;
use adjutant_agent::link::Link;
use adjutant_agent::{AgentHost, Definition, Earlier};
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Engine, Entry, Origin, Record, seen_turns};
use adjutant_model::Model;
use adjutant_model::react::React;

use crate::run::Run;

/// One request to a model, exactly as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct SentRequest {
    /// The segment of the run.
    pub segment: u32,
    /// The step.
    pub step: StepKey,
    /// The model's id.
    pub model: String,
    /// The body in the wire format of the model's provider, or in Adjutant's own where the model cannot be had any
    /// more. No key stands in it.
    pub body: Json,
    /// Why the model cannot be had any more.
    pub unconfigured: Option<Error>,
}

impl Run {
    /// The requests that its models were sent, in order, rebuilt from its journal.
    pub async fn requests(&self) -> Result<Vec<SentRequest>> {
        let records = self.records().await?;
        let admission = admission(&records)?;
        let engine = self.adjutant().engine().as_ref();
        let definition: Definition = engine.definition(admission.definition).await?.to()?;
        let earlier = match &admission.session {
            Some(session) => before(engine, session, Some(&turn(engine, admission).await?)).await?,
            None => None,
        };
        let sent = records.iter().filter_map(|record| match &record.entry {
            Entry::Issued { key, operation, .. } => {
                Some((record.segment, key, operation.input.to::<Link>().ok()?))
            }
            _ => None,
        });
        sent.map(|(segment, key, link)| {
            let request = history::request(&records, earlier.as_ref(), &definition, segment, key)?;
            let (body, unconfigured) = match self.adjutant().project().models().get(&link.model) {
                Ok(model) if definition.react => (React::new(model).preview(&request)?, None),
                Ok(model) => (model.preview(&request)?, None),
                Err(error) => (Json::of(&request)?, Some(error)),
            };
            Ok(SentRequest { segment, step: key.clone(), model: link.model, body, unconfigured })
        })
        .collect()
    }
}

/// All that was said in a session, up to one of its turns or to its end.
pub(crate) async fn before(
    engine: &dyn Engine,
    session: &SessionId,
    turn: Option<&RunId>,
) -> Result<Option<Earlier>> {
    let mut earlier = None;
    for run in seen_turns(&engine.turns(session).await?, turn).unwrap_or_default() {
        let records = engine.history(&run, 0).await?;
        if admission(&records)?.program == AgentHost::PROGRAM {
            let transcript = history::transcript(&records, earlier.as_ref())?;
            // What was called is no matter of what was said.
            earlier = Some(Earlier {
                run,
                transcript,
                past: [].into(),
                names: Default::default(),
                standing: None,
                lessons: [].into(),
            });
        }
    }
    Ok(earlier)
}

/// The turn of the session that a run is, or that it was forked from.
async fn turn(engine: &dyn Engine, admission: &Admission) -> Result<RunId> {
    let (mut run, mut origin) = (admission.run.clone(), admission.origin.clone());
    while let Some(Origin::Fork { of, .. }) = origin {
        origin = engine.info(&of).await?.origin;
        run = of;
    }
    Ok(run)
}

fn admission(records: &[Record]) -> Result<&Admission> {
    match records.first().map(|record| &record.entry) {
        Some(Entry::Admitted(admission)) => Ok(admission),
        _ => Err(Error::new(Code::StoreCorrupt, "the journal has no beginning")),
    }
}
