//! The project that is worked on, and the program as a process that can be killed.

use std::fs::File;
use std::io::{PipeReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::Value;
use tempfile::TempDir;

use crate::counter::{Counter, TOOL};
use crate::plan::Tool;

/// A folder with an agent, its tools, and a provider.
pub(crate) struct Project {
    folder: TempDir,
    pub(crate) counter: Counter,
    started: AtomicU32,
    /// Held while a process is started, so that it inherits its own pipe and nobody else's.
    starting: Mutex<()>,
}

/// The program at work.
pub(crate) struct Cli {
    /// Tells its tools from those of others.
    pub(crate) number: u32,
    pub(crate) child: Child,
    /// Ends when the program and every tool that it started are gone.
    pub(crate) gone: Option<PipeReader>,
    output: PathBuf,
    talk: PathBuf,
}

impl Project {
    pub(crate) fn new(base_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let counter = Counter::new(folder.path().join("counter"));
        let project = Self { folder, counter, started: AtomicU32::new(0), starting: Mutex::default() };
        project.write(
            "agents/cashier.md",
            "---\nmodel: main\ntools: [look, note, pay]\n---\nYou keep the till.\n",
        );
        project.write("tool", TOOL);
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(project.path("tool"), executable).expect("the tool can be made executable");
        let mut settings = format!(
            "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{base_url}\"\ncontext_window = 100000\n"
        );
        for tool in Tool::ALL {
            settings += &format!(
                "\n[tools.{name}]\ntype = \"command\"\ndescription = \"It is {effect}.\"\ncommand = [\"./tool\"]\n\
                 effect = \"{effect}\"\nenv = {{ TOOL = \"{name}\", CLI = {{ inherit = true }} }}\n\
                 parameters.number = {{ type = \"integer\", description = \"Which.\" }}\n",
                name = tool.name(),
                effect = tool.effect(),
            );
        }
        project.write("adjutant.toml", &settings);
        std::fs::create_dir(project.path("said")).expect("a folder");
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &[&str]) -> Cli {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (output, talk) =
            (self.path(&format!("said/{number}.out")), self.path(&format!("said/{number}.err")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_adjutant"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path()).env("CLI", number.to_string());
        command.stdin(Stdio::null());
        command.stdout(File::create(&output).expect("a file")).stderr(File::create(&talk).expect("a file"));
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let (gone, held) = std::io::pipe().expect("a pipe");
        fcntl_setfd(&held, FdFlags::empty()).expect("a pipe that is inherited");
        let child = command.spawn().expect("the program starts");
        Cli { number, child, gone: Some(gone), output, talk }
    }

    /// Runs the program to its end and reads its standard output as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut cli = self.start(&[arguments, &["--json"]].concat());
        let status = cli.child.wait().expect("the program ends");
        serde_json::from_str(&cli.output())
            .unwrap_or_else(|error| panic!("{arguments:?}: {status}: {error}: {}", cli.talk()))
    }
}

impl Cli {
    /// What it wrote to standard output.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).expect("a file")
    }

    /// What it wrote to standard error.
    pub(crate) fn talk(&self) -> String {
        std::fs::read_to_string(&self.talk).expect("a file")
    }

    /// The run that it said to be recorded.
    pub(crate) fn acknowledged(&self) -> Option<String> {
        let talk = self.talk();
        let line =
            talk.split_inclusive('\n').find(|line| line.starts_with("run ") && line.ends_with('\n'))?;
        line.split_whitespace().nth(1).map(|run| run.trim_end_matches(':').to_owned())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a process")
    }
}

/// Waits until a program and all tools that it started are gone.
pub(crate) fn wait_for(mut gone: PipeReader) {
    let mut nothing = Vec::new();
    gone.read_to_end(&mut nothing).expect("a pipe");
}
