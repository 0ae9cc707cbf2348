//! Exchanges with providers: shown, recorded, played back.

use std::path::PathBuf;
use std::sync::Arc;

use adjutant::Project;
use adjutant::model::cassette::{Pace, Player, Recorder};
use adjutant::model::transport::{Outgoing, Witness};
use adjutant::project::Carriage;
use adjutant_core::{Error, Result};
use clap::{Args, ValueEnum};

use crate::screen::{Output, clean};

/// What to do with the exchanges with providers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Exchanges {
    /// Print each request to a provider and each answer as they are sent, without keys, to standard error.
    #[arg(long)]
    show_requests: bool,
    /// Record the exchanges with providers to a new file, a cassette. It holds no key, and all that was said.
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Play the exchanges with providers back from a cassette. No key and no network is needed.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// How fast a cassette is played.
    #[arg(long, value_enum, default_value_t, requires = "replay")]
    replay_pace: ReplayPace,
}

/// How fast a cassette is played.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ReplayPace {
    /// Everything at once.
    #[default]
    AtOnce,
    /// As it was recorded.
    Recorded,
}

/// A recording under way.
pub(crate) struct Recording(Option<Arc<Recorder>>);

impl Recording {
    /// Fails where the cassette is not whole.
    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), |recorder| recorder.finish())
    }
}

impl Exchanges {
    /// Lets a project's models exchange with their providers in this way.
    pub(crate) fn begin(&self, project: &Project, output: Output) -> Result<Recording> {
        let mut carriage = Carriage::default();
        if let Some(path) = &self.replay {
            let pace = match self.replay_pace {
                ReplayPace::AtOnce => Pace::AtOnce,
                ReplayPace::Recorded => Pace::Recorded,
            };
            carriage.player = Some(Arc::new(Player::open(path, pace)?));
        }
        let recorder = self.record.as_ref().map(|path| Recorder::create(path)).transpose()?.map(Arc::new);
        carriage.witnesses.extend(recorder.clone().map(|recorder| recorder as Arc<dyn Witness>));
        if self.show_requests {
            carriage.witnesses.push(Arc::new(Shown(output)));
        }
        project.models().carry(carriage);
        Ok(Recording(recorder))
    }
}

/// Prints what is sent.
#[derive(Debug)]
struct Shown(Output);

impl Shown {
    fn headers(&self, mark: char, exchange: u64, headers: &http::HeaderMap) {
        for (name, value) in headers {
            let value = match value.is_sensitive() {
                true => "[secret]".into(),
                false => String::from_utf8_lossy(value.as_bytes()),
            };
            self.0.aside(&format!("{mark} {exchange} {name}: {value}"));
        }
    }
}

impl Witness for Shown {
    fn request(&self, exchange: u64, outgoing: &Outgoing) {
        let url = outgoing.peer.redact(outgoing.url.as_str());
        self.0.aside(&format!("> {exchange} {} {url}", outgoing.method));
        self.headers('>', exchange, &outgoing.headers);
        let body = outgoing.peer.redact(&outgoing.body);
        let pretty = serde_json::from_str::<serde_json::Value>(&body)
            .ok()
            .and_then(|body| serde_json::to_string_pretty(&body).ok());
        self.0.raw_talk(&format!("{}\n", clean(&pretty.unwrap_or(body))));
    }

    fn response(&self, exchange: u64, status: u16, headers: &http::HeaderMap) {
        self.0.aside(&format!("< {exchange} {status}"));
        self.headers('<', exchange, headers);
    }

    fn piece(&self, exchange: u64, piece: &bytes::Bytes) {
        match std::str::from_utf8(piece) {
            Ok(text) => self.0.raw_talk(&clean(text)),
            Err(_) => self.0.aside(&format!("< {exchange} {} bytes that are no text", piece.len())),
        }
    }

    fn end(&self, exchange: u64, error: Option<&Error>) {
        match error {
            None => self.0.aside(&format!("\n< {exchange} end")),
            Some(error) => self.0.aside(&format!("\n< {exchange} broken off: {error}")),
        }
    }
}
