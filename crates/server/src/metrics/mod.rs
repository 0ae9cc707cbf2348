//! What is counted of the service, for Prometheus.

mod measures;
mod scrape;

pub(crate) use measures::{Asked, Metrics};
pub(crate) use scrape::{guarded, open};
