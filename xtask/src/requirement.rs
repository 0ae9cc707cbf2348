//! What the tests need beyond a Rust toolchain and a C compiler.

use std::ffi::OsStr;

use crate::step::Step;

/// A program that some tests start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The program, as looked up in `PATH`.
    pub(crate) program: &'static str,
    /// The Debian package that brings it.
    pub(crate) package: &'static str,
    /// Who needs it.
    pub(crate) needed_by: &'static str,
}

/// Every requirement. A line here is all that a new one takes.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        program: "python3",
        package: "python3",
        needed_by: "the command tool of the sample project",
    },
    Requirement { program: "bwrap", package: "bubblewrap", needed_by: "sandboxed tools" },
    Requirement { program: "cvc5", package: "cvc5", needed_by: "proofs about policies" },
    Requirement { program: "systemd-analyze", package: "systemd", needed_by: "the unit in `deploy`" },
];

/// The requirements that no folder of a `PATH` fulfils.
pub(crate) fn missing(all: &[Requirement], path: Option<&OsStr>) -> Vec<Requirement> {
    let folders: Vec<_> = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let absent = |needed: &&Requirement| !folders.iter().any(|folder| folder.join(needed.program).is_file());
    all.iter().filter(absent).copied().collect()
}

/// The steps that install what is missing.
///
/// # Errors
/// Says what a person must install where only a person can: without Debian's package manager, or without root.
pub(crate) fn install(missing: &[Requirement], superuser: bool, apt: bool) -> Result<Vec<Step>, String> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let packages: Vec<&str> = missing.iter().map(|needed| needed.package).collect();
    if !(superuser && apt) {
        let list: Vec<String> =
            missing.iter().map(|needed| format!("`{}` ({})", needed.program, needed.needed_by)).collect();
        return Err(format!(
            "the tests need what is not in PATH: {}\n\nhint: install it, on Debian and its kin with `sudo apt-get \
             install {}`",
            list.join(", "),
            packages.join(" ")
        ));
    }
    let quiet = ("DEBIAN_FRONTEND", "noninteractive");
    Ok(vec![
        Step::new("packages", "apt-get", ["update", "--quiet"]).with(quiet),
        Step::new("packages", "apt-get", ["install", "--quiet", "--yes", "--no-install-recommends"])
            .and(packages)
            .with(quiet),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: Requirement = Requirement { program: "python3", package: "python3", needed_by: "a tool" };

    #[test]
    fn a_program_in_path_is_not_missing() {
        let folder = std::env::temp_dir().join(format!("xtask-path-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(missing(&[PYTHON], Some(folder.as_os_str())), [PYTHON]);
        std::fs::write(folder.join("python3"), "").unwrap();
        assert_eq!(missing(&[PYTHON], Some(folder.as_os_str())), []);
        assert_eq!(missing(&[PYTHON], None), [PYTHON]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn nothing_missing_needs_no_step() {
        assert_eq!(install(&[], false, false).unwrap(), []);
    }

    #[test]
    fn root_installs_with_one_line() {
        let steps = install(&[PYTHON], true, true).unwrap();
        let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "DEBIAN_FRONTEND=noninteractive apt-get update --quiet",
                "DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends python3",
            ]
        );
    }

    #[test]
    fn others_are_told_what_to_install() {
        for (superuser, apt) in [(false, true), (true, false)] {
            let problem = install(&[PYTHON], superuser, apt).unwrap_err();
            assert!(problem.contains("`python3` (a tool)"), "{problem}");
            assert!(problem.contains("sudo apt-get install python3"), "{problem}");
        }
    }
}
