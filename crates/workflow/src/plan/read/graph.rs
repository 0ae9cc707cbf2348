//! Reads graphs.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_agent::definition::document::{self, Content, Entry, Place, Table};
use adjutant_core::nearest;
use serde_json::{Value, json};

use super::Reader;
use super::scope::{Scope, is_name};
use crate::expression::Expression;
use crate::graph::{END, ERROR, Fault, Graph, INDEX, ITEM, Link, START, faults};
use crate::pattern::Fan;
use crate::plan::form;
use crate::plan::{Argument, Edge, Field, Graphed, Kind, Merging, Node, Step};

impl Reader<'_> {
    pub(super) fn graph(&self, table: &Table<'_>, id: &str, scope: &Scope, depth: usize) -> Option<Kind> {
        let graph = table.table("graph")?;
        graph.require("nodes", "name the nodes: `nodes:`, and below it each by its name");
        graph.require("begin", "say which node works first");
        let fields = self.state(&graph, scope);
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        let scope = scope.with(&names);
        let entries = graph.named("nodes");
        let places: BTreeMap<&str, Place> =
            entries.iter().map(|entry| (entry.key.as_str(), entry.place)).collect();
        let (edges, spread) = self.edges(&graph, &places, &scope);
        let mut nodes = BTreeMap::new();
        for entry in entries {
            let has = |name, there: bool| there.then_some(name);
            let handles = entries.iter().any(|other| {
                other.value.get("on_error").and_then(|node| node.as_text()) == Some(entry.key.as_str())
            });
            let is_spread = spread.contains(entry.key.as_str());
            let besides = [has(ITEM, is_spread), has(INDEX, is_spread), has(ERROR, handles)];
            let besides: Vec<&str> = besides.into_iter().flatten().collect();
            let path = format!("{}.{}", graph.name_of("nodes"), entry.key);
            let scope = scope.with(&besides);
            let Some(node) = self.node(entry, path, id, &fields, &places, &scope, depth) else { continue };
            nodes.insert(entry.key.clone(), node);
        }
        let begin = graph.text("begin").unwrap_or_default().to_owned();
        if let Some(entry) = graph.entry("begin") {
            self.check_node(&begin, entry.value.place, &places, None);
        }
        let super_steps = graph.integer("super_steps", 1..=10_000_000).unwrap_or(Graph::MOST);
        let at_a_time = graph.integer("at_a_time", 1..=10_000).unwrap_or(Fan::default().at_a_time);
        let output = graph.entry("output").map(|entry| self.argument(&entry.value, &scope));
        let place = graph.place();
        graph.finish();
        let graphed = Graphed { fields, nodes, edges, begin, super_steps, at_a_time, output };
        if graphed.nodes.len() == places.len() {
            self.check_form(&graphed, &places, place);
        }
        Some(Kind::Graph(Box::new(graphed)))
    }

    /// The fields that are declared.
    fn state(&self, graph: &Table<'_>, scope: &Scope) -> BTreeMap<String, Field> {
        let mut fields = BTreeMap::new();
        for entry in graph.named("state") {
            let path = format!("{}.{}", graph.name_of("state"), entry.key);
            if !is_name(&entry.key)
                || [ITEM, INDEX, ERROR, "result", "last", "input"].contains(&entry.key.as_str())
            {
                let message = format!("`{}` cannot be the name of a field", entry.key);
                let help = "use a-z, 0-9 and _, begin with a letter, and take none of `input`, `last`, `result`, `item`, \
                            `index` and `error`";
                self.problems.report_with(entry.place, message, help);
            }
            let Some(table) = Table::new(&entry.value, path, self.problems) else { continue };
            let custom = table.entry("merge").filter(|entry| is_expression(entry));
            let merge = match custom {
                Some(entry) => {
                    let scope = Scope::of(&["old", "new"]);
                    self.steady_condition("merge", &entry.value, &scope)
                        .map_or(Merging::Replace, Merging::Custom)
                }
                None => {
                    let replace = &Merging::Replace;
                    let words = [("replace", replace), ("append", &Merging::Append), ("add", &Merging::Add)];
                    table.choice("merge", &words).unwrap_or(replace).clone()
                }
            };
            let kind = table.value("type").and_then(|node| self.kind_of_field(&table, node));
            let start = table.entry("start").map(|entry| self.argument(&entry.value, scope));
            if let (Some(start), Some(kind), Some(entry)) = (&start, &kind, table.entry("start")) {
                self.check_written(&entry.key, (start, entry.value.place), kind, &merge);
            }
            let start = start.unwrap_or_else(|| match merge {
                Merging::Append => Argument::List(Vec::new()),
                Merging::Add => Argument::Value(Value::from(0)),
                Merging::Replace | Merging::Custom(_) => Argument::Value(Value::Null),
            });
            table.finish();
            fields.insert(entry.key.clone(), Field { merge, start, kind });
        }
        fields
    }

    /// The type of a field: a word, or a JSON schema.
    fn kind_of_field(&self, table: &Table<'_>, node: &document::Node) -> Option<Value> {
        const WORDS: [(&str, &str); 6] = [
            ("string", "string"),
            ("number", "number"),
            ("integer", "integer"),
            ("boolean", "boolean"),
            ("list", "array"),
            ("table", "object"),
        ];
        match &node.content {
            Content::Text(_) => table.choice("type", &WORDS).map(|word| json!({ "type": word })),
            _ => self.schema(&table.name_of("type"), node),
        }
    }

    /// Notes a value that a field cannot hold, as far as that can be said before it runs.
    fn check_written(
        &self,
        field: &str,
        (written, place): (&Argument, Place),
        kind: &Value,
        merge: &Merging,
    ) {
        let fit = match (written, merge) {
            (Argument::List(members), Merging::Append) => {
                members.iter().try_for_each(|member| form::fits(member, kind))
            }
            (one, _) => form::fits(one, kind),
        };
        if let Err(why) = fit {
            self.problems.report(place, format!("`{field}` cannot hold this: {why}"));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is where the node stands")]
    fn node(
        &self,
        entry: &Entry,
        path: String,
        id: &str,
        fields: &BTreeMap<String, Field>,
        places: &BTreeMap<&str, Place>,
        scope: &Scope,
        depth: usize,
    ) -> Option<Node> {
        let name = &entry.key;
        if !is_name(name) || [START, END].contains(&name.as_str()) {
            let help = "use a-z, 0-9 and _, begin with a letter, and take neither `start` nor `end`";
            self.problems.report_with(entry.place, format!("`{name}` cannot be the name of a node"), help);
        }
        let table = Table::new(&entry.value, path, self.problems)?;
        table.require("do", "say what the node does: `do:`, and below it a list of steps");
        let steps = table.value("do").map(|node| self.inner(&table.name_of("do"), node, scope, depth));
        let attempts = self.attempts(&table);
        let of_helpers = format!("{id}-{name}");
        let cache = self.cache(&table, scope);
        let gate = table.table("gate").and_then(|gate| self.gate(gate, &of_helpers, scope, depth));
        let or_else = table.entry("or_else").map(|entry| Box::new(self.argument(&entry.value, scope)));
        let seen = scope.with(&["result"]);
        let writes = self.fields(&table, "writes", &seen);
        for entry in table.named("writes").iter().filter(|entry| !fields.contains_key(&entry.key)) {
            let message = format!("the graph has no field `{}`", entry.key);
            let help = match nearest(&entry.key, fields.keys().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declare it: `state: {{ {}: {{ merge: replace }} }}`", entry.key),
            };
            self.problems.report_with(entry.place, message, help);
        }
        for entry in table.named("writes") {
            let (field, written) = (fields.get(&entry.key), writes.get(&entry.key));
            if let (Some(Field { kind: Some(kind), merge, .. }), Some(written)) = (field, written) {
                self.check_written(&entry.key, (written, entry.value.place), kind, merge);
            }
        }
        let waits_for_all = table.choice("join", &[("any", false), ("all", true)]).unwrap_or(false);
        let on_error = table.text("on_error").map(str::to_owned);
        if let (Some(handler), Some(entry)) = (&on_error, table.entry("on_error")) {
            self.check_node(handler, entry.value.place, places, None);
        }
        table.finish();
        let step = Step {
            id: name.clone(),
            kind: Kind::Sequence(steps?),
            when: None,
            attempts,
            cache,
            gate,
            or_else,
        };
        Some(Node { step, writes, waits_for_all, on_error })
    }

    /// The edges, and the nodes that some lead to for each of a list.
    fn edges(
        &self,
        graph: &Table<'_>,
        places: &BTreeMap<&str, Place>,
        scope: &Scope,
    ) -> (Vec<Edge>, BTreeSet<String>) {
        let (mut edges, mut spread) = (Vec::new(), BTreeSet::new());
        let Some(node) = graph.value("edges") else { return (edges, spread) };
        let Content::List(items) = &node.content else {
            graph.wrong("edges", node, "a list of edges", "write one as `- { from: write, to: review }`");
            return (edges, spread);
        };
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{}]", graph.name_of("edges"), index + 1);
            let Some(table) = Table::new(item, path, self.problems) else { continue };
            table.require("from", "say which node it leads from");
            table.require("to", "say which node it leads to, or `end`");
            let when = table.value("when").and_then(|node| self.steady_condition("when", node, scope));
            let each = table.entry("each").map(|entry| self.argument(&entry.value, scope));
            let from = table.text("from").map(str::to_owned);
            if let (Some(from), Some(entry)) = (&from, table.entry("from")) {
                self.check_node(from, entry.value.place, places, None);
            }
            let targets = match table.value("to").map(|node| &node.content) {
                Some(Content::List(_)) => table.texts("to").unwrap_or_default(),
                Some(_) => {
                    let place = table.entry("to").map_or(table.place(), |entry| entry.value.place);
                    table.text("to").into_iter().map(|to| (to, place)).collect()
                }
                None => Vec::new(),
            };
            for (to, place) in targets {
                self.check_node(to, place, places, Some(END));
                if each.is_some() {
                    spread.insert(to.to_owned());
                }
                let Some(from) = from.clone() else { continue };
                edges.push(Edge { from, to: to.to_owned(), when: when.clone(), each: each.clone() });
            }
            table.finish();
        }
        (edges, spread)
    }

    /// Notes a node that is not there. `besides` is another word that may stand there.
    fn check_node(&self, name: &str, place: Place, places: &BTreeMap<&str, Place>, besides: Option<&str>) {
        if places.contains_key(name) || besides == Some(name) {
            return;
        }
        let message = format!("the graph has no node `{name}`");
        let help = match nearest(name, places.keys().copied().chain(besides)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let names: Vec<_> = places.keys().map(|name| format!("`{name}`")).collect();
                format!("its nodes are {}", names.join(", "))
            }
        };
        self.problems.report_with(place, message, help);
    }

    /// Notes what is wrong with how nodes and edges hang together.
    fn check_form(&self, graph: &Graphed, places: &BTreeMap<&str, Place>, place: Place) {
        let edges = graph.edges.iter().map(|edge| Link {
            from: &edge.from,
            to: &edge.to,
            is_certain: edge.each.is_none() && edge.when.as_ref().is_none_or(Expression::is_always),
        });
        let handlers = graph
            .nodes
            .iter()
            .filter_map(|(from, node)| Some(Link { from, to: node.on_error.as_deref()?, is_certain: false }));
        let links: Vec<Link<'_>> = edges.chain(handlers).collect();
        let nodes: BTreeSet<&str> = places.keys().copied().collect();
        for fault in faults(&[graph.begin.as_str()], &nodes, &links) {
            let (node, help) = match &fault {
                Fault::Unreachable(node) => (Some(node), "add an edge that leads there, or take it out"),
                Fault::NoExit(nodes) => (nodes.first(), "give one of the edges a `when`"),
            };
            let place = node.and_then(|node| places.get(node.as_str())).copied().unwrap_or(place);
            self.problems.report_with(place, fault.to_string(), help);
        }
    }
}

fn is_expression(entry: &Entry) -> bool {
    entry.value.as_text().is_some_and(|text| text.trim_start().starts_with('='))
}
