//! How well the rules fit tools that they were not written for: those of BFCL whose names say that they do something.

use std::path::Path;

use adjutant_core::tool::{Effect, Flow, ToolSpec};
use adjutant_tool::search::terms;
use serde::Deserialize;
use serde_json::Value;

use super::deeds::deed;
use super::rules::{about, needed};

#[derive(Deserialize)]
struct Asked {
    query: String,
    tool: String,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    description: String,
    parameters: Value,
}

fn read<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../evals/tool-search/bfcl").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The share of the queries that need their tool, and how many of a hundred other tools a query needs.
fn measure(tools: &[ToolSpec], queries: &[Asked]) -> (f64, f64) {
    let about = about(tools);
    let (mut asked, mut found, mut others) = (0_u32, 0_u32, 0_usize);
    for query in queries.iter().filter(|query| tools.iter().any(|tool| tool.name == query.tool)) {
        let needed = needed(&about, &query.query).tools;
        asked += 1;
        found += u32::from(needed.contains_key(&query.tool));
        others += needed.keys().filter(|name| **name != query.tool).count();
    }
    assert!(asked >= 30, "{asked}");
    let each = others as f64 / f64::from(asked);
    (f64::from(found) / f64::from(asked), 100.0 * each / tools.len() as f64)
}

#[test]
fn tools_of_others_are_found_and_few_besides() {
    let tools: Vec<ToolSpec> = read("tools.jsonl")
        .into_iter()
        .map(|Described { name, description, parameters }| ToolSpec {
            name,
            description,
            parameters,
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow::default(),
        })
        .filter(|tool| {
            let does = |term: &String| deed(term).is_some_and(|deed| !deed.kinds.contains("look"));
            terms(&tool.name).first().is_some_and(does)
        })
        .collect();
    for half in ["tuning.jsonl", "held-out.jsonl"] {
        let (found, others) = measure(&tools, &read(half));
        eprintln!("{half}: {:.0} % found, {others:.1} of 100 others, {} tools", 100.0 * found, tools.len());
        assert!(found >= 0.6, "{half}: {found}");
        assert!(others <= 5.0, "{half}: {others}");
    }
}
