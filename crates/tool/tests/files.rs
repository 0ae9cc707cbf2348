//! The tools on files, and ways to get out of their folder.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::id::{RunId, StepKey};
use adjutant_tool::builtin::{files, files_read};
use adjutant_tool::{Context, Effect, Failure, Output, Reconciled, Registry};
use serde_json::{Value, json};
use tempfile::TempDir;

fn folder() -> std::io::Result<(TempDir, Registry)> {
    let outer = tempfile::tempdir()?;
    let root = outer.path().join("root");
    fs::create_dir_all(root.join("policies"))?;
    fs::write(outer.path().join("secret.txt"), "hunter2")?;
    fs::write(
        root.join("policies/returns.md"),
        "# Returns\nYou can return goods within 30 days.\nShoes: 60 days.\n",
    )?;
    fs::write(root.join("notes.txt"), "the shop opens at nine\nthe days are long\n")?;
    fs::write(root.join(".hidden"), "return")?;
    let mut registry = Registry::new();
    for tool in files(&root).map_err(std::io::Error::other)? {
        registry.add(tool).map_err(std::io::Error::other)?;
    }
    Ok((outer, registry))
}

async fn call(registry: &Registry, name: &str, arguments: Value) -> Result<Output, Failure> {
    let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root().join("tool", 0), "c".into());
    let arguments = registry.arguments(name, &arguments.to_string()).map_err(Failure::from)?;
    match registry.get(name) {
        Some(tool) => tool.call(arguments, context).await,
        None => Ok(Output::text("no such tool")),
    }
}

async fn text(registry: &Registry, name: &str, arguments: Value) -> String {
    call(registry, name, arguments)
        .await
        .map_or_else(|failure| format!("failed: {failure}"), |output| output.as_text())
}

#[tokio::test]
async fn files_are_listed_read_and_searched() {
    let (_outer, tools) = folder().unwrap();
    assert_eq!(tools.len(), 5);
    let list = text(&tools, "list_files", json!({})).await;
    assert_eq!(list, "notes.txt (41 bytes)\npolicies/returns.md (63 bytes)");
    assert_eq!(
        text(&tools, "list_files", json!({"path": "./policies/"})).await,
        "policies/returns.md (63 bytes)"
    );
    assert_eq!(
        text(&tools, "read_file", json!({"path": "notes.txt"})).await,
        "the shop opens at nine\nthe days are long\n"
    );
    let range = json!({"path": "policies/returns.md", "from_line": 2, "lines": 1});
    let expected = "You can return goods within 30 days.\n[the file goes on: read from line 3]";
    assert_eq!(text(&tools, "read_file", range).await, expected);
    let beyond = json!({"path": "notes.txt", "from_line": 9});
    assert_eq!(
        text(&tools, "read_file", beyond).await,
        "failed: `notes.txt` has about 2 lines, fewer than 9"
    );

    let found = text(&tools, "search_files", json!({"words": "How many days to RETURN shoes?"})).await;
    let lines: Vec<_> = found.lines().collect();
    assert_eq!(lines[0], "policies/returns.md:3: Shoes: 60 days.", "{found}");
    assert!(lines.contains(&"notes.txt:2: the days are long"));
    assert!(!found.contains(".hidden"));
    let one = text(&tools, "search_files", json!({"words": "days", "most": 1, "path": "notes.txt"})).await;
    assert_eq!(one, "notes.txt:2: the days are long");
    assert_eq!(text(&tools, "search_files", json!({"words": "zebra"})).await, "nothing found");
    assert_eq!(
        text(&tools, "search_files", json!({"words": "?!"})).await,
        "failed: there is no word to search for"
    );
}

#[tokio::test]
async fn the_tools_that_read_do_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> =
        files_read(folder.path()).unwrap().iter().map(|tool| tool.spec().name.clone()).collect();
    assert_eq!(names, ["list_files", "read_file", "search_files"]);
    assert!(files_read(&folder.path().join("missing")).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn what_the_program_keeps_is_nobodys() {
    use std::os::unix::fs::symlink;
    let (outer, tools) = folder().unwrap();
    let root = outer.path().join("root");
    fs::create_dir_all(root.join(".adjutant/work/other")).unwrap();
    fs::write(root.join(".adjutant/work/other/plan.md"), "hunter2").unwrap();
    symlink(".adjutant/work", root.join("work")).unwrap();
    symlink(".adjutant/work/other/plan.md", root.join("plan.md")).unwrap();
    for path in [
        ".adjutant/work/other/plan.md",
        "policies/../.adjutant/work/other/plan.md",
        "work/other/plan.md",
        "plan.md",
    ] {
        let told = format!("failed: `{path}` belongs to the program, and no tool may use it");
        assert_eq!(text(&tools, "read_file", json!({"path": path})).await, told);
        assert_eq!(text(&tools, "write_file", json!({"path": path, "content": "x"})).await, told);
        assert_eq!(
            text(&tools, "edit_file", json!({"path": path, "old": "hunter2", "new": "x"})).await,
            told
        );
    }
    let new = text(&tools, "write_file", json!({"path": "work/new/mine.md", "content": "x"})).await;
    assert!(new.contains("belongs to the program"), "{new}");
    for path in [".adjutant", "work"] {
        assert!(text(&tools, "list_files", json!({"path": path})).await.starts_with("failed: "), "{path}");
        let found = text(&tools, "search_files", json!({"words": "hunter2", "path": path})).await;
        assert!(found.starts_with("failed: "), "{path}");
    }
    assert_eq!(fs::read_to_string(root.join(".adjutant/work/other/plan.md")).unwrap(), "hunter2");
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let (outer, tools) = folder().unwrap();
    let root = outer.path().join("root");
    symlink(outer.path().join("secret.txt"), root.join("link.txt")).unwrap();
    symlink(outer.path(), root.join("up")).unwrap();
    symlink("../..", root.join("policies/back")).unwrap();
    symlink("notes.txt", root.join("inside.txt")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let absolute = outer.path().join("secret.txt").display().to_string();
    let ways = [
        "../secret.txt",
        "policies/../../secret.txt",
        &absolute,
        "link.txt",
        "up/secret.txt",
        "policies/back/secret.txt",
    ];
    for path in ways {
        let read = text(&tools, "read_file", json!({"path": path})).await;
        assert_eq!(read, format!("failed: `{path}` leads outside of the folder"));
        let write = text(&tools, "write_file", json!({"path": path, "content": "x"})).await;
        assert!(write.starts_with("failed: "), "{path}: {write}");
        let edit = text(&tools, "edit_file", json!({"path": path, "old": "hunter2", "new": "x"})).await;
        assert!(edit.starts_with("failed: "), "{path}: {edit}");
    }
    assert_eq!(fs::read_to_string(outer.path().join("secret.txt")).unwrap(), "hunter2");
    assert!(!outer.path().join("root/up/x").exists());
    for path in ["..", "up", "policies/back", "/"] {
        assert!(text(&tools, "list_files", json!({"path": path})).await.starts_with("failed: "), "{path}");
        assert!(
            text(&tools, "search_files", json!({"words": "hunter2", "path": path}))
                .await
                .starts_with("failed: ")
        );
    }
    assert_eq!(text(&tools, "search_files", json!({"words": "hunter2"})).await, "nothing found");
    assert!(text(&tools, "read_file", json!({"path": "inside.txt"})).await.starts_with("the shop"));
    assert!(text(&tools, "read_file", json!({"path": "loop"})).await.starts_with("failed: "));
    for path in ["", "a\0b", &"x/".repeat(5_000)] {
        assert_eq!(text(&tools, "read_file", json!({"path": path})).await, "failed: this is no path");
    }
}

/// Somebody exchanges a folder for a link out of the root, again and again, while files are read and written.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_with_a_link_is_lost() {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    let (outer, tools) = folder().unwrap();
    let root = outer.path().join("root");
    fs::create_dir(outer.path().join("target")).unwrap();
    fs::write(outer.path().join("target/file"), "treasure").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (done, place, target) = (Arc::clone(&stop), root.join("flip"), outer.path().join("target"));
    let swapping = std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            let _ = fs::create_dir(&place);
            let _ = fs::write(place.join("file"), "inside");
            let _ = fs::remove_dir_all(&place);
            let _ = symlink(&target, &place);
            let _ = fs::remove_file(&place);
        }
    });
    for _ in 0..150 {
        let read = text(&tools, "read_file", json!({"path": "flip/file"})).await;
        assert!(!read.contains("treasure"), "{read}");
        text(&tools, "write_file", json!({"path": "flip/file", "content": "written"})).await;
        let found = text(&tools, "search_files", json!({"words": "treasure"})).await;
        assert_eq!(found, "nothing found");
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert_eq!(fs::read_to_string(outer.path().join("target/file")).unwrap(), "treasure");
}

#[tokio::test]
async fn files_are_written_and_edited() {
    let (outer, tools) = folder().unwrap();
    let new = json!({"path": "a/b/c.txt", "content": "one\ntwo\ntwo\n"});
    assert_eq!(text(&tools, "write_file", new.clone()).await, "wrote 12 bytes to a/b/c.txt");
    assert_eq!(text(&tools, "write_file", new).await, "wrote 12 bytes to a/b/c.txt");
    let file = outer.path().join("root/a/b/c.txt");
    let edit = |old: &str, new: &str| json!({"path": "a/b/c.txt", "old": old, "new": new});
    let twice = call(&tools, "edit_file", edit("two", "three")).await.unwrap_err();
    assert_eq!(twice.to_string(), "the passage is in `a/b/c.txt` 2 times");
    assert_eq!(text(&tools, "edit_file", edit("one\ntwo", "zero")).await, "edited a/b/c.txt at line 1");
    assert_eq!(fs::read_to_string(&file).unwrap(), "zero\ntwo\n");
    let gone = text(&tools, "edit_file", edit("one", "x")).await;
    assert_eq!(gone, "failed: the passage is not in `a/b/c.txt`");
    assert_eq!(text(&tools, "edit_file", edit("", "x")).await, "failed: the passage is empty");
    assert!(
        text(&tools, "write_file", json!({"path": "a", "content": ""})).await.contains("no ordinary file")
    );
    assert!(text(&tools, "write_file", json!({"path": "a/..", "content": ""})).await.starts_with("failed"));
    let left: Vec<_> =
        fs::read_dir(file.parent().unwrap()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["c.txt"], "no temporary file stays");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let (outer, tools) = folder().unwrap();
    let file = outer.path().join("root/notes.txt");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    text(&tools, "write_file", json!({"path": "notes.txt", "content": "new"})).await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn a_lost_edit_is_looked_up() {
    let (_outer, tools) = folder().unwrap();
    let tool = tools.get("edit_file").unwrap();
    assert_eq!(tool.spec().effect, Effect::Reconcile);
    let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into());
    let ask = |old: &str, new: &str| {
        tool.reconcile(json!({"path": "notes.txt", "old": old, "new": new}), context.clone())
    };
    assert_eq!(ask("nine", "ten").await.unwrap(), Reconciled::NotHappened);
    assert!(matches!(ask("noon", "nine").await.unwrap(), Reconciled::Happened(_)));
    assert!(matches!(ask("opens", "opens at nine").await.unwrap(), Reconciled::Happened(_)));
    assert_eq!(ask("gone", "lost").await.unwrap(), Reconciled::Unknown);
}

#[tokio::test]
async fn binary_and_huge_files_are_bounded() {
    let (outer, tools) = folder().unwrap();
    let root = outer.path().join("root");
    fs::write(root.join("image.png"), [0x89, b'P', 0, 0]).unwrap();
    let binary = text(&tools, "read_file", json!({"path": "image.png"})).await;
    assert_eq!(binary, "failed: `image.png` holds 4 bytes of binary data, no text");

    fs::write(root.join("long.log"), "0123456789abcde\n".repeat(10_000)).unwrap();
    let first = text(&tools, "read_file", json!({"path": "long.log"})).await;
    assert_eq!(first.len(), (64 << 10) + "[the file goes on: read from line 4097]".len());
    assert!(first.ends_with("e\n[the file goes on: read from line 4097]"), "{}", &first[first.len() - 80..]);
    let last = text(&tools, "read_file", json!({"path": "long.log", "from_line": 9_999})).await;
    assert_eq!(last, "0123456789abcde\n".repeat(2));

    fs::write(root.join("line.json"), "x".repeat(3 << 20)).unwrap();
    let line = text(&tools, "read_file", json!({"path": "line.json"})).await;
    assert!(
        line.ends_with("[line 1 is longer than the 65536 bytes that are read at once; the next line is 2]")
    );
    let found = text(&tools, "search_files", json!({"words": "xxx"})).await;
    assert!(found.starts_with("line.json:1: xxx") && found.len() < 1_000);

    let empty = json!({"path": "empty.txt", "content": ""});
    text(&tools, "write_file", empty).await;
    assert_eq!(text(&tools, "read_file", json!({"path": "empty.txt"})).await, "the file is empty");
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_not_waited_for() {
    let (outer, tools) = folder().unwrap();
    let pipe = outer.path().join("root/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let began = Instant::now();
    assert_eq!(
        text(&tools, "read_file", json!({"path": "pipe"})).await,
        "failed: `pipe` is no ordinary file"
    );
    assert!(
        text(&tools, "write_file", json!({"path": "pipe", "content": "x"}))
            .await
            .contains("no ordinary file")
    );
    assert_eq!(text(&tools, "search_files", json!({"words": "zebra"})).await, "nothing found");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_at_the_same_time_are_all_kept() {
    let (outer, tools) = folder().unwrap();
    let words: Vec<_> = (0..20).map(|index| format!("<{index}>")).collect();
    fs::write(outer.path().join("root/words.txt"), words.join("\n")).unwrap();
    let edits = words.iter().map(|word| {
        text(&tools, "edit_file", json!({"path": "words.txt", "old": word, "new": format!("[{word}]")}))
    });
    for told in futures::future::join_all(edits).await {
        assert!(told.starts_with("edited words.txt"), "{told}");
    }
    let expected: Vec<_> = words.iter().map(|word| format!("[{word}]")).collect();
    assert_eq!(fs::read_to_string(outer.path().join("root/words.txt")).unwrap(), expected.join("\n"));
}
