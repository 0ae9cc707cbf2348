//! [`Kept`]: vectors of documents that are not made twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::hash::Digest;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_model::Call;
use adjutant_model::embed::{Embedder, Embeddings, Profile, Purpose};
use futures::FutureExt;
use futures::future::BoxFuture;

/// What a file of vectors begins with: its form.
const MARK: &[u8; 8] = b"vectors1";

/// An embedder that keeps the vectors of documents, by the model and the text, in memory and in a file. A file that cannot be
/// read or written is as if there were none.
pub(super) struct Kept {
    inner: Arc<dyn Embedder>,
    file: PathBuf,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    is_read: bool,
    vectors: Vectors,
}

type Vectors = HashMap<Digest, Arc<[f32]>>;

impl Kept {
    /// Keeps the vectors of a model in a file of `folder`.
    pub(super) fn new(inner: Arc<dyn Embedder>, folder: &Path) -> Self {
        let dimensions = inner.profile().dimensions.unwrap_or_default().to_le_bytes();
        let digest = Digest::of_parts(&[inner.id().as_bytes(), &dimensions]);
        Self { inner, file: folder.join(digest.to_string()), known: Arc::default() }
    }
}

impl Embedder for Kept {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn profile(&self) -> &Profile {
        self.inner.profile()
    }

    fn embed(
        &self,
        texts: Vec<String>,
        purpose: Purpose,
        call: Call,
    ) -> BoxFuture<'static, Result<Embeddings>> {
        if purpose == Purpose::Query {
            return self.inner.embed(texts, purpose, call);
        }
        let (inner, file, known) = (Arc::clone(&self.inner), self.file.clone(), Arc::clone(&self.known));
        async move {
            let digests: Vec<Digest> = texts.iter().map(|text| Digest::of(text.as_bytes())).collect();
            let (path, shared) = (file.clone(), Arc::clone(&known));
            blocking(move || {
                let mut known = lock(&shared);
                if !known.is_read {
                    known.vectors = read(&path).unwrap_or_default();
                    known.is_read = true;
                }
            })
            .await?;
            let is_new = |digest: &Digest| !lock(&known).vectors.contains_key(digest);
            let new: Vec<(Digest, String)> =
                digests.iter().copied().zip(texts).filter(|(digest, _)| is_new(digest)).collect();
            let mut usage = Some(Usage::default());
            if !new.is_empty() {
                let (keys, texts): (Vec<Digest>, Vec<String>) = new.into_iter().unzip();
                let made = inner.embed(texts, purpose, call).await?;
                usage = made.usage;
                let shared = Arc::clone(&known);
                blocking(move || {
                    let mut known = lock(&shared);
                    known.vectors.extend(keys.into_iter().zip(made.vectors.into_iter().map(Arc::from)));
                    // They are made again where they cannot be kept.
                    let _ = write(&file, &known.vectors);
                })
                .await?;
            }
            let known = lock(&known);
            let vectors =
                digests.iter().map(|digest| known.vectors.get(digest).map(|vector| vector.to_vec()));
            let vectors = vectors.collect::<Option<_>>().ok_or_else(|| {
                Error::new(
                    Code::ModelAnswerInvalid,
                    format!("the model `{}` made too few vectors", inner.id()),
                )
            })?;
            Ok(Embeddings { vectors, usage })
        }
        .boxed()
    }
}

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking(work: impl FnOnce() + Send + 'static) -> Result<()> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, "vectors cannot be kept").caused_by(&error))
}

/// Reads a file of vectors; none where it is not whole.
fn read(path: &Path) -> Option<Vectors> {
    let bytes = std::fs::read(path).ok()?;
    let rest = bytes.strip_prefix(MARK)?;
    let (digest, mut rest) = rest.split_first_chunk::<32>()?;
    if Digest::of(rest).as_bytes() != digest {
        return None;
    }
    let mut vectors = Vectors::new();
    while let Some((key, after)) = rest.split_first_chunk::<32>() {
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_mul(4)?;
        let (numbers, after) = after.split_at_checked(length)?;
        let (numbers, _) = numbers.as_chunks::<4>();
        vectors.insert(
            Digest::from_bytes(*key),
            numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        );
        rest = after;
    }
    Some(vectors)
}

/// Writes a file of vectors: it appears whole or not at all.
fn write(path: &Path, vectors: &Vectors) -> std::io::Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut body = Vec::new();
    for (key, numbers) in vectors {
        body.extend(key.as_bytes());
        body.extend(u32::try_from(numbers.len()).unwrap_or(0).to_le_bytes());
        numbers.iter().for_each(|number| body.extend(number.to_le_bytes()));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}.{number}", std::process::id()));
    std::fs::write(&aside, [MARK.as_slice(), Digest::of(&body).as_bytes(), &body].concat())?;
    std::fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a vector of the length of a text, and counts the texts.
    struct Lengths(Profile, Arc<AtomicU32>);

    impl Embedder for Lengths {
        fn id(&self) -> &str {
            "test/lengths"
        }

        fn profile(&self) -> &Profile {
            &self.0
        }

        fn embed(&self, texts: Vec<String>, _: Purpose, _: Call) -> BoxFuture<'static, Result<Embeddings>> {
            self.1.fetch_add(u32::try_from(texts.len()).unwrap(), Ordering::Relaxed);
            let vectors = texts.iter().map(|text| vec![text.len() as f32, 0.5]).collect();
            let usage = Some(Usage { input: texts.len() as u64, ..Usage::default() });
            async move { Ok(Embeddings { vectors, usage }) }.boxed()
        }
    }

    #[tokio::test]
    async fn a_document_is_asked_for_once_and_a_query_always() {
        let folder = tempfile::tempdir().unwrap();
        let made = Arc::new(AtomicU32::new(0));
        let kept = || Kept::new(Arc::new(Lengths(Profile::default(), Arc::clone(&made))), folder.path());
        let embed = async |kept: &Kept, texts: &[&str], purpose| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            kept.embed(texts, purpose, Call::default()).await.unwrap()
        };
        let one = kept();
        assert_eq!(embed(&one, &["a", "bb"], Purpose::Document).await.vectors, [[1.0, 0.5], [2.0, 0.5]]);
        let again = embed(&one, &["bb", "ccc", "a"], Purpose::Document).await;
        assert_eq!(again.vectors, [[2.0, 0.5], [3.0, 0.5], [1.0, 0.5]]);
        assert_eq!(again.usage.unwrap().input, 1);
        assert_eq!(made.load(Ordering::Relaxed), 3);
        // Another process finds them.
        let other = kept();
        assert_eq!(embed(&other, &["ccc", "a"], Purpose::Document).await.vectors, [[3.0, 0.5], [1.0, 0.5]]);
        assert_eq!(made.load(Ordering::Relaxed), 3);
        embed(&other, &["a"], Purpose::Query).await;
        assert_eq!(made.load(Ordering::Relaxed), 4);
        // A file that is not whole is made anew.
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        for broken in [&bytes[..bytes.len() - 3], b"vectors1", b""] {
            std::fs::write(&file, broken).unwrap();
            assert_eq!(embed(&kept(), &["a"], Purpose::Document).await.vectors, [[1.0, 0.5]]);
        }
        assert_eq!(made.load(Ordering::Relaxed), 7);
    }
}
