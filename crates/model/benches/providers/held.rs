//! What an open stream holds of memory while the provider says nothing.

use std::process::Command;
use std::sync::Arc;

use adjutant_core::{Code, Error, Result};
use adjutant_model::{Call, Delta, Deltas, Model};
use futures::{StreamExt, TryStreamExt};

use crate::bare::Bare;
use crate::failed;
use crate::measure::resident;
use crate::subject::{Manner, Subject, question};

/// How many streams are held.
const STREAMS: usize = 1_000;

/// Who holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Bare,
    Ours,
}

/// Has a new process hold the streams, so that nobody before it has left memory behind.
pub(crate) fn measure(subject: Subject, address: &str) -> Result<()> {
    let held = |client: &str| -> Result<f64> {
        let broken = |error: std::io::Error| failed("no process can be started", &error);
        let program = std::env::current_exe().map_err(broken)?;
        let output = Command::new(program).args(["hold", subject.provider, client, address]).output();
        let output = output.map_err(broken)?;
        let said = String::from_utf8_lossy(&output.stdout);
        said.trim().parse().map_err(|_| {
            Error::new(Code::Internal, format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
        })
    };
    let (bare, ours) = (held("bare")?, held("ours")?);
    println!(
        "{:<17} held       {:>5.1} kB an open stream, bare {bare:>5.1} ({STREAMS} streams)",
        subject.provider, ours
    );
    Ok(())
}

/// Opens the streams, and prints how many kB the process grew by for each.
pub(crate) async fn hold(subject: Subject, client: Client, address: &str) -> Result<()> {
    let bare = Bare::like(subject, address, Manner::Stalled).await?;
    let model = subject.model(address, Manner::Stalled)?;
    // Whatever is made once is made before.
    let _first = (bare.send().await?, open(Arc::clone(&model)).await?);
    let before = resident();
    let opening = futures::stream::iter(0..STREAMS);
    let held: Vec<Held> = match client {
        Client::Bare => opening.map(|_| begun(&bare)).buffer_unordered(32).try_collect().await?,
        Client::Ours => opening.map(|_| open(Arc::clone(&model))).buffer_unordered(32).try_collect().await?,
    };
    let grown = resident().saturating_sub(before);
    println!("{:.2}", grown as f64 / 1e3 / held.len() as f64);
    Ok(())
}

/// A stream that is open.
enum Held {
    Bare { _response: reqwest::Response },
    Ours { _deltas: Deltas },
}

async fn begun(bare: &Bare) -> Result<Held> {
    let mut response = bare.send().await?;
    response.chunk().await.map_err(|error| failed("the bare answer breaks off", &error))?;
    Ok(Held::Bare { _response: response })
}

/// A stream of which the first text has come.
async fn open(model: Arc<dyn Model>) -> Result<Held> {
    let mut deltas = model.stream(question(), Call::default()).await?;
    while let Some(delta) = deltas.next().await {
        if matches!(delta?, Delta::Text(_)) {
            return Ok(Held::Ours { _deltas: deltas });
        }
    }
    Err(Error::new(Code::Internal, "the stream has ended"))
}
