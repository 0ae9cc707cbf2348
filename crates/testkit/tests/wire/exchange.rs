//! One request over a bare connection, and all that comes back.

use std::time::Duration;

use adjutant_testkit::provider::MockProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// After so many bytes nobody reads on.
pub(crate) const MOST: usize = 1 << 20;

/// What the server is expected to do, so that nothing waits for long that need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It comes to an end.
    End,
    /// It begins, and falls silent.
    Silence,
    /// It does not begin.
    Nothing,
}

impl Expected {
    /// How long to wait for more, where something has come or has not.
    fn patience(self, has_begun: bool) -> Duration {
        match (self, has_begun) {
            (Self::End, _) | (Self::Silence, false) => Duration::from_secs(30),
            (Self::Silence, true) | (Self::Nothing, _) => Duration::from_millis(150),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The status; 0 where none came.
    pub(crate) status: u16,
    head: String,
    /// The pieces of the body, as the server cut them.
    pub(crate) chunks: Vec<Vec<u8>>,
    /// The body came to its proper end.
    pub(crate) is_whole: bool,
    /// The server still held the connection.
    pub(crate) is_open: bool,
}

impl Exchange {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let is_named =
            |line: &&str| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        Some(self.head.lines().skip(1).find(is_named)?.split_once(':')?.1.trim())
    }
}

/// Posts JSON and reads until the server is done, is silent, or has sent more than enough.
pub(crate) async fn exchange(mock: &MockProvider, path: &str, body: &str, expected: Expected) -> Exchange {
    let address = mock.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nanthropic-version: 2023-06-01\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut came = Vec::new();
    let mut is_open = true;
    while came.len() < 2 * MOST {
        match tokio::time::timeout(expected.patience(!came.is_empty()), stream.read_buf(&mut came)).await {
            Err(_) => break,
            Ok(Ok(0) | Err(_)) => {
                is_open = false;
                break;
            }
            Ok(Ok(_)) => {}
        }
    }
    read(&came, is_open)
}

fn read(came: &[u8], is_open: bool) -> Exchange {
    let Some(end) = came.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Exchange { status: 0, head: String::new(), chunks: Vec::new(), is_whole: false, is_open };
    };
    let head = String::from_utf8(came[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut exchange = Exchange { status, head, chunks: Vec::new(), is_whole: false, is_open };
    let body = &came[end + 4..];
    match exchange.header("content-length") {
        Some(length) => {
            exchange.is_whole = body.len() == length.parse::<usize>().unwrap();
            exchange.chunks.push(body.to_vec());
        }
        None => (exchange.chunks, exchange.is_whole) = chunks(body),
    }
    exchange
}

/// The chunks of a body, and whether the last one, which is empty, was there.
fn chunks(mut body: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return (chunks, true);
        }
        let rest = &body[end + 2..];
        chunks.push(rest[..length.min(rest.len())].to_vec());
        body = rest.get(length + 2..).unwrap_or_default();
    }
    (chunks, false)
}
