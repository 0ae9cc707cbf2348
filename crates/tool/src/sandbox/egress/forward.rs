//! A plain HTTP request, sent on to the host that its address names.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use super::hosts::Target;
use super::proxy::{Body, Gate, Refusal};

/// What is between two neighbours and goes no further (RFC 9110, section 7.6.1). How a body is framed is among it: it is
/// framed anew.
const HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends a request on, over a connection of its own.
pub(super) async fn send(request: Request<Incoming>, gate: &Gate) -> Result<Response<Body>, Refusal> {
    let target = target(request.uri())?;
    let upstream = gate.connect(&target).await?;
    let life = upstream.life();
    let failed = |error: hyper::Error| Refusal::Failed(format!("`{target}` broke off: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Incoming>(TokioIo::new(upstream)).await.map_err(failed)?;
    gate.run(async move {
        tokio::select! {
            // The sender and whoever reads the answer hear of it.
            _ = connection => {}
            () = life.silence() => {}
        }
    });
    let (mut head, body) = request.into_parts();
    head.uri = origin(&head.uri)?;
    head.version = http::Version::HTTP_11;
    only_end_to_end(&mut head.headers);
    // What the client wrote there may be another host's name.
    let host = HeaderValue::from_str(&target.authority());
    head.headers.insert(header::HOST, host.map_err(|error| Refusal::Failed(error.to_string()))?);
    let response = sender.send_request(Request::from_parts(head, body)).await.map_err(failed)?;
    let (mut head, body) = response.into_parts();
    only_end_to_end(&mut head.headers);
    Ok(Response::from_parts(head, body.boxed()))
}

/// Where a request is to go.
fn target(uri: &Uri) -> Result<Target, Refusal> {
    let wrong = |why: &str| Refusal::Forbidden(format!("a request was refused: {why}"));
    let authority = uri.authority().ok_or_else(|| wrong("it names no host in its address"))?;
    match uri.scheme_str() {
        Some("http") if !authority.as_str().contains('@') => {}
        Some("http") => return Err(wrong("its address holds a user name")),
        // It would be read and written here, in the clear.
        Some("https") => return Err(wrong("TLS goes through CONNECT")),
        _ => return Err(wrong("its address is not of HTTP")),
    }
    let port = match (authority.port_u16(), authority.port()) {
        (Some(port), _) => port,
        (None, None) => 80,
        (None, Some(_)) => return Err(wrong("its port is no number")),
    };
    Target::read(authority.host(), port).ok_or_else(|| wrong("its host is no host"))
}

/// The address as its own server reads it.
fn origin(uri: &Uri) -> Result<Uri, Refusal> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    path.parse().map_err(|_| Refusal::Failed("the address cannot be sent on".to_owned()))
}

/// Takes out what goes no further.
fn only_end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_addresses_of_http_name_a_target() {
        let check = |uri: &str| target(&uri.parse().unwrap()).ok().map(|target| target.to_string());
        assert_eq!(check("http://a.org/x").unwrap(), "a.org:80");
        assert_eq!(check("http://A.org:8080/").unwrap(), "a.org:8080");
        assert_eq!(check("http://[::1]:9/").unwrap(), "[::1]:9");
        assert_eq!(check("http://0x7f.1/").unwrap(), "127.0.0.1:80");
        for uri in ["/x", "*", "https://a.org/", "http://a.org@b.org/", "ftp://a.org/", "a.org:80"] {
            assert_eq!(check(uri), None, "{uri}");
        }
    }

    #[test]
    fn what_is_between_neighbours_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-private, close"),
            ("x-private", "1"),
            ("proxy-authorization", "b"),
            ("accept", "*/*"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        only_end_to_end(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
