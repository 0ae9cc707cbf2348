//! Cassettes: real exchanges with providers, recorded once and played back without a key or a network.
//!
//! A cassette is a file of JSON lines, so that it can be read, searched and mended by hand, and is never half written:
//! a line for the version, then for each exchange a line for the request, one for the status and headers, one for each
//! piece of the body as it came, and one for the end. Keys and headers that differ from call to call are not in it. What
//! people and tools said is: treat a cassette like the conversation that it holds.

mod difference;
mod line;
mod play;
mod record;

pub use play::{Pace, Player, UNKNOWN};
pub use record::Recorder;
