//! Records exchanges.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use adjutant_core::{Code, Error, Result};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use super::line::{Line, Request, Response, VERSION, kept_headers, piece};
use crate::transport::{Outgoing, Peer, Witness};

/// Records what it sees to a new file, line by line as it happens.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    open: HashMap<u64, (Instant, Peer)>,
    /// The first line that could not be written.
    failed: Option<Error>,
}

impl Recorder {
    /// Begins a new cassette. Fails with `file-unreadable` where the file is there already or cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
            let error =
                Error::new(Code::FileUnreadable, format!("the cassette `{}` cannot be made", path.display()))
                    .caused_by(&error);
            if path.exists() { error.with_help("give another name, or remove the old one") } else { error }
        })?;
        let state = State { file, open: HashMap::new(), failed: None };
        let recorder = Self { path: path.to_owned(), state: Mutex::new(state) };
        recorder.with(|state| state.write(&Line::Head { cassette: VERSION }));
        recorder.finish()?;
        Ok(recorder)
    }

    /// Fails with `file-unreadable` where a line could not be written: the cassette is not whole then.
    pub fn finish(&self) -> Result<()> {
        let failed = self.with(|state| state.failed.clone());
        failed.map_or(Ok(()), |cause| {
            let message = format!("the cassette `{}` is not whole", self.path.display());
            Err(Error::new(Code::FileUnreadable, message).caused_by(&cause))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn write(&mut self, line: &Line) {
        let written = serde_json::to_string(line)
            .map_err(std::io::Error::from)
            .and_then(|line| self.file.write_all(format!("{line}\n").as_bytes()));
        if let (Err(error), None) = (written, &self.failed) {
            let message = "a line of the cassette cannot be written";
            self.failed = Some(Error::new(Code::FileUnreadable, message).caused_by(&error));
        }
    }

    /// Milliseconds since the request.
    fn after(&self, exchange: u64) -> u64 {
        let begin = self.open.get(&exchange).map(|(begin, _)| *begin);
        begin.map_or(0, |begin| u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

impl Witness for Recorder {
    fn request(&self, exchange: u64, outgoing: &Outgoing) {
        let body = outgoing.peer.redact(&outgoing.body);
        let request = Request {
            method: outgoing.method.to_string(),
            url: outgoing.peer.redact_url(&outgoing.url),
            headers: kept_headers(&outgoing.headers),
            body: serde_json::from_str(&body).unwrap_or_else(|_| Value::from(body.as_ref())),
        };
        self.with(|state| {
            state.open.insert(exchange, (Instant::now(), outgoing.peer.clone()));
            state.write(&Line::Request { exchange, request });
        });
    }

    fn response(&self, exchange: u64, status: u16, headers: &HeaderMap) {
        let response = Response { status, headers: kept_headers(headers) };
        self.with(|state| {
            let after_ms = state.after(exchange);
            state.write(&Line::Response { exchange, after_ms, response });
        });
    }

    fn piece(&self, exchange: u64, bytes: &Bytes) {
        self.with(|state| {
            let after_ms = state.after(exchange);
            let Some((_, peer)) = state.open.get(&exchange) else { return };
            let line = piece(exchange, after_ms, bytes, peer);
            state.write(&line);
        });
    }

    fn end(&self, exchange: u64, error: Option<&Error>) {
        self.with(|state| {
            let after_ms = state.after(exchange);
            state.write(&match error {
                None => Line::End { exchange, after_ms, end: true },
                Some(error) => Line::Failure { exchange, after_ms, error: error.clone() },
            });
            state.open.remove(&exchange);
        });
    }
}
