//! Answers that are kept, since they cannot be asked for again: those of calls that change something, of which a model
//! read only the beginning. A tool reads the rest.
//!
//! An answer is a file of its session, on disk before the call is: a run that goes on after a crash finds it. It lives as
//! long as the session.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use adjutant_core::hash::Digest;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use futures::future::{BoxFuture, FutureExt};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Show};
use super::config::{Config, Keep};
use super::part::{Part, Rest};
use crate::command::Redactor;
use crate::context::Context;
use crate::failure::Failure;
use crate::http::{Body, Kind};
use crate::output::Output;
use crate::sandbox::Folder;
use crate::tool::Tool;
use crate::vault::private_folder;

/// How long the name of an answer is, in characters: 48 bits, in one session.
const NAME: usize = 12;

/// What stands before the answer itself, on a line.
#[derive(Deserialize, Serialize)]
struct Head {
    version: u32,
    status: u16,
    media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    charset: Option<String>,
}

/// The form that is written now.
const VERSION: u32 = 1;

/// The name of the answer to a call: the same in every attempt.
pub(super) fn name(context: &Context) -> String {
    let digest = Digest::of_parts(&[context.idempotency_key().as_bytes()]).to_string();
    digest.chars().take(NAME).collect()
}

fn folder(work: &Path, context: &Context) -> PathBuf {
    Folder::of(work, context.scope(), &context.owner()).answers()
}

/// Keeps an answer, without the secrets that the call was made with.
pub(super) async fn keep(
    keep: &Keep,
    context: &Context,
    name: &str,
    answer: &Answer,
    redactor: &Redactor,
) -> Result<()> {
    let folder = folder(&keep.work, context);
    let head = Head {
        version: VERSION,
        status: answer.status.as_u16(),
        media_type: answer.kind.media_type.clone(),
        // As text it is UTF-8 from here on.
        charset: None,
    };
    let text = redactor.text(answer.kind.text(&answer.body.bytes));
    let path = folder.join(name);
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be written: {error}", path.display()))
    };
    let head = serde_json::to_string(&head).map_err(|error| failed(&error))?;
    let (at, whole) = (path.clone(), format!("{head}\n{text}"));
    let written = tokio::task::spawn_blocking(move || write(&folder, &at, whole.as_bytes())).await;
    written.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    private_folder(folder)?;
    let beside = path.with_extension("part");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

fn read(path: &Path, name: &str) -> Result<Answer> {
    let gone = || {
        Error::new(Code::ToolFailed, format!("there is no answer `{name}`")).with_help(
            "copy `answer` from where the answer was cut; answers are kept for the conversation in which they were given",
        )
    };
    let broken = || Error::new(Code::ToolFailed, format!("the answer `{name}` cannot be read"));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(gone()),
        Err(_) => return Err(broken()),
    };
    let (head, body) = text.split_once('\n').ok_or_else(broken)?;
    let head: Head = serde_json::from_str(head).map_err(|_| broken())?;
    if head.version != VERSION {
        return Err(broken());
    }
    Ok(Answer {
        status: StatusCode::from_u16(head.status).map_err(|_| broken())?,
        headers: HeaderMap::new(),
        kind: Kind { media_type: head.media_type, charset: head.charset },
        body: Body { bytes: body.as_bytes().to_vec(), cut: false },
    })
}

/// Reads the rest of answers that were kept.
#[derive(Debug)]
pub(super) struct Reader {
    spec: ToolSpec,
    work: PathBuf,
    characters: usize,
}

impl Reader {
    pub(super) fn new(keep: &Keep, config: &Config) -> Self {
        let spec = ToolSpec {
            name: keep.tool.clone(),
            description: "Reads on in an answer that was cut. What to write stands where it was cut."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "answer": { "type": "string", "description": "The text after `answer` that stands there." },
                    "part": { "type": "string", "description": "The text after `part` that stands there." },
                },
                "required": ["answer"],
                "additionalProperties": false,
            }),
            effect: Effect::Pure,
            timeout: config.timeout,
            concurrency: config.concurrency,
            flow: adjutant_core::tool::Flow::inside("api"),
        };
        Self { spec, work: keep.work.clone(), characters: config.characters }
    }
}

impl Tool for Reader {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        let text =
            |key: &str| arguments.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let (name, part, characters) = (text("answer"), text("part"), self.characters);
        let folder = folder(&self.work, &context);
        async move {
            let part = Part::read(&part)?;
            // A name that is none of ours leads nowhere else either.
            let is_name = name.len() == NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let path = if is_name { folder.join(&name) } else { folder.join("none") };
            let shown: String = name.chars().take(100).collect();
            let reading = tokio::task::spawn_blocking(move || read(&path, &shown));
            let answer = reading.await.map_err(|error| {
                Error::new(Code::Internal, "an answer cannot be read").caused_by(&error)
            })??;
            Ok(answer.output(&Show { part: &part, characters, rest: Rest::Kept(&name) })?.0)
        }
        .boxed()
    }
}
