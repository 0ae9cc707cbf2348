//! Whose files the tools of a run work on.

use adjutant_core::id::{RunId, SessionId};
use adjutant_core::{Code, Result};
use adjutant_durable::{Engine, Origin};
use adjutant_tool::sandbox::Owner;

/// Whose files a run's tools work on: its session's; those of the run that started it, for whom it works; otherwise its
/// own. Fails only as the store does.
pub async fn owner(
    engine: &dyn Engine,
    run: &RunId,
    session: Option<&SessionId>,
    origin: Option<&Origin>,
) -> Result<Owner> {
    let (mut run, mut session, mut origin) = (run.clone(), session.cloned(), origin.cloned());
    while let (None, Some(Origin::Child { parent, .. })) = (&session, &origin) {
        match engine.info(parent).await {
            Ok(above) => (run, session, origin) = (above.run, above.session, above.origin),
            // It was erased, and this one is left.
            Err(error) if error.code() == Code::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(session.map_or(Owner::Run(run), Owner::Session))
}
