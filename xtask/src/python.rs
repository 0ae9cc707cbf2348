//! The Python packages that tests work with, in virtual environments of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::requirement::Requirement;
use crate::step::Step;

/// What lists the vendors' own clients, each with its version.
const CLIENTS: &str = "crates/testkit/tests/clients/requirements.txt";

/// What lists the packages of a server that the MCP client is tested against.
const SERVERS: &str = "crates/tool/tests/mcp/servers/requirements.txt";

/// What lists the clients that the service is tested with.
const SERVICE: &str = "crates/server/tests/vendors/clients/requirements.txt";

/// What lists schemathesis, and all that it needs.
const CONTRACT: &str = "crates/server/tests/contract/requirements.txt";

/// What lists AgentDojo, and all that it needs.
const SIMULATION: &str = "crates/adjutant/tests/agentdojo/requirements.txt";

/// The part of Python that makes virtual environments, which Debian has in a package of its own.
const VENV: Requirement = Requirement {
    program: "python3 -m venv",
    package: "python3-venv",
    needed_by: "the vendors' clients that test the mock provider",
};

/// What makes virtual environments, where this machine's Python lacks it.
pub(crate) fn missing() -> Option<Requirement> {
    (!runs(Path::new("python3"), "import ensurepip, venv")).then_some(VENV)
}

/// A virtual environment in the folder that cargo builds in, where the tests look for it.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    title: &'static str,
    folder: PathBuf,
    requirements: PathBuf,
}

impl Environment {
    /// The environment of the vendors' clients of a checkout, in a target folder.
    pub(crate) fn clients(root: &Path, target: &Path) -> Self {
        Self {
            title: "the vendors' clients",
            folder: target.join("clients"),
            requirements: root.join(CLIENTS),
        }
    }

    /// The environment of a server.
    pub(crate) fn servers(root: &Path, target: &Path) -> Self {
        Self {
            title: "Python servers",
            folder: target.join("servers/python"),
            requirements: root.join(SERVERS),
        }
    }

    /// The environment of the clients of the service.
    pub(crate) fn service(root: &Path, target: &Path) -> Self {
        Self {
            title: "clients of the service",
            folder: target.join("service/python"),
            requirements: root.join(SERVICE),
        }
    }

    /// The environment of what holds the service to its OpenAPI document.
    pub(crate) fn contract(root: &Path, target: &Path) -> Self {
        Self { title: "schemathesis", folder: target.join("contract"), requirements: root.join(CONTRACT) }
    }

    /// The environment of the worlds that the gate is measured in.
    pub(crate) fn simulation(root: &Path, target: &Path) -> Self {
        Self {
            title: "AgentDojo's worlds",
            folder: target.join("simulation"),
            requirements: root.join(SIMULATION),
        }
    }

    /// The steps that set it up; none where it stands as the list wants it.
    pub(crate) fn steps(&self) -> Vec<Step> {
        if self.is_current() {
            return Vec::new();
        }
        let title = self.title;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
        vec![
            Step::new(title, "python3", ["-m", "venv", "--clear"]).and([&self.folder]),
            Step::new(title, self.python(), pip).and(["--requirement"]).and([&self.requirements]),
        ]
    }

    /// Notes that it stands as the list wants it. The tests compare the note with the list, too.
    pub(crate) fn note(&self) -> std::io::Result<()> {
        fs::copy(&self.requirements, self.noted()).map(drop)
    }

    fn is_current(&self) -> bool {
        let noted = fs::read(self.noted()).ok();
        noted.is_some() && noted == fs::read(&self.requirements).ok() && runs(&self.python(), "pass")
    }

    fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    fn noted(&self) -> PathBuf {
        self.folder.join("installed.txt")
    }
}

/// Whether a Python is there and takes a statement.
fn runs(python: &Path, statement: &str) -> bool {
    let status = Command::new(python)
        .args(["-c", statement])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_set_up_once_for_each_list() {
        let folder = std::env::temp_dir().join(format!("xtask-clients-{}", std::process::id()));
        let (root, target) = (folder.join("root"), folder.join("target"));
        let list = root.join(CLIENTS);
        fs::create_dir_all(list.parent().unwrap()).unwrap();
        fs::write(&list, "openai==1\n").unwrap();
        let environment = Environment::clients(&root, &target);
        let lines: Vec<String> = environment.steps().iter().map(ToString::to_string).collect();
        assert!(lines[0].starts_with("python3 -m venv --clear "), "{lines:?}");
        assert!(lines[1].contains(" --requirement ") && lines[1].ends_with("requirements.txt"), "{lines:?}");

        // Another program that takes `-c pass` stands for Python.
        let python = environment.python();
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/bin/true", &python).unwrap();
        assert_eq!(environment.steps().len(), 2, "it is not noted yet");
        environment.note().unwrap();
        assert_eq!(environment.steps(), []);
        fs::write(&list, "openai==2\n").unwrap();
        assert_eq!(environment.steps().len(), 2, "the list is another one");
        environment.note().unwrap();
        fs::remove_file(&python).unwrap();
        assert_eq!(environment.steps().len(), 2, "its Python is gone");
        fs::remove_dir_all(&folder).unwrap();
    }
}
