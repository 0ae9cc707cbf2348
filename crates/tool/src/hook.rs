//! Hooks: telling a server or a program that something has happened.
//!
//! A [`Webhook`] posts JSON to an address that a person has configured. It is signed in the manner of Standard Webhooks:
//! the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, the last a HMAC with SHA-256 over the id, the
//! time and the body. A [`CommandHook`] gives the same JSON to a program on its standard input.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::secret::Secret;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use url::Url;

use crate::command::{End, Job, Redactor};
use crate::context::Context;
use crate::http::{self, Reach};

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much of what a program prints is read, in bytes.
const PRINTED: usize = 4 << 10;

/// What a signing secret may begin with, in the manner of Standard Webhooks: the rest is base 64.
const PREFIX: &str = "whsec_";

/// An address that is told of things.
#[derive(Clone, Debug)]
pub struct Webhook {
    url: Url,
    reach: Reach,
    client: reqwest::Client,
}

impl Webhook {
    /// A webhook at an address. Those of private networks are asked only where `private` is set, and this machine's own
    /// where the address names it. Fails with [`Code::InputInvalid`] when the address may not be asked.
    pub fn new(url: Url, private: bool) -> Result<Self> {
        let reach = match (private, http::is_loopback(&url)) {
            (true, _) => Reach::Anything,
            (false, true) => Reach::Loopback,
            (false, false) => Reach::Public,
        };
        let refused = |why: String| Error::new(Code::InputInvalid, format!("`{url}` is no webhook: {why}"));
        http::check(&url, reach).map_err(refused)?;
        if url.scheme() != "https" && reach == Reach::Public {
            return Err(refused("what is sent there could be read on its way".to_owned())
                .with_help("use an address that begins with `https://`"));
        }
        let client = http::guarded_once(reach).map_err(|error| {
            Error::new(Code::Internal, "no client for webhooks can be made").caused_by(&error)
        })?;
        Ok(Self { url, reach, client })
    }

    /// Posts `body`, under an id by which a second copy is recognised. Fails with [`Code::ToolBusy`] where it may be tried
    /// again, with [`Code::InputInvalid`] where the server says that this message is one it cannot take (400, 413, 415, 422), and
    /// with [`Code::ToolFailed`] where it refuses whatever it is told.
    pub async fn send(&self, id: &str, at: Timestamp, body: String, secret: Option<&Secret>) -> Result<()> {
        let seconds = at.0.div_euclid(1_000);
        let mut request = self
            .client
            .post(self.url.clone())
            .timeout(PATIENCE)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds);
        if let Some(secret) = secret {
            let signature = signature(secret, id, seconds, &body);
            let empty = || Error::new(Code::ToolFailed, "the secret that signs what is sent is empty");
            request = request.header("webhook-signature", signature.ok_or_else(empty)?);
        }
        let host = self.url.host_str().unwrap_or_default();
        let again = |why: String| Error::new(Code::ToolBusy, format!("the webhook at `{host}` {why}"));
        // A name is checked when it is resolved; an address was checked when the webhook was made.
        http::check(&self.url, self.reach).map_err(&again)?;
        let response = request.body(body).send().await;
        let status =
            response.map_err(|error| again(format!("cannot be reached: {}", http::explained(&error))))?;
        match status.status() {
            status if status.is_success() => Ok(()),
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) => {
                Err(again(format!("answered {}", status.as_u16())))
            }
            status => {
                let code = match status.as_u16() {
                    400 | 413 | 415 | 422 => Code::InputInvalid,
                    _ => Code::ToolFailed,
                };
                Err(Error::new(code, format!("the webhook at `{host}` answered {}", status.as_u16())))
            }
        }
    }
}

/// The signature of a message: `v1,` and the base 64 of the HMAC.
fn signature(secret: &Secret, id: &str, seconds: i64, body: &str) -> Option<String> {
    let tag = hmac::sign(&key(secret)?, format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

/// How long ago a message may have been signed, or how far ahead the sender's clock may be.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// How messages from outside are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// As Standard Webhooks has it: the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. A message that was heard
    /// on its way is refused after five minutes.
    #[default]
    Standard,
    /// As GitHub signs: `x-hub-signature-256` over the body and nothing else.
    GitHub,
}

impl Signing {
    /// The words for each.
    pub const WORDS: [(&'static str, Self); 2] = [("standard", Self::Standard), ("github", Self::GitHub)];

    /// The header by which a message is known that comes twice; none where no header is signed: whoever has heard a message once could
    /// send it again under another id.
    pub fn id_header(self) -> Option<&'static str> {
        match self {
            Self::Standard => Some("webhook-id"),
            Self::GitHub => None,
        }
    }

    /// Checks that a message was signed with a secret, in a time that tells nothing of it. `header` finds headers by their names in
    /// lower case.
    ///
    /// Fails with [`Code::Unauthenticated`]; what was wrong is told to nobody who cannot sign.
    pub fn check<'a>(
        self,
        secret: &Secret,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        let is_signed = match self {
            Self::Standard => is_standard(secret, &header, body, now),
            Self::GitHub => is_of_github(secret, &header, body),
        };
        match is_signed {
            Some(true) => Ok(()),
            _ => Err(Error::new(Code::Unauthenticated, "the message is not signed as it must be")
                .with_help("sign it with the secret that was agreed on, and send it at once")),
        }
    }
}

fn is_standard<'a>(
    secret: &Secret,
    header: &impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
    now: Timestamp,
) -> Option<bool> {
    let (id, seconds) = (header("webhook-id")?, header("webhook-timestamp")?);
    let at = seconds.parse::<i64>().ok()?;
    let apart = now.0.div_euclid(1_000).abs_diff(at);
    let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body].concat();
    // While a secret is being replaced, there are several.
    let given = header("webhook-signature")?.split_whitespace().filter_map(|one| one.strip_prefix("v1,"));
    let mut given = given.filter_map(|text| STANDARD.decode(text).ok());
    let key = key(secret)?;
    Some(given.any(|tag| hmac::verify(&key, &signed, &tag).is_ok()) && apart <= TOLERANCE.as_secs())
}

fn is_of_github<'a>(secret: &Secret, header: &impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> Option<bool> {
    let hex = header("x-hub-signature-256")?.strip_prefix("sha256=")?;
    let bytes = hex.as_bytes().chunks_exact(2);
    let rest = bytes.remainder().len();
    let digits = bytes.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let tag = digits.collect::<Option<Vec<u8>>>().filter(|_| rest == 0)?;
    let bytes = Some(secret.expose().as_bytes()).filter(|bytes| !bytes.is_empty())?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
    Some(hmac::verify(&key, body, &tag).is_ok())
}

/// The key of a signing secret; none where it is empty, with which anybody could sign.
fn key(secret: &Secret) -> Option<hmac::Key> {
    let text = secret.expose();
    let decoded = text.strip_prefix(PREFIX).and_then(|rest| STANDARD.decode(rest).ok());
    let bytes = decoded.as_deref().unwrap_or(text.as_bytes());
    (!bytes.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

/// A program that is told of things.
#[derive(Clone, Debug)]
pub struct CommandHook {
    command: Vec<String>,
    directory: PathBuf,
}

impl CommandHook {
    /// A program with its arguments, run in this folder. It is given nothing of the environment but `PATH`.
    pub fn new(command: Vec<String>, directory: PathBuf) -> Self {
        Self { command, directory }
    }

    /// Runs the program with `body` on its standard input, and the id in `ADJUTANT_NOTICE_ID`. Fails with
    /// [`Code::ToolBusy`] when it fails: it may be tried again.
    pub async fn run(&self, id: &str, body: String) -> Result<()> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
        let again = |why: String| Error::new(Code::ToolBusy, format!("`{program}` {why}"));
        let job = Job {
            program: program.into(),
            arguments: arguments.iter().map(Into::into).collect(),
            directory: Some(self.directory.clone()),
            environment: vec![("ADJUTANT_NOTICE_ID".to_owned(), Secret::new(id))],
            input: body.into_bytes(),
            output_limit: PRINTED,
            redactor: Redactor::new(std::iter::empty()),
            guard: None,
        };
        let context = Context::new(RunId::new(id), StepKey::root(), "hook".into());
        let finished = job.run(Instant::now() + PATIENCE, &context).await;
        let finished = finished.map_err(|error| again(format!("cannot be started: {error}")))?;
        match finished.end {
            End::Exited(status) if status.success() => Ok(()),
            End::Exited(status) => Err(again(format!("failed ({status}): {}", finished.said.trim()))),
            _ => Err(again("took too long".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_standard_has_it() {
        // The example of the Standard Webhooks specification.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn webhooks_go_to_the_public_internet_unless_somebody_says_otherwise() {
        for (url, private, allowed) in [
            ("https://hooks.example.com/x", false, true),
            ("http://hooks.example.com/x", false, false),
            ("http://127.0.0.1:9/x", false, true),
            ("http://localhost:9/x", false, true),
            ("https://10.0.0.1/x", false, false),
            ("https://169.254.169.254/x", false, false),
            ("http://10.0.0.1/x", true, true),
            ("ftp://hooks.example.com/x", false, false),
        ] {
            let made = Webhook::new(url.parse().unwrap(), private);
            assert_eq!(made.is_ok(), allowed, "{url} {private}");
        }
    }

    #[tokio::test]
    async fn a_program_is_given_the_body() {
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", "cat > told; echo $ADJUTANT_NOTICE_ID >> told"].map(str::to_owned);
        let hook = CommandHook::new(command.to_vec(), folder.path().to_owned());
        hook.run("n1", "{}\n".to_owned()).await.unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("told")).unwrap(), "{}\nn1\n");
        let fails = CommandHook::new(vec!["false".to_owned()], folder.path().to_owned());
        assert_eq!(fails.run("n2", String::new()).await.unwrap_err().code(), Code::ToolBusy);
    }
}
