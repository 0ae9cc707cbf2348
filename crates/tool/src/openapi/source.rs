//! Where a document is: a file, or an address whose document is kept in a file.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use url::Url;

use super::document::{Document, LONGEST_DOCUMENT};
use crate::http::{self, Reach};

/// How long fetching a document may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// Where a document is.
///
/// What stands at an address is fetched once and kept in a file: tools stay what they were until somebody removes it, and
/// the next start needs no network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Where it comes from if it is not there.
    pub url: Option<Url>,
}

impl Source {
    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), url: None }
    }

    /// What stands at an address, kept in a file.
    pub fn address(url: Url, kept_in: impl Into<PathBuf>) -> Self {
        Self { path: kept_in.into(), url: Some(url) }
    }

    /// Reads the document, after it was fetched where that is needed; `private` says whether it may come out of a private
    /// network. Fails with [`Code::FileUnreadable`] and [`Code::ToolInvalid`].
    pub(super) fn load(&self, private: bool) -> Result<Document> {
        if let Some(url) = &self.url
            && !self.path.exists()
        {
            let text = fetch_apart(url.clone(), private)?;
            // It is read before it is kept: what is no document would stay one that is none.
            let document = Document::read(&text, url.as_str())?;
            keep(&self.path, &text)?;
            return Ok(document);
        }
        let name = match &self.url {
            Some(url) => url.to_string(),
            None => self.path.display().to_string(),
        };
        Document::read(&read(&self.path)?, &name)
    }
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(Code::FileUnreadable, format!("`{}` cannot be read: {why}", path.display()))
}

fn read(path: &Path) -> Result<String> {
    // Before it is opened: opening a pipe would wait for somebody who writes into it.
    if !fs::metadata(path).map_err(|error| unreadable(path, error))?.is_file() {
        return Err(unreadable(path, "it is no regular file"));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(path, error))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_DOCUMENT + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > LONGEST_DOCUMENT {
        return Err(unreadable(path, format!("it is longer than {LONGEST_DOCUMENT} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        unreadable(path, format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
    })
}

/// Writes a file at once: one that is cut off would be taken for the document.
fn keep(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be written", path.display())).caused_by(&error)
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    fs::write(&beside, text).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

/// Fetches on a thread of its own: projects are read outside of any runtime, and also within one.
fn fetch_apart(url: Url, private: bool) -> Result<String> {
    let shown = url.clone();
    let failed = |why: String| {
        Error::new(Code::ToolInvalid, format!("the document `{shown}` cannot be fetched: {why}"))
            .with_help("check the address, or download the document and name the file")
    };
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let work = tokio::time::timeout(PATIENCE, fetch(url, private)).await;
            work.unwrap_or_else(|_| Err(format!("it did not come within {} s", PATIENCE.as_secs())))
        })
    });
    match thread.join() {
        Ok(fetched) => fetched.map_err(failed),
        Err(_) => Err(failed("fetching it panicked".to_owned())),
    }
}

async fn fetch(mut url: Url, private: bool) -> Result<String, String> {
    let reach = reach(&url, true, private);
    let client = http::guarded(reach).map_err(|error| error.to_string())?;
    for _ in 0..=MOST_REDIRECTS {
        http::check(&url, reach)?;
        let response =
            client.get(url.clone()).send().await.map_err(|error| http::explained(&error.without_url()))?;
        if response.status().is_redirection() {
            let place = response.headers().get("location").and_then(|place| place.to_str().ok());
            url = place.and_then(|place| url.join(place).ok()).ok_or("a redirect leads nowhere")?;
            continue;
        }
        if !response.status().is_success() {
            return Err(format!("it answered {}", response.status()));
        }
        let most = usize::try_from(LONGEST_DOCUMENT).unwrap_or(usize::MAX);
        let body = http::read(response, most).await.map_err(|error| http::explained(&error))?;
        return match body.cut {
            true => Err(format!("it is longer than {most} bytes")),
            false => String::from_utf8(body.bytes).map_err(|_| "it is not UTF-8 text".to_owned()),
        };
    }
    Err(format!("there are more than {MOST_REDIRECTS} redirects"))
}

/// Which addresses may be asked for the sake of an address: any where the person says so, or wrote one that has no name;
/// otherwise those of the public internet.
pub(super) fn reach(url: &Url, written_by_person: bool, private: bool) -> Reach {
    let is_plain = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(_) => true,
        None => false,
    };
    if private || (written_by_person && is_plain) { Reach::Anything } else { Reach::Public }
}
