//! What stands besides bubblewrap: landlock, and control groups.

use std::path::{Path, PathBuf};
use std::process::Command;

use adjutant_core::Code;
use adjutant_tool::{Failure, sandbox};

use super::{Place, inside};

/// Runs a script under landlock alone, which may use the system and one folder; none where the kernel has no landlock.
fn walled(folder: &Path, script: &str) -> Option<String> {
    let config = sandbox::Config { inside: Some(inside()), ..sandbox::Config::new(folder.join("work")) };
    let found = sandbox::examine(&config).ok()?;
    if !found.iter().any(|finding| finding.holds && finding.what.starts_with("landlock")) {
        return None;
    }
    let mut command = Command::new(inside());
    command.arg("--adjutant-within-a-sandbox");
    for system in ["/usr", "/bin", "/lib", "/lib64"] {
        command.args(["--read", system]);
    }
    command.args(["--read", "/etc/ld.so.cache", "--write", "/dev/null", "--write"]).arg(folder.join("own"));
    command.args(["--", "sh", "-c", script]);
    let output = command.output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn landlock_alone_keeps_the_host_out_of_reach() {
    let place = tempfile::tempdir().unwrap();
    let own = place.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(place.path().join("secret"), "s3cret").unwrap();
    let (own, secret) = (own.display(), place.path().join("secret").display().to_string());
    let script = format!(
        "cat {secret} 2>/dev/null || echo no; echo x > {secret} 2>/dev/null || echo no; cat /etc/passwd 2>/dev/null || echo no\n\
         ln -s {secret} {own}/link; cat {own}/link 2>/dev/null || echo no; ln {secret} {own}/hard 2>/dev/null || echo no\n\
         kill -0 {} 2>/dev/null || echo no; echo data > {own}/kept; cat {own}/kept",
        std::process::id()
    );
    let Some(printed) = walled(place.path(), &script) else {
        eprintln!("not tested: this kernel has no landlock");
        return;
    };
    // Refused by landlock: without it, all of this is allowed.
    assert_eq!(printed, "no\nno\nno\nno\nno\nno\ndata");
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "s3cret");
}

#[tokio::test]
async fn what_holds_is_told() {
    let Some(mut place) = Place::new() else { return };
    let told = |config: &sandbox::Config| {
        let found = sandbox::examine(config).unwrap();
        found.into_iter().map(|finding| (finding.holds, finding.what)).collect::<Vec<_>>()
    };
    let about = |found: &[(bool, String)], what: &str| {
        found.iter().filter(|(_, text)| text.contains(what)).map(|(holds, _)| *holds).collect::<Vec<_>>()
    };
    let found = told(&place.config);
    assert_eq!(about(&found, "landlock").len(), 1, "{found:?}");
    assert_eq!(about(&found, "control group").len(), 1, "{found:?}");
    // A test harness takes no part in it.
    place.config.inside = None;
    let found = told(&place.config);
    assert_eq!(about(&found, "landlock"), [false], "{found:?}");
}

#[tokio::test]
async fn a_control_group_that_is_none_is_refused() {
    let Some(mut place) = Place::new() else { return };
    place.config.cgroup = Some(place.path().join("nothing"));
    let outcome = place.shell("echo ran").await;
    let Err(Failure::Run(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.code(), Code::SandboxUnavailable);
    assert!(error.message().contains("no control group of version 2"), "{error}");
}

/// A control group of this machine, made for a test; none where nobody may make one.
struct Group(PathBuf);

impl Group {
    fn make() -> Option<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
        let folder = Path::new(mount).join(format!("sandbox-test-{}", std::process::id()));
        std::fs::create_dir(&folder).ok()?;
        Some(Self(folder))
    }

    /// How many groups there are in it.
    fn count(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn a_call_has_a_group_of_its_own_that_is_killed_as_one() {
    let (Some(mut place), Some(group)) = (Place::new(), Group::make()) else {
        eprintln!("not tested: no control group can be made here");
        return;
    };
    place.config.cgroup = Some(group.0.clone());
    let own = place.shell("grep '^0::' /proc/self/cgroup").await.unwrap();
    // The sandbox sees its own group as the root of all.
    assert!(own.starts_with("0::/"), "{own}");
    let script = "(setsid sh -c 'while :; do date >> alive; sleep 0.02; done' &) >/dev/null 2>&1; sleep 30";
    let alive = place.folder("one").files().join("alive");
    {
        let call = place.shell(script);
        let inside = async {
            while !alive.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            let calls = std::fs::read_dir(&group.0).unwrap().flatten().filter(|entry| entry.path().is_dir());
            let procs =
                calls.map(|entry| std::fs::read_to_string(entry.path().join("cgroup.procs")).unwrap());
            procs.map(|procs| procs.lines().count()).sum::<usize>()
        };
        tokio::select! {
            ended = call => panic!("{ended:?}"),
            count = inside => assert!(count >= 4, "{count}"),
        }
    }
    for _ in 0..200 {
        if group.count() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(group.count(), 0);
    let before = std::fs::metadata(&alive).unwrap().len();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(std::fs::metadata(&alive).unwrap().len(), before);
}
