//! What the policies of now forbid, whatever a run has pinned.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use adjutant_agent::rules::Forbids;
use adjutant_core::time::Clock;
use adjutant_policy::cedar::{Mode, Policies, Schema};
use adjutant_policy::{Outcome, Request, Verdict};
use adjutant_store::SystemClock;

use super::policies::{self, PolicySettings};

/// The forbids of a project as its files are at each moment. A forbid that is written while a run is under way stops the
/// next attempt of it.
///
/// Each question looks whether the files have changed, by what the file system says of them and of their folder; they are read and
/// validated again only then, and read as long as they may have been written once more within one tick of its clock. What
/// cannot be read forbids everything.
pub(crate) struct Current {
    folder: PathBuf,
    settings: PolicySettings,
    schema: Schema,
    last: Mutex<Option<Arc<Last>>>,
    /// How many files there were when the project was read.
    begun_with: usize,
}

/// What was read last.
struct Last {
    /// The files as they were; none where there was no folder.
    seen: Option<Seen>,
    /// Whether whatever is written after this is seen by the stamps: their times have gone by.
    is_settled: bool,
    /// The policies that are in them.
    policies: Option<Arc<Policies>>,
}

/// The folder of policies, as the file system says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// Itself. While it is the same, the same names are in it.
    folder: Stamp,
    /// The files of policies in it.
    files: Vec<Stamp>,
}

/// The coarsest step of a file system's clock (FAT has two seconds), and then some.
const TICK: Duration = Duration::from_secs(3);

/// What tells that a file is another one, without reading it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    name: OsString,
    size: u64,
    modified: Option<SystemTime>,
    /// A file that was put in the place of another, or was written anew, may have its size and its time.
    change: Change,
}

impl Current {
    /// Those of the project in a folder, with the names that it knew when it was read.
    pub(super) fn new(folder: PathBuf, settings: PolicySettings, schema: Schema) -> Self {
        let seen = look(&folder.join(policies::FOLDER), None).ok().flatten();
        let begun_with = seen.map_or(0, |seen| seen.files.len());
        Self { folder, settings, schema, last: Mutex::new(None), begun_with }
    }

    /// The policies of now; none where there are none. Fails where they cannot be read.
    fn now(&self) -> Result<Option<Arc<Policies>>, String> {
        let asked = SystemTime::UNIX_EPOCH
            + Duration::from_millis(u64::try_from(SystemClock.now().0).unwrap_or_default());
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let settled = last.as_ref().filter(|last| last.is_settled).and_then(|last| last.seen.as_ref());
        let seen = look(&self.folder.join(policies::FOLDER), settled).map_err(|error| error.to_string())?;
        let count = |seen: Option<&Seen>| seen.map_or(0, |seen| seen.files.len());
        let before = last.as_ref().map_or(self.begun_with, |last| count(last.seen.as_ref()));
        // A file is taken back by itself. Where the folder is gone, or several files at once, it was moved, or is not mounted.
        let most = usize::from(seen.is_some());
        if count(seen.as_ref()) == 0 && before > most {
            return Err(format!("there are no policies in `{}` any more", self.folder.display()));
        }
        let same = last.as_ref().filter(|last| last.seen == seen);
        if let Some(last) = same.filter(|last| last.is_settled) {
            return Ok(last.policies.clone());
        }
        let files = policies::deciding(&self.folder, &self.settings).map_err(|error| error.to_string())?;
        let unchanged = same.and_then(|last| last.policies.clone()).filter(|known| known.files() == files);
        let read = match (files.is_empty(), unchanged) {
            (true, _) => None,
            (_, Some(policies)) => Some(policies),
            (false, None) => {
                let read = Policies::parse(&files, Mode::Enforce, &self.schema);
                let first = |problems: Vec<_>| problems.first().map(ToString::to_string).unwrap_or_default();
                Some(Arc::new(read.map_err(first)?))
            }
        };
        let is_settled = seen.as_ref().is_none_or(|seen| seen.is_before(asked));
        let last = Last { seen, is_settled, policies: read.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(last));
        Ok(read)
    }
}

impl Seen {
    fn is_before(&self, moment: SystemTime) -> bool {
        std::iter::once(&self.folder).chain(&self.files).all(|stamp| stamp.is_before(moment))
    }
}

impl Stamp {
    fn of(name: OsString, metadata: &Metadata) -> Self {
        let (size, modified, change) = (metadata.len(), metadata.modified().ok(), change(metadata));
        Self { name, size, modified, change }
    }

    /// Whether it was written so long before a moment that one written since has another time.
    fn is_before(&self, moment: SystemTime) -> bool {
        let changed =
            u64::try_from(self.change.1).map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let times = [self.modified, changed.ok()];
        times.iter().flatten().all(|time| moment.duration_since(*time).is_ok_and(|age| age > TICK))
    }
}

impl Forbids for Current {
    fn forbid(&self, request: &Request) -> Option<Verdict> {
        if self.settings.mode == Mode::LogOnly && !self.settings.lockdown {
            return None;
        }
        match self.now() {
            Ok(policies) => policies?.decide_forbids(request),
            // A forbid may stand in what cannot be read.
            Err(why) => Some(Verdict {
                outcome: Outcome::Deny,
                policies: Vec::new(),
                reason: format!("the policies cannot be read as they are now: {why}"),
                tell: Some("nothing can be done here until an operator has mended the policies".to_owned()),
                watched: None,
                version: None,
            }),
        }
    }
}

/// The folder of policies; none where there is none. Its names are not listed again where it is as it was.
fn look(path: &Path, before: Option<&Seen>) -> std::io::Result<Option<Seen>> {
    let folder = match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        metadata => Stamp::of(OsString::new(), &metadata?),
    };
    let names = match before.filter(|before| before.folder == folder) {
        Some(before) => before.files.iter().map(|file| file.name.clone()).collect(),
        None => names(path)?,
    };
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        // Of what a link leads to: the link stays as it is while that changes.
        match std::fs::metadata(path.join(&name)) {
            Ok(metadata) => files.push(Stamp::of(name, &metadata)),
            // Taken away meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(Seen { folder, files }))
}

/// The files of policies in a folder, in the order of their names.
fn names(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "cedar") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The number of a file, and when it was changed last, which nobody can set.
type Change = (u64, i64, i64);

#[cfg(unix)]
fn change(metadata: &Metadata) -> Change {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn change(_: &Metadata) -> Change {
    Change::default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use adjutant_core::label::Label;
    use adjutant_core::time::Timestamp;
    use adjutant_core::tool::{Effect, Flow, ToolSpec};
    use adjutant_policy::cedar::Vocabulary;
    use adjutant_policy::facts::{Action, Principal, Session};
    use serde_json::{Map, json};

    use super::*;

    fn request() -> Request {
        Request {
            principal: Principal { tenant: "local".into(), user: None, agents: vec!["desk".into()] },
            action: Action::Tool("pay".into()),
            arguments: Map::new(),
            origins: BTreeMap::new(),
            label: Label::default(),
            session: Session::default(),
            now: Timestamp(0),
            approved: true,
            within_task: None,
        }
    }

    fn schema() -> Schema {
        let pay = ToolSpec {
            name: "pay".into(),
            description: String::new(),
            parameters: json!({ "type": "object" }),
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow { egress: Some(false), ..Flow::default() },
        };
        Schema::of([&pay], Vocabulary::default())
    }

    #[test]
    fn a_file_forbids_from_the_moment_it_is_there_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policies");
        let forbids = Current::new(folder.path().to_owned(), PolicySettings::default(), schema());
        assert_eq!(forbids.forbid(&request()), None);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "no policy").unwrap();
        assert_eq!(forbids.forbid(&request()), None);

        let switch = path.join("pay.cedar");
        let stop = r#"@id("stop") forbid (principal, action == Action::"pay", resource);"#;
        fs::write(&switch, stop).unwrap();
        let verdict = forbids.forbid(&request()).unwrap();
        assert_eq!((verdict.outcome, verdict.policies), (Outcome::Deny, vec!["stop".to_owned()]));

        // A permit beside it, or alone, permits nothing.
        fs::write(&switch, "permit (principal, action, resource);").unwrap();
        assert_eq!(forbids.forbid(&request()), None);
        fs::write(&switch, "forbid (principal, action, resource").unwrap();
        let verdict = forbids.forbid(&request()).unwrap();
        assert!(verdict.reason.contains("pay.cedar:1:"), "{}", verdict.reason);
        fs::remove_file(&switch).unwrap();
        assert_eq!(forbids.forbid(&request()), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_written_anew_with_the_time_of_the_old_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        let path = folder.path().join("policies/pay.cedar");
        let forbids = Current::new(folder.path().to_owned(), PolicySettings::default(), schema());
        fs::write(&path, r#"permit (principal, action == Action::"pay", resource);"#).unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(forbids.forbid(&request()), None);
        fs::write(&path, r#"forbid (principal, action == Action::"pay", resource);"#).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(forbids.forbid(&request()).unwrap().outcome, Outcome::Deny);
    }

    /// What the file system says of a file that is written twice within one step of its clock is the same both times.
    #[test]
    fn a_file_whose_stamp_is_young_is_compared_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        let path = folder.path().join("policies/pay.cedar");
        let forbids = Current::new(folder.path().to_owned(), PolicySettings::default(), schema());
        fs::write(&path, r#"permit (principal, action == Action::"pay", resource);"#).unwrap();
        assert_eq!(forbids.forbid(&request()), None);
        fs::write(&path, r#"forbid (principal, action == Action::"pay", resource);"#).unwrap();
        let seen = look(&folder.path().join("policies"), None).unwrap();
        let mut last = forbids.last.lock().unwrap();
        let policies = last.as_ref().unwrap().policies.clone();
        *last = Some(Arc::new(Last { seen, is_settled: false, policies }));
        drop(last);
        assert_eq!(forbids.forbid(&request()).unwrap().outcome, Outcome::Deny);
    }

    #[test]
    fn a_folder_that_is_as_it_was_is_not_listed_and_one_that_is_not_is() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("pay.cedar", "");
        let first = look(folder.path(), None).unwrap().unwrap();
        let empty = Seen { files: Vec::new(), ..first.clone() };
        assert_eq!(look(folder.path(), Some(&empty)).unwrap().unwrap(), empty, "nothing was listed");
        assert_eq!(look(folder.path(), Some(&first)).unwrap().unwrap(), first);
        // What is written into a file changes it and not its folder.
        write("pay.cedar", "permit (principal, action, resource);");
        let second = look(folder.path(), Some(&first)).unwrap().unwrap();
        assert_eq!(second.folder, first.folder);
        assert_ne!(second.files, first.files);
        write("stop.cedar", "");
        assert_eq!(look(folder.path(), Some(&second)).unwrap().unwrap().files.len(), 2);
    }

    #[test]
    fn a_stamp_is_relied_on_once_its_time_has_gone_by() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pay.cedar"), "").unwrap();
        let stamp = look(folder.path(), None).unwrap().unwrap().files.remove(0);
        let written = stamp.modified.unwrap();
        assert!(!stamp.is_before(written));
        assert!(!stamp.is_before(written + TICK - Duration::from_secs(1)));
        assert!(stamp.is_before(written + TICK + Duration::from_secs(2)));
    }

    #[test]
    fn one_file_is_taken_back_and_a_folder_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policies");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("pay.cedar"), r#"permit (principal, action == Action::"pay", resource);"#)
            .unwrap();
        let begin = || Current::new(folder.path().to_owned(), PolicySettings::default(), schema());
        let (asked, unasked) = (begin(), begin());
        assert_eq!(asked.forbid(&request()), None);
        fs::rename(&path, folder.path().join("elsewhere")).unwrap();
        for forbids in [&asked, &unasked] {
            let verdict = forbids.forbid(&request()).unwrap();
            assert!(verdict.reason.contains("no policies in"), "{}", verdict.reason);
        }
        fs::create_dir(&path).unwrap();
        for forbids in [&asked, &unasked] {
            assert_eq!(forbids.forbid(&request()), None);
        }
    }

    #[test]
    fn a_locked_project_needs_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let settings = PolicySettings { lockdown: true, mode: Mode::LogOnly, ..PolicySettings::default() };
        let forbids = Current::new(folder.path().to_owned(), settings, schema());
        assert_eq!(forbids.forbid(&request()), None, "a person has agreed");
        let verdict = forbids.forbid(&Request { approved: false, ..request() }).unwrap();
        assert_eq!(verdict.outcome, Outcome::Ask);
    }
}
