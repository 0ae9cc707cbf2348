//! The log of a service: to standard error, a line for each request and for what happens by itself.

use adjutant::project::LogFormat;
use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::screen::Output;

/// What the service logs begins with; libraries beneath it have a lot to say that might hold what was sent.
const OWN: &str = "adjutant";

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line that a person reads.
    Text,
    /// A JSON object a line.
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Begins to log, for as long as the process lives.
pub(super) fn begin(format: Format) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => Box::new(lines.with_ansi(false)),
        Format::Json => {
            Box::new(lines.json().flatten_event(true).with_current_span(false).with_span_list(false))
        }
    };
    let own = Targets::new().with_target(OWN, Level::INFO);
    // Whoever began before goes on.
    let _ = tracing_subscriber::registry().with(lines.with_filter(own)).try_init();
}

/// Says something to whoever has started the service: as a line of the log where programs read it, so that each of its lines is one.
pub(super) fn say(format: Format, output: Output, text: &str) {
    match format {
        Format::Text => output.talk(text),
        Format::Json => tracing::info!(target: "adjutant::service", "{text}"),
    }
}
