//! Which crate of the workspace may depend on which.

use serde_json::Value;

/// Each crate by its folder, and the folders of the crates that it may depend on.
///
/// A new crate needs a line here and its reason in ARCHITECTURE.md.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("macros", &[]),
    ("model", &["core"]),
    ("tool", &["core", "macros"]),
    ("policy", &["core"]),
    ("durable", &["core"]),
    ("powerloss", &[]),
    ("agent", &["core", "model", "tool", "policy", "durable"]),
    ("workflow", &["core", "tool", "durable", "agent"]),
    ("store", &["core", "durable"]),
    ("adjutant", &["core", "model", "tool", "policy", "durable", "agent", "workflow", "store", "macros"]),
    ("server", &["core", "adjutant"]),
    ("cli", &["core", "adjutant", "server"]),
    (
        "testkit",
        &["core", "macros", "model", "tool", "policy", "durable", "agent", "workflow", "store", "adjutant"],
    ),
    ("xtask", &[]),
];

/// What tests may use besides the kit, which all may: the loop is tested on the real engine, and the rules of this
/// repository on the real list of error codes.
const TESTS_MAY_DEPEND_ON: &[(&str, &str)] = &[
    ("agent", "store"),
    ("workflow", "store"),
    ("workflow", "model"),
    ("store", "powerloss"),
    ("xtask", "core"),
];

/// The crates' own metadata, with the folder of each in place of its name.
struct Workspace(Vec<Value>);

impl Workspace {
    fn new(metadata: &str) -> Self {
        let mut metadata: Value = serde_json::from_str(metadata).expect("metadata is JSON");
        match metadata["packages"].take() {
            Value::Array(packages) => Self(packages),
            other => panic!("no list of packages: {other}"),
        }
    }

    /// Every breach of the rules, as a sentence.
    fn breaches(&self) -> Vec<String> {
        self.0.iter().flat_map(|package| self.breaches_of(package)).collect()
    }

    fn breaches_of(&self, package: &Value) -> Vec<String> {
        let from = folder(package);
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(name, _)| *name == from) else {
            return vec![format!("`{from}` is not in the table of edges")];
        };
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let edge = |dependency: &Value| {
            let to = self.folder_of(dependency["name"].as_str()?)?;
            let for_tests = dependency["kind"] == "dev"
                && (to == "testkit" || to == from || TESTS_MAY_DEPEND_ON.contains(&(from, to)));
            let breach = !for_tests && !allowed.contains(&to);
            breach.then(|| format!("`{from}` must not depend on `{to}`"))
        };
        dependencies.iter().filter_map(edge).collect()
    }

    fn folder_of(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|package| package["name"] == name).map(folder)
    }
}

fn folder(package: &Value) -> &str {
    let manifest = package["manifest_path"].as_str().expect("a path");
    manifest.rsplit(['/', '\\']).nth(1).expect("a manifest is in a folder")
}

#[test]
fn the_workspace_keeps_its_edges() {
    let workspace = Workspace::new(&crate::cargo(&["metadata", "--no-deps", "--format-version", "1"]));
    assert!(workspace.0.len() >= MAY_DEPEND_ON.len(), "a crate in the table is gone");
    assert_eq!(workspace.breaches(), [""; 0]);
}

/// Checks what is said of a workspace where one crate depends on another.
fn check(from: &str, kind: Option<&str>, to: &str, expected: &[&str]) {
    let package = |name: &str, dependencies: Value| {
        let manifest = format!("/project/crates/{name}/Cargo.toml");
        serde_json::json!({ "name": format!("x-{name}"), "manifest_path": manifest, "dependencies": dependencies })
    };
    let edge =
        serde_json::json!([{ "name": format!("x-{to}"), "kind": kind }, { "name": "serde", "kind": null }]);
    let metadata =
        serde_json::json!({ "packages": [package(from, edge), package(to, serde_json::json!([]))] });
    assert_eq!(Workspace::new(&metadata.to_string()).breaches(), expected, "{from} -> {to}");
}

#[test]
fn a_forbidden_edge_is_seen() {
    check("agent", None, "store", &["`agent` must not depend on `store`"]);
    check("model", None, "tool", &["`model` must not depend on `tool`"]);
    check("core", Some("build"), "macros", &["`core` must not depend on `macros`"]);
    check("durable", None, "testkit", &["`durable` must not depend on `testkit`"]);
    check("model", Some("dev"), "store", &["`model` must not depend on `store`"]);
    check("testkit", None, "cli", &["`testkit` must not depend on `cli`"]);
    check("helpers", None, "core", &["`helpers` is not in the table of edges"]);
}

#[test]
fn an_allowed_edge_is_not_a_breach() {
    check("agent", None, "durable", &[]);
    check("store", None, "durable", &[]);
    check("tool", None, "macros", &[]);
    check("model", Some("dev"), "testkit", &[]);
    check("agent", Some("dev"), "store", &[]);
    check("cli", None, "adjutant", &[]);
}
