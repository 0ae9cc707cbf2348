//! One request and its answer.

use reqwest::header::LOCATION;
use reqwest::{Client, Method};

use super::answer::Answer;
use super::request::Request;
use crate::http::{self, Kind};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// The host may not be asked: its address is a private one.
    Refused(String),
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, or at least begun to be.
    Sent(String),
}

/// Sends a request and reads at most `most` bytes of the answer. Redirects of what changes nothing are followed within the
/// same host; where else one leads, the answer is that redirect.
pub(super) async fn send(client: &Client, request: Request, most: usize) -> Result<Answer, Lost> {
    let origin = request.url.origin();
    let follows = matches!(request.method, Method::GET | Method::HEAD);
    let mut url = request.url;
    for _ in 0..=MOST_REDIRECTS {
        let mut sent = client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        if let Some(body) = request.body.clone() {
            sent = sent.body(body);
        }
        let response = sent.send().await.map_err(|error| lost(&error.without_url()))?;
        let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let next = place.and_then(|place| url.join(place).ok()).filter(|next| next.origin() == origin);
        if let Some(next) = next.filter(|_| follows && response.status().is_redirection()) {
            url = next;
            continue;
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let kind = Kind::of(&headers);
        let body = http::read(response, most).await.map_err(|error| Lost::Sent(http::explained(&error)))?;
        return Ok(Answer { status, headers, kind, body });
    }
    Err(Lost::Sent(format!("there are more than {MOST_REDIRECTS} redirects")))
}

fn lost(error: &reqwest::Error) -> Lost {
    match http::refusal(error) {
        Some(why) => Lost::Refused(why),
        None if error.is_connect() || error.is_builder() => Lost::NotSent(http::explained(error)),
        None => Lost::Sent(http::explained(error)),
    }
}
