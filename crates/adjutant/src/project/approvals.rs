//! `[approvals]`: how long people have to answer, and who is told that something waits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_agent::approval::{Notice, Notifier, Terms};
use adjutant_agent::definition::document::Table;
use adjutant_core::json::Json;
use adjutant_core::secret::Secrets;
use adjutant_core::time::Clock;
use adjutant_core::{Error, Result, nearest};
use adjutant_store::SystemClock;
use adjutant_tool::hook::{CommandHook, Webhook};
use futures::FutureExt;
use futures::future::BoxFuture;
use url::Url;

use super::secrets::SecretSource;
use super::tools::words;

/// What `[approvals]` says.
#[derive(Clone, Debug, Default)]
pub struct ApprovalSettings {
    /// How requests are treated.
    pub terms: Terms,
    /// The address that is told of them.
    pub webhook: Option<Webhook>,
    /// The name of the secret that signs what is sent there.
    pub secret: Option<String>,
    /// The program that is told of them.
    pub command: Option<Vec<String>>,
    /// The folder that it runs in.
    pub folder: PathBuf,
}

/// Reads the table. What is wrong is noted and left out.
pub(super) fn read(
    table: Table<'_>,
    folder: &Path,
    secrets: &BTreeMap<String, SecretSource>,
) -> ApprovalSettings {
    let mut settings = ApprovalSettings { folder: folder.to_owned(), ..ApprovalSettings::default() };
    if let Some(expires) = table.duration("expires") {
        settings.terms.expires = expires.max(Duration::from_secs(1));
    }
    let private = table.flag("private").unwrap_or(false);
    let place = |key: &str| table.value(key_of(key)).map_or(table.place(), |node| node.place);
    if let Some(text) = table.text("webhook") {
        let made = Url::parse(text).map_err(|error| error.to_string());
        let made =
            made.and_then(|url| Webhook::new(url, private).map_err(|error| error.message().to_owned()));
        match made {
            Ok(webhook) => settings.webhook = Some(webhook),
            Err(why) => {
                let help = "write it as `https://hooks.example.com/approvals`; `private = true` allows one in a \
                            private network";
                table.problems().report_with(place("webhook"), why, help);
            }
        }
    }
    if let Some(name) = table.text("secret") {
        if !secrets.contains_key(name) {
            let help = match nearest(name, secrets.keys().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("say where it is: `{name} = {{ env = \"NAME\" }}` under `[secrets]`"),
            };
            let message = format!("`approvals.secret` names `{name}`, which is not under `[secrets]`");
            table.problems().report_with(place("secret"), message, help);
        }
        settings.secret = Some(name.to_owned());
    }
    settings.command = words(&table, "command", folder).filter(|words| !words.is_empty());
    table.finish();
    settings
}

/// The keys whose places are asked for.
fn key_of(key: &str) -> &'static str {
    if key == "webhook" { "webhook" } else { "secret" }
}

impl ApprovalSettings {
    /// Who is told, where anybody is.
    pub(crate) fn notifier(&self, secrets: &Arc<dyn Secrets>) -> Option<Arc<dyn Notifier>> {
        if self.webhook.is_none() && self.command.is_none() {
            return None;
        }
        let command = self.command.clone().map(|command| CommandHook::new(command, self.folder.clone()));
        let (webhook, secret, secrets) = (self.webhook.clone(), self.secret.clone(), Arc::clone(secrets));
        Some(Arc::new(Hooks { webhook, secret, secrets, command }))
    }
}

/// A webhook and a program, either or both.
#[derive(Clone)]
struct Hooks {
    webhook: Option<Webhook>,
    secret: Option<String>,
    secrets: Arc<dyn Secrets>,
    command: Option<CommandHook>,
}

impl Hooks {
    async fn tell(&self, notice: &Notice) -> Result<()> {
        let body = Json::of(notice)?.as_str().to_owned();
        let posted = match &self.webhook {
            Some(webhook) => {
                let name = self.secret.clone();
                let secrets = Arc::clone(&self.secrets);
                // A secret may come from a command that takes its time.
                let secret =
                    tokio::task::spawn_blocking(move || name.map(|name| secrets.get(&name)).transpose());
                let secret = secret.await.map_err(|error| {
                    Error::new(adjutant_core::Code::Internal, "a secret cannot be read").caused_by(&error)
                })??;
                webhook.send(&notice.id, SystemClock.now(), body.clone(), secret.as_ref()).await
            }
            None => Ok(()),
        };
        // One that fails keeps the other from nothing.
        let ran = match &self.command {
            Some(command) => command.run(&notice.id, body).await,
            None => Ok(()),
        };
        posted.and(ran)
    }
}

impl Notifier for Hooks {
    fn notify(&self, notice: Notice) -> BoxFuture<'static, Result<()>> {
        let hooks = self.clone();
        async move { hooks.tell(&notice).await }.boxed()
    }
}
