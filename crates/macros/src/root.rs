//! The path of what the expansion calls.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::Span;
use syn::{Error, Path, parse_quote};

/// Finds the path from the crate that uses the attribute: through the tool crate itself, or through the library that
/// re-exports it. The crate may have been renamed.
pub(crate) fn generated() -> syn::Result<Path> {
    let name = |found, own: &str| {
        let name = match found {
            FoundCrate::Itself => own.to_owned(),
            FoundCrate::Name(name) => name,
        };
        syn::Ident::new(&name, Span::call_site())
    };
    if let Ok(found) = crate_name("adjutant-tool") {
        let name = name(found, "adjutant_tool");
        return Ok(parse_quote!(::#name::generated));
    }
    if let Ok(found) = crate_name("adjutant") {
        let name = name(found, "adjutant");
        return Ok(parse_quote!(::#name::tool::generated));
    }
    Err(Error::new(Span::call_site(), "`#[tool]` needs `adjutant` among the dependencies of this crate"))
}
