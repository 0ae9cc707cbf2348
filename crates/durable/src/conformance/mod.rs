//! What every engine promises, as functions that try it: one for each promise.
//!
//! An engine brings a [`Harness`] and calls [`conformance_suite!`](crate::conformance_suite) in a test; each promise
//! becomes a test of its own, on a store of its own. Promises are tried from outside, over [`Engine`] alone, with
//! real time and tasks; only the time that leases, timers and retention go by is the harness's.

mod admission;
mod budget;
mod chain;
mod conversation;
mod directory;
mod document;
mod fork;
mod grant;
mod journal;
mod keeping;
mod listing;
mod mail;
mod probe;
mod recovery;
mod trigger;
mod version;
mod waking;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::id::Scope;

use crate::directory::Directory;
use crate::engine::{Engine, Host};

pub use admission::{
    definitions_are_kept, starts_are_idempotent, starts_are_recorded_before_they_are_acknowledged,
    unknown_runs_are_not_found,
};
pub use budget::{
    budgets_are_shared_with_children, budgets_are_upper_bounds, lost_calls_are_charged,
    what_was_taken_outlives_the_runs,
};
pub use chain::{chains_are_whole, links_are_read};
pub use conversation::{conversations_make_way, turns_run_one_after_the_other};
pub use directory::{
    first_keys_are_made_once, keys_are_kept_and_taken_back, keys_are_replaced_once, tenants_are_listed,
    the_last_administrator_is_kept,
};
pub use document::{documents_are_forgotten, documents_are_kept, documents_change_one_after_the_other};
pub use fork::{forks_keep_what_came_before, forks_need_a_step_that_is_there};
pub use grant::{grants_are_kept_and_taken_back, signals_that_wait_are_listed};
pub use journal::{
    histories_are_complete, runs_are_counted, runs_are_listed, watches_miss_nothing, watches_show_tokens,
};
pub use keeping::{pruning_forgets_ended_runs, scopes_do_not_see_each_other, users_can_be_erased};
pub use listing::{
    children_are_no_roots, runs_are_filtered, runs_are_read_by_pages, sessions_are_read_by_pages,
};
pub use mail::{
    cancels_end_runs, mail_is_taken_once, mail_may_come_early, mail_takes_effect_in_order,
    messages_are_read_in_order, messages_at_the_end_are_recorded_or_refused,
    messages_that_are_not_read_are_recorded, misdirected_mail_changes_nothing,
    paused_runs_stay_until_they_are_resumed,
};
pub use recovery::{
    attempts_are_answered_once, cancelled_runs_may_clean_up, dropped_effects_are_known_before_the_end,
    dropped_effects_are_not_begun_again, halted_runs_go_on_with_mended_code, lookups_settle_what_was_lost,
    runs_are_driven_by_one, runs_survive_crashes, stale_activations_are_refused,
    unknown_outcomes_wait_for_a_person,
};
pub use trigger::occurrences_are_admitted_once;
pub use version::{labels_change_one_after_the_other, versions_are_kept};
pub use waking::{
    children_wake_their_parents, marks_protect_runs_that_wait, pauses_outlast_roll_overs,
    rolled_over_runs_go_on, segments_end_with_nothing_open, signals_wake_runs, timers_wake_runs,
};

/// One store, fresh and empty, and the engine under test on it.
pub trait Harness: Send + Sync {
    /// What [`Self::open`] gives.
    type Instance: Instance;

    /// Opens another instance of the engine on the store, as another process would, for one tenant and project.
    fn open(&self, owner: Scope) -> impl Future<Output = Result<Self::Instance>> + Send;

    /// Lets time go by for timers, leases and retention: on a clock, or by waiting. Instances that serve notice it.
    fn pass(&self, time: Duration) -> impl Future<Output = Result<()>> + Send;
}

/// One instance of the engine: what one process would have.
pub trait Instance: Send + Sync {
    /// The engine.
    fn engine(&self) -> Arc<dyn Engine>;

    /// What stands over all tenants of the store.
    fn directory(&self) -> Arc<dyn Directory>;

    /// Begins to drive every run in the background, with the host's code, until the instance stops or dies.
    fn serve(&self, host: Arc<dyn Host>);

    /// Stops in order: what it drives is let go for others.
    fn stop(self) -> impl Future<Output = Result<()>> + Send;

    /// Dies as by `kill -9`: from here on nothing of it runs, and nothing that it did not commit is kept.
    fn crash(self) -> impl Future<Output = Result<()>> + Send;

    /// Makes every other instance take this one for dead, while it goes on: a process that was stopped for a while,
    /// or lost its network.
    fn lapse(&self) -> impl Future<Output = Result<()>> + Send;
}

/// Makes a test of every promise. The argument is an expression that makes a fresh [`Harness`]; the caller depends on
/// `tokio`.
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        $crate::conformance_suite! { $harness;
            starts_are_idempotent
            starts_are_recorded_before_they_are_acknowledged
            unknown_runs_are_not_found
            definitions_are_kept
            mail_may_come_early
            mail_is_taken_once
            mail_takes_effect_in_order
            misdirected_mail_changes_nothing
            messages_are_read_in_order
            messages_that_are_not_read_are_recorded
            messages_at_the_end_are_recorded_or_refused
            cancels_end_runs
            cancelled_runs_may_clean_up
            paused_runs_stay_until_they_are_resumed
            pauses_outlast_roll_overs
            histories_are_complete
            watches_miss_nothing
            watches_show_tokens
            runs_are_listed
            runs_are_read_by_pages
            runs_are_filtered
            children_are_no_roots
            sessions_are_read_by_pages
            runs_are_counted
            signals_wake_runs
            timers_wake_runs
            children_wake_their_parents
            rolled_over_runs_go_on
            segments_end_with_nothing_open
            marks_protect_runs_that_wait
            runs_survive_crashes
            runs_are_driven_by_one
            stale_activations_are_refused
            unknown_outcomes_wait_for_a_person
            dropped_effects_are_known_before_the_end
            attempts_are_answered_once
            lookups_settle_what_was_lost
            dropped_effects_are_not_begun_again
            halted_runs_go_on_with_mended_code
            forks_keep_what_came_before
            forks_need_a_step_that_is_there
            budgets_are_upper_bounds
            budgets_are_shared_with_children
            what_was_taken_outlives_the_runs
            lost_calls_are_charged
            turns_run_one_after_the_other
            conversations_make_way
            grants_are_kept_and_taken_back
            signals_that_wait_are_listed
            versions_are_kept
            labels_change_one_after_the_other
            occurrences_are_admitted_once
            keys_are_kept_and_taken_back
            keys_are_replaced_once
            the_last_administrator_is_kept
            first_keys_are_made_once
            tenants_are_listed
            documents_are_kept
            documents_change_one_after_the_other
            documents_are_forgotten
            chains_are_whole
            links_are_read
            pruning_forgets_ended_runs
            users_can_be_erased
            scopes_do_not_see_each_other
        }
    };
    ($harness:expr; $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                $crate::conformance::$promise(&$harness).await.unwrap();
            }
        )+
    };
}
