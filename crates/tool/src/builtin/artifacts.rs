//! `list_artifacts` and `read_artifact`: the files of the conversation.

use std::path::Path;
use std::sync::Arc;

use adjutant_core::message::{Media, MediaSource};
use adjutant_core::{Code, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::artifact::{self, Work};
use crate::builtin::blocking::blocking;
use crate::sandbox::Folder;
use crate::{Context, Failure, Output, Tool, tool};

/// How much one answer holds, in bytes: less than what would become a file again.
const MOST: usize = 40_000;

/// How many files are listed.
const MOST_LISTED: usize = 500;

/// The tools `list_artifacts` and `read_artifact`: what scripts have left in the folder of the session, and the results
/// of other tools that were put there. They need the resource [`Work`].
pub fn artifacts() -> Vec<Arc<dyn Tool>> {
    vec![list_artifacts.into(), read_artifact.into()]
}

/// Lists the files of this conversation: what scripts have written, and results of tools that are files or too long.
#[tool(pure, timeout = "30s", source = "file", egress = false)]
async fn list_artifacts(work: &Work, context: &Context) -> Result<Output, Failure> {
    let folder = work.folder(context);
    Ok(blocking(&context.cancelled(), move |_| list(&folder)).await?)
}

/// Reads a file of this conversation. Text is read in pieces, each with a note on how to read on; a picture and a PDF are
/// shown.
#[tool(pure, timeout = "30s", source = "file", egress = false)]
async fn read_artifact(
    /// The file, as `list_artifacts` or a result has named it.
    path: String,
    /// From which byte of the text to read.
    #[default(0)]
    from: u64,
    work: &Work,
    context: &Context,
) -> Result<Output, Failure> {
    let folder = work.folder(context);
    Ok(blocking(&context.cancelled(), move |_| read(&folder, &path, from)).await?)
}

fn list(folder: &Folder) -> Result<Output> {
    let files = folder.artifacts()?;
    let mut lines: Vec<String> = files
        .iter()
        .take(MOST_LISTED)
        .map(|file| format!("{}, {}, {} bytes", file.path.display(), file.media_type(), file.bytes))
        .collect();
    if files.len() > MOST_LISTED {
        lines.push(format!("[and {} more]", files.len() - MOST_LISTED));
    }
    Ok(Output::text(if lines.is_empty() { "there are no files".to_owned() } else { lines.join("\n") }))
}

fn read(folder: &Folder, path: &str, from: u64) -> Result<Output> {
    // How scripts see it is not wrong, either.
    let path = Path::new(path.strip_prefix("/session/").unwrap_or(path));
    let told = |error: Error| {
        Error::new(Code::ToolFailed, error.to_string()).with_help("`list_artifacts` shows what there is")
    };
    let file = folder.artifact(path).map_err(told)?;
    let size = usize::try_from(file.bytes).unwrap_or(usize::MAX);
    if artifact::is_for_models(file.media_type(), size) {
        let (bytes, _) = folder.read(path, 0, size).map_err(told)?;
        let source = MediaSource::Base64(STANDARD.encode(bytes));
        let media = Media { media_type: file.media_type().to_owned(), name: None, source };
        return Ok(Output { content: vec![artifact::part(media)], ..Output::default() });
    }
    let (bytes, whole) = folder.read(path, from, MOST).map_err(told)?;
    if bytes.contains(&0) {
        let message = format!("`{}` is {}, {whole} bytes, no text", path.display(), file.media_type());
        return Err(Error::new(Code::ToolFailed, message).with_help("only a script can read it"));
    }
    if from > 0 && from >= whole {
        let message = format!("`{}` has {whole} bytes, not more than {from}", path.display());
        return Err(Error::new(Code::ToolFailed, message));
    }
    let end = from.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let cut = end < whole;
    let kept = if cut { whole_characters(&bytes) } else { &bytes };
    let text = String::from_utf8_lossy(kept);
    let next = from.saturating_add(u64::try_from(kept.len()).unwrap_or(u64::MAX));
    Ok(Output::text(match (cut, text.is_empty()) {
        (true, _) => format!("{text}\n[cut off: read on from byte {next} of {whole}]"),
        (false, true) => "the file is empty".to_owned(),
        (false, false) => text.into_owned(),
    }))
}

/// Leaves out the beginning of a character at the end.
fn whole_characters(bytes: &[u8]) -> &[u8] {
    let begun = bytes.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    let is_begun = (1..4).contains(&begun) && begun < bytes.len();
    if is_begun { bytes.get(..bytes.len() - begun).unwrap_or(bytes) } else { bytes }
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::{RunId, StepKey};
    use adjutant_core::message::Part;
    use serde_json::json;

    use super::*;
    use crate::{Resources, sandbox};

    fn context(work: &tempfile::TempDir) -> (Context, Folder) {
        let work = Work::new(&sandbox::Config::new(work.path()));
        let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into());
        let folder = work.folder(&context);
        (context.with_resources(&Resources::new().with(work)), folder)
    }

    async fn call(tool: usize, arguments: serde_json::Value, context: &Context) -> String {
        match artifacts()[tool].call(arguments, context.clone()).await {
            Ok(output) => output.as_text(),
            Err(Failure::Model(error)) => format!("failed: {error}"),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn files_are_listed_and_read_in_pieces() {
        let work = tempfile::tempdir().unwrap();
        let (context, folder) = context(&work);
        assert_eq!(call(0, json!({}), &context).await, "there are no files");
        let limits = sandbox::Limits::default();
        let text = "größer ".repeat(9_000);
        let path =
            folder.keep("report", "text/plain", text.as_bytes(), &limits).unwrap().path.display().to_string();
        assert_eq!(call(0, json!({}), &context).await, format!("{path}, text/plain, {} bytes", text.len()));
        let (mut read, mut from) = (String::new(), 0);
        loop {
            let piece = call(1, json!({ "path": path, "from": from }), &context).await;
            let Some((piece, rest)) = piece.split_once("\n[cut off: read on from byte ") else {
                read.push_str(&piece);
                break;
            };
            read.push_str(piece);
            from = rest.split(' ').next().unwrap().parse().unwrap();
        }
        assert_eq!(read, text);
        assert!(call(1, json!({ "path": format!("/session/{path}") }), &context).await.starts_with("größer"));
    }

    #[tokio::test]
    async fn pictures_are_shown_and_the_rest_is_named() {
        let work = tempfile::tempdir().unwrap();
        let (context, folder) = context(&work);
        let limits = sandbox::Limits::default();
        let keep = |name: &str, content: &[u8]| {
            folder.keep(name, "", content, &limits).unwrap().path.display().to_string()
        };
        let (picture, archive) = (keep("a.png", b"png"), keep("a.zip", b"PK\0"));
        let shown = artifacts()[1].call(json!({ "path": picture }), context.clone()).await.unwrap();
        assert!(
            matches!(&shown.content[..], [Part::Image(media)] if media.media_type == "image/png"),
            "{shown:?}"
        );
        let said = call(1, json!({ "path": archive }), &context).await;
        assert!(said.contains("application/zip, 3 bytes, no text"), "{said}");
        for path in ["../../x", "/etc/passwd", "nothing", "results"] {
            assert!(call(1, json!({ "path": path }), &context).await.starts_with("failed: "), "{path}");
        }
    }
}
