//! What a call of a model costs over a bare HTTP client, against a provider in another process. Prints one line per
//! measure.
//!
//! `cargo xtask bench`, or by hand `cargo bench -p adjutant-model --bench providers`, with the name of a measure behind
//! it where one is enough: `-- calls`, `-- decoding` or `-- held`.

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
        // Cargo adds an option of its own.
        names => measure(names.iter().copied().find(|name| !name.starts_with('-'))).await,
    }
}

/// Takes every measure, or the one of that name.
async fn measure(name: Option<&str>) -> Result<()> {
    let wanted = |measure: &str| name.is_none_or(|name| name == measure);
    let provider = Provider::start()?;
    for subject in Subject::ALL.into_iter().filter(|_| wanted("calls")) {
        calls::measure(subject, &provider.address).await?;
    }
    for subject in Subject::ALL.into_iter().filter(|_| wanted("decoding")) {
        decoding::measure(subject, &provider.address).await?;
    }
    for subject in Subject::ALL.into_iter().filter(|_| wanted("held")) {
        held::measure(subject, &provider.address)?;
    }
    Ok(())
}

/// Something around the measures failed.
fn failed(what: &str, cause: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(Code::Internal, what).caused_by(cause)
}
