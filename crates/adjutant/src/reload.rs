//! A project that changes while its runs go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, Weak};

use adjutant_agent::{AgentHost, Definition};
use adjutant_core::hash::Digest;
use adjutant_core::id::RunId;
use adjutant_core::message::Message;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Engine, RunFilter};
use serde::Serialize;

use crate::adjutant::{Adjutant, Inner};
use crate::assembly::Assembled;
use crate::project::Project;

/// What came of a new reading of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// The agents and workflows that are new.
    pub added: Vec<String>,
    /// Those that are other ones than before.
    pub changed: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
}

impl Reloaded {
    fn between(before: &Project, after: &Project) -> Self {
        let (before, after) = (before.definitions(), after.definitions());
        let names = |from: &BTreeMap<String, Definition>, keep: &dyn Fn(&str, &Definition) -> bool| {
            let kept = from.iter().filter(|(name, definition)| keep(name, definition));
            kept.map(|(name, _)| name.clone()).collect()
        };
        Self {
            added: names(after, &|name, _| !before.contains_key(name)),
            changed: names(after, &|name, now| before.get(name).is_some_and(|then| then != now)),
            removed: names(before, &|name, _| !after.contains_key(name)),
        }
    }
}

/// A tenant, and what is to stand there.
struct Prepared {
    inner: Arc<Inner>,
    assembled: Assembled,
}

impl Adjutant {
    /// Reads the project's files anew, and lets them hold as [`reload`](Self::reload) does.
    ///
    /// Fails with everything that is wrong with them, and as it does.
    pub async fn reload_files(&self) -> Result<Reloaded, Vec<Error>> {
        let root = self.root().now();
        let read = tokio::task::spawn_blocking(move || root.project.again());
        let failed = |error| vec![Error::new(Code::Internal, "the project cannot be read").caused_by(&error)];
        self.reload(read.await.map_err(failed)??).await
    }

    /// Lets another reading of the project hold from now on, for all tenants at once: for runs that begin, its agents, models,
    /// tools, policies and limits. Runs under way keep what they are pinned to; what they are doing goes on, with the tools with which
    /// it began. What the new files forbid, and the budget for the day, holds for them, too.
    ///
    /// Fails where something changes that cannot while the process runs (whose project it is, where it keeps things), and where a
    /// run under way needs what the project has no more. Then nothing changes.
    pub async fn reload(&self, project: Project) -> Result<Reloaded, Vec<Error>> {
        let root = Arc::clone(self.root());
        let before = root.now();
        let fixed = fixed(&before.project, &project);
        if !fixed.is_empty() {
            return Err(fixed);
        }
        project.models().take_over(before.project.models());
        // Nothing begins until it is known whether everything that has begun can go on.
        let _changing = self.changing().await;
        let prepared = prepare(&root, project).map_err(|error| vec![error])?;
        let missing = missing(&root, &prepared).await.map_err(|error| vec![error])?;
        if !missing.is_empty() {
            return Err(missing);
        }
        for Prepared { inner, assembled } in prepared {
            inner.take(assembled);
        }
        catch_up(&root);
        Ok(Reloaded::between(&before.project, &root.now().project))
    }
}

/// What differs that cannot change while the process runs.
fn fixed(before: &Project, after: &Project) -> Vec<Error> {
    let (old, new) = (before.settings(), after.settings());
    let differs = [
        ("project.name", old.scope.project != new.scope.project),
        ("project.tenant", old.scope.tenant != new.scope.tenant),
        ("store.path", old.store != new.store),
        ("sandbox.work", old.sandbox.work != new.sandbox.work),
        ("vault.key", old.vault != new.vault),
    ];
    let mut errors: Vec<Error> = differs
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| {
            let message = format!("`{key}` cannot change while the process runs");
            Error::new(Code::Conflict, message)
                .with_help("bring it back as it was, or start the process anew")
        })
        .collect();
    if before.folder() != after.folder() {
        let message = format!("`{}` is another project", after.folder().display());
        errors.push(Error::new(Code::Conflict, message).with_help("start another process for it"));
    }
    errors
}

/// What is to stand for each tenant that somebody holds, the project's own first.
fn prepare(root: &Arc<Inner>, project: Project) -> Result<Vec<Prepared>> {
    let tenants = root.tenants.lock().unwrap_or_else(PoisonError::into_inner);
    let tenants: Vec<_> = tenants.values().filter_map(Weak::upgrade).collect();
    let others = tenants.into_iter().map(|inner| {
        let project = project.of_tenant(inner.place.scope.clone())?;
        Ok((inner, project))
    });
    let others = others.collect::<Result<Vec<_>>>()?;
    let all = std::iter::once((Arc::clone(root), project)).chain(others);
    Ok(all.map(|(inner, project)| Prepared { assembled: assembled(&inner, project), inner }).collect())
}

/// Lets the project hold for tenants, too, that were opened while it was being prepared. One for whom that fails is opened anew by whoever asks
/// for it next.
fn catch_up(root: &Arc<Inner>) {
    let mut tenants = root.tenants.lock().unwrap_or_else(PoisonError::into_inner);
    let now = root.now();
    tenants.retain(|_, tenant| {
        let Some(inner) = tenant.upgrade() else { return false };
        let before = inner.now();
        if before.project.is_another_reading_of(&now.project) {
            let Ok(project) = now.project.of_tenant(inner.place.scope.clone()) else { return false };
            inner.take(assembled(&inner, project));
        }
        true
    });
}

/// A reading of the project, put together for one tenant.
fn assembled(inner: &Inner, project: Project) -> Assembled {
    let before = inner.now();
    project.models().take_over(before.project.models());
    let assembled = inner.process.assemble(project, &inner.place, &inner.workflows);
    assembled.host.know_agents_of(&before.host);
    assembled
}

/// What runs under way need and would not find any more.
async fn missing(root: &Inner, prepared: &[Prepared]) -> Result<Vec<Error>> {
    let mut errors = Vec::new();
    let mut open = BTreeSet::new();
    for Prepared { inner, assembled } in prepared {
        open.insert(inner.place.scope.clone());
        let engine = inner.place.engine.as_ref();
        errors.extend(of_tenant(engine, &inner.now().host, &assembled.host).await?);
    }
    // Runs of tenants that nobody holds now go on when somebody does.
    let Some(Prepared { assembled, .. }) = prepared.first() else { return Ok(errors) };
    for tenant in root.place.keys.tenants().await? {
        let scope = adjutant_core::id::Scope::new(&tenant, &root.place.scope.project)?;
        if open.insert(scope.clone()) {
            let engine = root.process.store.engine(scope);
            errors.extend(of_tenant(engine.as_ref(), &root.now().host, &assembled.host).await?);
        }
    }
    Ok(errors)
}

/// How many runs are read at a time.
const PAGE: usize = 500;

/// The same of one tenant: each definition is looked at once, however many runs are pinned to it.
async fn of_tenant(engine: &dyn Engine, before: &AgentHost, host: &AgentHost) -> Result<Vec<Error>> {
    let mut pinned: BTreeMap<Digest, (RunId, usize)> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = engine.list_runs(RunFilter::open(), after, PAGE).await?;
        for run in page.items {
            pinned.entry(run.definition).or_insert((run.run, 0)).1 += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut errors = Vec::new();
    for (digest, (run, count)) in pinned {
        let Ok(definition) = engine.definition(digest).await.and_then(|json| Definition::read(&json)) else {
            continue;
        };
        let check = |host: &AgentHost| host.check(&definition, &Message::user(""));
        // One that could not go on before is no worse off.
        if let (Ok(()), Err(error)) = (check(before), check(host)) {
            let others = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            let message = format!(
                "the run `{run}` of `{}`{others} could not go on: {}",
                definition.name,
                error.message()
            );
            errors.push(Error::new(error.code(), message).with_help(
                "leave what it needs in the project until it is over, or cancel it: `adjutant runs cancel`",
            ));
        }
    }
    Ok(errors)
}
