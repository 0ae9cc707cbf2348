//! Whatever agents ask of one another, whatever programs they write, whatever is endorsed: what is recorded has the label of all that
//! it was made of, and nobody may more than each of those for whom they work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use adjutant_agent::approval::{Answer, Decision};
use adjutant_agent::definition::{CodeMode, Sees};
use adjutant_agent::rules::{Considered, DECIDE, Decided, Ruling, decisions};
use adjutant_agent::{Agent, Called, Input, Reply, Returned, start};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::label::{Label, Sources};
use adjutant_core::message::ToolResult;
use adjutant_core::tool::{Effect, Flow, ToolSpec};
use adjutant_durable::{Admission, Entry, Kind, Operation, Record, RunState, Wait, waits};
use adjutant_model::Request;
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_policy::cedar::Policies;
use adjutant_policy::facts::Evidence;
use adjutant_policy::flow::{Closed, Endorsement};
use adjutant_policy::{Outcome, Verdict};
use adjutant_tool::code::Advance;
use adjutant_tool::{FunctionTool, Output, Tool};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, Roles, pause_for, spec};

/// The agents, each of which asks the next.
const AGENTS: [&str; 3] = ["desk", "scout", "finder"];

/// The tools that every agent has. `letter` is kept apart from its model.
const TOOLS: [&str; 8] = ["page_one", "page_two", "private", "register", "own", "store", "pay", "letter"];

/// What a model writes into arguments: words that stand nowhere else but in one result, and some that stand nowhere.
const WORDS: [&str; 5] =
    ["alpha-word-11111", "beta-word-22222", "gamma-word-33333", "delta-word-44444", "epsilon-word-55555"];

/// The source that the result of a tool names.
const SOURCES: [(&str, &str); 3] =
    [("page_one", "web:one.example"), ("page_two", "web:two.example"), ("private", "files")];

fn flow(name: &str) -> Flow {
    match name {
        "page_one" | "page_two" | "letter" => Flow::outside("web"),
        "private" => Flow { readers: Some(vec!["staff".into()]), ..Flow::inside("files") },
        "register" => Flow { trusted: Some(true), ..Flow::inside("register") },
        _ => Flow::default(),
    }
}

fn output(name: &str, text: &str) -> Output {
    let said = |text: &str, source: &str| Output::text(text).labelled(Label::untrusted_from(source));
    match name {
        "page_one" => said(WORDS[0], "web:one.example"),
        "page_two" => said(WORDS[1], "web:two.example"),
        "letter" => said("The total is 250.", "web:letter.example"),
        "private" => Output::text(WORDS[2]),
        "register" => Output::json(json!({ "asked": text, "word": WORDS[3] })),
        // It is made of nothing but its argument, and says that it can be believed.
        "own" => Output::text(text).labelled(Label::default()),
        _ => Output::text("done"),
    }
}

fn tool(name: &'static str) -> Arc<dyn Tool> {
    let effect = match name {
        "store" => Effect::Idempotent,
        "pay" => Effect::AtMostOnce,
        _ => Effect::Pure,
    };
    let spec = ToolSpec { flow: flow(name), ..spec(name, effect) };
    Arc::new(FunctionTool::new(spec, move |arguments: Value, _| {
        let output = output(name, arguments["text"].as_str().unwrap());
        async move { Ok(output) }
    }))
}

/// What a model does.
#[derive(Clone, Debug)]
enum Act {
    Call(usize, usize),
    /// Asks the next agent.
    Ask(usize),
    /// Has a value extracted out of what was kept apart last.
    Extract,
    /// Runs a program; whether its first two calls are made at once.
    Program(Vec<Line>, bool),
}

/// A call of a program.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// The tool.
    tool: usize,
    /// A word, or beyond the last one what an earlier line was given.
    word: usize,
}

fn act() -> impl Strategy<Value = Act> {
    let line = (0..TOOLS.len(), 0..WORDS.len() + 3).prop_map(|(tool, word)| Line { tool, word });
    prop_oneof![
        6 => (0..TOOLS.len(), 0..WORDS.len()).prop_map(|(tool, word)| Act::Call(tool, word)),
        2 => (0..WORDS.len()).prop_map(Act::Ask),
        1 => Just(Act::Extract),
        2 => (prop::collection::vec(line, 1..4), any::<bool>()).prop_map(|(lines, at_once)| Act::Program(lines, at_once)),
    ]
}

/// What an agent does in each of its turns, and what it may believe of what is extracted.
#[derive(Clone, Debug)]
struct Script {
    turns: Vec<Vec<Act>>,
    endorses: bool,
    sees: bool,
}

fn script(most: usize) -> impl Strategy<Value = Script> {
    let turns = prop::collection::vec(prop::collection::vec(act(), 1..3), 0..most);
    (turns, any::<bool>(), any::<bool>()).prop_map(|(turns, endorses, sees)| Script { turns, endorses, sees })
}

/// The program of these lines. What fails gives a word, as a program may go on.
fn program(lines: &[Line], at_once: bool) -> String {
    let mut text = "const text = value => typeof value === 'string' ? value : value?.word ?? JSON.stringify(value);\n\
                    const call = async (tool, input) => { try { return text(await tool(input)) } catch { return 'failed' } };\n"
        .to_owned();
    for (place, line) in lines.iter().enumerate() {
        let of = |earlier: usize| format!("await given{earlier}");
        let word = match WORDS.get(line.word) {
            Some(word) => format!("'{word}'"),
            None if place > 0 => of((line.word - WORDS.len()).min(place - 1)),
            None => "'nothing'".to_owned(),
        };
        let wait = if at_once && place == 0 { "" } else { "await " };
        let name = TOOLS[line.tool];
        text.push_str(&format!("const given{place} = {wait}call(tools.{name}, {{ text: {word} }});\n"));
    }
    let (last, ends) = (lines.len() - 1, if lines.len() > 2 { "throw new Error" } else { "return " });
    text.push_str(&format!("{ends}(await given{last});"));
    text
}

/// What the last result that is kept apart is called.
fn apart(request: &Request) -> String {
    let results =
        request.messages.iter().rev().flat_map(|message| message.results()).map(ToolResult::as_text);
    let mut notes = results.filter(|text| text.contains("kept apart as `"));
    notes.next().and_then(|note| note.split('`').nth(1).map(str::to_owned)).unwrap_or_default()
}

fn turn(acts: &[Act], next: Option<&str>, request: &Request) -> Turn {
    let total = json!({ "type": "object", "properties": { "total": { "type": "number" } } });
    let calls: Vec<(&str, Value)> = acts
        .iter()
        .map(|act| match act {
            Act::Call(tool, word) => (TOOLS[*tool], json!({ "text": WORDS[*word] })),
            Act::Ask(word) => match next {
                Some(next) => (next, json!({ "task": format!("help with {}", WORDS[*word]) })),
                None => ("own", json!({ "text": WORDS[*word] })),
            },
            Act::Extract => {
                let question = "What is the total?";
                ("extract", json!({ "from": apart(request), "question": question, "schema": total }))
            }
            Act::Program(lines, at_once) => ("run_program", json!({ "program": program(lines, *at_once) })),
        })
        .collect();
    Turn::calls(calls)
}

/// The agents, of which each asks the next, and their models.
fn agents(scripts: &[Script]) -> (Agent, Roles) {
    let total = Scripted::from_fn(|_, _| Some(Turn::text(r#"{"total": 250}"#)));
    let mut roles = Roles::default().with("fast", total.with_id("scripted-fast"));
    let mut asked: Option<Agent> = None;
    for (name, script) in AGENTS.into_iter().zip(scripts).rev() {
        let mut agent = Agent::new(name)
            .description("Helps.")
            .model(name)
            .instructions("x")
            .tools(TOOLS.map(tool))
            .quarantine("letter")
            .code(CodeMode::javascript().direct(TOOLS));
        if script.endorses {
            agent = agent.endorse(Closed::Number);
        }
        if let Some(asked) = &asked {
            agent = agent.agent_that_sees(asked, if script.sees { Sees::Conversation } else { Sees::Task });
        }
        let turns = script.turns.clone();
        let model = Scripted::from_fn(move |request, _| {
            let number = request.messages.iter().filter(|message| message.calls().next().is_some()).count();
            let acts = turns.get(number);
            Some(acts.map_or_else(|| Turn::text("That is all."), |acts| turn(acts, following(name), request)))
        });
        roles = roles.with(name, model.with_id(&format!("scripted-{name}")));
        asked = Some(agent);
    }
    (asked.unwrap(), roles)
}

/// The agent that an agent asks.
fn following(name: &str) -> Option<&'static str> {
    let place = AGENTS.iter().position(|agent| *agent == name)?;
    AGENTS.get(place + 1).copied()
}

/// A policy of those that decide by what is known at the time of a call.
fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof![
        3 => Just("permit"),
        2 => Just("forbid"),
        1 => Just("@ask(\"why\") permit"),
        1 => Just("@ask(\"why\") forbid"),
        1 => Just("@redact(\"email\") permit"),
    ];
    let principal = prop_oneof![
        3 => Just("principal"),
        1 => Just("principal == Agent::\"desk\""),
        1 => Just("principal == Agent::\"scout\""),
        1 => Just("principal == Agent::\"finder\""),
        1 => Just("principal in User::\"ann\""),
    ];
    let action = prop_oneof![
        Just("action == Action::\"own\""),
        Just("action == Action::\"store\""),
        Just("action == Action::\"pay\""),
        Just("action == Action::\"page_one\""),
        Just("action in Action::\"tools.at_most_once\""),
        Just("action in Action::\"tools\""),
    ];
    let condition = prop_oneof![
        3 => Just(""),
        1 => Just("when { context.run.trusted }"),
        1 => Just("unless { context.run.trusted }"),
        1 => Just("unless { context.approved }"),
    ];
    (effect, principal, action, condition).prop_map(|(effect, principal, action, condition)| {
        format!("{effect} ({principal}, {action}, resource) {condition};")
    })
}

/// What everybody who is asked says.
#[derive(Clone, Copy, Debug)]
enum Say {
    Yes,
    No,
    /// With other words, which are theirs.
    Else,
}

impl Say {
    fn answer(self) -> Answer {
        let decision = match self {
            Self::Yes => Decision::Approve,
            Self::No => Decision::Deny(None),
            Self::Else => Decision::Edit(json!({ "text": WORDS[0] })),
        };
        Answer { by: Some("eve".into()), ..decision.into_answer() }
    }
}

/// Something that was read, or that a program was given.
#[derive(Clone, Debug)]
struct Piece {
    label: Label,
    text: String,
}

/// A run as its journal has it.
struct Journal {
    records: Vec<Record>,
    input: Input,
    /// The agent, and those for whom it works, the nearest first, as the journals above have it.
    chain: Vec<String>,
    /// What was asked for.
    asked: BTreeMap<String, Operation>,
    /// What came of it.
    given: BTreeMap<String, Json>,
}

impl Journal {
    fn new(records: Vec<Record>, chain: Vec<String>) -> Self {
        let (mut asked, mut given, mut input) = (BTreeMap::new(), BTreeMap::new(), None);
        for record in &records {
            match &record.entry {
                Entry::Admitted(admission) => input = admission.input.to::<Input>().ok(),
                Entry::Issued { key, operation, .. } => {
                    asked.insert(key.to_string(), operation.clone());
                }
                Entry::Answered { key, operation, outcome, .. } => {
                    asked.insert(key.to_string(), operation.clone());
                    given.extend(outcome.as_ref().ok().map(|json| (key.to_string(), json.clone())));
                }
                Entry::Completed { key, outcome } => {
                    given.extend(outcome.as_ref().ok().map(|json| (key.to_string(), json.clone())));
                }
                _ => {}
            }
        }
        Self { records, input: input.unwrap(), chain, asked, given }
    }

    /// The calls that came to an end, with what was read of each, by the scope of the call.
    fn results(&self) -> BTreeMap<String, (Called, Piece)> {
        let steps = self.asked.iter().filter_map(|(key, operation)| {
            let called =
                operation.input.to::<Called>().ok().filter(|called| called.name == operation.name)?;
            let piece = match Returned::read(self.given.get(key)?) {
                Returned::Output(output) => {
                    let data = output.data.as_ref().map(Value::to_string).unwrap_or_default();
                    Piece { label: output.label(), text: output.as_text() + &data }
                }
                Returned::Telling(error, label) => Piece { label, text: error.to_string() },
                Returned::Failed(error) => Piece { label: Label::untrusted(), text: error.to_string() },
                other => panic!("{other:?}"),
            };
            Some((StepKey::parse(key).scope().to_string(), (called, piece)))
        });
        steps.collect()
    }

    /// What its run was told, and what was read in the turns before a call in a scope.
    fn read(&self, scope: &str) -> Vec<Piece> {
        let turn = turn_of(scope).unwrap_or_default();
        let told = &self.input.message;
        let results = self.results().into_iter().filter(|(place, _)| {
            place.matches('/').count() == 2 && turn_of(place).is_some_and(|earlier| earlier < turn)
        });
        let read = results.map(|(_, (_, piece))| piece);
        std::iter::once(Piece { label: told.label.clone(), text: told.text() }).chain(read).collect()
    }

    /// What the program had been given that asked for the call in a scope.
    fn carried(&self, scope: &str) -> Vec<Piece> {
        let Some((outer, _)) = scope.split_once("/within#0/call#") else { return Vec::new() };
        self.id(scope).map(|id| self.chapters(outer, Some(id))).unwrap_or_default()
    }

    /// The label of what a call in a scope was made of, at least.
    fn fed(&self, scope: &str) -> Label {
        let all = self.read(scope).into_iter().chain(self.carried(scope));
        all.fold(Label::default(), |label, piece| label.join(&piece.label))
    }

    /// What a program calls the call in a scope.
    fn id(&self, scope: &str) -> Option<u32> {
        let within = self.asked.iter().filter(|(key, _)| StepKey::parse(key).scope().as_str() == scope);
        let called = within.filter_map(|(_, operation)| operation.input.to::<Called>().ok());
        called.filter_map(|called| called.call.to_string().rsplit_once('.')?.1.parse().ok()).next()
    }

    /// What a program was given before it asked for a call; all of it where none is named.
    fn chapters(&self, outer: &str, until: Option<u32>) -> Vec<Piece> {
        let results = self.results();
        let given = |id: u64| {
            let inner =
                results.iter().filter(|(scope, _)| scope.starts_with(&format!("{outer}/within#0/call#")));
            let mut of =
                inner.filter(|(_, (called, _))| called.call.to_string().ends_with(&format!(".{id}")));
            of.next().map(|(_, (_, piece))| piece.clone())
        };
        let mut pieces = Vec::new();
        for count in 0.. {
            let key = format!("{outer}/within#0/advance#{count}");
            let (Some(asked), Some(told)) = (self.asked.get(&key), self.given.get(&key)) else { break };
            let fed = asked.input.value()["given"]["call"].as_u64();
            pieces.extend(fed.and_then(given));
            let told: Advance = told.to().unwrap();
            if until.is_some_and(|until| told.asked.iter().any(|asked| asked.id == until)) {
                break;
            }
        }
        pieces
    }

    /// The label of all that the run has read.
    fn whole(&self) -> Label {
        self.fed(&format!("/turn#{}", usize::MAX))
    }

    fn reply(&self) -> Option<Reply> {
        self.records.iter().find_map(|record| match &record.entry {
            Entry::Ended(Ok(reply)) => reply.to().ok(),
            _ => None,
        })
    }
}

fn turn_of(key: &str) -> Option<usize> {
    key.strip_prefix("/turn#")?.split('/').next()?.parse().ok()
}

#[track_caller]
fn within(what: &str, less: &Label, more: &Label) {
    assert!(less.is_within(more), "{what}: {more:?} has lost some of {less:?}");
}

/// Checks what is recorded of what was decided: everything that it was made of, the chain, and the words in the arguments.
fn check_decisions(journal: &Journal, user: Option<&str>) {
    let results = journal.results();
    for (key, operation) in journal.asked.iter().filter(|(_, operation)| operation.name == DECIDE) {
        let Ok(considered) = operation.input.to::<Considered>() else { continue };
        let Some(ruling) = journal.given.get(key).map(|given| given.to::<Ruling>().unwrap()) else {
            continue;
        };
        let request = ruling.request;
        let scope = StepKey::parse(key).scope();
        let fed = journal.fed(scope.as_str());
        within(key, &fed, &request.label);
        assert_eq!(request.principal.agents, journal.chain, "{key}");
        assert_eq!(request.principal.user.as_ref().map(|user| user.id.as_str()), user, "{key}");
        for (pointer, origin) in &request.origins {
            let name = pointer.trim_start_matches('/');
            let text = considered.arguments.get(name).and_then(Value::as_str).unwrap_or_default();
            if origin.evidence == Evidence::Endorsed {
                assert!(considered.written_by.is_some(), "nobody has vouched for {pointer} of {key}");
                continue;
            }
            if origin.evidence == Evidence::None {
                within(key, &fed, &origin.label);
            }
            // Wherever the same words stand that cannot be believed, they may have come from there.
            let read = match origin.evidence {
                Evidence::Result => journal.read(scope.as_str()),
                Evidence::Exact => Vec::new(),
                _ => continue,
            };
            for piece in read.into_iter().chain(journal.carried(scope.as_str())) {
                let holds = WORDS.iter().any(|word| text == *word && piece.text.contains(word));
                if holds && !piece.label.is_trusted() {
                    within(key, &piece.label, &origin.label);
                }
            }
        }
    }
    for (scope, (called, Piece { label, .. })) in &results {
        let outer = journal.fed(scope);
        match called.name.as_str() {
            "run_program" => {
                within(scope, &outer, label);
                journal.chapters(scope, None).iter().for_each(|given| within(scope, &given.label, label));
            }
            "extract" => check_extraction(journal, scope, label),
            name => {
                let source = SOURCES.iter().find(|(tool, _)| *tool == name).map(|(_, source)| *source);
                let Sources::Known(known) = &label.sources else { continue };
                let is_failed = known.is_empty() && !label.is_trusted();
                assert!(
                    source.is_none_or(|source| is_failed || known.contains(source)),
                    "{scope}: {label:?}"
                );
            }
        }
    }
}

/// What is extracted is believed no more than what it was extracted from, unless it is recorded who vouches for it.
fn check_extraction(journal: &Journal, scope: &str, label: &Label) {
    let within = |name: &str| format!("{scope}/within#0/{name}#0");
    let Some(found) = journal.given.get(&within("find")) else { return };
    let Ok(before) = serde_json::from_value::<Label>(found.value()["label"].clone()) else { return };
    let endorsed =
        journal.asked.get(&within("endorse")).and_then(|asked| asked.input.to::<Endorsement>().ok());
    let is_whole = before.is_within(label);
    assert!(is_whole || endorsed.is_some_and(|endorsed| endorsed.before == before), "{scope}: {label:?}");
}

/// What was decided about a call that was made, before anybody was asked.
fn first<'a>(decided: &'a [Decided], key: &StepKey, segment: u32) -> Option<&'a Decided> {
    decided.iter().find(|one| one.segment == segment && one.key.scope() == key.scope())
}

/// Checks that each call that was made has a verdict that is as strict as that of each of its chain alone. Counts them.
fn check_verdicts(journal: &Journal, policies: &Policies) -> usize {
    let decided = decisions(&journal.records, &journal.input.past);
    let mut made = 0;
    for record in &journal.records {
        let Entry::Issued { key, operation, .. } = &record.entry else { continue };
        let Ok(called) = operation.input.to::<Called>() else { continue };
        if called.name != operation.name || !matches!(operation.kind, Kind::Effect(_)) {
            continue;
        }
        let one = first(&decided, key, record.segment).unwrap_or_else(|| panic!("`{key}` was not decided"));
        for agent in &journal.chain {
            let mut request = one.request.clone();
            request.principal.agents = vec![agent.clone()];
            let alone: Verdict = policies.decide(&request);
            let strict = one.verdict.clone().stricter(alone.clone());
            assert_eq!(strict.outcome, one.verdict.outcome, "`{key}` is more than `{agent}` may: {alone:?}");
            assert_ne!(alone.outcome, Outcome::Deny, "`{key}` was made and `{agent}` may not");
        }
        made += 1;
    }
    made
}

/// Checks a run and all that it has started. What each of these begins with and answers has the label of what it was made of.
async fn check(bench: &Bench, root: &RunId, user: Option<&str>, policies: &Policies) -> usize {
    let mut made = 0;
    let mut open = vec![(root.clone(), vec![AGENTS[0].to_owned()])];
    while let Some((run, chain)) = open.pop() {
        let journal = Journal::new(bench.records(&run).await, chain.clone());
        check_decisions(&journal, user);
        made += check_verdicts(&journal, policies);
        if let Some(reply) = journal.reply() {
            within("the answer", &journal.whole(), &reply.label.unwrap());
        }
        let results = journal.results();
        for (key, operation) in &journal.asked {
            let Ok(admission) = operation.input.to::<Admission>() else { continue };
            let scope = StepKey::parse(key).scope().scope();
            let input: Input = admission.input.to().unwrap();
            within(key, &journal.fed(scope.as_str()), &input.message.label);
            let child = RunId::child(&run, 0, key);
            let chain: Vec<String> =
                std::iter::once(admission.name.clone()).chain(chain.iter().cloned()).collect();
            let answered = Journal::new(bench.records(&child).await, chain.clone());
            if let (Some(_), Some((_, Piece { label, .. }))) = (answered.reply(), results.get(scope.as_str()))
            {
                within(key, &answered.whole(), label);
            }
            open.push((child, chain));
        }
    }
    made
}

/// All runs of the tree of one.
async fn family(bench: &Bench, root: &RunId) -> BTreeSet<RunId> {
    let (mut open, mut all) = (vec![root.clone()], BTreeSet::new());
    while let Some(run) = open.pop() {
        for record in bench.records(&run).await {
            if let Entry::Issued { key, operation, .. } = &record.entry
                && operation.input.to::<Admission>().is_ok()
            {
                open.push(RunId::child(&run, record.segment, key.as_str()));
            }
        }
        all.insert(run);
    }
    all
}

async fn scenario(policies: Vec<String>, scripts: Vec<Script>, user: Option<&str>, say: Say) -> usize {
    let others = "permit (principal, action in [Action::\"run.model\", Action::\"run.answer\", Action::\"run.agent\"], resource);\n\
                  permit (principal, action in Action::\"tools.pure\", resource);";
    let (agent, roles) = agents(&scripts);
    let bench = Bench::with(agent, roles).under(&format!("{others}\n{}", policies.join("\n")));
    let opened = bench.policies.as_ref().unwrap().open().unwrap();
    bench.serve();
    let run = bench.begin_for(user, "go", None).await;
    while bench.engine.info(&run).await.unwrap().state != RunState::Ended {
        for run in family(&bench, &run).await {
            for wait in waits(&run, &bench.records(&run).await) {
                if let Wait::Signal { name, .. } = wait {
                    // Somebody may have been quicker: the wait is from a moment ago.
                    let _ = start::approve(bench.engine.as_ref(), &run, &name, &say.answer()).await;
                }
            }
        }
        pause_for(std::time::Duration::from_millis(3)).await;
    }
    bench.end(&run).await.unwrap();
    check(&bench, &run, user, &opened).await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn labels_and_limits_hold_through_agents_and_programs(
        policies in prop::collection::vec(policy(), 0..6),
        desk in script(5),
        scout in script(4),
        finder in script(3),
        user in prop::option::of(prop::sample::select(vec!["ann", "bob"])),
        say in prop::sample::select(vec![Say::Yes, Say::Yes, Say::No, Say::Else]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scenario(policies, vec![desk, scout, finder], user, say));
    }
}
