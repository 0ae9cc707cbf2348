//! [`compare`]: what one set of policies permits that another does not.

use std::collections::BTreeSet;

use adjutant::policy::cedar::Policies;
use adjutant::policy::{Request, Verdict};
use adjutant_core::Result;
use cedar_policy::{ActionConstraint, Policy};
use serde::Serialize;

use super::example;
use super::level::{Level, is_watched};
use super::sample::Samples;
use super::solver::Solver;
use super::space::{Kind, Space};

/// How what is allowed has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Relation {
    /// The same is allowed.
    Equal,
    /// More is allowed, and nothing less.
    MorePermissive,
    /// Less is allowed, and nothing more.
    LessPermissive,
    /// Some is allowed that was not, and some is not that was.
    Incomparable,
    /// No difference was found, and it is not proved that there is none.
    Unknown,
}

/// One request that is decided otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// What is permitted to the one and not to the other.
    pub(crate) level: Level,
    /// Whether the new policies are those that permit it.
    pub(crate) more: bool,
    /// The action, as policies name it.
    pub(crate) action: String,
    /// The request, as `adjutant policy decide` takes it. None where the solver has one that no agent could make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) example: Option<Example>,
}

/// A request with what both sets say of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Example {
    pub(crate) request: Request,
    pub(crate) before: Verdict,
    pub(crate) after: Verdict,
}

/// What one set of policies permits that another does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Comparison {
    pub(crate) relation: Relation,
    /// Whether that is proved, for all requests there can be.
    pub(crate) proved: bool,
    pub(crate) differences: Vec<Difference>,
    /// What could not be proved, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) open: Vec<String>,
}

/// Compares two sets of policies of the same project, as if both were enforced. With a solver it is a proof; without one,
/// requests are made up, with those that were `recorded`, and decided by both.
pub(crate) async fn compare(
    old: &Policies,
    new: &Policies,
    solver: Option<&mut Solver>,
    recorded: &[Request],
) -> Result<Comparison> {
    let space = Space::of(new.schema(), &[old, new])?;
    let kinds = space.kinds();
    let is_changed = |kind: &&Kind| !same(&enforced(&space, old, kind), &enforced(&space, new, kind));
    // Those first that are named by what has changed: of them an example says most.
    let (named, mut changed): (Vec<&Kind>, Vec<&Kind>) =
        kinds.iter().filter(is_changed).partition(|kind| is_named(&space, old, new, kind));
    changed.splice(0..0, named.iter().copied());
    let named: BTreeSet<&str> = named.iter().map(|kind| kind.action.as_str()).collect();
    let (mut differences, open, proved) = match solver {
        Some(solver) => {
            let (differences, open) = prove(&space, old, new, &changed, solver).await;
            let proved = open.is_empty();
            (differences, open, proved)
        }
        None => (Vec::new(), Vec::new(), false),
    };
    if !proved {
        let mut actions: Vec<String> = changed.iter().map(|kind| kind.action.clone()).collect();
        // As many of them as of all others together.
        let again = named.iter().cycle().take(if named.is_empty() { 0 } else { changed.len() });
        actions.extend(again.map(|action| (*action).to_owned()));
        let changed = actions;
        let samples = Samples::of(&space, new.schema(), changed).take(Samples::MANY);
        for request in recorded.iter().cloned().chain(samples) {
            observe(&mut differences, old, new, request);
        }
    }
    differences
        .sort_by_key(|one| (!one.more, !named.contains(one.action.as_str()), one.action.clone(), one.level));
    let some = |more| differences.iter().any(|difference| difference.more == more);
    let relation = match (some(true), some(false)) {
        (true, true) => Relation::Incomparable,
        (true, false) if proved => Relation::MorePermissive,
        (false, true) if proved => Relation::LessPermissive,
        (false, false) if proved => Relation::Equal,
        _ => Relation::Unknown,
    };
    Ok(Comparison { relation, proved, differences, open })
}

async fn prove(
    space: &Space,
    old: &Policies,
    new: &Policies,
    changed: &[&Kind],
    solver: &mut Solver,
) -> (Vec<Difference>, Vec<String>) {
    let (mut differences, mut open) = (Vec::new(), Vec::new());
    for kind in changed {
        let (before, after) = (enforced(space, old, kind), enforced(space, new, kind));
        for level in Level::ALL {
            for more in [true, false] {
                let known = |found: &Difference| {
                    found.more == more && found.action == kind.action && shows(found, level)
                };
                if differences.iter().any(known) {
                    continue;
                }
                let (wide, narrow) = if more { (&after, &before) } else { (&before, &after) };
                match excess(space, level, wide, narrow, kind, solver).await {
                    Ok(None) => {}
                    Ok(Some(found)) => {
                        let differs = |request: &Request| {
                            let (a, b) = (old.decide(request), new.decide(request));
                            level.is_reached(&b) == more && level.is_reached(&a) != more
                        };
                        let request = example::of(&found, &space.looks, new.schema(), differs);
                        let example = request.map(|request| Example {
                            before: old.decide(&request),
                            after: new.decide(&request),
                            request,
                        });
                        differences.push(Difference { level, more, action: kind.action.clone(), example });
                    }
                    Err(why) => open.push(format!("`{}`: {why}", kind.action)),
                }
            }
        }
    }
    open.dedup();
    (differences, open)
}

/// A request that the wide set permits and the narrow one does not, if there is one.
async fn excess(
    space: &Space,
    level: Level,
    wide: &[&Policy],
    narrow: &[&Policy],
    kind: &Kind,
    solver: &mut Solver,
) -> std::result::Result<Option<cedar_policy_symcc::Env>, String> {
    let wide = space.compile(level, wide.iter().copied(), kind)?;
    let narrow = space.compile(level, narrow.iter().copied(), kind)?;
    solver.ask(async |compiler| compiler.check_implies_with_counterexample_opt(&wide, &narrow).await).await
}

/// Decides one request by both, and takes it where it shows something new.
fn observe(differences: &mut Vec<Difference>, old: &Policies, new: &Policies, request: Request) {
    let (before, after) = (old.decide(&request), new.decide(&request));
    let level = Level::ALL.into_iter().find(|level| level.is_reached(&before) != level.is_reached(&after));
    let Some(level) = level else { return };
    let (more, action) = (level.is_reached(&after), example::action(&request.action).to_owned());
    let known = |found: &Difference| found.more == more && found.action == action && shows(found, level);
    if !differences.iter().any(known) {
        let shows = |request: &Request| {
            let (a, b) = (old.decide(request), new.decide(request));
            level.is_reached(&b) == more && level.is_reached(&a) != more
        };
        let request = example::fewest(request, shows);
        let (before, after) = (old.decide(&request), new.decide(&request));
        let example = Some(Example { request, before, after });
        differences.push(Difference { level, more, action, example });
    }
}

/// Whether a difference that was found shows one at this level, too.
fn shows(found: &Difference, level: Level) -> bool {
    match &found.example {
        Some(example) => level.is_reached(&example.before) != level.is_reached(&example.after),
        None => found.level == level,
    }
}

/// The policies that count for a kind of request.
fn enforced<'a>(space: &Space, policies: &'a Policies, kind: &Kind) -> Vec<&'a Policy> {
    let all = policies.set().policies();
    all.filter(|policy| !is_watched(policy) && space.reaches(policy, kind)).collect()
}

/// Whether a policy that stands in one of them alone is about an action by name.
fn is_named(space: &Space, old: &Policies, new: &Policies, kind: &Kind) -> bool {
    let names = |policies: &[&Policy]| {
        let named = policies.iter().filter(|policy| match policy.action_constraint() {
            ActionConstraint::Any => false,
            ActionConstraint::Eq(named) => named == *kind.env.action(),
            ActionConstraint::In(named) => named.contains(kind.env.action()),
        });
        named.map(|policy| unnamed(policy)).collect::<BTreeSet<_>>()
    };
    names(&enforced(space, old, kind)) != names(&enforced(space, new, kind))
}

/// Whether the same policies stand in both, whatever they are called.
fn same(a: &[&Policy], b: &[&Policy]) -> bool {
    let texts = |policies: &[&Policy]| {
        let mut texts: Vec<String> = policies.iter().map(|policy| unnamed(policy)).collect();
        texts.sort();
        texts
    };
    texts(a) == texts(b)
}

/// What of a policy decides.
fn unnamed(policy: &Policy) -> String {
    let mut written = policy.to_json().unwrap_or_else(|_| policy.to_string().into());
    if let Some(annotations) = written.get_mut("annotations").and_then(serde_json::Value::as_object_mut) {
        annotations.retain(|name, _| ["ask", "redact", "mode"].contains(&name.as_str()));
    }
    written.to_string()
}
