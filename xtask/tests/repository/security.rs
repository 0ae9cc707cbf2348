//! What `docs/security.md` says is proved by a test has that test.

/// The rows of the table, cut into cells: the lines that begin with an item in bold letters.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| **")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").collect()).collect()
}

/// The items of both lists, in their order.
fn items() -> Vec<String> {
    ["LLM", "ASI"].iter().flat_map(|list| (1..=10).map(move |number| format!("{list}{number:02}"))).collect()
}

/// Whether a file has a test of that name that runs by itself.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        function.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    };
    lines.iter().enumerate().filter(|(_, line)| begins(line)).any(|(place, _)| {
        let above: Vec<&str> = (lines.iter().take(place).rev().copied())
            .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
            .collect();
        let is_test = |line: &&str| *line == "#[test]" || line.starts_with("#[tokio::test");
        above.iter().any(is_test) && !above.iter().any(|line| line.starts_with("#[ignore"))
    })
}

/// What is wrong with the table, as sentences. `read` gives a file of the repository; none where there is no such file.
fn faults(page: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let rows = rows(page);
    let mut faults = Vec::new();
    let found: Vec<&str> = rows.iter().filter_map(|row| row.first()?.split(' ').next()).collect();
    if found != items() {
        faults.push(format!("the items are {found:?}"));
    }
    for row in &rows {
        let [item, _, _, tests] = row.as_slice() else {
            faults.push(format!("this row has not four cells: {row:?}"));
            continue;
        };
        let item = item.split(' ').next().unwrap_or(item);
        for cell in tests.split("<br>") {
            let named = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            let Some((file, name)) = named.and_then(|named| named.split_once(": ")) else {
                faults.push(format!("{item}: this is no file with a test: {cell}"));
                continue;
            };
            match read(file) {
                None => faults.push(format!("{item}: there is no file {file}")),
                Some(source) if !has_test(&source, name) => {
                    faults.push(format!("{item}: {file} has no test {name}"));
                }
                Some(_) => {}
            }
        }
    }
    faults
}

#[test]
fn what_is_said_to_be_proved_has_its_test() {
    let root = crate::root();
    let page = crate::read(&root.join("docs/security.md"));
    assert_eq!(faults(&page, |file| std::fs::read_to_string(root.join(file)).ok()), [""; 0]);
}

#[test]
fn a_table_with_faults_is_told_all_of_them() {
    let source = "#[test]\n#[ignore = \"slow\"]\nfn slow() {}\n\nfn helper() {}\n\n#[tokio::test]\n// Why.\nasync fn good() {}\n\n    #[test]\n    fn drawn(x in any()) {}\n";
    let page = "| **LLM01 A** | b | c | `a.rs: good`<br>`a.rs: drawn`<br>`a.rs: goo`<br>`a.rs: helper` |\n\
                | **ASI10 B** | b | c | `a.rs: slow`<br>`b.rs: good`<br>none |\n\
                | **ASI09 C** | b |\n\
                | another | table |\n";
    let expected = [
        r#"the items are ["LLM01", "ASI10", "ASI09"]"#,
        "LLM01: a.rs has no test goo",
        "LLM01: a.rs has no test helper",
        "ASI10: a.rs has no test slow",
        "ASI10: there is no file b.rs",
        "ASI10: this is no file with a test: none",
        r#"this row has not four cells: ["ASI09 C**", "b"]"#,
    ];
    assert_eq!(faults(page, |file| (file == "a.rs").then(|| source.to_owned())), expected);
}
