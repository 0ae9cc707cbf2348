//! `adjutant health`.

use std::net::SocketAddr;

use adjutant_server::{Certificate, probe};
use clap::Args;
use serde_json::json;

use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::Output;

/// Asks the service of the project, on this machine, whether it takes work: for whoever watches over its process. Ends with 0 where it
/// does.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Where it listens, in the place of `server.listen`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    // What is wrong with the project since it was started is no fault of the service.
    let (project, _) = place::load_in_part(shared)?;
    let served = &project.settings().server;
    let tls = served.tls.as_ref();
    let certificate = tls.map(|tls| Certificate { chain: tls.certificate.clone(), key: tls.key.clone() });
    let address = arguments.listen.unwrap_or(served.listen);
    probe(address, certificate.as_ref()).await?;
    match output.json {
        true => output.json(&json!({ "ready": true }))?,
        false => output.line("ready")?,
    }
    Ok(Exit::Success)
}
