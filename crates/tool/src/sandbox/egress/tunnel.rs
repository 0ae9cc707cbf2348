//! A tunnel to a host: what `CONNECT` asks for.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use url::Host;

use super::hello::{self, Hello};
use super::hosts::Target;
use super::metered::Metered;
use super::proxy::{Body, Gate, Refusal};

/// Opens a tunnel. It holds its slot as long as it is open.
pub(super) async fn open(
    request: Request<Incoming>,
    gate: &Arc<Gate>,
    slot: Arc<OwnedSemaphorePermit>,
) -> Result<Response<Body>, Refusal> {
    let target = request.uri().authority().and_then(|authority| {
        let is_plain = !authority.as_str().contains('@');
        authority.port_u16().filter(|_| is_plain).and_then(|port| Target::read(authority.host(), port))
    });
    let wrong = || Refusal::Forbidden("a tunnel was refused: it names no host and port".to_owned());
    let target = target.ok_or_else(wrong)?;
    let upstream = gate.connect(&target).await?;
    let within = Arc::clone(gate);
    gate.run(async move {
        let life = upstream.life();
        if let Ok(client) = hyper::upgrade::on(request).await {
            tokio::select! {
                // Either side hears that the other has gone.
                _ = carry(TokioIo::new(client), upstream, &target, &within) => {}
                () = life.silence() => {}
            }
        }
        drop(slot);
    });
    Ok(Response::new(Empty::new().map_err(|never| match never {}).boxed()))
}

/// Carries bytes both ways. What begins as TLS must be for the target.
async fn carry(
    mut client: TokioIo<Upgraded>,
    mut upstream: Metered,
    target: &Target,
    gate: &Gate,
) -> std::io::Result<()> {
    let mut opening = Vec::new();
    // A server that speaks first does not speak TLS.
    tokio::select! {
        biased;
        read = client.read_buf(&mut opening) => drop(read?),
        readable = upstream.readable() => readable?,
    }
    loop {
        match hello::read(&opening) {
            Hello::Part => {
                if client.read_buf(&mut opening).await? == 0 {
                    return Ok(());
                }
            }
            Hello::Other => break,
            Hello::For(name) if is_for(target, name.as_deref()) => break,
            Hello::For(name) => {
                let name = name.unwrap_or_default();
                gate.log.refuse(&format!("TLS to `{target}` was for `{}`", name.escape_debug()));
                return Ok(());
            }
            Hello::Broken => {
                gate.log.refuse(&format!("TLS to `{target}` cannot be read"));
                return Ok(());
            }
        }
    }
    upstream.write_all(&opening).await?;
    tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}

/// Whether TLS with that name is for the target. One without a name, and an address that is itself listed, is for
/// whoever has the address.
fn is_for(target: &Target, name: Option<&str>) -> bool {
    match (name, &target.host) {
        (Some(name), Host::Domain(host)) => name.strip_suffix('.').unwrap_or(name) == host,
        (_, _) => true,
    }
}
