//! Features of dependencies that must stay off, as one crate's wish is everybody's fate.

/// The features of a dependency in every shape in which cargo builds it.
fn features<'a>(tree: &'a str, dependency: &str) -> Vec<&'a str> {
    let of = |line: &'a str| {
        let (name, rest) = line.split_once(' ')?;
        // A line is `NAME vVERSION [(PATH)] FEATURE,FEATURE [(*)]`.
        (name == dependency).then(|| rest.split([' ', ',']))
    };
    tree.lines().filter_map(of).flatten().collect()
}

#[test]
fn json_objects_keep_their_keys_sorted() {
    let tree =
        crate::cargo(&["tree", "--workspace", "--all-features", "--prefix", "none", "--format", "{p} {f}"]);
    let features = features(&tree, "serde_json");
    assert!(features.contains(&"std"), "serde_json is not found in the tree: {features:?}");
    assert!(
        !features.contains(&"preserve_order"),
        "something turns on serde_json/preserve_order; hashes of recorded steps rely on sorted keys. \
         `cargo tree --workspace -e features -i serde_json` names it"
    );
}

#[test]
fn features_are_read_from_every_line() {
    let tree = "a v1.0.0 x\nserde_json v1.0.1 default,std\nb v2.0.0\nserde_json v1.0.1 preserve_order (*)";
    let found = features(tree, "serde_json");
    assert!(
        found.contains(&"std") && found.contains(&"preserve_order") && !found.contains(&"x"),
        "{found:?}"
    );
}
