//! Triggers: what comes due begins runs, once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use adjutant::core::label::Label;
use adjutant::core::time::{Clock, Timestamp};
use adjutant::durable::{Entry, Fate, Occurrence};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{Code, Received, StoreOptions, TriggerMessage};

const HOUR: i64 = 3_600_000;

/// A clock that a test moves.
#[derive(Clone)]
struct Moved(Arc<AtomicI64>);

impl Moved {
    fn at(hours: i64) -> Self {
        Self(Arc::new(AtomicI64::new(hours * HOUR)))
    }

    fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

fn write(folder: &Path, trigger: &str) {
    std::fs::create_dir_all(folder.join("agents")).unwrap();
    std::fs::create_dir_all(folder.join("inbox")).unwrap();
    std::fs::write(folder.join("agents/digest.md"), "---\nmodel: main\n---\nHelp.\n").unwrap();
    let head = "[triggers.daily]\nrun = \"digest\"\n";
    std::fs::write(folder.join("adjutant.toml"), format!("{head}{trigger}\n")).unwrap();
}

fn open(folder: &Path, clock: &Moved) -> Adjutant {
    let model = Scripted::from_fn(|_, _| Some(Turn::text("Done.")));
    let options = StoreOptions { clock: Arc::new(clock.clone()), ..StoreOptions::default() };
    let project = Project::load(folder).unwrap();
    Adjutant::builder().project(project).model("main", model).store_options(options).build().unwrap()
}

/// What became of the occurrences, the oldest first: the hour, and whether there is a run for it.
fn told(log: &[Occurrence]) -> Vec<String> {
    let tell = |occurrence: &Occurrence| match &occurrence.fate {
        Fate::Admitted(_) => format!("{} run", occurrence.due.0 / HOUR),
        Fate::Skipped { why, count } => format!("{} skipped {count}: {why}", occurrence.due.0 / HOUR),
    };
    log.iter().map(tell).collect()
}

/// Looks once, as a process would that has just begun.
async fn look(adjutant: &Adjutant) -> Vec<String> {
    let (decided, errors) = adjutant.triggers().watch().look().await;
    assert!(errors.is_empty(), "{errors:?}");
    told(&decided)
}

const HOURLY: &str = "input = \"It is {{ time }}.\"\ncron = \"0 * * * *\"\ntime_zone = \"Europe/Berlin\"";

#[tokio::test]
async fn times_are_run_once_and_missed_ones_by_rule() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &format!("{HOURLY}\nmissed = \"all\"\nlongest_back = \"2h\"\noverlap = \"allow\""));
    let clock = Moved::at(10);
    let adjutant = open(folder.path(), &clock);
    assert!(look(&adjutant).await.is_empty(), "it begins when it is first looked at");
    clock.set(11 * HOUR + 500);
    assert_eq!(look(&adjutant).await, ["11 run"]);
    assert!(look(&adjutant).await.is_empty());
    clock.set(10 * HOUR);
    assert!(look(&adjutant).await.is_empty(), "a clock that goes back brings nothing twice");
    clock.set(15 * HOUR + HOUR / 2);
    // Another process, after the machine has slept.
    let other = open(folder.path(), &clock);
    let expected = ["13 skipped 2: it was missed by more than 2h", "14 run", "15 run"];
    assert_eq!(look(&other).await, expected);
    assert!(look(&adjutant).await.is_empty());
    let run = &adjutant.runs(1).await.unwrap()[0].run;
    let records = adjutant.handle(run).records().await.unwrap();
    let Entry::Admitted(admission) = &records[0].entry else { panic!("{records:?}") };
    assert!(admission.input.as_str().contains("It is 1970-01-01T16:00:00+01:00."), "{}", admission.input);
    assert_eq!(adjutant.triggers().log(Some("daily"), 10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_run_that_is_under_way_keeps_the_next_from_beginning() {
    for (overlap, expected) in [("skip", "12 skipped 1: the run"), ("allow", "12 run")] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &format!("{HOURLY}\noverlap = \"{overlap}\""));
        let clock = Moved::at(10);
        let adjutant = open(folder.path(), &clock);
        look(&adjutant).await;
        clock.set(11 * HOUR);
        assert_eq!(look(&adjutant).await, ["11 run"]);
        clock.set(12 * HOUR);
        let second = look(&adjutant).await;
        assert!(second.len() == 1 && second[0].starts_with(expected), "{second:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &format!("{HOURLY}\noverlap = \"queue\""));
    let clock = Moved::at(10);
    let adjutant = open(folder.path(), &clock);
    look(&adjutant).await;
    clock.set(11 * HOUR);
    look(&adjutant).await;
    clock.set(12 * HOUR);
    assert!(look(&adjutant).await.is_empty(), "it waits");
    let first = adjutant.runs(1).await.unwrap()[0].run.clone();
    adjutant.handle(&first).reply().await.unwrap();
    assert_eq!(look(&adjutant).await, ["12 run"]);
}

#[tokio::test]
async fn what_is_turned_off_begins_anew_when_it_is_turned_on() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Moved::at(10);
    write(folder.path(), HOURLY);
    look(&open(folder.path(), &clock)).await;
    write(folder.path(), &format!("{HOURLY}\nenabled = false"));
    clock.set(12 * HOUR);
    assert!(look(&open(folder.path(), &clock)).await.is_empty());
    write(folder.path(), HOURLY);
    clock.set(13 * HOUR + 1);
    assert!(look(&open(folder.path(), &clock)).await.is_empty());
    clock.set(14 * HOUR);
    assert_eq!(look(&open(folder.path(), &clock)).await, ["14 run"]);
}

#[tokio::test]
async fn a_file_is_run_once_and_is_a_strangers() {
    let folder = tempfile::tempdir().unwrap();
    let trigger = "input = \"New: {{ file }}. It says: {{ text }}\"\nfolder = \"inbox\"\npattern = \"*.txt\"\n\
                   overlap = \"allow\"";
    write(folder.path(), trigger);
    let clock = Moved::at(10);
    let adjutant = open(folder.path(), &clock);
    let mut watch = adjutant.triggers().watch();
    std::fs::write(folder.path().join("inbox/a.txt"), "Pay me.").unwrap();
    std::fs::write(folder.path().join("inbox/b.txt"), [0xff, 0xfe]).unwrap();
    assert!(watch.look().await.0.is_empty(), "it may not be complete yet");
    clock.set(10 * HOUR + 3_000);
    let decided = told(&watch.look().await.0);
    assert!(decided.len() == 2 && decided[0] == "10 run", "{decided:?}");
    assert!(decided[1].contains("skipped 1") && decided[1].contains("`text`"), "{decided:?}");
    // Another process finds them, too, and knows them.
    let mut other = open(folder.path(), &clock).triggers().watch();
    other.look().await;
    clock.set(10 * HOUR + 9_000);
    assert!(other.look().await.0.is_empty() && watch.look().await.0.is_empty());
    std::fs::write(folder.path().join("inbox/a.txt"), "Pay me more.").unwrap();
    other.look().await;
    clock.set(10 * HOUR + 19_000);
    assert_eq!(told(&other.look().await.0), ["10 run"]);
    let runs = adjutant.runs(10).await.unwrap();
    assert_eq!(runs.len(), 2);
    let reply = adjutant.handle(&runs[1].run).reply().await.unwrap();
    assert_eq!(reply.label, Some(Label::untrusted_from("file:inbox/a.txt")));
}

#[tokio::test]
async fn a_trigger_is_fired_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), HOURLY);
    let adjutant = open(folder.path(), &Moved::at(10));
    let (one, two) = (adjutant.triggers(), adjutant.triggers());
    assert_ne!(one.fire("daily", None).await.unwrap().id(), two.fire("daily", None).await.unwrap().id());
    assert_eq!(one.fire("dayly", None).await.err().unwrap().code(), Code::NotFound);
    assert_eq!(one.fire("daily", Some("a.txt")).await.err().unwrap().code(), Code::InputInvalid);
    write(folder.path(), "input = \"{{ name }}\"\nfolder = \"inbox\"");
    let adjutant = open(folder.path(), &Moved::at(10));
    for wrong in ["../adjutant.toml", "..", "/etc/passwd"] {
        let error = adjutant.triggers().fire("daily", Some(wrong)).await.err().unwrap();
        assert_eq!(error.code(), Code::InputInvalid, "{wrong}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_trigger_is_said() {
    for (trigger, expected) in [
        ("cron = \"0 9 * *\"", "`0 9 * *` has 4 fields"),
        ("cron = \"0 9 * * *\"\ntime_zone = \"Berlin\"", "`Berlin` is no time zone"),
        ("cron = \"0 9 * * *\"\npattern = \"*\"", "`triggers.daily.pattern` has no meaning here"),
        ("folder = \"inbox\"\nmissed = \"all\"", "`triggers.daily.missed` has no meaning here"),
        ("cron = \"0 9 * * *\"\nfolder = \"inbox\"", "needs one of `cron`, `folder` and `webhook`"),
        ("cron = \"0 9 * * *\"\ninput = \"{{ file }}\"", "there is no `file` in the input of a trigger"),
        ("cron = \"0 9 * * *\"\noverlaps = \"skip\"", "unknown key `triggers.daily.overlaps`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let input = if trigger.contains("input") { "" } else { "input = \"Hello\"\n" };
        write(folder.path(), &format!("{input}{trigger}"));
        let errors = Project::load(folder.path()).unwrap_err();
        assert!(errors[0].to_string().contains(expected), "{errors:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "input = \"Hello\"\ncron = \"0 9 * * *\"");
    std::fs::rename(folder.path().join("agents/digest.md"), folder.path().join("agents/digests.md")).unwrap();
    let errors = Project::load(folder.path()).unwrap_err();
    assert_eq!(
        (errors[0].message(), errors[0].help()),
        ("there is no agent `digest`", Some("did you mean `digests`?"))
    );
}

/// A project to which messages come.
fn receiving(folder: &Path, more: &str) -> Adjutant {
    write(folder, "cron = \"0 9 * * *\"\ninput = \"x\"");
    let text = std::fs::read_to_string(folder.join("adjutant.toml")).unwrap();
    let message = format!(
        "{text}[secrets]\nhook = {{ file = \"hook\" }}\n[triggers.tickets]\nrun = \"digest\"\nwebhook = \"tickets\"\nsecret = \"hook\"\n\
         input = \"{{{{ body.test }}}} {{{{ key }}}}\"\n{more}\n"
    );
    std::fs::write(folder.join("adjutant.toml"), message).unwrap();
    std::fs::write(folder.join("hook"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    open(folder, &Moved(Arc::new(AtomicI64::new(1_614_265_330_000))))
}

/// The example of the specification of Standard Webhooks.
const SIGNED: [(&str, &str); 3] = [
    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    ("webhook-timestamp", "1614265330"),
    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
];

const BODY: &[u8] = br#"{"test": 2432232314}"#;

#[tokio::test]
async fn a_signed_message_begins_one_run_however_often_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let adjutant = receiving(folder.path(), "");
    let triggers = adjutant.triggers();
    let message = TriggerMessage { path: "tickets", headers: &SIGNED, body: BODY };
    let (one, two) = tokio::join!(triggers.receive(&message), triggers.receive(&message));
    let began = |received: adjutant::Result<Received>| match received.unwrap() {
        Received::Began { run, new } => (run, new),
        other => panic!("{other:?}"),
    };
    let (one, two) = (began(one), began(two));
    assert_eq!(one.0, two.0);
    assert!(one.1 != two.1, "one of them was first");
    assert_eq!(began(triggers.receive(&message).await), (one.0.clone(), false));
    let records = adjutant.handle(&one.0).records().await.unwrap();
    let Entry::Admitted(admission) = &records[0].entry else { panic!("{records:?}") };
    let input = admission.input.as_str();
    assert!(input.contains("msg_p5jXN8AQM9LWM0D4loKWxJek") && input.contains("webhook:tickets"), "{input}");
    assert_eq!(triggers.log(Some("tickets"), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_signed_begins_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let adjutant = receiving(folder.path(), "");
    let later = {
        let clock = Moved(Arc::new(AtomicI64::new(1_614_265_330_000 + 301_000)));
        open(folder.path(), &clock)
    };
    let without = |name: &str| SIGNED.into_iter().filter(|(header, _)| *header != name).collect::<Vec<_>>();
    let with = |name: &'static str, value: &'static str| [without(name), vec![(name, value)]].concat();
    for (headers, body, adjutant) in [
        (without("webhook-id"), BODY, &adjutant),
        (without("webhook-timestamp"), BODY, &adjutant),
        (without("webhook-signature"), BODY, &adjutant),
        (with("webhook-signature", "v1,AAAA"), BODY, &adjutant),
        (with("webhook-signature", "nonsense"), BODY, &adjutant),
        (with("webhook-timestamp", "1614265331"), BODY, &adjutant),
        (with("webhook-id", "msg_other"), BODY, &adjutant),
        (SIGNED.to_vec(), b"{}", &adjutant),
        (SIGNED.to_vec(), BODY, &later),
    ] {
        let message = TriggerMessage { path: "tickets", headers: &headers, body };
        let error = adjutant.triggers().receive(&message).await.unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated, "{headers:?}");
    }
    for path in ["other", "", "daily"] {
        let message = TriggerMessage { path, headers: &SIGNED, body: BODY };
        assert_eq!(adjutant.triggers().receive(&message).await.unwrap_err().code(), Code::NotFound, "{path}");
    }
    let acme = adjutant.of_tenant("acme").unwrap();
    let message = TriggerMessage { path: "tickets", headers: &SIGNED, body: BODY };
    assert_eq!(acme.triggers().receive(&message).await.unwrap_err().code(), Code::NotFound);
    assert!(adjutant.runs(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn github_signs_otherwise_and_a_message_may_be_known_by_its_body() {
    let folder = tempfile::tempdir().unwrap();
    let adjutant = receiving(folder.path(), "signature = \"github\"\nkey = \"body:/number\"");
    // The example of GitHub's documentation of its signatures.
    std::fs::write(folder.path().join("hook"), "It's a Secret to Everybody").unwrap();
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = [("x-hub-signature-256", signature)];
    let message = TriggerMessage { path: "tickets", headers: &headers, body: b"Hello, World!" };
    let error = adjutant.triggers().receive(&message).await.unwrap_err();
    // It is signed, and known by nothing.
    assert_eq!(error.code(), Code::InputInvalid, "{error}");
    // Whoever has heard it cannot begin another run by another id, which is not signed.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = receiving(elsewhere.path(), "signature = \"github\"");
    std::fs::write(elsewhere.path().join("hook"), "It's a Secret to Everybody").unwrap();
    let of_body = "sha256=e6416d07bfe8709e7df1eac7ac9684b962b42f921b04f5ee467d3cb77d53713a";
    let mut begun = Vec::new();
    for delivery in ["one", "two"] {
        let headers = [("x-hub-signature-256", of_body), ("x-github-delivery", delivery)];
        let message = TriggerMessage { path: "tickets", headers: &headers, body: BODY };
        begun.push(
            serde_json::to_value(other.triggers().receive(&message).await.unwrap()).unwrap()["run"].clone(),
        );
    }
    assert!(begun[0].is_string() && begun[0] == begun[1], "{begun:?}");
    for wrong in ["sha256=75", "sha256=7", "757107ea", "sha256=zz", ""] {
        let headers = [("x-hub-signature-256", wrong)];
        let message = TriggerMessage { path: "tickets", headers: &headers, body: b"Hello, World!" };
        assert_eq!(adjutant.triggers().receive(&message).await.unwrap_err().code(), Code::Unauthenticated);
    }
}

#[test]
fn what_is_wrong_with_a_trigger_of_messages_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "cron = \"0 9 * * *\"\ninput = \"x\"\nsecret = \"x\"");
    let text = std::fs::read_to_string(folder.path().join("adjutant.toml")).unwrap();
    let wrong = "[triggers.a]\nrun = \"digest\"\ninput = \"{{ body }}\"\nwebhook = \"a/b\"\nsecret = \"x\"\noverlap = \"queue\"\nkey = \"id\"\nsignature = \"githup\"\npattern = \"*\"\n";
    std::fs::write(folder.path().join("adjutant.toml"), format!("{text}{wrong}")).unwrap();
    let errors = Project::load(folder.path()).unwrap_err();
    let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let of_files = "[secrets]\nx = { env = \"X\" }\n[triggers.a]\nrun = \"digest\"\nwebhook = \"a\"\nsecret = \"x\"\ninput = \"{{ name }}\"\n";
    std::fs::write(folder.path().join("adjutant.toml"), of_files).unwrap();
    let error = Project::load(folder.path()).unwrap_err().remove(0);
    assert_eq!(error.message(), "there is no `name` in the input of a trigger");
    for part in [
        "`triggers.daily.secret` has no meaning here",
        "`triggers.a.webhook` must be 1 to 64 characters",
        "which is not under `[secrets]`",
        "a message cannot wait",
        "`triggers.a.key` must be `header:NAME` or `body:/POINTER`",
        "`triggers.a.signature` must be one of",
        "`triggers.a.pattern` has no meaning here",
    ] {
        assert!(all.iter().any(|error| error.contains(part)), "`{part}` is not told: {all:#?}");
    }
}

#[tokio::test]
async fn a_message_that_makes_no_sense_is_passed_over_once_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let adjutant = receiving(folder.path(), "");
    let text = std::fs::read_to_string(folder.path().join("adjutant.toml")).unwrap();
    std::fs::write(folder.path().join("adjutant.toml"), text.replace("body.test", "body.title")).unwrap();
    adjutant.reload_files().await.unwrap();
    let message = TriggerMessage { path: "tickets", headers: &SIGNED, body: BODY };
    for expected in ["title", "it came before"] {
        let received = adjutant.triggers().receive(&message).await.unwrap();
        let Received::Skipped { why } = received else { panic!("{received:?}") };
        assert!(why.contains(expected), "{why}");
    }
    assert!(adjutant.runs(1).await.unwrap().is_empty());
}
