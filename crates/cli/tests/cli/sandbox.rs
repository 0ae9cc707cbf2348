//! A folder of its own for each test, and the program as a person sees it: exit code, standard output, standard error.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The alphabet of run ids.
const ID: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// A folder of its own.
pub(crate) struct Sandbox {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Sandbox {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, variables: Vec::new() }
    }

    /// A folder with one agent, `agents/desk.md`: this front matter besides the model, and a prompt.
    pub(crate) fn with_agent(front_matter: &str) -> Self {
        let sandbox = Self::new();
        sandbox.write("agents/desk.md", &format!("---\nmodel: main\n{front_matter}\n---\nYou help.\n"));
        sandbox
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, text).expect("the file can be written");
        self
    }

    /// Writes a program.
    pub(crate) fn program(&self, name: &str, text: &str) -> &Self {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(name, text);
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(name), executable).expect("the file can be made executable");
        self
    }

    /// Sets an environment variable for all that runs from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The program, about to be run in the folder with nothing in its environment that a test did not put there.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adjutant"));
        command.args(arguments);
        self.prepare(&mut command);
        command
    }

    /// A shell script in which `$ADJUTANT` is the program.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        self.prepare(&mut command);
        command
    }

    /// Lets a command run in the folder, with nothing in its environment that a test did not put there.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("TZ", "UTC");
        command.env("ADJUTANT", env!("CARGO_BIN_EXE_adjutant"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Runs the program, and gives what a person sees of it.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.seen(&self.output(arguments))
    }

    /// Runs the program with something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the program reads");
        drop(stdin);
        self.seen(&child.wait_with_output().expect("the program ends"))
    }

    /// Runs the program.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// Runs the program and reads its standard output as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.output(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.seen(&output)))
    }

    /// The id of the newest run.
    pub(crate) fn newest(&self) -> String {
        let runs = self.json(&["runs"]);
        runs[0]["run"].as_str().unwrap_or_else(|| panic!("no run in {runs}")).to_owned()
    }

    /// What a person sees: the exit code and both streams, without what differs from run to run.
    pub(crate) fn seen(&self, output: &Output) -> String {
        let exit = output.status.code().map_or_else(|| output.status.to_string(), |code| code.to_string());
        let mut text = format!("exit {exit}\n");
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                let shown = String::from_utf8_lossy(bytes);
                text.push_str(&format!("--- {name}\n{}\n", shown.trim_end()));
            }
        }
        without_ids(&without_path(&text, self.folder.path()))
    }
}

/// Whether this machine makes sandboxes; in CI it must.
pub(crate) fn sandboxes() -> bool {
    let probe = Command::new("bwrap").args(["--ro-bind", "/", "/", "true"]).output();
    let makes = probe.is_ok_and(|output| output.status.success());
    assert!(makes || std::env::var_os("CI").is_none(), "no sandbox can be made here");
    makes
}

fn without_path(text: &str, folder: &Path) -> String {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    text.replace(&*real.to_string_lossy(), "[folder]").replace(&*folder.to_string_lossy(), "[folder]")
}

/// Puts a name in the place of every run id: no English word has 16 letters of this alphabet.
fn without_ids(text: &str) -> String {
    let mut shown = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        let is_id = word.len() == 16 && word.chars().all(|letter| ID.contains(letter));
        shown.push_str(if is_id { "[run]" } else { &word });
        word.clear();
        shown.push(c);
    }
    shown.trim_end_matches('\0').to_owned()
}

/// Compares what a person sees with an inline snapshot, without times and addresses.
macro_rules! sees {
    ($seen:expr, @$snapshot:literal) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[moment]");
        settings.add_filter(r"\b\d+(ms|s)\b( \d+ms)?", "[time]");
        // Progress passes by: whether it is seen of a call that is over at once is chance.
        settings.add_filter(r"(?m)^ {5}\S.*\n", "");
        // The name of the day is longer on some days.
        settings.add_filter(r"-> now: \d+ B", "-> now: [size]");
        settings.add_filter(r"127\.0\.0\.1:\d+", "[address]");
        settings.add_filter(r"\b[0-9a-f]{32}\b", "[key]");
        // Columns are as wide as what stands in them.
        settings.add_filter(r"([\w\])]) {2,}([\w\[*])", "$1  $2");
        settings.bind(|| insta::assert_snapshot!($seen, @$snapshot));
    }};
}

pub(crate) use sees;
