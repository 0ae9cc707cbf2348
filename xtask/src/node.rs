//! The Node packages that tests work with: servers that everybody uses, and clients of the service.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::Step;

/// What lists the packages, and what says which version of each.
const LISTS: [&str; 2] = ["package.json", "package-lock.json"];

/// Node packages in the folder that cargo builds in, where the tests look for them.
#[derive(Clone, Debug)]
pub(crate) struct Packages {
    title: &'static str,
    folder: PathBuf,
    lists: PathBuf,
}

impl Packages {
    /// The servers that the MCP client is tested against.
    pub(crate) fn servers(root: &Path, target: &Path) -> Self {
        Self {
            title: "Node servers",
            folder: target.join("servers/node"),
            lists: root.join("crates/tool/tests/mcp/servers"),
        }
    }

    /// The clients that the service is tested with.
    pub(crate) fn service(root: &Path, target: &Path) -> Self {
        Self {
            title: "Node clients",
            folder: target.join("service/node"),
            lists: root.join("crates/server/tests/vendors/clients"),
        }
    }

    /// The steps that set them up; none where they stand as the lists want them.
    pub(crate) fn steps(&self) -> Vec<Step> {
        if self.is_current() {
            return Vec::new();
        }
        let title = self.title;
        let npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"];
        vec![
            Step::new(title, "mkdir", ["-p"]).and([&self.folder]),
            Step::new(title, "cp", LISTS.map(|list| self.lists.join(list))).and([&self.folder]),
            Step::new(title, "npm", npm).and([&self.folder]),
        ]
    }

    /// Notes that they stand as the lists want them.
    pub(crate) fn note(&self) -> std::io::Result<()> {
        fs::copy(self.lists.join(LISTS[1]), self.noted()).map(drop)
    }

    fn is_current(&self) -> bool {
        let noted = fs::read(self.noted()).ok();
        noted.is_some() && noted == fs::read(self.lists.join(LISTS[1])).ok()
    }

    fn noted(&self) -> PathBuf {
        self.folder.join("installed.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_set_up_once_for_each_list() {
        let folder = std::env::temp_dir().join(format!("xtask-servers-{}", std::process::id()));
        let (root, target) = (folder.join("root"), folder.join("target"));
        let packages = Packages::servers(&root, &target);
        for path in [&packages.lists, &packages.folder] {
            fs::create_dir_all(path).unwrap();
        }
        let list = packages.lists.join("package-lock.json");
        fs::write(&list, "1").unwrap();
        let lines: Vec<String> = packages.steps().iter().map(ToString::to_string).collect();
        assert!(lines[2].starts_with("npm ci ") && lines[2].ends_with("servers/node"), "{lines:?}");
        packages.note().unwrap();
        assert_eq!(packages.steps(), []);
        fs::write(&list, "2").unwrap();
        assert_eq!(packages.steps().len(), 3, "the list is another one");
        fs::remove_dir_all(&folder).unwrap();
    }
}
