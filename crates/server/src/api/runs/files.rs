//! Files that runs have made.

use std::io::Read;
use std::path::Path;

use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::{RunPath, TAG};
use crate::access::Caller;
use crate::endpoint::{Answer, Call, Found, Operation, Routes, Shape, Shapes};

/// How much of a file is read at a time, in bytes.
const PIECE: usize = 64 << 10;

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get("/api/runs/{run}/files", "listFiles", "The files of a run", Right::View).for_own()
                .of(TAG)
                .said("Or of the session that it is a turn of: results of tools that are files, and what sandboxed tools have left.")
                .fails(&[Code::NotFound]),
            list,
        )
        .on(
            Operation::get("/api/runs/{run}/files/{*path}", "getFile", "A file of a run", Right::View).for_own()
                .of(TAG)
                .fails(&[Code::NotFound]),
            give,
        )
}

/// The files of a run.
#[derive(JsonSchema, Serialize)]
struct Files {
    files: Vec<File>,
}

/// A file of a run.
#[derive(JsonSchema, Serialize)]
struct File {
    /// Its path.
    path: String,
    /// Its size in bytes.
    bytes: u64,
    /// When it was last written.
    modified: i64,
    /// What it is, such as `text/csv`.
    media_type: &'static str,
}

async fn list(call: Call<RunPath>) -> Result<Found<Files>> {
    let run = call.path.run(&call.caller).await?;
    let folder = call.caller.adjutant().files(run.id()).await?;
    let files = blocking(move || folder.artifacts()).await?;
    let files = files.iter().map(|file| File {
        path: file.path.to_string_lossy().into_owned(),
        bytes: file.bytes,
        modified: file.modified.0,
        media_type: file.media_type(),
    });
    Ok(Found(Files { files: files.collect() }))
}

/// A file of a run.
#[derive(Deserialize, JsonSchema)]
struct FilePath {
    /// The run.
    run: String,
    /// The path of the file, as the list names it.
    path: String,
}

/// What stands in a file.
struct Content {
    file: Box<dyn Read + Send>,
    bytes: u64,
    media_type: &'static str,
    name: String,
}

async fn give(call: Call<FilePath>) -> Result<Content> {
    let FilePath { run, path } = call.path;
    content(&call.caller, RunPath { run }, path).await
}

async fn content(caller: &Caller, run: RunPath, path: String) -> Result<Content> {
    let run = run.run(caller).await?;
    let folder = caller.adjutant().files(run.id()).await?;
    blocking(move || {
        let path = Path::new(&path);
        let artifact = folder.artifact(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = Box::new(folder.open(&artifact.path)?);
        Ok(Content { file, bytes: artifact.bytes, media_type: artifact.media_type(), name })
    })
    .await
}

impl IntoResponse for Content {
    fn into_response(self) -> Response {
        let (bytes, media_type) = (self.bytes, self.media_type);
        // What a file of an agent says it is must not make a browser run it.
        let name: String =
            self.name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
        let pieces = futures::stream::try_unfold(Some(self.file), async |file| {
            let Some(mut file) = file else { return Ok(None) };
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                let length = file.read(&mut piece)?;
                piece.truncate(length);
                Ok::<_, std::io::Error>((Bytes::from(piece), file))
            });
            let (piece, file) = read.await.map_err(std::io::Error::other)??;
            Ok::<_, std::io::Error>((!piece.is_empty()).then_some((piece, Some(file))))
        });
        let mut response = Body::from_stream(pieces).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
        response
    }
}

impl Answer for Content {
    fn shapes(_: &mut SchemaGenerator) -> Shapes {
        let schema = serde_json::Map::from_iter([("type".to_owned(), "string".into())]);
        let body = Some(("application/octet-stream", Schema::from(schema)));
        vec![Shape { status: StatusCode::OK, about: "What stands in it", body }]
    }
}

/// Looks at the disk without holding up what others ask.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, "the file was not looked at").caused_by(&error))?
}
