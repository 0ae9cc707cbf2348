//! `#[tool]`: makes a tool of a function, or tools of the methods of a type.
//!
//! The attribute is documented where it is used, in the tool crate, which re-exports it.

mod arguments;
mod function;
mod methods;
mod options;
mod parameter;
mod root;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Error, Item};

/// Makes a tool of a function, or tools of the methods of a type.
#[proc_macro_attribute]
pub fn tool(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let expanded = expand(options.into(), item.into(), root::generated);
    expanded.unwrap_or_else(Error::into_compile_error).into()
}

/// The attribute as a pure function; `root` finds the path of what the expansion calls.
fn expand(
    options: TokenStream,
    item: TokenStream,
    root: impl FnOnce() -> syn::Result<syn::Path>,
) -> syn::Result<TokenStream> {
    match syn::parse2::<Item>(item)? {
        Item::Fn(item) => function::expand(&syn::parse2(options)?, item, &root()?),
        Item::Impl(item) if options.is_empty() => methods::expand(item, &root()?),
        Item::Impl(_) => Err(Error::new(
            options.span(),
            "on an `impl` block `#[tool]` takes no options; give them to its methods, as in `#[tool(pure)]`",
        )),
        other => Err(Error::new(other.span(), "`#[tool]` goes on a function or on an `impl` block")),
    }
}

#[cfg(test)]
mod tests;
