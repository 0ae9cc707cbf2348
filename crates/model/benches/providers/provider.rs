//! The provider as a process of its own, so that its work is not measured as ours.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use adjutant_core::Result;
use adjutant_testkit::provider::{Answer, Fault, MockProvider, Received};

use crate::failed;
use crate::subject::{KEY, MANNER, Manner};

/// How many pieces a streamed answer has, and how many a long one.
pub(crate) const PIECES: usize = 200;
pub(crate) const PIECES_OF_LONG: usize = 1_000;

/// What one piece says: about as much as a provider sends at a time.
const PIECE: &str = "three words ";

/// The provider.
pub(crate) struct Provider {
    process: Child,
    /// Where it is, without a path.
    pub(crate) address: String,
}

impl Provider {
    pub(crate) fn start() -> Result<Self> {
        let missing = |error: std::io::Error| failed("the mock provider cannot be started", &error);
        let program = std::env::current_exe().map_err(missing)?;
        let mut process =
            Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().map_err(missing)?;
        let mut address = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut address).map_err(missing)?;
        }
        Ok(Self { process, address: address.trim().to_owned() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers until the process is ended.
pub(crate) async fn serve() -> Result<()> {
    let missing = |error: std::io::Error| failed("the mock provider cannot be started", &error);
    let mock = MockProvider::responding(answer).key(KEY).keep(0).start().await.map_err(missing)?;
    println!("http://{}", mock.address());
    mock.serve().await;
    Ok(())
}

fn answer(request: &Received) -> Answer {
    let manner = request.headers.get(MANNER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = |pieces: usize| Answer::text(PIECE.repeat(pieces));
    match manner {
        name if name == Manner::Whole.name() => text(PIECES).with(Fault::Whole),
        name if name == Manner::Long.name() => text(PIECES_OF_LONG),
        name if name == Manner::Stalled.name() => text(PIECES).with(Fault::Stall(20)),
        _ => text(PIECES),
    }
}
