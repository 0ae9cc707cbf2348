//! [`Settings`]: within which bounds a service works.

use std::time::Duration;

/// Within which bounds a service works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most connections at a time; further ones wait to be taken.
    pub most_connections: usize,
    /// The most requests that are answered at a time, streams aside; further ones are told to come again.
    pub most_requests: usize,
    /// The most streams at a time.
    pub most_streams: usize,
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// How long a client may take to send the head of a request.
    pub head_patience: Duration,
    /// How long a client may take to send the body of a request.
    pub body_patience: Duration,
    /// How often a stream in which nothing happens shows that it is there.
    pub heartbeat: Duration,
    /// How long the service finishes what it has, once it is told to stop.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            most_connections: 20_000,
            most_requests: 1_000,
            most_streams: 15_000,
            largest_body: 16 << 20,
            head_patience: Duration::from_secs(10),
            body_patience: Duration::from_secs(60),
            heartbeat: Duration::from_secs(15),
            drain: Duration::from_secs(30),
        }
    }
}
