//! What tells the program to stop: Ctrl-C, or a signal to terminate.

use adjutant_core::{Code, Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What told the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// The person pressed Ctrl-C.
    Key,
    /// Something else asked the process to end.
    Termination,
}

/// The signals that tell the program to stop. One that comes while nobody waits for it is not lost.
#[derive(Debug)]
pub(crate) struct Interrupts {
    key: Signal,
    termination: Signal,
}

impl Interrupts {
    /// Takes the signals; from now on none of them ends the process by itself.
    pub(crate) fn new() -> Result<Self> {
        let take = |kind| {
            signal(kind).map_err(|error| {
                Error::new(Code::Internal, "the signals of this process cannot be had").caused_by(&error)
            })
        };
        Ok(Self { key: take(SignalKind::interrupt())?, termination: take(SignalKind::terminate())? })
    }

    /// The next one. Safe to drop before it is ready.
    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            biased;
            Some(()) = self.termination.recv() => Interrupt::Termination,
            Some(()) = self.key.recv() => Interrupt::Key,
            else => std::future::pending().await,
        }
    }
}
