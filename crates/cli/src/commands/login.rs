//! `adjutant tools login` and `logout`: tokens for MCP servers.

use std::process::{Command, Stdio};
use std::time::Duration;

use adjutant::Project;
use adjutant::tool::mcp::Server;
use adjutant::tool::mcp::oauth::{Account, Attempt, Grant, Listener, Status};
use adjutant_core::{Code, Error};
use clap::Args;
use serde_json::{Value, json};

use super::trust;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, clean, local_time};
use crate::turn::People;

/// How long a person may take to log in.
const PATIENCE: Duration = Duration::from_secs(600);

/// Logs in to an MCP server whose table says `auth = "oauth"`.
///
/// The browser opens the page of the login server and comes back to this machine. The token is kept encrypted in
/// .adjutant/vault, and renewed by itself where the login server allows it.
#[derive(Args, Debug)]
pub(crate) struct LoginArguments {
    /// The server, by its name under `[tools]`.
    #[arg(value_name = "NAME")]
    name: String,
    /// For whom; otherwise the tenant that adjutant.toml names. Each tenant of a service has logins of its own.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// For a machine without a browser: open the address elsewhere, and type the address that the browser ends at.
    #[arg(long)]
    paste: bool,
}

/// Logs out of an MCP server: its token is taken back, where the login server does that, and removed.
#[derive(Args, Debug)]
pub(crate) struct LogoutArguments {
    /// The server, by its name under `[tools]`.
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose login; otherwise that of the tenant that adjutant.toml names.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

pub(super) async fn login(arguments: &LoginArguments, shared: &Shared, output: Output) -> Ended {
    let (project, server, account) = found(&arguments.name, arguments.tenant.as_deref(), shared)?;
    let secrets = project.secrets();
    let status = match (account.grant(), arguments.paste) {
        (Grant::Client, _) => account.fetch(secrets.as_ref()).await?,
        (Grant::Person, true) => {
            let redirect = Listener::nowhere(account.redirect_port())?;
            let attempt = account.begin(secrets.as_ref(), &redirect).await?;
            show(&attempt, output);
            output.talk("the browser ends at a page that cannot be shown; type the address of that page:");
            attempt.finish(&typed().await?).await?
        }
        (Grant::Person, false) => {
            let listener = Listener::bind(account.redirect_port()).await?;
            let attempt = account.begin(secrets.as_ref(), listener.redirect()).await?;
            show(&attempt, output);
            open(attempt.address().as_str());
            let heard = tokio::time::timeout(PATIENCE, listener.answer(|answer| attempt.knows(answer)));
            let answer = heard.await.map_err(|_| {
                let why = format!("nobody has logged in within {} minutes", PATIENCE.as_secs() / 60);
                Error::new(Code::ToolUnauthorized, why)
                    .with_help("begin anew; where the browser runs on another machine, with `--paste`")
            })??;
            attempt.finish(&answer).await?
        }
    };
    if output.json {
        output.json(&told(&server, &status))?;
    } else {
        output.line(&clean(&format!("{}: {}", server.name(), said(&status))))?;
        if project.accepted(server.name()).is_none() {
            let name = server.name();
            output.talk(&format!("next: `adjutant tools trust {name}` shows what it offers, and asks"));
        }
    }
    Ok(Exit::Success)
}

pub(super) async fn logout(arguments: &LogoutArguments, shared: &Shared, output: Output) -> Ended {
    let (project, server, account) = found(&arguments.name, arguments.tenant.as_deref(), shared)?;
    let was_there = account.end(project.secrets().as_ref()).await?;
    if output.json {
        output.json(&json!({ "server": server.name(), "was_logged_in": was_there }))?;
    } else {
        let what = if was_there { "logged out" } else { "nobody was logged in" };
        output.line(&format!("{}: {what}", server.name()))?;
    }
    Ok(Exit::Success)
}

/// How a login stands, in words.
pub(super) fn said(status: &Status) -> String {
    match status {
        Status::Out => "nobody is logged in".to_owned(),
        Status::In { until, renews, issuer, scopes } => {
            let until = until.map(|until| format!(" until {}", local_time(until))).unwrap_or_default();
            let renews = if *renews { ", renewed by itself" } else { "" };
            let scopes =
                if scopes.is_empty() { String::new() } else { format!(", for {}", scopes.join(" ")) };
            format!("logged in at {issuer}{until}{renews}{scopes}")
        }
    }
}

fn told(server: &Server, status: &Status) -> Value {
    match status {
        Status::Out => json!({ "server": server.name(), "logged_in": false }),
        Status::In { until, renews, issuer, scopes } => json!({
            "server": server.name(), "logged_in": true, "until": until, "renews": renews,
            "issuer": issuer, "scopes": scopes,
        }),
    }
}

fn found(name: &str, tenant: Option<&str>, shared: &Shared) -> Ended<(Project, Server, Account)> {
    // A server of which nothing is accepted is what is wrong with the project.
    let (project, errors) = place::load_in_part(shared)?;
    let project = match tenant {
        Some(tenant) => project.for_tenant(tenant)?,
        None => project,
    };
    let server = match trust::chosen(&project, &[name.to_owned()]) {
        Err(_) if !errors.is_empty() && project.servers().next().is_none() => return Err(errors.into()),
        servers => servers?.first().map(|server| (*server).clone()),
    };
    let account = server.as_ref().and_then(Server::account);
    match (server, account) {
        (Some(server), Some(account)) => Ok((project, server, account)),
        _ => Err(Error::new(Code::InputInvalid, format!("the MCP server `{name}` has no login"))
            .with_help(format!(
                "write `auth = \"oauth\"` into `[tools.{name}]`, if it needs one; it must have a `url`"
            ))
            .into()),
    }
}

fn show(attempt: &Attempt, output: Output) {
    output.talk(&clean(&format!("log in at {}:", attempt.issuer())));
    output.raw_talk(&format!("\n  {}\n\n", attempt.address()));
}

/// Opens an address in the browser. Where there is none, the person opens what is shown.
fn open(address: &str) {
    let named = std::env::var("BROWSER").ok().filter(|browser| !browser.trim().is_empty());
    let standard = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let program = named.as_deref().unwrap_or(standard);
    let _ = Command::new(program)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

/// The address that a person types.
async fn typed() -> Ended<String> {
    let mut people = People::new()?;
    loop {
        let line = match people.is_terminal() {
            true => people.keyboard.line().await,
            false => people.keyboard.message().await?,
        };
        match line {
            None => {
                let error =
                    Error::new(Code::ToolUnauthorized, "no address was typed, so nobody is logged in");
                return Err(error.into());
            }
            Some(line) if line.trim().is_empty() => {}
            // Whatever else is typed, the attempt says what is wrong with it.
            Some(line) => return Ok(line),
        }
    }
}
