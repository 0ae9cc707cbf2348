//! Lists that are read a page at a time.

use std::time::Duration;

use adjutant_core::id::{RunId, Scope, SessionId};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Result};

use super::probe::{admission, ends_with, fails, open, run_id, same, serve, signal, start, until};
use super::{Harness, Instance, probe};
use crate::admission::Admission;
use crate::engine::{Engine, RunInfo, RunState};
use crate::listing::{Cursor, RunFilter};

/// The runs of all pages of so many.
async fn pages(engine: &dyn Engine, filter: &RunFilter, most: usize) -> Result<Vec<RunId>> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = engine.list_runs(filter.clone(), after, most).await?;
        found.extend(page.items.into_iter().map(|info: RunInfo| info.run));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

/// Runs are read a page at a time, each once, also where some are recorded meanwhile and at the same moment.
pub async fn runs_are_read_by_pages(harness: &impl Harness) -> Result<()> {
    let engine = open(harness).await?.engine();
    for number in 0..7 {
        start(&*engine, &format!("run{number}"), Json::null()).await?;
    }
    let newest: Vec<RunId> = (0..7).rev().map(|number| run_id(&format!("run{number}"))).collect();
    for most in [1, 2, 3, 7, 100, usize::MAX] {
        same("all", pages(&*engine, &RunFilter::default(), most).await?, newest.clone())?;
    }
    let first = engine.list_runs(RunFilter::default(), None, 3).await?;
    start(&*engine, "late", Json::null()).await?;
    let next = engine.list_runs(RunFilter::default(), first.next, 100).await?;
    same(
        "the rest",
        next.items.into_iter().map(|info| info.run).collect::<Vec<_>>(),
        newest.iter().skip(3).cloned().collect(),
    )?;
    for odd in ["", "1", "x.y", "."] {
        let page = engine.list_runs(RunFilter::default(), Some(Cursor::new(odd)), 3).await;
        fails(page.map(|page| page.items.len()), Code::InputInvalid)?;
    }
    same("by the beginning of their ids", engine.beginning(run_id("run6").as_str(), 9).await?.len(), 1)?;
    same("all begin with nothing", engine.beginning("", 3).await?.len(), 3)?;
    let other = harness.open(Scope::new("acme", "local")?).await?.engine();
    same("another tenant's", pages(&*other, &RunFilter::default(), 3).await?, Vec::new())?;
    same("another tenant's by name", other.beginning("", 3).await?.len(), 0)
}

/// Each filter leaves out what it says, and several together what one of them does.
pub async fn runs_are_filtered(harness: &impl Harness) -> Result<()> {
    let instance = serve(harness, probe::asking()).await?;
    let engine = instance.engine();
    let filtered = |filter: RunFilter| {
        let engine = &engine;
        async move {
            let mut found = pages(&**engine, &filter, 2).await?;
            found.sort();
            Ok::<_, adjutant_core::Error>(found)
        }
    };
    for (name, user, session) in [
        ("a", Some("ann"), None),
        ("b", Some("ann"), Some("s")),
        ("c", Some("bob"), Some("s")),
        ("d", None, None),
    ] {
        let mut admission = admission(&*engine, name, Json::null()).await?;
        admission.name = if name < "c" { "desk".to_owned() } else { "shop".to_owned() };
        (admission.user, admission.session) = (user.map(str::to_owned), session.map(SessionId::from));
        engine.start(admission).await?;
        harness.pass(Duration::from_secs(10)).await?;
    }
    signal(&*engine, &run_id("a"), "go", 1).await?;
    ends_with(&*engine, &run_id("a"), 1).await?;
    until(&*engine, &run_id("b"), RunState::Waiting).await?;
    until(&*engine, &run_id("d"), RunState::Waiting).await?;
    let of = |names: &[&str]| {
        let mut of: Vec<_> = names.iter().map(|name| run_id(name)).collect();
        of.sort();
        of
    };
    let all = RunFilter::default;
    let state = |state| RunFilter { states: vec![state], ..all() };
    same("over", filtered(state(RunState::Ended)).await?, of(&["a"]))?;
    same("waiting", filtered(state(RunState::Waiting)).await?, of(&["b", "d"]))?;
    same("not over", filtered(RunFilter::open()).await?, of(&["b", "c", "d"]))?;
    same("one agent's", filtered(RunFilter { name: Some("desk".into()), ..all() }).await?, of(&["a", "b"]))?;
    let ann = RunFilter { user: Some("ann".into()), ..all() };
    same("one person's", filtered(ann.clone()).await?, of(&["a", "b"]))?;
    same(
        "of one session",
        filtered(RunFilter { session: Some("s".into()), ..all() }).await?,
        of(&["b", "c"]),
    )?;
    same("several", filtered(RunFilter { session: Some("s".into()), ..ann }).await?, of(&["b"]))?;
    same("roots", filtered(RunFilter { roots: true, ..all() }).await?, of(&["a", "b", "c", "d"]))?;
    let created: Timestamp = engine.info(&run_id("c")).await?.created;
    same("since", filtered(RunFilter { since: Some(created), ..all() }).await?, of(&["c", "d"]))?;
    same("before", filtered(RunFilter { before: Some(created), ..all() }).await?, of(&["a", "b"]))
}

/// Runs that others have started are left out where only roots are asked for.
pub async fn children_are_no_roots(harness: &impl Harness) -> Result<()> {
    let parents = probe::host(|ctx, admission, _| async move {
        match admission.origin {
            None => ctx.child("child", &Admission { name: "child".to_owned(), ..admission }).await,
            Some(_) => Ok(Json::null()),
        }
    });
    let instance = serve(harness, parents).await?;
    let engine = instance.engine();
    let parent = start(&*engine, "parent", Json::null()).await?;
    ends_with(&*engine, &parent, ()).await?;
    same("both", pages(&*engine, &RunFilter::default(), 1).await?.len(), 2)?;
    same(
        "the root",
        pages(&*engine, &RunFilter { roots: true, ..RunFilter::default() }, 1).await?,
        vec![parent],
    )
}

/// Sessions are read a page at a time, those with the newest turn first.
pub async fn sessions_are_read_by_pages(harness: &impl Harness) -> Result<()> {
    let engine = open(harness).await?.engine();
    for (run, session, user) in
        [("a0", "a", "ann"), ("b0", "b", "bob"), ("c0", "c", "ann"), ("a1", "a", "ann"), ("a2", "a", "ann")]
    {
        let mut admission = admission(&*engine, run, Json::null()).await?;
        (admission.session, admission.user) = (Some(session.into()), Some(user.to_owned()));
        engine.start(admission).await?;
        harness.pass(Duration::from_millis(5)).await?;
    }
    start(&*engine, "alone", Json::null()).await?;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = engine.list_sessions(None, after, 1).await?;
        let told = page.items.into_iter().map(|found| (found.first.run, found.latest.run, found.turns));
        seen.extend(told);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let row = |first: &str, latest: &str, turns: u64| (run_id(first), run_id(latest), turns);
    same("sessions", seen, vec![row("a0", "a2", 3), row("c0", "c0", 1), row("b0", "b0", 1)])?;
    let anns = engine.list_sessions(Some("ann"), None, 9).await?;
    same("one person's", anns.items.len(), 2)?;
    let other = harness.open(Scope::new("acme", "local")?).await?.engine();
    same("another tenant's", other.list_sessions(None, None, 9).await?.items.len(), 0)
}
