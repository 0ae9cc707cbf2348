//! Runs: started, looked at, watched, steered.

mod control;
mod files;
mod fork;
mod list;
mod show;
mod start;
mod takeover;
mod watch;

use adjutant_core::id::RunId;
use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Caller;
use crate::endpoint::Routes;

/// The part of the documentation that these stand in.
const TAG: &str = "Runs";

/// One run.
#[derive(Deserialize, JsonSchema)]
pub(super) struct RunPath {
    /// Its id.
    run: String,
}

impl RunPath {
    /// The run, where the caller may see it. Fails with [`Code::NotFound`]: what somebody is confined away from is not there for them.
    pub(super) async fn run(&self, caller: &Caller) -> Result<adjutant::Run> {
        let missing = || Error::new(Code::NotFound, format!("there is no run `{}`", self.run));
        let run = caller.adjutant().handle(&RunId::from(self.run.as_str()));
        let info = run.info().await.map_err(|error| match error.code() {
            Code::NotFound => missing(),
            _ => error,
        })?;
        let reaches_all = match &info.session {
            Some(session) => caller.reaches_session(session).await?,
            None => true,
        };
        if !reaches_all || !caller.who().sees(&info.name, info.user.as_deref()) {
            return Err(missing());
        }
        Ok(run)
    }
}

pub(super) fn routes() -> Routes {
    Routes::default()
        .and(start::routes())
        .and(list::routes())
        .and(show::routes())
        .and(watch::routes())
        .and(control::routes())
        .and(fork::routes())
        .and(takeover::routes())
        .and(files::routes())
}
