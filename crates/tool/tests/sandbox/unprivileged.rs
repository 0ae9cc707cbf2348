//! Everything once more as a user without rights: where Adjutant is root, sandboxes are made in another way.

use std::path::Path;
use std::process::Command;

/// Names the program that takes part in making sandboxes where it is not where it was built.
pub(crate) const INSIDE: &str = "SANDBOX_TEST_INSIDE";

/// Some user that is neither root nor the one in the sandbox.
const USER: &str = "64321";

#[test]
fn all_of_this_holds_without_rights() {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        // Then all tests have run so.
        return;
    }
    if super::Place::new().is_none() {
        return;
    }
    // What was built may be where only root looks.
    let folder = tempfile::tempdir().unwrap();
    let place = |program: &Path, name: &str| {
        let placed = folder.path().join(name);
        std::fs::copy(program, &placed).unwrap();
        placed
    };
    let tests = place(&std::env::current_exe().unwrap(), "tests");
    let inside = place(&super::inside(), "inside");
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    for path in [folder.path(), &files] {
        std::os::unix::fs::chown(path, Some(USER.parse().unwrap()), Some(USER.parse().unwrap())).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        USER,
        "--regid",
        USER,
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]);
    command.arg(tests).args(["--test-threads", "4", "--skip", "unprivileged::"]);
    let output = command
        .env(INSIDE, inside)
        .env("TMPDIR", files)
        .env_remove("HOME")
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("running 0 tests"), "{said}");
}
