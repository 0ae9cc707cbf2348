//! Plays exchanges back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use aws_smithy_types::base64;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::difference::{difference, distance};
use super::line::{Line, Request, Response, VERSION};
use crate::transport::{Body, Incoming, Outgoing, Transport};

/// Stands in an address for what only those know who recorded it, such as the name of a project: it may be anything there.
pub const UNKNOWN: &str = "played-back";

/// How fast a cassette is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Everything at once.
    #[default]
    AtOnce,
    /// As it was recorded.
    Recorded,
}

/// Answers requests from a cassette. Each recorded exchange answers one request that is the same: method, path, query and
/// body; the host may be another. When all that are the same were played, the last one is played again.
#[derive(Debug)]
pub struct Player {
    path: PathBuf,
    pace: Pace,
    tracks: Mutex<Vec<Track>>,
}

/// One recorded exchange.
#[derive(Clone, Debug)]
struct Track {
    request: Request,
    response: Option<(u64, Response)>,
    pieces: Vec<(u64, Bytes)>,
    /// Why the other side broke off.
    failure: Option<(u64, Error)>,
    played: bool,
}

impl Player {
    /// Reads a cassette. Fails with `file-unreadable`, and with `input-invalid` and the line where it is no cassette.
    pub fn open(path: &Path, pace: Pace) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(Code::FileUnreadable, format!("the cassette `{}` cannot be read", path.display()))
                .caused_by(&error)
        })?;
        let tracks = read(&text).map_err(|(line, why)| {
            Error::new(Code::InputInvalid, why)
                .at(path.display().to_string(), Some(line), None)
                .with_help("record it again with `adjutant run --record FILE`")
        })?;
        Ok(Self { path: path.to_owned(), pace, tracks: Mutex::new(tracks) })
    }

    fn find(&self, method: &str, url: &Url, body: &Value) -> Result<Track> {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |track: &Track| is_same_call(&track.request, method, url) && track.request.body == *body;
        let place = tracks.iter().position(|track| !track.played && same(track));
        let place = place.or_else(|| tracks.iter().rposition(same));
        if let Some(track) = place.and_then(|place| tracks.get_mut(place)) {
            track.played = true;
            return Ok(track.clone());
        }
        Err(self.no_answer(&tracks, method, url, body))
    }

    /// The recorded headers. What asks to wait is left out where nothing is waited for.
    fn headers(&self, kept: &BTreeMap<String, String>) -> HeaderMap {
        let mut headers = headers(kept);
        if self.pace == Pace::AtOnce {
            headers.remove("retry-after");
            headers.remove("retry-after-ms");
        }
        headers
    }

    /// Shows the difference to the recorded request that is most like this one, of those that were not played if
    /// there are any.
    fn no_answer(&self, tracks: &[Track], method: &str, url: &Url, body: &Value) -> Error {
        let file = self.path.display();
        let calls = || tracks.iter().filter(|track| is_same_call(&track.request, method, url));
        let nearest = calls().min_by_key(|track| (track.played, distance(&track.request.body, body)));
        let message = match nearest {
            None => format!("the cassette `{file}` holds no request to `{}`", url.path()),
            Some(nearest) => format!(
                "the cassette `{file}` holds no answer to this request; the nearest one differs (- recorded, + now):\n{}",
                difference(&nearest.request.body, body)
            ),
        };
        Error::new(Code::ModelCassette, message)
            .with_help("mend what differs, or record it again with `adjutant run --record FILE`")
    }
}

fn is_same_call(recorded: &Request, method: &str, url: &Url) -> bool {
    let same = |old: Url| is_same_path(old.path(), url.path()) && old.query() == url.query();
    recorded.method == method && Url::parse(&recorded.url).is_ok_and(same)
}

/// Whether two paths are the same but for parts that nobody knows any more.
fn is_same_path(recorded: &str, path: &str) -> bool {
    let parts = |path: &str| path.split('/').count();
    let mut pairs = recorded.split('/').zip(path.split('/'));
    parts(recorded) == parts(path) && pairs.all(|(old, new)| old == new || new == UNKNOWN)
}

impl Transport for Player {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        async move {
            let sent = outgoing.peer.redact(&outgoing.body);
            let body = serde_json::from_str(&sent).unwrap_or_else(|_| Value::from(sent.as_ref()));
            let url = Url::parse(&outgoing.peer.redact_url(&outgoing.url)).unwrap_or(outgoing.url);
            let track = self.find(outgoing.method.as_str(), &url, &body)?;
            let clock = Clock { begin: Instant::now(), pace: self.pace };
            let Some((after, response)) = track.response else {
                let (after, error) = track.failure.unwrap_or_else(|| (0, broken_off()));
                clock.wait(after).await;
                return Err(error);
            };
            clock.wait(after).await;
            let pieces = track.pieces.into_iter().map(|(after, piece)| (after, Ok(piece)));
            let failure = track.failure.map(|(after, error)| (after, Err(error)));
            let body = futures::stream::iter(pieces.chain(failure)).then(move |(after, piece)| async move {
                clock.wait(after).await;
                piece
            });
            Ok(Incoming {
                status: response.status,
                headers: self.headers(&response.headers),
                body: Body::new(body.boxed()),
            })
        }
        .boxed()
    }
}

#[derive(Clone, Copy)]
struct Clock {
    begin: Instant,
    pace: Pace,
}

impl Clock {
    async fn wait(&self, after_ms: u64) {
        if self.pace == Pace::Recorded {
            sleep_until(self.begin + Duration::from_millis(after_ms)).await;
        }
    }
}

fn broken_off() -> Error {
    Error::new(Code::ModelCassette, "the recording breaks off before the answer")
}

fn headers(kept: &BTreeMap<String, String>) -> HeaderMap {
    let header = |(name, value): (&String, &String)| {
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    };
    kept.iter().filter_map(header).collect()
}

/// Reads the lines. Fails with the number of the line that is wrong, and why.
fn read(text: &str) -> Result<Vec<Track>, (usize, String)> {
    let mut tracks: BTreeMap<u64, Track> = BTreeMap::new();
    let mut is_first = true;
    for (number, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let line: Line =
            serde_json::from_str(text).map_err(|_| (number, "this is no line of a cassette".to_owned()))?;
        match (std::mem::take(&mut is_first), &line) {
            (true, Line::Head { cassette: VERSION }) => continue,
            (true, Line::Head { cassette }) => {
                let why = format!("the cassette has version {cassette}, and this program knows {VERSION}");
                return Err((number, why));
            }
            (true, _) => return Err((number, "the first line of a cassette is missing".to_owned())),
            (false, _) => {}
        }
        take(&mut tracks, line).map_err(|why| (number, why))?;
    }
    match is_first {
        true => Err((1, "the cassette is empty".to_owned())),
        false => Ok(tracks.into_values().collect()),
    }
}

fn take(tracks: &mut BTreeMap<u64, Track>, line: Line) -> Result<(), String> {
    let of = |tracks: &mut BTreeMap<u64, Track>, exchange: u64, change: &mut dyn FnMut(&mut Track)| {
        let track = tracks.get_mut(&exchange);
        track
            .map(change)
            .ok_or_else(|| format!("the request of exchange {exchange} is missing before this line"))
    };
    match line {
        Line::Head { .. } => Err("only the first line tells the version".to_owned()),
        Line::Request { exchange, request } => {
            let track = Track { request, response: None, pieces: Vec::new(), failure: None, played: false };
            match tracks.insert(exchange, track) {
                None => Ok(()),
                Some(_) => Err(format!("there are two requests of exchange {exchange}")),
            }
        }
        Line::Response { exchange, after_ms, response } => {
            of(tracks, exchange, &mut |track| track.response = Some((after_ms, response.clone())))
        }
        Line::Text { exchange, after_ms, text } => {
            let piece = Bytes::from(text);
            of(tracks, exchange, &mut |track| track.pieces.push((after_ms, piece.clone())))
        }
        Line::Bytes { exchange, after_ms, base64: text } => {
            let piece = base64::decode(text).map_err(|_| "the bytes are not written in base 64")?;
            let piece = Bytes::from(piece);
            of(tracks, exchange, &mut |track| track.pieces.push((after_ms, piece.clone())))
        }
        Line::Failure { exchange, after_ms, error } => {
            of(tracks, exchange, &mut |track| track.failure = Some((after_ms, error.clone())))
        }
        Line::End { exchange, .. } => of(tracks, exchange, &mut |_| {}),
    }
}
