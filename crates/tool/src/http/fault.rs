//! Why a request failed, in words for people. Pure.

use std::error::Error;

use adjutant_core::tls;

use super::client::Unreachable;

/// An error and what lies behind it, to the innermost.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Why a host was not asked, where its address may not be.
pub(crate) fn refusal(error: &reqwest::Error) -> Option<String> {
    let mut unreachable = causes(error).filter_map(|error| error.downcast_ref::<Unreachable>());
    unreachable.find(|why| matches!(why, Unreachable::Refused(_))).map(ToString::to_string)
}

/// The innermost cause, which says most. What lies around it repeats addresses, which may hold secrets.
pub(crate) fn explained(error: &(dyn Error + 'static)) -> String {
    match tls::fault(error) {
        Some(fault) if fault.help.is_empty() => fault.to_string(),
        Some(fault) => format!("{fault}; {}", fault.help),
        None => causes(error).last().map_or_else(String::new, ToString::to_string),
    }
}
