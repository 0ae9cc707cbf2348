//! `adjutant keys create` and `rotate`.

use std::time::Duration;

use adjutant::{Adjutant, Keys, NewKey, NewToken};
use adjutant_core::role::Role;
use adjutant_core::time::parse_duration;
use clap::Args;
use serde_json::json;

use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::{Output, local_time};

/// Makes a key and tells its token, once: it cannot be told again.
#[derive(Args, Debug)]
pub(super) struct CreateArguments {
    /// Who or what uses it.
    #[arg(value_name = "NAME")]
    name: String,
    /// What may be done with it: viewer, operator, approver, developer or admin.
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,
    /// Confines it, for example to `agent:desk` or `model:openai/*`; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// After how long it is over, such as 90d; otherwise when it is taken back.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expires: Option<Duration>,
    /// Who makes it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

/// Makes a key in the place of another, and tells its token. The old one holds for a while, so that whoever uses it can change over.
#[derive(Args, Debug)]
pub(super) struct RotateArguments {
    /// The key, as `adjutant keys list` names it.
    #[arg(value_name = "KEY")]
    id: String,
    /// How long the old one still holds; `0s` ends it now.
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = duration)]
    keep: Duration,
    /// Who replaces it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

pub(super) async fn create(
    arguments: &CreateArguments,
    adjutant: &Adjutant,
    keys: &Keys,
    output: Output,
) -> Ended {
    let tenants = keys.tenants().await?;
    let new = NewKey {
        name: arguments.name.clone(),
        role: arguments.role,
        scopes: arguments.scopes.clone(),
        lasts: arguments.expires,
    };
    let made = keys.create(new, &person::named(arguments.by.as_deref())).await?;
    let tenant = &made.key.scope.tenant;
    if !tenants.is_empty() && !tenants.iter().any(|known| **known == **tenant) {
        output.talk(&format!("`{tenant}` is a new tenant; until now there were {}", tenants.join(", ")));
    }
    adjutant.unmet_scopes(&made.key.scopes).iter().for_each(|warning| output.talk(warning));
    tell(&made, output)
}

pub(super) async fn rotate(arguments: &RotateArguments, keys: &Keys, output: Output) -> Ended {
    let by = person::named(arguments.by.as_deref());
    let made = keys.rotate(&arguments.id, arguments.keep, &by).await?;
    tell(&made, output)
}

/// Tells the token on standard output, and all else beside it, so that a script can take it.
fn tell(made: &NewToken, output: Output) -> Ended {
    let NewToken { key, token } = made;
    if output.json {
        output.json(&json!({ "key": key, "token": token.expose() }))?;
        return Ok(Exit::Success);
    }
    let until = key.expires.map(|at| format!(", until {}", local_time(at))).unwrap_or_default();
    output.talk(&format!(
        "key {} ({}) of {}{until}; keep the token, it is not told again:",
        key.id, key.role, key.scope
    ));
    output.line(token.expose())?;
    Ok(Exit::Success)
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|error: adjutant_core::Error| match error.help() {
        Some(help) => format!("{}; {help}", error.message()),
        None => error.message().to_owned(),
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write it as `12h`, `30d` or `1d 12h`".to_owned())
}
