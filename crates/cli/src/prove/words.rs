//! A request and a verdict in words.

use std::collections::BTreeMap;

use adjutant::policy::facts::{Action, Evidence, Origin};
use adjutant::policy::{Outcome, Request};
use adjutant_core::label::{Label, Readers, Sources};
use serde_json::Value;

use crate::screen::local_time;

/// What a person is told of a request, one fact a line.
pub(crate) fn in_words(request: &Request) -> Vec<String> {
    let mut lines = vec![who(request)];
    for (name, value) in &request.arguments {
        let origin = request.origins.get(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        let origin = origin.cloned().unwrap_or_else(Origin::unknown);
        lines.push(format!("{name} = {value}, {}", whence(&origin)));
    }
    if !request.label.is_default() {
        lines.push(format!("all that was read: {}", label(&request.label)));
    }
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in &request.session.calls {
        let arguments = Value::Object(call.arguments.clone());
        let data = call.data.as_ref().map(|data| format!(" returned {data}")).unwrap_or_default();
        let failed = if call.failed { " failed" } else { "" };
        *calls.entry(format!("{} {arguments}{data}{failed}", call.tool)).or_default() += 1;
    }
    for (call, times) in calls {
        let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        lines.push(format!("before, {times}: {call}"));
    }
    lines.push(format!("at {}", local_time(request.now)));
    if request.approved {
        lines.push("a person has agreed to it".to_owned());
    }
    lines
}

fn who(request: &Request) -> String {
    let agents: Vec<String> = request.principal.agents.iter().map(|agent| format!("`{agent}`")).collect();
    let agents = agents.join(" behind ");
    let user = request.principal.user.as_ref().map(|user| {
        let claims: Vec<String> = user.claims.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let claims = if claims.is_empty() { String::new() } else { format!(" ({})", claims.join(", ")) };
        format!(" for `{}`{claims}", user.id)
    });
    let what = match &request.action {
        Action::Tool(tool) => format!("calls `{tool}`"),
        Action::Agent(agent) => format!("asks the agent `{agent}`"),
        Action::Model(model) => format!("asks the model `{model}`"),
        Action::Resource { server, uri } => format!("reads `{uri}` of `{server}`"),
        Action::Remember(memory) => format!("writes into the memory `{memory}`"),
        Action::Answer => "answers".to_owned(),
    };
    format!("the agent {agents}{} {what}", user.unwrap_or_default())
}

fn whence(origin: &Origin) -> String {
    let how = match origin.evidence {
        Evidence::Exact => "carried there as it was",
        Evidence::Fixed => "fixed by the tool's author",
        Evidence::Words => "in the user's words",
        Evidence::Result => "in a result",
        Evidence::Endorsed => "vouched for by a person",
        Evidence::None => "made by the model",
    };
    format!("{how}, {}", label(&origin.label))
}

fn label(label: &Label) -> String {
    let mut words = vec![if label.is_trusted() { "trusted" } else { "untrusted" }.to_owned()];
    match &label.sources {
        Sources::Known(known) if known.is_empty() => {}
        Sources::Known(known) => words.push(format!("from {}", listed(known.iter()))),
        Sources::Many => words.push("from many sources".to_owned()),
    }
    match &label.readers {
        Readers::Anyone => {}
        Readers::Only(readers) if readers.is_empty() => words.push("for nobody to see".to_owned()),
        Readers::Only(readers) => words.push(format!("for {} only", listed(readers.iter()))),
    }
    words.join(", ")
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.cloned().collect::<Vec<_>>().join(", ")
}

/// What is to be done, in a word or two.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allow => "allow".to_owned(),
        Outcome::Redact(kinds) => format!("allow with {} masked", kinds.join(", ")),
        Outcome::Ask => "ask".to_owned(),
        Outcome::Deny => "deny".to_owned(),
    }
}
