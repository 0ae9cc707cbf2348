//! Triggers: what comes due begins runs, once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use adjutant::core::label::Label;
use adjutant::core::time::{Clock, Timestamp};
use adjutant::durable::{Entry, Fate, Occurrence};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{Code, StoreOptions};

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
        ("cron = \"0 9 * * *\"\nfolder = \"inbox\"", "needs one of `cron` and `folder`"),
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
