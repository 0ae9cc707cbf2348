//! What a call of a model costs over a bare HTTP client, against a provider in another process. Prints one line per
//! measure.
//!
//! `cargo xtask bench`, or by hand `cargo bench -p adjutant-model --bench providers`.

mod bare;
mod calls;
mod decoding;
mod held;
mod measure;
mod provider;
mod subject;

use adjutant_core::{Code, Error, Result};

use crate::held::Client;
use crate::provider::Provider;
use crate::subject::Subject;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // This program is also the provider, and whoever holds streams open.
        ["serve"] => provider::serve().await,
        ["hold", subject, "bare", address] => {
            held::hold(Subject::named(subject)?, Client::Bare, address).await
        }
        ["hold", subject, "ours", address] => {
            held::hold(Subject::named(subject)?, Client::Ours, address).await
        }
        _ => measure_all().await,
    }
}

async fn measure_all() -> Result<()> {
    let provider = Provider::start()?;
    for subject in Subject::ALL {
        calls::measure(subject, &provider.address).await?;
    }
    for subject in Subject::ALL {
        decoding::measure(subject, &provider.address).await?;
    }
    for subject in Subject::ALL {
        held::measure(subject, &provider.address)?;
    }
    Ok(())
}

/// Something around the measures failed.
fn failed(what: &str, cause: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(Code::Internal, what).caused_by(cause)
}
