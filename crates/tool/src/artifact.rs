//! Results that become files: what no model reads, and what is too long for one.
//!
//! Whoever records what a tool has returned calls [`keep`] first, so that this holds for every tool: files of kinds that
//! models do not take are put into the session's folder, and a reference stands in their place; of a text that is too long
//! to be read at once, a file holds the whole. Sandboxed scripts find them there, people by `adjutant runs files`, and a
//! model by the tools of [`builtin::artifacts`](crate::builtin::artifacts).

use adjutant_core::Result;
use adjutant_core::message::{Media, MediaSource, Part};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::context::Context;
use crate::output::Output;
use crate::sandbox::{self, Artifact, Folder, Limits};

/// The pictures that providers take.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The largest picture, sound or document that a model is given, in bytes.
const MOST_MEDIA: usize = 8 << 20;

/// Where the files of sessions are. A [resource](crate::Resources) of every run. It goes before the folder that a sandbox is
/// configured with; without it, no results are kept.
#[derive(Clone, Debug)]
pub struct Work {
    folder: std::path::PathBuf,
    limits: Limits,
}

impl Work {
    /// The folder that holds those of all sessions, with the limits of one, as sandboxed tools have them.
    pub fn new(config: &sandbox::Config) -> Self {
        Self { folder: config.work.clone(), limits: config.limits }
    }

    /// The same in another folder.
    #[must_use]
    pub fn within(self, folder: impl Into<std::path::PathBuf>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// The folder that holds those of all sessions.
    pub fn path(&self) -> &std::path::Path {
        &self.folder
    }

    /// The folder of the session of a call, or of its run, where that has none.
    pub fn folder(&self, context: &Context) -> Folder {
        Folder::of(&self.folder, context.scope(), &context.owner())
    }
}

/// Puts into files what of a tool's output no model reads, and all of its text where it is longer than `longest` bytes.
/// It is on disk when this returns. The same output once more makes the same files.
pub async fn keep(output: Output, tool: &str, longest: usize, context: &Context) -> Output {
    let text: usize = output.content.iter().filter_map(Part::as_text).map(str::len).sum();
    if text <= longest && !output.content.iter().any(is_no_words) {
        return output;
    }
    let work = context.resource::<Work>().ok();
    let place = work.map(|work| Place { folder: work.folder(context), limits: work.limits });
    let (tool, alike) = (tool.to_owned(), output.clone());
    let kept = tokio::task::spawn_blocking(move || kept(output, &tool, longest, place.as_ref())).await;
    // Nothing of it can fail so; and what a tool has done must not be lost.
    kept.unwrap_or(alike)
}

/// Whether a model can be given this as it is.
pub(crate) fn is_for_models(media_type: &str, bytes: usize) -> bool {
    let is_known =
        PICTURES.contains(&media_type) || media_type.starts_with("audio/") || media_type == "application/pdf";
    is_known && bytes <= MOST_MEDIA
}

/// A file as the part of a message that its type makes it.
pub(crate) fn part(media: Media) -> Part {
    match media.media_type.split('/').next() {
        Some("image") => Part::Image(media),
        Some("audio") => Part::Audio(media),
        _ => Part::File(media),
    }
}

struct Place {
    folder: Folder,
    limits: Limits,
}

impl Place {
    fn keep(&self, name: &str, media_type: &str, content: &[u8]) -> Result<Artifact> {
        self.folder.keep(name, media_type, content, &self.limits)
    }
}

fn kept(mut output: Output, tool: &str, longest: usize, place: Option<&Place>) -> Output {
    for part in &mut output.content {
        if is_no_words(part)
            && let Part::Image(media) | Part::Audio(media) | Part::File(media) = part
            && let MediaSource::Base64(base64) = &media.source
        {
            *part = Part::text(reference(media, base64, tool, place));
        }
    }
    let text = output.as_text();
    if text.len() > longest
        && let Some(place) = place
    {
        let is_json = output.data.as_ref().is_some_and(|data| !data.is_string());
        let media_type = if is_json { "application/json" } else { "text/plain" };
        let note = match place.keep(tool, media_type, text.as_bytes()) {
            Ok(file) => {
                format!("the whole result is the file `{}`, {} bytes", file.path.display(), file.bytes)
            }
            Err(error) => format!("the whole result was not kept: {error}"),
        };
        output = output.noted([note]);
    }
    output
}

/// Whether a part is one that no model reads.
fn is_no_words(part: &Part) -> bool {
    match part {
        Part::Image(media) | Part::Audio(media) | Part::File(media) => match &media.source {
            MediaSource::Base64(base64) => !is_for_models(&media.media_type, base64.len() / 4 * 3),
            MediaSource::Url(_) => false,
        },
        _ => false,
    }
}

/// What stands in the place of a file.
fn reference(media: &Media, base64: &str, tool: &str, place: Option<&Place>) -> String {
    let what = format!("{}, {} bytes", media.media_type, base64.len() / 4 * 3);
    let Some(place) = place else { return format!("\n[{what}: it cannot be shown]") };
    let Ok(content) = STANDARD.decode(base64) else { return format!("\n[{what}: it is broken]") };
    match place.keep(media.name.as_deref().unwrap_or(tool), &media.media_type, &content) {
        Ok(file) => {
            format!("\n[the file `{}`, {}, {} bytes]", file.path.display(), media.media_type, file.bytes)
        }
        Err(error) => format!("\n[{what}: it was not kept: {error}]"),
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::{RunId, StepKey};

    use super::*;
    use crate::Resources;

    fn context(work: Option<&tempfile::TempDir>) -> Context {
        let context = Context::new(RunId::from_bytes([1; 10]), StepKey::root(), "c".into());
        match work {
            Some(work) => {
                let work = Work::new(&sandbox::Config::new(work.path()));
                context.with_resources(&Resources::new().with(work))
            }
            None => context,
        }
    }

    fn file(media_type: &str, content: &[u8]) -> Output {
        let source = MediaSource::Base64(STANDARD.encode(content));
        let media = Media { media_type: media_type.into(), name: Some("a.zip".into()), source };
        Output { content: vec![Part::text("here"), part(media)], ..Output::default() }
    }

    #[tokio::test]
    async fn what_no_model_reads_becomes_a_file() {
        let work = tempfile::tempdir().unwrap();
        let context = context(Some(&work));
        let output = keep(file("application/zip", b"PK\x03\x04"), "fetch", 100, &context).await;
        let folder = context.resource::<Work>().unwrap().folder(&context);
        let files = folder.artifacts().unwrap();
        assert_eq!(files.len(), 1);
        let path = files[0].path.to_str().unwrap();
        assert_eq!(output.as_text(), format!("here\n[the file `{path}`, application/zip, 4 bytes]"));
        assert_eq!(std::fs::read(folder.files().join(path)).unwrap(), b"PK\x03\x04");
        // Once more, as after a crash, it is the same.
        assert_eq!(keep(file("application/zip", b"PK\x03\x04"), "fetch", 100, &context).await, output);
        assert_eq!(folder.artifacts().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_a_model_reads_stays() {
        let work = tempfile::tempdir().unwrap();
        let context = context(Some(&work));
        for output in [file("image/png", b"x"), file("application/pdf", b"x"), Output::text("short")] {
            assert_eq!(keep(output.clone(), "t", 100, &context).await, output);
        }
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
        let large = file("image/png", &vec![0; MOST_MEDIA + 3]);
        assert!(keep(large, "t", 100, &context).await.as_text().contains("image/png"));
    }

    #[tokio::test]
    async fn a_long_text_is_whole_in_a_file() {
        let work = tempfile::tempdir().unwrap();
        let context = context(Some(&work));
        let output = keep(Output::text("x".repeat(101)), "report", 100, &context).await;
        assert_eq!(output.content, [Part::text("x".repeat(101))]);
        let note = output.note.unwrap();
        assert!(note.ends_with("-report.txt`, 101 bytes"), "{note}");
    }

    #[tokio::test]
    async fn without_a_place_nothing_is_kept_and_nothing_breaks() {
        let context = context(None);
        let output = keep(file("application/zip", b"PK"), "fetch", 100, &context).await;
        assert_eq!(output.as_text(), "here\n[application/zip, 3 bytes: it cannot be shown]");
        let long = Output::text("x".repeat(101));
        assert_eq!(keep(long.clone(), "report", 100, &context).await, long);
        let work = tempfile::tempdir().unwrap();
        let mut broken = file("application/zip", b"");
        if let Some(Part::File(media)) = broken.content.get_mut(1) {
            media.source = MediaSource::Base64("!".into());
        }
        let said = keep(broken, "fetch", 100, &super::tests::context(Some(&work))).await.as_text();
        assert!(said.contains("it is broken"), "{said}");
    }
}
