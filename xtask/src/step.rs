//! Commands that are run one after the other, until one fails.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    title: &'static str,
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Step {
    /// A command under a title that says what it is for.
    pub(crate) fn new<A: Into<OsString>>(
        title: &'static str,
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self { title, program: program.into(), arguments: Vec::new(), environment: Vec::new() }.and(arguments)
    }

    /// Adds arguments.
    pub(crate) fn and<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn with(mut self, variable: (&'static str, &'static str)) -> Self {
        self.environment.push(variable);
        self
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(root).stdin(Stdio::null());
        // `cargo run` describes this package to us. Build scripts that watch these variables would compile again
        // each time that the same crates are built from a shell and from here.
        let ours = |name: &OsStr| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().copied());
        command
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={} ", quoted(OsStr::new(value)))?;
        }
        // What cargo calls itself is a path of this machine; a person types its name.
        let program = Path::new(&self.program).file_stem().unwrap_or(&self.program);
        write!(f, "{}", quoted(program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

/// A word as a shell reads it.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What failed, and how.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    code: Option<i32>,
}

impl Failure {
    /// A failure that no program tells of.
    pub(crate) fn told(what: String) -> Self {
        Self { what, code: None }
    }

    /// What this program ends with: what the step ended with where it ended by itself.
    pub(crate) fn exit_code(&self) -> u8 {
        self.code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Takes the steps in their order and stops at the first that fails.
///
/// Each is announced with the seconds since the first began. Nothing is said after the last, so that its own closing
/// lines stay the last ones.
pub(crate) fn take_all(root: &Path, steps: impl IntoIterator<Item = Step>) -> Result<(), Failure> {
    let start = Instant::now();
    for step in steps {
        let line = step.to_string();
        eprintln!("\nxtask: {} (at {} s): {line}", step.title, start.elapsed().as_secs());
        let fail =
            |how: String, code| Failure { what: format!("stopped at {}: `{line}` {how}", step.title), code };
        match step.command(root).status() {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(fail(format!("ended with {status}"), status.code())),
            Err(error) => return Err(fail(format!("cannot be started: {error}"), None)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_as_a_person_would_type_it() {
        let step =
            Step::new("docs", "/opt/rust/bin/cargo", ["doc", "it's", ""]).with(("FLAGS", "-D warnings"));
        assert_eq!(step.to_string(), r"FLAGS='-D warnings' cargo doc 'it'\''s' ''");
    }

    #[test]
    fn the_first_failure_ends_it_with_its_code() {
        let cargo = env!("CARGO");
        let wrong = Step::new("wrong", cargo, ["no-such-command"]);
        let never = Step::new("never", "no-such-program", [""; 0]);
        let failure = take_all(Path::new("."), [Step::new("right", cargo, ["--version"]), wrong, never]);
        let failure = failure.unwrap_err();
        assert_eq!(failure.exit_code(), 101);
        assert!(
            failure.to_string().starts_with("stopped at wrong: `cargo no-such-command` ended with"),
            "{failure}"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure() {
        let failure = take_all(Path::new("."), [Step::new("gone", "no-such-program", [""; 0])]).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("cannot be started"), "{failure}");
    }

    #[test]
    fn what_cargo_says_of_this_package_is_not_handed_on() {
        let command = Step::new("any", "any", [""; 0]).command(Path::new("."));
        let removed = |name: &str| command.get_envs().any(|(key, value)| key == name && value.is_none());
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"));
    }
}
