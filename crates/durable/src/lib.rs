//! The spine: agent and workflow code as plain async Rust that survives its process.
//!
//! A run's code is one future over a [`Ctx`]. Everything that is not determined by the code itself (a model's answer,
//! a tool's result, a timer, what a person says) is an [`Operation`] that it asks its context for. The [`drive`]
//! function polls the future, hands new operations to a [`Session`] in the order in which they were asked for, and
//! delivers exactly one completion at a time, in the order in which it is recorded. When the process dies, or the run
//! sleeps for days, the code runs again from its start and its recorded steps answer at once.
//!
//! - [`Ctx`] is what the code sees; [`Work`] is what an effect does, outside the code.
//! - [`Record`] is one line of the journal; [`Replay`] is the pure part of answering from it.
//! - [`Engine`] keeps runs and their journals; a [`Session`] is its side of one activation of one run; a [`Host`]
//!   brings the code.
//! - [`Directory`] keeps who may ask, over all tenants.
//! - [`stream`] carries what is not recorded: tokens and progress.
//!
//! ```
//! use adjutant_durable::{Ctx, Effects, work};
//! use adjutant_core::{Result, json::Json};
//!
//! async fn double(ctx: Ctx, number: u64) -> Result<u64> {
//!     // Two branches at the same time; each keeps its key whatever the timing.
//!     let (a, b) = futures::join!(
//!         ctx.effect("half", Effects::pure(), Json::of(&number)?, work(move |_| async move { Json::of(&number) })),
//!         ctx.effect("half", Effects::pure(), Json::of(&number)?, work(move |_| async move { Json::of(&number) })),
//!     );
//!     Ok(a?.to::<u64>()? + b?.to::<u64>()?)
//! }
//! ```

pub mod admission;
mod busy;
mod caused;
mod chain;
#[cfg(feature = "conformance")]
pub mod conformance;
mod ctx;
mod directory;
mod document;
mod driver;
mod engine;
mod grant;
mod labels;
mod listing;
mod mail;
mod operation;
mod record;
mod replay;
mod session;
pub mod stream;
mod trigger;
mod version;
mod work;

pub use admission::{Admission, After, Origin};
pub use busy::{WhenBusy, seen_turns};
pub use caused::caused;
pub use chain::{Act, Fault, Link, Linked, Recorded, Source, Told, Verified, Verify};
pub use ctx::{Ctx, Inbox};
pub use directory::{Directory, Key, KeyInfo};
pub use document::{Document, Draft, Expected};
pub use driver::{Driven, drive};
pub use engine::{
    Admitted, Edit, Engine, Fork, Forked, Host, Observed, Program, RunInfo, RunState, Serve, Wait,
};
pub use grant::{Asking, Grant, Revoked, Within};
pub use labels::{Labels, before};
pub use listing::{Conversation, Cursor, Page, RunFilter};
pub use mail::{Deed, Letter, Mail, Resolution};
pub use operation::{Advance, Amount, Effects, Kind, Operation, OperationHash, RetryPolicy, Spending};
pub use record::{Divergence, Entry, Outcome, RECORD_VERSION, Record};
pub use replay::{Asked, Delivery, Moment, Replay, Stopwatch, unsettled, waits};
pub use session::{Next, Request, Session};
pub use trigger::{Fate, Fired, Firing, FiringTerms, Occurrence};
pub use version::{Change, Changed, Chosen, Share, Version};
pub use work::{Attempt, Done, Finished, FunctionWork, Reconciled, Work, work};
