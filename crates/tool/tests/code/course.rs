//! The course of a program over its processes: what is done again, and what is not.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Code;
use adjutant_tool::code::{Chapter, End, Interpreter, Limit, Programs};
use serde_json::json;

#[cfg(target_os = "linux")]
use crate::scene::{Watched, answer};
use crate::scene::{course, interpreter, last, limited, place, program};

const SOURCE: &str = "let sum = 0; for (let i = 0; i < 6; i++) { sum += await tools.add({ a: i, b: 1 }); \
                      console.log('at', i) } return { sum, chance: Math.random() }";

#[tokio::test]
async fn a_program_goes_on_in_any_process_from_anywhere() {
    let program = program(SOURCE);
    let whole = course(&Programs::new(interpreter()), &program).await.unwrap();
    assert_eq!(whole.len(), 7);
    for at in 0..whole.len() {
        // A process that knows nothing of it, as after a crash.
        let programs = Programs::new(interpreter());
        let (told, rest) = whole.split_at(at);
        let mut told = told.to_vec();
        for chapter in rest {
            let advance = programs.advance(&place(), &program, &told, chapter.given.as_ref()).await.unwrap();
            assert_eq!(
                (&advance.asked, &advance.printed),
                (&chapter.told.asked, &chapter.told.printed),
                "at {at}"
            );
            assert_eq!(advance.end, chapter.told.end);
            told.push(Arc::clone(chapter));
        }
    }
    assert_eq!(last(&whole).engine, "quickjs-ng 0.16.2");
}

#[tokio::test]
async fn another_course_than_before_is_told() {
    let program = program(SOURCE);
    let programs = Programs::new(interpreter());
    let whole = course(&programs, &program).await.unwrap();
    let mut told = whole[..3].to_vec();
    let mut other: Chapter = (*told[1]).clone();
    other.told.asked[0].arguments = json!({ "a": 41, "b": 1 });
    other.told.engine = "quickjs-ng 0.1".into();
    told[1] = Arc::new(other);
    let error = programs.advance(&place(), &program, &told, whole[3].given.as_ref()).await.unwrap_err();
    assert_eq!(error.code(), Code::ProgramDiverged);
    assert!(
        error.message().contains(r#"called add({"a":41,"b":1}) and now called add({"a":1,"b":1})"#),
        "{error}"
    );
    assert!(error.help().unwrap().contains("quickjs-ng 0.1"));
}

/// A child that is killed between two advances is not missed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_child_that_is_killed_is_replaced() {
    let (watched, program) = (Watched::new(), program(SOURCE));
    let programs = watched.programs();
    let mut told: Vec<Arc<Chapter>> = Vec::new();
    let mut given = None;
    let mut kills = 0;
    loop {
        let advance = programs.advance(&place(), &program, &told, given.as_ref()).await.unwrap();
        let next = advance.asked.first().map(answer);
        let ended = advance.end.clone();
        told.push(Arc::new(Chapter { given, told: advance }));
        if let Some(end) = ended {
            assert!(matches!(end, End::Value(value) if value["sum"] == json!(21)));
            break;
        }
        given = next;
        kills += usize::from(watched.kill());
    }
    assert_eq!((told.len(), kills), (7, 6));
}

/// A child that is killed while it works is replaced by one that does the work again.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_killed_at_work_is_replaced() {
    let source = "let n = 0; for (let i = 0; i < 4e6; i++) n += i % 3; await tools.add({}); \
                  for (let i = 0; i < 4e6; i++) n += i % 3; return n";
    let program = program(source);
    for delay in [1, 5, 20, 60, 120] {
        let watched = Arc::new(Watched::new());
        let killer = {
            let watched = Arc::clone(&watched);
            std::thread::spawn(move || {
                while watched.process().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(delay));
                watched.kill();
            })
        };
        let told = course(&watched.programs(), &program).await.unwrap();
        killer.join().unwrap();
        assert_eq!(last(&told).end, Some(End::Value(json!(7_999_998))), "killed after {delay} ms");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_ends_with_whoever_holds_it() {
    let watched = Watched::new();
    let programs = watched.programs();
    programs.advance(&place(), &program("await tools.add({})"), &[], None).await.unwrap();
    let child = watched.process().expect("there is a child");
    drop(programs);
    for _ in 0..200 {
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the child {child} lives on");
}

/// The child has no environment, and the kernel lets it do next to nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_child_has_given_everything_up() {
    let watched = Watched::new();
    let programs = watched.programs();
    programs.advance(&place(), &program("await tools.add({})"), &[], None).await.unwrap();
    let child = watched.process().expect("there is a child");
    assert_eq!(watched.environment().trim_end_matches('\0'), "TZ=UTC0");
    let threads = std::fs::read_dir(format!("/proc/{child}/task")).unwrap().flatten();
    for thread in threads {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{child}/limits")).unwrap();
    assert!(limits.contains("Max file size             0 "), "{limits}");
}

#[tokio::test]
async fn an_executable_that_is_no_interpreter_is_named() {
    for (path, why) in [
        ("/bin/true", "does not interpret programs"),
        ("/bin/cat", "does not interpret programs"),
        ("/nowhere", "No such file"),
    ] {
        let programs = Programs::new(Interpreter::at(path));
        let error = programs.advance(&place(), &program("return 1"), &[], None).await.unwrap_err();
        assert_eq!(error.code(), Code::InterpreterUnavailable);
        assert!(error.message().contains(why), "{error}");
    }
    // This test is an executable that would run its tests again.
    let programs = Programs::new(Interpreter::own());
    let error = programs.advance(&place(), &program("return 1"), &[], None).await.unwrap_err();
    assert!(error.help().unwrap().contains("adjutant::tool::first_in_main()"), "{error}");
}

/// A child that was taken over says what it likes.
#[cfg(unix)]
#[tokio::test]
async fn a_child_that_lies_is_not_believed() {
    let ready = r#"{"version":1,"engine":"x"}"#;
    for said in [
        r#"{"asked":[{"id":0,"name":"pay","arguments":{}}],"took_ms":0}"#.to_owned(),
        r#"{"asked":[{"id":7,"name":"add","arguments":{}}],"took_ms":0}"#.to_owned(),
        r#"{"asked":[{"id":0,"name":"add","arguments":[]}],"took_ms":0}"#.to_owned(),
        format!(r#"{{"printed":"{}","took_ms":0}}"#, "x".repeat(30_000)),
        format!(r#"{{"end":{{"value":"{}"}},"took_ms":0}}"#, "x".repeat(50_000)),
        "no json".to_owned(),
        "\u{0}\u{ffff}".to_owned(),
        String::new(),
        r#"{"asked":["#.to_owned(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("liar");
        std::fs::write(folder.path().join("said"), format!("{ready}\n{said}\n")).unwrap();
        let script = format!("#!/bin/sh\nread -r line\nexec cat {}\n", folder.path().join("said").display());
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let programs = Programs::new(Interpreter::at(&path));
        let advance = programs.advance(&place(), &program("return 1"), &[], None).await.unwrap();
        assert_eq!(advance.end, Some(End::Limit(Limit::Process)), "{said}");
    }
}

#[tokio::test]
async fn the_time_of_all_advances_counts() {
    let source = "for (;;) { for (let i = 0; i < 3e6; i++); await tools.add({}) }";
    let program = limited(source, |limits| {
        limits.time_ms = 300;
        limits.instructions = u64::MAX;
        limits.calls = u32::MAX;
    });
    let began = std::time::Instant::now();
    let told = course(&Programs::new(interpreter()), &program).await.unwrap();
    assert_eq!(last(&told).end, Some(End::Limit(Limit::Time)));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
