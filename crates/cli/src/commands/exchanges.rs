//! Exchanges with providers: shown, recorded, played back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant::Project;
use adjutant::model::cassette::{Pace, Player, Recorder};
use adjutant::model::transport::{Outgoing, Peer, Witness};
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
        self.carry(project, output, Carriage::default())
    }

    /// The same, with providers asked also for what was answered before.
    pub(crate) fn begin_anew(&self, project: &Project, output: Output) -> Result<Recording> {
        self.carry(project, output, Carriage { anew: true, ..Carriage::default() })
    }

    fn carry(&self, project: &Project, output: Output, mut carriage: Carriage) -> Result<Recording> {
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
            carriage.witnesses.push(Arc::new(Shown::new(output)));
        }
        project.models().carry(carriage);
        Ok(Recording(recorder))
    }
}

/// Prints what is sent. Exchanges that run at the same time are told apart by the number on each line.
#[derive(Debug)]
struct Shown {
    output: Output,
    open: Mutex<HashMap<u64, Open>>,
}

/// An exchange under way: whose secrets are not shown, and the line that is not complete yet.
#[derive(Debug)]
struct Open {
    peer: Peer,
    line: String,
}

impl Shown {
    fn new(output: Output) -> Self {
        Self { output, open: Mutex::default() }
    }

    fn redacted(&self, exchange: u64, text: &str) -> String {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&exchange).map_or_else(|| text.to_owned(), |open| open.peer.redact(text).into_owned())
    }

    fn headers(&self, mark: char, exchange: u64, headers: &http::HeaderMap) {
        for (name, value) in headers {
            let value = match value.is_sensitive() {
                true => "[secret]".to_owned(),
                false => self.redacted(exchange, &String::from_utf8_lossy(value.as_bytes())),
            };
            self.output.aside(&format!("{mark} {exchange} {name}: {value}"));
        }
    }

    fn lines(&self, mark: char, exchange: u64, text: &str) {
        for line in text.lines().filter(|line| !line.is_empty()) {
            self.output.raw_talk(&format!("{mark} {exchange} {}\n", clean(line)));
        }
    }
}

impl Witness for Shown {
    fn request(&self, exchange: u64, outgoing: &Outgoing) {
        let open = Open { peer: outgoing.peer.clone(), line: String::new() };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(exchange, open);
        let url = outgoing.peer.redact_url(&outgoing.url);
        self.output.aside(&format!("> {exchange} {} {url}", outgoing.method));
        self.headers('>', exchange, &outgoing.headers);
        let body = outgoing.peer.redact(&outgoing.body);
        let pretty = serde_json::from_str::<serde_json::Value>(&body)
            .ok()
            .and_then(|body| serde_json::to_string_pretty(&body).ok());
        self.lines('>', exchange, pretty.as_deref().unwrap_or(&body));
    }

    fn response(&self, exchange: u64, status: u16, headers: &http::HeaderMap) {
        self.output.aside(&format!("< {exchange} {status}"));
        self.headers('<', exchange, headers);
    }

    fn piece(&self, exchange: u64, piece: &bytes::Bytes) {
        let Ok(text) = std::str::from_utf8(piece) else {
            self.output.aside(&format!("< {exchange} {} bytes that are no text", piece.len()));
            return;
        };
        let complete = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = open.get_mut(&exchange) else { return };
            open.line.push_str(text);
            let end = open.line.rfind('\n').map_or(0, |end| end + 1);
            let complete: String = open.line.drain(..end).collect();
            open.peer.redact(&complete).into_owned()
        };
        self.lines('<', exchange, &complete);
    }

    fn end(&self, exchange: u64, error: Option<&Error>) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&exchange);
        if let Some(open) = open {
            self.lines('<', exchange, &open.peer.redact(&open.line));
        }
        match error {
            None => self.output.aside(&format!("< {exchange} end")),
            Some(error) => self.output.aside(&format!("< {exchange} broken off: {error}")),
        }
    }
}
