//! Which steps a command takes on which machine.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};

use crate::step::Step;

/// Has every property tested with the same cases, so that a change fails for what it changes. Elsewhere they are others
/// each time.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

/// What matters of the machine we are on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// The cargo that started us, so that every step uses the same toolchain.
    cargo: OsString,
    /// cargo-nextest is installed.
    nextest: bool,
    /// cargo-deny is installed.
    deny: bool,
    /// `CI=true` is set.
    pub(crate) ci: bool,
    /// We are root.
    pub(crate) superuser: bool,
    /// Debian's package manager is there.
    pub(crate) apt: bool,
}

impl Machine {
    /// Looks at this machine.
    pub(crate) fn look() -> Self {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self {
            nextest: answers(&cargo, &["nextest", "--version"]).is_some(),
            deny: answers(&cargo, &["deny", "--version"]).is_some(),
            ci: env::var_os("CI").is_some_and(|value| value == "true"),
            superuser: answers("id".as_ref(), &["-u"]).is_some_and(|user| user.trim() == "0"),
            apt: answers("apt-get".as_ref(), &["--version"]).is_some(),
            cargo,
        }
    }

    fn cargo<A: Into<OsString>>(&self, title: &'static str, arguments: impl IntoIterator<Item = A>) -> Step {
        Step::new(title, &self.cargo, arguments)
    }
}

/// What a program prints, if it is there and ends well.
fn answers(program: &OsStr, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every test, or those that the arguments choose. `package_of` knows the package of a folder under `crates/`.
///
/// Examples in documentation run first, so that the test runner's summary closes the output. They run only when
/// nothing is chosen, as their runner understands other arguments.
pub(crate) fn test(
    machine: &Machine,
    arguments: &[OsString],
    package_of: impl Fn(&str) -> Option<String>,
) -> Vec<Step> {
    let scope: &[&str] =
        if chooses_packages(arguments) { &["--all-features"] } else { &["--workspace", "--all-features"] };
    let arguments = whole_names(arguments, package_of);
    if !machine.nextest {
        // It runs the examples in documentation by itself.
        return vec![machine.cargo("tests", ["test"]).and(scope).and(arguments)];
    }
    let mut steps = Vec::new();
    if arguments.is_empty() {
        steps.push(machine.cargo("documentation's examples", ["test", "--doc"]).and(scope));
    }
    let profile: &[&str] = if machine.ci { &["--profile", "ci"] } else { &[] };
    steps.push(machine.cargo("tests", ["nextest", "run"]).and(scope).and(profile).and(arguments));
    steps
}

/// Whether the arguments choose tests of the crate in this folder.
pub(crate) fn tests(arguments: &[OsString], folder: &str) -> bool {
    let is_theirs = |argument: &OsString| argument.to_string_lossy().contains(folder);
    !chooses_packages(arguments) || arguments.iter().any(is_theirs)
}

/// Whether the arguments choose tests of the crate in this folder, and not only of those whose names begin with it.
pub(crate) fn tests_exactly(arguments: &[OsString], folder: &str) -> bool {
    let is_theirs = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        argument == folder || argument.strip_prefix("--package=") == Some(folder)
    };
    !chooses_packages(arguments) || arguments.iter().any(is_theirs)
}

/// Everything that must hold before a change lands. The tests come last.
///
/// Only libraries are documented: the program has the name of the library's face, and their pages would collide.
pub(crate) fn ci(machine: &Machine) -> Vec<Step> {
    let machine = Machine { ci: true, ..machine.clone() };
    let mut steps = vec![
        machine.cargo("format", ["fmt", "--all", "--check"]),
        machine
            .cargo("lints", ["clippy", "--workspace", "--all-targets", "--all-features"])
            .and(["--", "-D", "warnings"]),
        machine
            .cargo("documentation", ["doc", "--workspace", "--lib", "--all-features", "--no-deps"])
            .with(("RUSTDOCFLAGS", "-D warnings")),
    ];
    if machine.deny {
        // Advisories are not among them: they change with the day, not with the code.
        steps.push(machine.cargo("dependencies", ["deny", "check", "bans", "licenses", "sources"]));
    }
    steps.extend(test(&machine, &[], |_| None).into_iter().map(|step| step.with(SEED)));
    steps.into_iter().map(|step| step.with(("CI", "true"))).collect()
}

/// Measures what `docs/performance.md` quotes. The programs that are measured from outside are built first.
pub(crate) fn bench(machine: &Machine) -> Vec<Step> {
    let programs = ["build", "--release", "--bins", "-p", "adjutant-cli", "-p", "adjutant-testkit"];
    vec![
        machine.cargo("programs", programs),
        machine.cargo("the engine", ["bench", "-p", "adjutant-store", "--bench", "engine"]),
        machine.cargo("calls of models", ["bench", "-p", "adjutant-model", "--bench", "providers"]),
        machine.cargo("agents", ["bench", "-p", "adjutant", "--bench", "agent"]),
    ]
}

fn chooses_packages(arguments: &[OsString]) -> bool {
    let chooses = |text: &str| text == "-p" || text == "--package" || text.starts_with("--package=");
    arguments.iter().filter_map(|argument| argument.to_str()).any(chooses)
}

/// The arguments, with the folder of a crate replaced by the name of its package where a package is chosen.
fn whole_names(arguments: &[OsString], package_of: impl Fn(&str) -> Option<String>) -> Vec<OsString> {
    let mut names_package = false;
    let whole = |argument: &OsString| {
        let after_option = std::mem::replace(&mut names_package, argument == "-p" || argument == "--package");
        let Some(text) = argument.to_str() else { return argument.clone() };
        let whole = match text.strip_prefix("--package=") {
            Some(name) => package_of(name).map(|package| format!("--package={package}")),
            None if after_option => package_of(text),
            None => None,
        };
        whole.map_or_else(|| argument.clone(), OsString::from)
    };
    arguments.iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine { cargo: "cargo".into(), nextest: true, ..Machine::default() }
    }

    fn lines(steps: &[Step]) -> Vec<String> {
        steps.iter().map(ToString::to_string).collect()
    }

    fn check_test(machine: &Machine, arguments: &str, expected: &[&str]) {
        let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
        let package_of = |name: &str| (name == "store").then(|| "adjutant-store".to_owned());
        assert_eq!(lines(&test(machine, &arguments, package_of)), expected);
    }

    #[test]
    fn all_tests_end_with_the_runners_summary() {
        let doc = "cargo test --doc --workspace --all-features";
        check_test(&machine(), "", &[doc, "cargo nextest run --workspace --all-features"]);
        let ci = Machine { ci: true, ..machine() };
        check_test(&ci, "", &[doc, "cargo nextest run --workspace --all-features --profile ci"]);
    }

    #[test]
    fn arguments_choose_and_pass_through() {
        let run = "cargo nextest run --all-features";
        check_test(&machine(), "-p store", &[&format!("{run} -p adjutant-store")]);
        check_test(&machine(), "--package=store x", &[&format!("{run} --package=adjutant-store x")]);
        check_test(&machine(), "-p xtask -p store", &[&format!("{run} -p xtask -p adjutant-store")]);
        check_test(&machine(), "store", &["cargo nextest run --workspace --all-features store"]);
    }

    #[test]
    fn counterparts_are_there_for_their_tests() {
        for (arguments, expected) in [
            ("", true),
            ("client", true),
            ("-p store", false),
            ("-p testkit", true),
            ("--package=testkit", true),
        ] {
            let arguments: Vec<OsString> = arguments.split_whitespace().map(OsString::from).collect();
            assert_eq!(tests(&arguments, "testkit"), expected, "{arguments:?}");
        }
    }

    #[test]
    fn without_nextest_cargo_runs_everything() {
        let bare = Machine { nextest: false, ..machine() };
        check_test(&bare, "", &["cargo test --workspace --all-features"]);
        check_test(&bare, "-p store", &["cargo test --all-features -p adjutant-store"]);
    }

    #[test]
    fn ci_takes_every_check_and_then_the_same_tests() {
        let expected = [
            "CI=true cargo fmt --all --check",
            "CI=true cargo clippy --workspace --all-targets --all-features -- -D warnings",
            "RUSTDOCFLAGS='-D warnings' CI=true cargo doc --workspace --lib --all-features --no-deps",
            "PROPTEST_RNG_SEED=1 CI=true cargo test --doc --workspace --all-features",
            "PROPTEST_RNG_SEED=1 CI=true cargo nextest run --workspace --all-features --profile ci",
        ];
        assert_eq!(lines(&ci(&machine())), expected);
        let deny = ci(&Machine { deny: true, ..machine() });
        assert!(lines(&deny).contains(&"CI=true cargo deny check bans licenses sources".to_owned()));
        assert_eq!(deny.len(), expected.len() + 1);
    }
}
