//! `adjutant serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adjutant::{Adjutant, NewKey};
use adjutant_core::role::Role;
use adjutant_core::{Code, Error};
use adjutant_server::{Server, Settings};
use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::place;
use crate::screen::Output;
use crate::turn::Interrupts;

/// What the first key of a project is called.
const FIRST_KEY: &str = "first";

/// Serves a project over HTTP, and drives its runs and triggers, until it is told to stop (Ctrl-C, SIGTERM). Then it takes nothing new
/// and finishes what it was asked; a second time it stops at once. Runs go on where they were when it is started again. Several may
/// run over one store.
///
/// Where the project has no key yet, the first start makes one with the role `admin` and shows it, once.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
    /// Where to listen. Port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// The most seconds to finish what was asked, once it is told to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let adjutant = place::open(arguments.place.as_deref(), shared)?;
    let settings = Settings { drain: Duration::from_secs(arguments.patience), ..Settings::default() };
    let mut interrupts = Interrupts::new()?;
    let server = Server::bind(arguments.listen, adjutant.clone(), settings).await?;
    let address = server.address()?;
    let key = first_key(&adjutant).await?;
    if output.json {
        output.json(&json!({ "listening": address.to_string(), "key": key }))?;
    } else {
        if let Some(key) = &key {
            output.talk("the first key, with the role admin; keep it, it is not shown again:");
            output.line(key)?;
        }
        output.talk(&format!("listening at http://{address}"));
    }
    let stop = CancellationToken::new();
    let mut serving = tokio::spawn(server.run(stop.clone()));
    let ended = |ended: Result<_, tokio::task::JoinError>| {
        ended.map_err(|error| Error::new(Code::Internal, "the service broke off").caused_by(&error))?
    };
    let interrupt = tokio::select! {
        interrupt = interrupts.next() => interrupt,
        broken = &mut serving => return ended(broken).map(|()| Exit::Success).map_err(Into::into),
    };
    output.aside("stopping; once more stops at once");
    stop.cancel();
    tokio::select! {
        _ = interrupts.next() => {}
        stopped = serving => ended(stopped)?,
    }
    Ok(Exit::from(interrupt))
}

/// Makes the first key of the project, where it has none.
async fn first_key(adjutant: &Adjutant) -> Ended<Option<String>> {
    let made =
        adjutant.keys().create_first(NewKey::new(FIRST_KEY, Role::Admin), &person::named(None)).await?;
    Ok(made.map(|made| made.token.expose().to_owned()))
}
