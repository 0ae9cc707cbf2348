//! Tool search: an agent with many tools is shown some of them, and finds the others.
//!
//! [`offered`] says which tools a request offers, [`joining`] which join after a call. Both follow from the pinned definition and
//! from what the journal holds, so a replay, a fork and a look at an old request come to the same.

mod rank;
mod routine;

use std::sync::Arc;

use adjutant_core::tool::{Effect, LOAD_SKILL, SEARCH_TOOLS, ToolSpec};
use serde_json::{Value, json};

use crate::definition::{Definition, Handoff, ToolSearch};
use crate::returned::Returned;

pub(crate) use routine::SearchTools;

/// The most tools that join those that are always shown: providers take 128 of them, and more are no help.
const MOST_FOUND: usize = 100;

/// The tool that finds the others, for an agent that has `count` of them.
pub(crate) fn spec(count: usize, settings: &ToolSearch) -> ToolSpec {
    let description = format!(
        "Finds tools of yours by what they do. You have {count} tools, and only some of them are shown to you. Search before you \
         say that you cannot do something. Up to {} tools that are found can be called from your next turn on.",
        settings.results
    );
    ToolSpec {
        name: SEARCH_TOOLS.to_owned(),
        description,
        parameters: json!({
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "What the tool should do, in a few words, such as `refund an order`.",
                    "minLength": 1,
                    "maxLength": 1000,
                },
            },
            "required": ["query"],
            "additionalProperties": false,
        }),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow {
            trusted: Some(true),
            ..adjutant_core::tool::Flow::inside("definition")
        },
    }
}

/// The tools that a request offers: all, or where the agent searches, those that are always shown and then those that were found,
/// in the order in which they were found. So the beginning of a request stays the same, which is what caches of prompts need.
pub(crate) fn offered(definition: &Definition, found: &[String]) -> Arc<[ToolSpec]> {
    let Some(search) = &definition.tool_search else { return definition.offered().cloned().collect() };
    let fixed = definition.offered().filter(|tool| is_always(definition, search, &tool.name));
    fixed.chain(found.iter().filter_map(|name| definition.tool(name))).cloned().collect()
}

/// What a call names of the tools that are to be shown: those that a search has found or that a skill uses, otherwise the called one, which the agent was
/// given whether it has found it or not.
pub(crate) fn named(called: &str, returned: &Returned) -> Vec<String> {
    match returned {
        Returned::Output(output) if called == SEARCH_TOOLS || called == LOAD_SKILL => {
            let tools = output.data.as_ref().and_then(|data| data.get("tools")).and_then(Value::as_array);
            tools.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => vec![called.to_owned()],
    }
}

/// Those of the named tools that join: the agent has them, and was not shown them yet. `found` have joined before.
pub(crate) fn joining(definition: &Definition, found: &[String], names: Vec<String>) -> Vec<String> {
    let Some(search) = &definition.tool_search else { return Vec::new() };
    let room = MOST_FOUND.saturating_sub(found.len());
    let mut joining: Vec<String> = Vec::new();
    for name in names {
        let is_known =
            is_always(definition, search, &name) || found.contains(&name) || joining.contains(&name);
        if !is_known && definition.offered().any(|tool| tool.name == name) && joining.len() < room {
            joining.push(name);
        }
    }
    joining
}

/// Whether a tool is shown all the time: what the author says, what the runtime brings, and agents, which are few.
fn is_always(definition: &Definition, search: &ToolSearch, name: &str) -> bool {
    name == SEARCH_TOOLS
        || definition.agent_of(name).is_some()
        || definition.handoff(name).is_some()
        || name == Handoff::BACK
        || search.always.iter().any(|always| always == name)
}

#[cfg(test)]
mod tests {
    use adjutant_core::{Code, Error};
    use adjutant_tool::Output;
    use adjutant_tool::code::Language;

    use super::*;
    use crate::definition::{CodeMode, Defaults, Source, ToolSearchSettings};

    fn tool(name: &str) -> ToolSpec {
        ToolSpec { name: name.to_owned(), ..spec(1, &ToolSearch::default()) }
    }

    fn definition(always: &[&str]) -> Definition {
        resolve(&source(always))
    }

    fn resolve(source: &Source) -> Definition {
        source.resolve(&Defaults::default(), |_| Ok(["a", "b", "c", "d"].map(tool).into())).unwrap()
    }

    fn source(always: &[&str]) -> Source {
        let mut source = Source::new("desk");
        source.set_instructions("Help.".into()).unwrap();
        source.tools = vec![crate::definition::Named::new("all")];
        source.tool_search = ToolSearchSettings {
            above: Some(2),
            results: None,
            always: always.iter().map(|name| crate::definition::Named::new(*name)).collect(),
        };
        source
    }

    fn names(tools: &[ToolSpec]) -> String {
        tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn found_tools_come_after_those_that_are_always_there() {
        let definition = definition(&["c"]);
        assert_eq!(names(&definition.tools), "a b c d search_tools");
        assert_eq!(names(&offered(&definition, &[])), "c search_tools");
        assert_eq!(
            names(&offered(&definition, &["d".into(), "a".into(), "gone".into()])),
            "c search_tools d a"
        );
    }

    #[test]
    fn what_joins_is_what_the_agent_has() {
        let definition = definition(&["c"]);
        let found = |names: Value| Returned::Output(Output::json(json!({ "tools": names })));
        let failed = Returned::Failed(Error::new(Code::ToolArguments, "no"));
        for (before, called, returned, expected) in [
            (vec![], SEARCH_TOOLS, found(json!(["b", "c", "b", "evil", 7, SEARCH_TOOLS])), "b"),
            (vec!["b".to_owned()], SEARCH_TOOLS, found(json!(["d", "b"])), "d"),
            (vec![], SEARCH_TOOLS, found(json!("b")), ""),
            (vec![], SEARCH_TOOLS, failed.clone(), ""),
            (vec![], "a", failed.clone(), "a"),
            (vec![], "c", failed.clone(), ""),
            (vec![], "evil", failed, ""),
            (vec!["x".to_owned(); MOST_FOUND], "a", found(json!([])), ""),
        ] {
            let joining = joining(&definition, &before, named(called, &returned));
            assert_eq!(joining.join(" "), expected, "{called}");
        }
    }

    #[test]
    fn what_programs_call_is_not_searched_for() {
        let mut source = source(&[]);
        source.code = Some(CodeMode::new(Language::Javascript));
        let all = resolve(&source);
        assert_eq!(
            (all.tool_search.is_some(), names(&offered(&all, &[]))),
            (false, "run_program".to_owned())
        );
        source.code = Some(CodeMode::new(Language::Javascript).functions(["a"]));
        let some = resolve(&source);
        assert_eq!(names(&offered(&some, &[])), "run_program search_tools");
        assert_eq!(joining(&some, &[], vec!["a".into(), "b".into(), "run_program".into()]), ["b"]);
    }

    #[test]
    fn looking_asks_nobody_unless_it_is_named() {
        let mut definition = definition(&[]);
        definition.approve = vec![Definition::EVERY_TOOL.to_owned()];
        assert!(definition.asks_before("a") && !definition.asks_before(SEARCH_TOOLS));
        definition.approve = vec![SEARCH_TOOLS.to_owned()];
        assert!(definition.asks_before(SEARCH_TOOLS));
    }

    #[test]
    fn an_agent_with_few_tools_is_shown_all() {
        let mut definition = definition(&[]);
        definition.tool_search = None;
        definition.tools.pop();
        assert_eq!(names(&offered(&definition, &["d".into()])), "a b c d");
        assert_eq!(joining(&definition, &[], vec!["a".into()]), [""; 0]);
    }
}
