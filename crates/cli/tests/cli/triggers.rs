//! `adjutant triggers`.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::Sandbox;

const FILES: usize = 5;

fn project() -> Sandbox {
    let sandbox = Sandbox::with_agent("description: Helps.");
    sandbox.write(
        "adjutant.toml",
        "[triggers.mail]\nrun = \"desk\"\ninput = \"Read {{ file }}.\"\nfolder = \"inbox\"\noverlap = \"allow\"\n\
         [triggers.daily]\nrun = \"desk\"\ninput = \"Good morning.\"\ncron = \"0 9 29 2 *\"\nenabled = false\n",
    );
    sandbox.write("inbox/0.txt", "0");
    sandbox
}

fn watch(sandbox: &Sandbox) -> Child {
    let mut command = sandbox.command(&["triggers", "run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// Two processes look at one folder, and die at any moment; each file has one run in the end.
#[test]
fn each_file_is_run_once_by_two_processes_that_are_killed() {
    let sandbox = project();
    for number in 1..FILES {
        sandbox.write(&format!("inbox/{number}.txt"), &number.to_string());
    }
    for pause in [2_050, 2_150, 2_300] {
        let mut both = [watch(&sandbox), watch(&sandbox)];
        std::thread::sleep(Duration::from_millis(pause));
        both.iter_mut().for_each(|child| child.kill().expect("it can be killed"));
        for child in &mut both {
            child.wait().expect("it is over");
        }
    }
    let mut both = [watch(&sandbox), watch(&sandbox)];
    let began = Instant::now();
    let ended = |sandbox: &Sandbox| {
        let runs = sandbox.json(&["runs", "list"]);
        runs.as_array().unwrap().iter().filter(|run| run["state"] == "ended").count()
    };
    while ended(&sandbox) < FILES && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(3));
    for child in &mut both {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(143));
    }
    let runs = sandbox.json(&["runs", "list"]);
    let asked: BTreeSet<&str> =
        runs.as_array().unwrap().iter().map(|run| run["title"].as_str().unwrap()).collect();
    assert_eq!((runs.as_array().unwrap().len(), asked.len()), (FILES, FILES), "{runs}");
    let log = sandbox.json(&["triggers", "log"]);
    assert_eq!(log.as_array().unwrap().len(), FILES, "{log}");
}

#[test]
fn triggers_are_listed_and_fired() {
    let sandbox = project();
    let listed = sandbox.run(&["triggers"]);
    assert!(listed.contains("daily") && listed.contains("off") && listed.contains("inbox/*"), "{listed}");
    let fired = sandbox.run(&["triggers", "fire", "mail", "--file", "0.txt"]);
    assert!(fired.starts_with("exit 0"), "{fired}");
    let log = sandbox.run(&["triggers", "log", "mail"]);
    assert!(log.contains("by hand") && log.contains("run [run]"), "{log}");
    assert!(sandbox.run(&["triggers", "fire", "mail"]).contains("`--file NAME`"));
}
