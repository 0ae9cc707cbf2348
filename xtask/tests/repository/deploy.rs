//! What `deploy/` says of the program holds for it.

use std::process::Command;

/// The files of `deploy/`, all of them.
const FILES: [&str; 3] = ["adjutant.service", "compose.yaml", "Containerfile"];

/// Variables that no setting stands behind.
const OTHERS: [&str; 2] = ["ADJUTANT_FOLDER", "ADJUTANT_PROJECT"];

fn file(name: &str) -> String {
    crate::read(&crate::root().join("deploy").join(name))
}

/// The words of a text that begin so, each as far as it is a name.
fn names(text: &str, begin: &str) -> Vec<String> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let rest = text.match_indices(begin).filter_map(|(at, _)| text.get(at..));
    rest.map(|rest| rest.split(|letter| !is_name(letter)).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn they_set_what_there_is() {
    let settings = crate::read(&crate::root().join("docs/configuration.md"));
    let known = |name: &String| {
        let setting = name.trim_start_matches("ADJUTANT_").to_lowercase();
        let key = setting.split_once('_').map_or("", |(_, key)| key);
        OTHERS.contains(&name.as_str()) || (!key.is_empty() && settings.contains(&format!("`{key}`")))
    };
    let set: Vec<String> = FILES.iter().flat_map(|name| names(&file(name), "ADJUTANT_")).collect();
    assert!(set.len() > 5, "the files set next to nothing: {set:?}");
    assert_eq!(set.iter().filter(|name| !known(name)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_files_that_they_name_are_there() {
    let root = crate::root();
    let named = FILES.iter().flat_map(|name| {
        let text = file(name);
        let words = text.split(|letter: char| letter.is_whitespace() || letter == ':').map(str::to_owned);
        words.filter(|word| word.starts_with("deploy/")).collect::<Vec<_>>()
    });
    let named: Vec<String> = named.collect();
    assert!(named.len() > 3, "{named:?}");
    assert_eq!(named.iter().filter(|path| !root.join(path).is_file()).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn systemd_takes_the_unit() {
    // What it starts need not be installed here.
    let unit = file("adjutant.service").replace("/usr/local/bin/adjutant", "/bin/true");
    let folder = std::env::temp_dir().join(format!("xtask-unit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room");
    let path = folder.join("adjutant.service");
    std::fs::write(&path, unit).expect("it can be written");
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    std::fs::remove_dir_all(&folder).expect("it is ours");
    let Ok(verified) = verified else {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "systemd-analyze is missing");
        return;
    };
    // A line that systemd does not know is passed over with a warning, and it ends well.
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("adjutant.service"), "{said}");
}
