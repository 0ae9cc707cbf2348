//! Command tools, with commands that behave and commands that do not.
#![cfg(unix)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::secret::{Secret, Secrets};
use adjutant_core::{Code, Error};
use adjutant_tool::command::{CommandTool, Config, Exit, Format, Variable};
use adjutant_tool::{Context, Effect, Failure, Output, Reconciled, Tool};
use serde_json::json;
use tokio_util::sync::CancellationToken;

fn shell(script: &str, effect: Effect) -> Config {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Config { description: "Runs a script.".into(), ..Config::new("script", command, effect) }
}

fn context() -> Context {
    Context::new(RunId::from_bytes([1; 10]), StepKey::root().join("tool", 0), "call".into())
        .with_idempotency_key("key-1")
}

async fn call(config: Config, context: Context) -> Result<Output, Failure> {
    let tool = CommandTool::new(config).map_err(Failure::from)?;
    tool.call(json!({"number": 7}), context).await
}

async fn run(script: &str, effect: Effect) -> Result<Output, Failure> {
    call(shell(script, effect), context()).await
}

/// The code and the text of what the model hears.
fn heard(result: Result<Output, Failure>) -> (Option<Code>, String) {
    match result {
        Err(Failure::Model(error)) => (Some(error.code()), error.to_string()),
        other => (None, format!("{other:?}")),
    }
}

#[tokio::test]
async fn arguments_go_in_and_the_result_comes_out() {
    let output = run("cat", Effect::Pure).await.unwrap();
    assert_eq!(
        (output.data.clone(), output.as_text()),
        (Some(json!({"number": 7})), r#"{"number":7}"#.into())
    );
    assert_eq!(run("echo ' plain text '", Effect::Pure).await.unwrap().as_text(), " plain text");
    assert_eq!(run("echo '\"a text\"'", Effect::Pure).await.unwrap().as_text(), "a text");
    assert_eq!(run("true", Effect::Pure).await.unwrap().as_text(), "done");
    let keyed = "printf %s \"$ADJUTANT_RUN $ADJUTANT_STEP $ADJUTANT_IDEMPOTENCY_KEY $ADJUTANT_ATTEMPT\"";
    let text = run(keyed, Effect::Pure).await.unwrap().as_text();
    assert_eq!(text, format!("{} /tool#0 key-1 1", context().run()));
}

struct Vault;

impl Secrets for Vault {
    fn get(&self, name: &str) -> adjutant_core::Result<Secret> {
        match name {
            "token" => Ok(Secret::new("s3cret")),
            _ => Err(Error::new(Code::NotFound, format!("there is no secret `{name}`"))),
        }
    }
}

#[tokio::test]
async fn only_what_is_listed_is_in_the_environment() {
    let mut config =
        shell("env | cut -d= -f1 | grep -v -e '^PWD$' -e '^SHLVL$' -e '^_$' | sort", Effect::Pure);
    let names = call(config.clone(), context()).await.unwrap().as_text();
    assert_eq!(names, "ADJUTANT_ATTEMPT\nADJUTANT_IDEMPOTENCY_KEY\nADJUTANT_RUN\nADJUTANT_STEP\nPATH");

    config.command[2] = "echo $TOKEN $PLACE".into();
    config.environment.insert("TOKEN".into(), Variable::Secret("token".into()));
    config.environment.insert("PLACE".into(), Variable::Text("here".into()));
    let vault = context().with_secrets(Arc::new(Vault));
    assert_eq!(call(config.clone(), vault.clone()).await.unwrap().as_text(), "[secret] here");
    config.command[2] = "test \"$TOKEN\" = s3cret && echo the right one; echo $TOKEN >&2; exit 1".into();
    let (_, told) = heard(call(config.clone(), vault.clone()).await);
    assert_eq!(told, "`script` exited with 1: [secret]");
    config.command[2] = "test \"$TOKEN\" = s3cret && echo the right one".into();
    assert_eq!(call(config.clone(), vault.clone()).await.unwrap().as_text(), "the right one");
    config.environment.insert("TOKEN".into(), Variable::Secret("other".into()));
    assert!(matches!(call(config, vault).await, Err(Failure::Run(error)) if error.code() == Code::NotFound));
}

#[tokio::test]
async fn lines_on_standard_error_are_progress() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let context = context().with_progress(Arc::new(move |line| sink.lock().unwrap().push(line)));
    call(shell("echo one >&2; echo two >&2; printf three >&2; echo ok", Effect::Pure), context)
        .await
        .unwrap();
    assert_eq!(*lines.lock().unwrap(), ["one", "two", "three"]);
}

#[tokio::test]
async fn exit_codes_have_meanings() {
    let script = "echo no such order >&2; exit 3";
    let expected = (Some(Code::ToolFailed), "`script` exited with 3: no such order".to_owned());
    assert_eq!(heard(run(script, Effect::AtMostOnce).await), expected);
    let mapped = |exit| {
        let mut config = shell(script, Effect::AtMostOnce);
        config.exit_codes.insert(3, exit);
        call(config, context())
    };
    assert_eq!(mapped(Exit::Done).await.unwrap().as_text(), "done");
    assert!(matches!(mapped(Exit::Unknown).await, Err(Failure::Unknown(_))));
    assert!(matches!(mapped(Exit::Stop).await, Err(Failure::Run(_))));
    assert!(
        matches!(mapped(Exit::Retry).await, Err(Failure::Model(error)) if error.code() == Code::ToolBusy)
    );
}

#[tokio::test]
async fn a_crash_is_told_or_unknown() {
    let crash = "echo half >&2; kill -SEGV $$";
    let expected = (Some(Code::ToolBroken), "`script` was killed by signal 11: half".to_owned());
    assert_eq!(heard(run(crash, Effect::Idempotent).await), expected);
    let Err(Failure::Unknown(why)) = run(crash, Effect::AtMostOnce).await else { panic!("not unknown") };
    assert_eq!(why, "`script` was killed by signal 11: half; it may have done its work before");
}

#[tokio::test]
async fn a_hang_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    // The child ignores polite signals and would outlive its parent.
    let script =
        format!("(trap '' TERM HUP INT; sleep 600) & echo $! > {0}; echo $$ >> {0}; wait", file.display());
    for (effect, unknown) in [(Effect::Pure, false), (Effect::AtMostOnce, true)] {
        let config = Config { timeout: Duration::from_millis(300), ..shell(&script, effect) };
        let began = Instant::now();
        let failure = call(config, context()).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3));
        assert_eq!(matches!(failure, Failure::Unknown(_)), unknown, "{failure:?}");
        assert!(failure.to_string().starts_with("`script` was killed after 300ms"), "{failure}");
        assert_gone(&file).await;
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_or_cancelled_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let script = format!("sleep 600 & echo $! > {0}; echo $$ >> {0}; wait", file.display());
    let tool = CommandTool::new(shell(&script, Effect::Pure)).unwrap();
    let wait = Duration::from_millis(300);
    assert!(tokio::time::timeout(wait, tool.call(json!({}), context())).await.is_err());
    assert_gone(&file).await;

    let token = CancellationToken::new();
    let later = token.clone();
    let cancel = async move {
        tokio::time::sleep(wait).await;
        later.cancel();
    };
    let (result, ()) = tokio::join!(tool.call(json!({}), context().with_cancellation(token)), cancel);
    assert!(matches!(result, Err(Failure::Run(error)) if error.code() == Code::RunCancelled));
    assert_gone(&file).await;
}

#[tokio::test]
async fn what_is_left_in_the_background_does_not_hold_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let began = Instant::now();
    let output =
        run(&format!("sleep 600 & echo $! > {}; echo ok", file.display()), Effect::AtMostOnce).await.unwrap();
    assert_eq!(output.as_text(), "ok");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_gone(&file).await;
}

/// Waits until no process in the file lives; a process that is dead but not yet reaped by its parent counts as gone.
async fn assert_gone(file: &Path) {
    let pids = std::fs::read_to_string(file).unwrap_or_default();
    assert!(!pids.is_empty(), "the command did not get far enough");
    for _ in 0..100 {
        if pids.lines().all(is_gone) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(pids.lines().all(is_gone), "still there: {pids}");
}

fn is_gone(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.is_empty() || status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_flood_is_cut_and_told() {
    let flood = "head -c 100000000 /dev/zero | tr '\\0' x";
    let config = Config { output_limit: 1_000, ..shell(flood, Effect::AtMostOnce) };
    let text = call(config.clone(), context()).await.unwrap().as_text();
    assert_eq!(text.len(), 1_000 + "\n[cut off: these are the first 1000 of 100000000 bytes]".len());
    assert!(text.ends_with("x\n[cut off: these are the first 1000 of 100000000 bytes]"));

    let config = Config { format: Format::Json, ..config };
    let Err(Failure::Unknown(why)) = call(config, context()).await else { panic!("not unknown") };
    assert!(why.starts_with("`script` printed 100000000 bytes, more than the 1000 that are kept"), "{why}");
}

#[tokio::test]
async fn a_flood_on_standard_error_is_bounded() {
    let count = Arc::new(Mutex::new(0));
    let sink = Arc::clone(&count);
    let context = context().with_progress(Arc::new(move |line: String| {
        assert!(line.len() <= 500);
        *sink.lock().unwrap() += 1;
    }));
    let flood = "head -c 5000000 /dev/zero | tr '\\0' x >&2; yes | head -n 100000 >&2; exit 1";
    let (code, text) = heard(call(shell(flood, Effect::Pure), context).await);
    assert_eq!(code, Some(Code::ToolFailed));
    assert!(text.len() < 3_000, "{text}");
    assert_eq!(*count.lock().unwrap(), 1_000);
}

#[tokio::test]
async fn no_json_where_json_was_promised() {
    let json = |script, effect| call(Config { format: Format::Json, ..shell(script, effect) }, context());
    let expected = (Some(Code::ToolBroken), "`script` printed no JSON but `oops`".to_owned());
    assert_eq!(heard(json("echo oops", Effect::Pure).await), expected);
    let (_, text) = heard(json("true", Effect::Pure).await);
    assert_eq!(text, "`script` printed no JSON but nothing");
    assert!(matches!(json("echo oops", Effect::AtMostOnce).await, Err(Failure::Unknown(_))));
    let text = Config { format: Format::Text, ..shell("echo 5", Effect::Pure) };
    assert_eq!(call(text, context()).await.unwrap().data, None);
    let binary = run("printf '\\377\\376\\000'", Effect::Pure).await.unwrap().as_text();
    assert!(binary.starts_with('\u{fffd}'), "{binary:?}");
}

#[tokio::test]
async fn a_command_that_reads_nothing_is_fine() {
    let tool = CommandTool::new(shell("exec <&-; echo ok", Effect::Pure)).unwrap();
    let large = json!({"text": "x".repeat(1 << 20)});
    assert_eq!(tool.call(large, context()).await.unwrap().as_text(), "ok");
}

#[tokio::test]
async fn a_command_that_is_not_there() {
    let missing = Config { command: vec!["no-such-program".into()], ..shell("", Effect::AtMostOnce) };
    let (code, text) = heard(call(missing, context()).await);
    assert_eq!(code, Some(Code::ToolBroken));
    assert!(text.starts_with("the command `no-such-program` cannot be started: No such file"), "{text}");
    let nowhere = Config { working_directory: Some("/no/such/place".into()), ..shell("true", Effect::Pure) };
    let Err(Failure::Model(error)) = call(nowhere, context()).await else { panic!("another failure") };
    assert_eq!(error.help(), Some("there is no directory `/no/such/place`"));
}

#[tokio::test]
async fn a_relative_program_is_found_from_the_working_directory() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("tools/where");
    std::fs::create_dir(folder.path().join("tools")).unwrap();
    std::fs::write(&program, "#!/bin/sh\npwd -P\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = Config {
        command: vec!["tools/where".into()],
        working_directory: Some(folder.path().into()),
        ..shell("", Effect::Pure)
    };
    let expected = folder.path().canonicalize().unwrap();
    assert_eq!(call(config, context()).await.unwrap().as_text(), expected.display().to_string());
}

#[tokio::test]
async fn a_lost_call_is_looked_up() {
    let ask = |script: &str| {
        let reconcile = Some(["sh", "-c", script].map(str::to_owned).to_vec());
        let config = Config { reconcile, ..shell("true", Effect::Reconcile) };
        let tool = CommandTool::new(config).unwrap();
        async move { tool.reconcile(json!({"number": 7}), context()).await }
    };
    let happened = ask("read line; echo \"{\\\"happened\\\": true, \\\"result\\\": $line}\"").await.unwrap();
    let question = json!({"idempotency_key": "key-1", "arguments": {"number": 7}});
    assert_eq!(happened, Reconciled::Happened(Output::json(question)));
    assert_eq!(ask("echo '{\"happened\": false}'").await.unwrap(), Reconciled::NotHappened);
    assert_eq!(ask("echo '{\"happened\": null}'").await.unwrap(), Reconciled::Unknown);
    for (bad, why) in
        [("echo maybe", "printed no"), ("exit 2", "exited with 2"), ("kill -9 $$", "was killed by signal 9")]
    {
        let Err(Failure::Unknown(text)) = ask(bad).await else { panic!("{bad}") };
        assert!(text.starts_with(&format!("the reconcile command of `script` {why}")), "{text}");
    }
}

#[test]
fn a_configuration_that_contradicts_itself_is_refused() {
    let good = shell("true", Effect::Pure);
    let cases = [
        (Config { command: vec![], ..good.clone() }, "has no command"),
        (Config { description: " ".into(), ..good.clone() }, "has no description"),
        (Config { effect: Effect::Reconcile, ..good.clone() }, "has the effect `reconcile` but no command"),
        (
            Config { reconcile: Some(vec!["x".into()]), ..good.clone() },
            "has a `reconcile` command that is never run",
        ),
        (Config { timeout: Duration::ZERO, ..good.clone() }, "can never answer"),
    ];
    for (config, why) in cases {
        let error = CommandTool::new(config).unwrap_err();
        assert_eq!(error.code(), Code::ToolInvalid);
        assert!(error.message().starts_with(&format!("the command tool `script` {why}")), "{error}");
    }
}
