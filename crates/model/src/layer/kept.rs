//! Answers kept in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::fs;

use super::cache::Answers;
use crate::response::Response;

/// Answers kept in a folder, one file each, for a time. Several processes may share the folder: a file appears whole or
/// not at all.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
    age: Duration,
    most: usize,
    /// How many were written so far.
    written: Arc<AtomicUsize>,
}

impl Kept {
    /// How many answers are kept where nothing is said; the oldest go first.
    pub const MOST: usize = 10_000;

    /// The most bytes of an answer that is kept.
    pub const LARGEST: usize = 1 << 20;

    /// Keeps answers in this folder, each so long. The folder is made when the first one is kept.
    pub fn new(folder: impl Into<PathBuf>, age: Duration) -> Self {
        Self { folder: folder.into(), age, most: Self::MOST, written: Arc::default() }
    }

    /// Forgets every answer of a folder. One that is not there is empty. Fails with `file-unreadable`.
    pub fn clear(folder: &Path) -> Result<()> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("the kept answers in `{}` cannot be removed", folder.display());
                Err(Error::new(Code::FileUnreadable, message).caused_by(&error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, key: Digest) -> PathBuf {
        self.folder.join(format!("{key}.json"))
    }

    /// The same folder, in which everything is kept so long.
    #[must_use]
    pub fn with_age(&self, age: Duration) -> Self {
        Self { age, ..self.clone() }
    }

    /// What was kept under a key, if it is still there and of that form.
    pub async fn read<T: DeserializeOwned>(&self, key: Digest) -> Option<T> {
        let path = self.path(key);
        let written = fs::metadata(&path).await.ok()?.modified().ok()?;
        // A file of the future is one from before the clock was set.
        if written.elapsed().ok()? > self.age {
            let _ = fs::remove_file(&path).await;
            return None;
        }
        serde_json::from_slice(&fs::read(&path).await.ok()?).ok()
    }

    /// Keeps something under a key, unless it is [very large](Self::LARGEST). Fails where the folder cannot be written.
    pub async fn write<T: Serialize + Sync>(&self, key: Digest, answer: &T) -> std::io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        // What people asked stands in it.
        #[cfg(unix)]
        builder.mode(0o700);
        builder.recursive(true).create(&self.folder).await?;
        let path = self.path(key);
        let text = serde_json::to_vec(answer)?;
        if text.len() > Self::LARGEST {
            return Ok(());
        }
        let turn = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{turn}.part", std::process::id()));
        fs::write(&beside, text).await?;
        fs::rename(&beside, &path).await?;
        // A folder may hold a tenth more than it should, so that it is not looked through at every write.
        if turn.is_multiple_of((self.most / 10).max(1)) {
            self.make_room().await?;
        }
        Ok(())
    }

    /// Removes the oldest answers where there are too many.
    async fn make_room(&self) -> std::io::Result<()> {
        let mut kept = Vec::new();
        let mut files = fs::read_dir(&self.folder).await?;
        while let Some(file) = files.next_entry().await? {
            kept.push(file.path());
        }
        if kept.len() <= self.most {
            return Ok(());
        }
        let mut dated = Vec::with_capacity(kept.len());
        for path in kept {
            if let Ok(written) = fs::metadata(&path).await.and_then(|data| data.modified()) {
                dated.push((written, path));
            }
        }
        dated.sort();
        let surplus = dated.len().saturating_sub(self.most);
        for (_, path) in dated.into_iter().take(surplus) {
            let _ = fs::remove_file(path).await;
        }
        Ok(())
    }
}

impl Answers for Kept {
    fn get(&self, key: Digest) -> BoxFuture<'_, Option<Response>> {
        self.read(key).boxed()
    }

    fn put(&self, key: Digest, answer: Response) -> BoxFuture<'_, ()> {
        async move {
            // An answer that cannot be kept is asked for again the next time.
            let _ = self.write(key, &answer).await;
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Message, Part};

    use super::*;
    use crate::delta::StopReason;

    fn answer(text: &str) -> Response {
        Response {
            message: Message::assistant(vec![Part::text(text)]),
            usage: None,
            stop: StopReason::EndTurn,
            model: None,
            request_id: None,
            tried: Vec::new(),
            instead: None,
            unknown: Vec::new(),
        }
    }

    #[tokio::test]
    async fn answers_are_kept_for_a_time_and_up_to_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers");
        let mut kept = Kept::new(&path, Duration::from_secs(60));
        kept.most = 10;
        let key = |number: u8| Digest::of(&[number]);
        assert_eq!(kept.get(key(0)).await, None);
        for number in 0..14 {
            kept.put(key(number), answer(&number.to_string())).await;
        }
        assert_eq!(kept.get(key(13)).await, Some(answer("13")));
        assert!(std::fs::read_dir(&path).unwrap().count() <= 10);
        let fleeting = Kept::new(&path, Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(fleeting.get(key(13)).await, None, "it is too old");
        assert_eq!(kept.get(key(13)).await, None, "and was removed");
        std::fs::write(path.join(format!("{}.json", key(13))), "{ torn").unwrap();
        assert_eq!(kept.get(key(13)).await, None, "what cannot be read is not there");
        Kept::clear(&path).unwrap();
        Kept::clear(&path).unwrap();
        assert!(!path.exists());
    }
}
