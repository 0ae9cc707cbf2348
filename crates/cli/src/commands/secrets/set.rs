//! `adjutant secrets set`.

use std::io::Read as _;

use adjutant::Project;
use adjutant::project::SecretSource;
use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::Output;

/// The longest secret that is read from standard input, in bytes.
const LONGEST: u64 = 64 << 10;

/// Keeps a secret, which is read from standard input: `pass show desk/api | adjutant secrets set api`. It goes in the place of one that is
/// there; the line break at its end does not belong to it.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What it is called, as under `[secrets]`.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) async fn execute(arguments: &Arguments, project: &Project, output: Output) -> Ended {
    let name = &arguments.name;
    let mut text = String::new();
    std::io::stdin().take(LONGEST + 1).read_to_string(&mut text).map_err(|error| {
        Error::new(Code::InputInvalid, "standard input holds no secret").caused_by(&error)
    })?;
    let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
    project.keep_secret(name, &secret).await?;
    output.talk(&format!("`{name}` is kept"));
    let here = SecretSource::Vault(name.clone());
    if !project.secret_places().named().any(|(_, source)| *source == here) {
        output.talk(&format!("name it in adjutant.toml: `[secrets]` and `{name} = {{ vault = true }}`"));
    }
    Ok(Exit::Success)
}
