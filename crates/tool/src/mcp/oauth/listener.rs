//! [`Listener`]: hears on this machine where the browser was sent back to.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// The path that the browser is sent to.
const PATH: &str = "/callback";

/// The port of an address at which nobody listens.
const UNHEARD: u16 = 8976;

/// The longest request, in bytes.
const LONGEST: usize = 32 << 10;

/// How long a browser may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hears on this machine, and on no other address of it, where the browser was sent back to.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    redirect: Url,
}

impl Listener {
    /// Listens at a port; at any that is free where none is given. Fails with [`Code::Conflict`] where another program
    /// has it.
    pub async fn bind(port: Option<u16>) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        let taken = |error: std::io::Error| {
            Error::new(Code::Conflict, format!("nobody can listen at {address}")).caused_by(&error).with_help(
                "another program may have the port: choose another `redirect_port`, or use `--paste`",
            )
        };
        let listener = TcpListener::bind(address).await.map_err(taken)?;
        let port = listener.local_addr().map_err(taken)?.port();
        Ok(Self { listener, redirect: redirect(port)? })
    }

    /// An address of this machine at which nobody listens: the browser shows it, and a person copies it from there.
    pub fn nowhere(port: Option<u16>) -> Result<Url> {
        redirect(port.unwrap_or(UNHEARD))
    }

    /// The address that the browser shall be sent to.
    pub fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// Waits until a browser comes with an answer that is known, and gives it. Others are turned away: any page can send
    /// a browser here.
    pub async fn answer(&self, knows: impl Fn(&str) -> bool) -> Result<String> {
        loop {
            let (mut stream, _) = self.listener.accept().await.map_err(|error| {
                Error::new(Code::Internal, "the browser cannot be listened to").caused_by(&error)
            })?;
            let heard = tokio::time::timeout(PATIENCE, target(&mut stream)).await;
            let target = heard.ok().flatten().unwrap_or_default();
            let is_known = target.split_once('?').is_some_and(|(path, _)| path == PATH) && knows(&target);
            let _ = tokio::time::timeout(PATIENCE, reply(&mut stream, is_known)).await;
            if is_known {
                return Ok(target);
            }
        }
    }
}

/// The address of a port of this machine that a browser is sent to. It is written with numbers: what `localhost` means,
/// others may decide (RFC 8252, 8.3).
fn redirect(port: u16) -> Result<Url> {
    Url::parse(&format!("http://127.0.0.1:{port}{PATH}"))
        .map_err(|error| Error::new(Code::Internal, "this machine has no address").caused_by(&error))
}

/// What a browser asks for: the target of a GET request.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 2 << 10];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 || bytes.len() + count > LONGEST {
            return None;
        }
        bytes.extend(buffer.iter().take(count));
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    let mut words = text.lines().next()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned)).flatten()
}

async fn reply(stream: &mut TcpStream, is_known: bool) -> std::io::Result<()> {
    let (status, text) = match is_known {
        true => ("200 OK", "You can close this window. Adjutant goes on in the terminal."),
        false => ("404 Not Found", "Nothing is expected here."),
    };
    let page = format!("<!doctype html><meta charset=utf-8><title>Adjutant</title><p>{text}</p>\n");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n",
        page.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await
}
