//! The OpenAPI document that tools are made of in tests: GitHub's, which is too large to stand in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::Step;

/// The Node package that brings it, in the version that the tests know (`crates/tool/tests/openapi/github.rs`).
const PACKAGE: &str = "@octokit/openapi@23.0.2";
/// What npm calls the archive of the package, without its ending.
const ARCHIVE: &str = "octokit-openapi-23.0.2";
/// The document within the package. The rest, which is thirty times as large, stays packed.
const WITHIN: &str = "package/generated/api.github.com.json";

/// The document in the folder that cargo builds in, where the tests look for it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    folder: PathBuf,
}

impl Document {
    /// The document of a target folder.
    pub(crate) fn new(target: &Path) -> Self {
        Self { folder: target.join("documents") }
    }

    /// The steps that fetch it; none where it is there.
    pub(crate) fn steps(&self) -> Vec<Step> {
        if self.kept().exists() {
            return Vec::new();
        }
        let title = "GitHub's OpenAPI document";
        vec![
            Step::new(title, "mkdir", ["-p"]).and([&self.folder]),
            Step::new(title, "npm", ["pack", PACKAGE, "--silent", "--pack-destination"]).and([&self.folder]),
            Step::new(title, "tar", ["-xz", "--strip-components=2", "-C"])
                .and([&self.folder])
                .and(["-f"])
                .and([&self.archive()])
                .and([WITHIN]),
        ]
    }

    /// Gives it the name by which the tests find it: one that was cut off has another.
    pub(crate) fn note(&self) -> std::io::Result<()> {
        fs::rename(self.folder.join("api.github.com.json"), self.kept())?;
        fs::remove_file(self.archive())
    }

    fn archive(&self) -> PathBuf {
        self.folder.join(format!("{ARCHIVE}.tgz"))
    }

    fn kept(&self) -> PathBuf {
        self.folder.join(format!("{ARCHIVE}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fetched_once() {
        let target = std::env::temp_dir().join(format!("xtask-documents-{}", std::process::id()));
        let document = Document::new(&target);
        let lines: Vec<String> = document.steps().iter().map(ToString::to_string).collect();
        assert!(lines[1].starts_with("npm pack @octokit/openapi@23.0.2 "), "{lines:?}");
        assert!(
            lines[2].ends_with("octokit-openapi-23.0.2.tgz package/generated/api.github.com.json"),
            "{lines:?}"
        );
        fs::create_dir_all(&document.folder).unwrap();
        fs::write(document.archive(), "").unwrap();
        fs::write(document.folder.join("api.github.com.json"), "{}").unwrap();
        assert_eq!(document.steps().len(), 3, "it may have been cut off");
        document.note().unwrap();
        assert_eq!(document.steps(), []);
        fs::remove_dir_all(&target).unwrap();
    }
}
