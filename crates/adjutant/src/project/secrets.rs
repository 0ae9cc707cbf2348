//! Keys and passwords: said where they are, never what they are.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use adjutant_agent::definition::document::{Content, Node, Table};
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_tool::vault::Vault;

use super::environment::Environment;
use super::file;

/// The longest secret, in bytes.
const LONGEST: u64 = 64 << 10;
/// How long a command may take to print one. A password store may wait for a person to unlock it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where one secret is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretSource {
    /// In an environment variable.
    Environment(String),
    /// In a file, without the line break at its end.
    File(PathBuf),
    /// On the standard output of a command, without the line break at its end. The command runs in the project's
    /// folder, once for each process.
    Command(Vec<String>),
    /// In the vault of the project, under this name.
    Vault(String),
}

impl SecretSource {
    /// Reads `{ env = ".." }`, `{ file = ".." }`, `{ command = [..] }` or `{ vault = true }`. Paths are relative to `folder`.
    pub(super) fn read(table: &Table<'_>, key: &'static str, folder: &Path) -> Option<Self> {
        Self::of_node(table.value(key)?, &table.name_of(key), table, folder)
    }

    /// Reads the same from a node called `path`.
    pub(super) fn of_node(node: &Node, path: &str, within: &Table<'_>, folder: &Path) -> Option<Self> {
        const HELP: &str = "say where it is: `{ env = \"NAME\" }`, `{ file = \"path\" }`, `{ command = [\"program\", \"argument\"] }` or `{ vault = true }`";
        let problems = within.problems();
        if node.as_text().is_some() {
            // The text itself is not shown: it is probably the secret.
            let message = format!("`{path}` must not hold the secret itself");
            problems.report_with(node.place, message, HELP);
            return None;
        }
        let table = Table::new(node, path, problems)?;
        let environment = table.text("env").map(|name| Self::Environment(name.to_owned()));
        let file = table.text("file").map(|path| Self::File(folder.join(path)));
        let command = table.texts("command").and_then(|words| {
            let words: Vec<_> = words.into_iter().map(|(word, _)| word.to_owned()).collect();
            if words.first().is_none_or(String::is_empty) {
                problems.report(node.place, format!("`{path}.command` names no program"));
                return None;
            }
            Some(Self::Command(words))
        });
        let vault = in_vault(&table, path);
        let given = ["env", "file", "command", "vault"].iter().filter(|key| table.has(key)).count();
        if given != 1 {
            let message = format!("`{path}` must say one place where the secret is, not {given}");
            problems.report_with(node.place, message, HELP);
        }
        table.finish();
        if given == 1 { environment.or(file).or(command).or(vault) } else { None }
    }

    /// The secret, if it is there. Fails with [`Code::NotFound`] and with [`Code::FileUnreadable`]; what the secret is
    /// stands in no error.
    fn fetch(&self, secrets: &ProjectSecrets) -> Result<Secret> {
        let ProjectSecrets { environment, folder, .. } = secrets;
        let text = match self {
            Self::Vault(name) => return secrets.kept(name),
            Self::Environment(name) => environment.get(name).map(str::to_owned).ok_or_else(|| {
                Error::new(Code::NotFound, format!("the environment variable `{name}` is not set"))
                    .with_help(format!("set it: `export {name}=...`"))
            })?,
            Self::File(path) => file::read(path, LONGEST)?,
            Self::Command(words) => run(words, folder)?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.trim().is_empty() {
            return Err(Error::new(Code::NotFound, format!("{self} is empty")));
        }
        Ok(Secret::new(text))
    }
}

/// Reads `vault`: `true` for the name under which it stands in `[secrets]`, or another name.
fn in_vault(table: &Table<'_>, path: &str) -> Option<SecretSource> {
    let node = table.value("vault")?;
    let own = path.strip_prefix("secrets.");
    let name = match &node.content {
        Content::Text(name) => Some(name.as_str()),
        Content::Boolean(true) => own,
        _ => None,
    };
    if name.is_none() {
        let wanted = if own.is_some() { "`true`, or the name of a secret" } else { "the name of a secret" };
        table.wrong("vault", node, wanted, "`adjutant secrets list` lists those that are kept");
    }
    name.map(|name| SecretSource::Vault(name.to_owned()))
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
            Self::Vault(name) => write!(f, "`{name}` in the vault of the project"),
            // Arguments may say more than people think of.
            Self::Command(words) => {
                write!(f, "the output of the command `{}`", words.first().map_or("", String::as_str))
            }
        }
    }
}

fn run(words: &[String], folder: &Path) -> Result<String> {
    let program = words.first().map_or("", String::as_str);
    let failed = |why: String| {
        Error::new(Code::NotFound, format!("the command `{program}` gave no secret: {why}"))
            .with_help("run it by hand in the project's folder; it must print the secret and nothing else")
    };
    let mut child = Command::new(program)
        .args(words.get(1..).unwrap_or_default())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("it cannot be started: {error}")))?;
    let Some(output) = child.stdout.take() else { return Err(failed("it has no output".into())) };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = output.take(LONGEST + 1).read_to_end(&mut bytes);
        // Nobody listens any more after the time is over.
        let _ = sender.send(result.map(|_| bytes));
    });
    let answer = receiver.recv_timeout(PATIENCE);
    if answer.is_err() {
        let _ = child.kill();
    }
    let bytes = match answer {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => {
            let _ = child.wait();
            return Err(failed(format!("it took longer than {} s", PATIENCE.as_secs())));
        }
    };
    if bytes.len() as u64 > LONGEST {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!("it printed more than {LONGEST} bytes")));
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(format!("it ended with {status}")));
    }
    String::from_utf8(bytes).map_err(|_| failed("it did not print UTF-8 text".into()))
}

/// The secrets of a project, by name and by place.
#[derive(Debug)]
pub struct ProjectSecrets {
    named: BTreeMap<String, SecretSource>,
    environment: Environment,
    folder: PathBuf,
    vault: Vault,
    /// What commands printed: asking a password store again may ask a person again.
    printed: Mutex<HashMap<SecretSource, Secret>>,
}

impl ProjectSecrets {
    pub(super) fn new(
        named: BTreeMap<String, SecretSource>,
        environment: Environment,
        folder: PathBuf,
        vault: Vault,
    ) -> Self {
        Self { named, environment, folder, vault, printed: Mutex::default() }
    }

    /// What the vault keeps under a name.
    fn kept(&self, name: &str) -> Result<Secret> {
        self.vault.secret(name, &|key| self.key(key))?.ok_or_else(|| {
            Error::new(Code::NotFound, format!("the vault holds no secret `{name}`"))
                .with_help(format!("put it there: `adjutant secrets set {name}`"))
        })
    }

    /// The key of the vault, which is never in the vault itself.
    pub(super) fn key(&self, name: &str) -> Result<Secret> {
        match self.named.get(name) {
            Some(SecretSource::Vault(_)) => {
                let message = format!("the key of the vault, `{name}`, cannot be in the vault");
                Err(Error::new(Code::VaultUnreadable, message))
            }
            _ => self.get(name),
        }
    }

    /// The secret at a place. Fails with [`Code::NotFound`] or [`Code::FileUnreadable`].
    pub fn at(&self, source: &SecretSource) -> Result<Secret> {
        if !matches!(source, SecretSource::Command(_)) {
            return source.fetch(self);
        }
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = printed.get(source) {
            return Ok(secret.clone());
        }
        let secret = source.fetch(self)?;
        printed.insert(source.clone(), secret.clone());
        Ok(secret)
    }

    /// The secret at a place as it is now, not as it was when it was first asked for. Fails like [`at`](Self::at).
    pub fn again(&self, source: &SecretSource) -> Result<Secret> {
        let secret = source.fetch(self)?;
        if matches!(source, SecretSource::Command(_)) {
            let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.insert(source.clone(), secret.clone());
        }
        Ok(secret)
    }

    /// The names under `[secrets]` and where each secret is.
    pub fn named(&self) -> impl Iterator<Item = (&str, &SecretSource)> {
        self.named.iter().map(|(name, source)| (name.as_str(), source))
    }
}

impl Secrets for ProjectSecrets {
    fn get(&self, name: &str) -> Result<Secret> {
        let source = self.named.get(name).ok_or_else(|| {
            let error = Error::new(Code::NotFound, format!("there is no secret called `{name}`"));
            match nearest(name, self.named.keys().map(String::as_str)) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error.with_help(format!(
                    "add it to `adjutant.toml`: `[secrets]` and `{name} = {{ env = \"NAME\" }}`"
                )),
            }
        })?;
        self.at(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(source: SecretSource) -> ProjectSecrets {
        let environment: Environment = [("TOKEN", "t0ken"), ("EMPTY", "  ")].into_iter().collect();
        ProjectSecrets::new(
            [("token".to_owned(), source)].into_iter().collect(),
            environment,
            PathBuf::from("."),
            super::super::vault::default_in(Path::new("."), &Environment::default()),
        )
    }

    fn command(words: &[&str]) -> SecretSource {
        SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn secrets_come_from_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "fr0m file\r\n").unwrap();
        for (source, expected) in [
            (SecretSource::Environment("TOKEN".into()), "t0ken"),
            (SecretSource::File(path), "fr0m file"),
            (command(&["printf", "c0mmand\n"]), "c0mmand"),
        ] {
            assert_eq!(secrets(source).get("token").unwrap().expose(), expected);
        }
    }

    #[test]
    fn a_missing_secret_says_where_it_was_looked_for() {
        for (source, message) in [
            (SecretSource::Environment("NONE".into()), "the environment variable `NONE` is not set"),
            (SecretSource::Environment("EMPTY".into()), "the environment variable `EMPTY` is not set"),
            (SecretSource::File("/nowhere/key".into()), "`/nowhere/key` cannot be read"),
            (command(&["false"]), "the command `false` gave no secret: it ended with"),
            (command(&["true"]), "the output of the command `true` is empty"),
            (
                command(&["/nowhere/program", "s3cret"]),
                "the command `/nowhere/program` gave no secret: it cannot",
            ),
            (command(&["sh", "-c", "yes s3cret"]), "the command `sh` gave no secret: it printed more than"),
        ] {
            let error = secrets(source).get("token").unwrap_err();
            assert!(error.message().starts_with(message), "{error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        let error = secrets(command(&["true"])).get("tokem").unwrap_err();
        assert_eq!(error.help(), Some("did you mean `token`?"));
    }

    #[test]
    fn a_command_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = format!("echo x >> '{}'; echo s", log.display());
        let secrets = secrets(command(&["sh", "-c", &script]));
        secrets.get("token").unwrap();
        secrets.get("token").unwrap();
        assert_eq!(std::fs::read_to_string(log).unwrap(), "x\n");
    }
}
