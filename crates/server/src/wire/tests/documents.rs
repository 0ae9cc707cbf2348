//! What the documentation says of parameters is what the code does with them.

use std::path::Path;

use crate::wire::{Parameter, table};
use crate::{anthropic, openai};

/// The tables, by their pages and the marks that they stand between.
const TABLES: &[(&str, &str, &[Parameter])] = &[
    ("openai.md", "chat completions", openai::chat::PARAMETERS),
    ("openai.md", "responses", openai::responses::PARAMETERS),
    ("openai.md", "embeddings", openai::embeddings::PARAMETERS),
    ("anthropic.md", "messages", anthropic::PARAMETERS),
];

#[test]
fn the_documentation_has_every_parameter() {
    for (page, name, parameters) in TABLES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let (begin, end) = (format!("<!-- parameters of {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
        let (between, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
        let table = table(parameters);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        } else {
            assert!(between == table, "docs/{page} is old: run this test with UPDATE=1");
        }
    }
}

#[test]
fn what_is_refused_is_refused_with_its_reason_and_null_asks_for_nothing() {
    for (_, _, parameters) in TABLES {
        for parameter in *parameters {
            let body = |value: serde_json::Value| {
                serde_json::Value::from(serde_json::Map::from_iter([(parameter.name.to_owned(), value)]))
            };
            let null = body(serde_json::Value::Null);
            assert!(
                crate::wire::check(&crate::wire::Node::body(&null), parameters).is_ok(),
                "{}",
                parameter.name
            );
            let odd = body(serde_json::json!({"odd": [1]}));
            let checked = crate::wire::check(&crate::wire::Node::body(&odd), parameters);
            match parameter.how {
                crate::wire::How::Read(_) => assert!(checked.is_ok(), "{}", parameter.name),
                _ => {
                    let fault = checked.unwrap_err();
                    assert_eq!(fault.param.as_deref(), Some(parameter.name));
                    assert_eq!(fault.word, "unsupported_parameter");
                }
            }
        }
    }
}
