//! `adjutant serve`.

mod log;
#[cfg(unix)]
mod notice;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant::{Adjutant, NewKey, StoreOptions};
use adjutant_core::role::Role;
use adjutant_core::{Code, Error};
use adjutant_server::{Server, Settings};
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;
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
/// run over one store. `[server]` of `adjutant.toml` says how it is served.
///
/// Where the project has no key yet, the first start makes one with the role `admin` and shows it, once. What it is asked it logs to
/// standard error, a line each, without what was said.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
    /// Where to listen, in the place of `server.listen`. Port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The most seconds to finish what was asked, once it is told to stop, in the place of `server.drain`.
    #[arg(long, value_name = "SECONDS")]
    patience: Option<u64>,
    /// Where to write the first key in the place of showing it: a new file, which nobody else may read.
    #[arg(long, value_name = "FILE")]
    first_key: Option<PathBuf>,
    /// How the log is written, in the place of `server.log`.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<log::Format>,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    let project = place::load(arguments.place.as_deref(), shared)?;
    let served = project.settings().server.clone();
    let mut settings = Settings::of(&served);
    if let Some(seconds) = arguments.patience {
        settings.drain = Duration::from_secs(seconds);
    }
    settings.most_connections = settings.most_connections.min(take_room());
    let format = arguments.log_format.unwrap_or_else(|| served.log.into());
    log::begin(format);
    let options = StoreOptions { patience: settings.drain, ..StoreOptions::default() };
    let adjutant = Adjutant::builder().project(project).store_options(options).build()?;
    let secure = settings.tls.is_some();
    let mut interrupts = Interrupts::new()?;
    let listen = arguments.listen.unwrap_or(served.listen);
    if served.anonymous.is_some() && !listen.ip().is_loopback() {
        let message =
            format!("`server.anonymous` lets everybody in, and `{listen}` is reached from other machines");
        return Err(Error::new(Code::InputInvalid, message)
            .with_help("listen at an address of this machine, or take `anonymous` out")
            .into());
    }
    let server = Server::bind(listen, adjutant.clone(), settings).await?;
    let address = server.address()?;
    let draft = match &arguments.first_key {
        Some(file) if adjutant.keys().list().await?.is_empty() => Some(draft(file)?),
        _ => None,
    };
    let mut key = first_key(&adjutant).await?;
    if let (Some(file), Some(made)) = (&arguments.first_key, &key) {
        hand_over(made, draft, file)?;
        log::say(format, output, &format!("the first key, with the role admin, is in {}", file.display()));
        key = None;
    }
    if output.json {
        output.json(&json!({ "listening": address.to_string(), "key": key }))?;
    } else {
        if let Some(key) = &key {
            log::say(format, output, "the first key, with the role admin; keep it, it is not shown again:");
            output.line(key)?;
        }
        let scheme = if secure { "https" } else { "http" };
        log::say(format, output, &format!("listening at {scheme}://{address}"));
    }
    tell("READY=1");
    let stop = CancellationToken::new();
    let mut serving = tokio::spawn(server.run(stop.clone()));
    let ended = |ended: Result<_, tokio::task::JoinError>| {
        ended.map_err(|error| Error::new(Code::Internal, "the service broke off").caused_by(&error))?
    };
    let interrupt = tokio::select! {
        interrupt = interrupts.next() => interrupt,
        broken = &mut serving => return ended(broken).map(|()| Exit::Success).map_err(Into::into),
    };
    tell("STOPPING=1");
    log::say(format, output, "stopping; once more stops at once");
    stop.cancel();
    tokio::select! {
        _ = interrupts.next() => {}
        stopped = serving => ended(stopped)?,
    }
    Ok(Exit::from(interrupt))
}

/// Tells whoever has started the service how it stands.
#[cfg(unix)]
fn tell(state: &str) {
    notice::tell(state);
}

/// Elsewhere nobody listens.
#[cfg(not(unix))]
fn tell(_: &str) {}

/// Takes as much room for connections as the system gives, and says how much that is. What it gives to begin with is meant for other
/// programs. A quarter stays for the store, for providers, tools and webhooks: who connects must not starve them.
#[cfg(unix)]
fn take_room() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where the system says no, what it gave is what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let room = getrlimit(Resource::Nofile).current.and_then(|room| usize::try_from(room).ok());
    room.map_or(usize::MAX, |room| room - room / 4)
}

/// Elsewhere there is no such bound.
#[cfg(not(unix))]
fn take_room() -> usize {
    usize::MAX
}

/// A file beside another, before there is anything to be written to that: a key that was made can be written down.
fn draft(file: &Path) -> Result<NamedTempFile, Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.exists() {
        let message =
            format!("the first key cannot be written to `{}`, which is there already", file.display());
        return Err(Error::new(Code::InputInvalid, message).with_help("name a new file"));
    }
    // Only who runs the service can read it.
    NamedTempFile::new_in(folder).map_err(|error| {
        let message = format!("the first key cannot be written to `{}`", file.display());
        Error::new(Code::FileUnreadable, message).caused_by(&error)
    })
}

/// Writes a key to a new file, where only who runs the service reads it.
fn hand_over(key: &str, draft: Option<NamedTempFile>, file: &Path) -> Result<(), Error> {
    let lost = |error: &std::io::Error| {
        let message = format!("the first key cannot be written to `{}`", file.display());
        Error::new(Code::FileUnreadable, message)
            .with_help("make another one: `adjutant keys create NAME --role admin`")
            .caused_by(error)
    };
    let Some(mut draft) = draft else { return Ok(()) };
    writeln!(draft, "{key}").and_then(|()| draft.as_file().sync_all()).map_err(|error| lost(&error))?;
    draft.persist_noclobber(file).map(drop).map_err(|error| lost(&error.error))
}

/// Makes the first key of the project, where it has none.
async fn first_key(adjutant: &Adjutant) -> Ended<Option<String>> {
    let made =
        adjutant.keys().create_first(NewKey::new(FIRST_KEY, Role::Admin), &person::named(None)).await?;
    Ok(made.map(|made| made.token.expose().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_to_a_new_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let give = |key: &str| hand_over(key, Some(draft(&file).unwrap()), &file);
        give("adj_x").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "adj_x\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(draft(&file).unwrap_err().code(), Code::InputInvalid);
        let beside = draft(&folder.path().join("other")).unwrap();
        let error = hand_over("adj_y", Some(beside), &file).unwrap_err();
        assert!(error.help().unwrap().contains("adjutant keys create"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "adj_x\n", "what is there stays");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing is left beside it");
        assert!(draft(&folder.path().join("none/key")).is_err(), "before there is a key that could be lost");
    }
}
