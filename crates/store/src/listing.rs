//! Pages of runs and of sessions, by where the last one ended.

use adjutant_core::id::{RunId, Scope};
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Conversation, Cursor, Page, RunFilter, RunInfo, RunState};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::connection::fault;
use crate::query;

const ORDER: &str = "ORDER BY r.created DESC, r.id DESC";

/// A condition on `runs r` with what is bound to it.
struct Condition {
    text: String,
    values: Vec<Value>,
    /// Whether they are few among many, and so are found by what they are and sorted, rather than looked for in the order of age.
    few: bool,
}

impl Condition {
    fn of(scope: &Scope) -> Self {
        let values = vec![Value::Text(scope.tenant.to_string()), Value::Text(scope.project.to_string())];
        Self { text: String::new(), values, few: false }
    }

    /// The condition and the order, as SQLite is to go about it: a plus keeps it from finding runs by a column.
    fn told(&self) -> (String, String) {
        let text = format!("1{}", self.text);
        let plain = |text: &str| text.replace("r.created", "+r.created");
        if self.few { (plain(&text), plain(ORDER)) } else { (text, ORDER.to_owned()) }
    }

    /// Also asks that `text` holds, where `?` stands for the value.
    fn and(&mut self, text: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let place = format!("?{}", self.values.len());
        self.text.push_str(&format!(" AND {}", text.replace('?', &place)));
    }
}

/// A page of runs, the newest first.
pub(crate) fn runs(
    connection: &Connection,
    scope: &Scope,
    filter: &RunFilter,
    after: Option<&Cursor>,
    most: usize,
) -> Result<Page<RunInfo>> {
    page(connection, scope, meant(scope, filter), after, most)
}

fn meant(scope: &Scope, filter: &RunFilter) -> Condition {
    let mut condition = Condition::of(scope);
    if let Some(name) = &filter.name {
        condition.and("r.name = ?", name.clone());
    }
    if let Some(session) = &filter.session {
        condition.and("r.session = ?", session.as_str().to_owned());
        condition.few = true;
    }
    if let Some(user) = &filter.user {
        condition.and("r.user = ?", user.clone());
    }
    if filter.roots {
        condition.text.push_str(" AND r.parent IS NULL");
    }
    if let Some(since) = filter.since {
        condition.and("r.created >= ?", since.0);
    }
    if let Some(before) = filter.before {
        condition.and("r.created < ?", before.0);
    }
    if !filter.states.is_empty() {
        let states = filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect::<Vec<_>>();
        // Those that are over are most of all.
        let over = filter.states.contains(&RunState::Ended);
        let column = if over { "+r.state" } else { "r.state" };
        condition.few |= !over;
        condition.text.push_str(&format!(" AND {column} IN ({})", states.join(", ")));
    }
    condition
}

/// A page of sessions, by their latest turns, the newest first.
pub(crate) fn sessions(
    connection: &Connection,
    scope: &Scope,
    user: Option<&str>,
    after: Option<&Cursor>,
    most: usize,
) -> Result<Page<Conversation>> {
    let Page { items, next } = page(connection, scope, latest(scope, user), after, most)?;
    let items =
        items.into_iter().map(|latest| conversation(connection, scope, latest)).collect::<Result<_>>()?;
    Ok(Page { items, next })
}

/// The latest turns of sessions.
fn latest(scope: &Scope, user: Option<&str>) -> Condition {
    let mut condition = Condition::of(scope);
    condition.text.push_str(
        " AND r.session IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM runs n WHERE n.tenant = ?1 AND n.project = ?2 AND n.session = r.session AND n.turn > r.turn)",
    );
    if let Some(user) = user {
        condition.and("r.user = ?", user.to_owned());
    }
    condition
}

/// The runs whose ids begin with `prefix`, in the order of their ids.
pub(crate) fn beginning(
    connection: &Connection,
    scope: &Scope,
    prefix: &str,
    most: usize,
) -> Result<Vec<RunInfo>> {
    let end = format!("{prefix}{}", char::MAX);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let parameters = params![scope.tenant, scope.project, prefix, end, most];
    query::list(connection, scope, "r.run >= ?3 AND r.run < ?4", "ORDER BY r.run LIMIT ?5", parameters)
}

fn page(
    connection: &Connection,
    scope: &Scope,
    mut condition: Condition,
    after: Option<&Cursor>,
    most: usize,
) -> Result<Page<RunInfo>> {
    if let Some(after) = after {
        let (created, run) = place(after)?;
        condition.and("r.created <= ?", created.0);
        let row = row(connection, scope, &run)?;
        // Where the last one is gone meanwhile, it goes on with those that are older.
        let earlier = format!("(r.created < {} OR r.id < ?)", created.0);
        condition.and(&earlier, row.unwrap_or(0));
    }
    // One more says whether there is a next page.
    let most = most.max(1);
    let limit = i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX);
    let (text, order) = condition.told();
    let order = format!("{order} LIMIT {limit}");
    let mut items = query::list(connection, scope, &text, &order, params_from_iter(condition.values))?;
    let is_more = items.len() > most;
    items.truncate(most);
    let next =
        items.last().filter(|_| is_more).map(|last| Cursor::new(format!("{}.{}", last.created.0, last.run)));
    Ok(Page { items, next })
}

fn place(cursor: &Cursor) -> Result<(Timestamp, RunId)> {
    let parts = cursor.as_str().split_once('.');
    let read = parts.and_then(|(created, run)| Some((Timestamp(created.parse().ok()?), RunId::new(run))));
    read.ok_or_else(|| {
        Error::new(Code::InputInvalid, format!("`{cursor}` is not a place in the list"))
            .with_help("begin without one, and take `next` of each page for the one after it")
    })
}

fn row(connection: &Connection, scope: &Scope, run: &RunId) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM runs WHERE tenant = ?1 AND project = ?2 AND run = ?3")
        .and_then(|mut select| {
            let parameters = params![scope.tenant, scope.project, run.as_str()];
            select.query_row(parameters, |row| row.get(0)).optional()
        })
        .map_err(fault)
}

fn conversation(connection: &Connection, scope: &Scope, latest: RunInfo) -> Result<Conversation> {
    let session = latest.session.as_ref().map_or("", |session| session.as_str());
    let parameters = params![scope.tenant, scope.project, session];
    let first =
        query::list(connection, scope, "r.session = ?3", "ORDER BY r.turn LIMIT 1", parameters)?.pop();
    let (turns, updated) = connection
        .prepare_cached(
            "SELECT count(*), max(updated) FROM runs WHERE tenant = ?1 AND project = ?2 AND session = ?3",
        )
        .and_then(|mut select| select.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(fault)?;
    Ok(Conversation {
        first: first.unwrap_or_else(|| latest.clone()),
        turns,
        updated: Timestamp(updated),
        latest,
    })
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::SessionId;

    use super::*;
    use crate::schema;

    /// How SQLite would find what is meant.
    fn plan(condition: &Condition) -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, ":memory:").unwrap();
        let (text, order) = condition.told();
        let explain = format!(
            "EXPLAIN QUERY PLAN SELECT r.id FROM runs r WHERE r.tenant = ?1 AND r.project = ?2 AND {text} {order} LIMIT 9"
        );
        let mut explain = connection.prepare(&explain).unwrap();
        let steps =
            explain.query_map(params_from_iter(&condition.values), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn no_list_is_read_as_a_whole() {
        let scope = Scope::default();
        let all = RunFilter::default();
        let filters = [
            (all.clone(), "runs_by_age"),
            (RunFilter { roots: true, ..all.clone() }, "runs_by_age"),
            (
                RunFilter { since: Some(Timestamp(1)), before: Some(Timestamp(2)), ..all.clone() },
                "runs_by_age",
            ),
            (RunFilter { states: vec![RunState::Ended], ..all.clone() }, "runs_by_age"),
            (RunFilter { name: Some("desk".into()), ..all.clone() }, "runs_by_name"),
            (RunFilter { user: Some("ann".into()), ..all.clone() }, "runs_by_user"),
            (RunFilter { states: vec![RunState::Ended], user: Some("ann".into()), ..all }, "runs_by_user"),
        ];
        for (filter, index) in filters {
            let plan = plan(&meant(&scope, &filter));
            assert!(plan.contains(index) && !plan.contains("B-TREE"), "{filter:?}: {plan}");
        }
        let sessions = plan(&latest(&scope, None));
        assert!(sessions.contains("runs_by_age") && !sessions.contains("B-TREE"), "{sessions}");
        assert!(plan(&latest(&scope, Some("ann"))).contains("runs_by_user"));
        // These are few, and are sorted.
        let few = RunFilter { session: Some(SessionId::from("s")), ..RunFilter::default() };
        let session = plan(&meant(&scope, &few));
        assert!(session.contains("runs_by_session"), "{session}");
        let open = plan(&meant(&scope, &RunFilter::open()));
        assert!(open.contains("runs_by_state"), "{open}");
    }

    #[test]
    fn a_list_goes_on_where_the_last_one_is_gone() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, ":memory:").unwrap();
        let place = Cursor::new("5.gone");
        let page = page(&connection, &Scope::default(), Condition::of(&Scope::default()), Some(&place), 1);
        assert_eq!(page.unwrap().items, []);
    }
}
