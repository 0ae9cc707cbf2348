//! `#[tool]` on an `impl` block.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Error, FnArg, ImplItem, ImplItemFn, ItemImpl, Meta, Path, ReceiverKind, Signature};

use crate::arguments::{self, Definition};
use crate::options::Options;
use crate::parameter::parameters;

/// Leaves the block as it is and adds `tools`, which makes a tool of every method that has `#[tool(..)]`.
pub(crate) fn expand(mut item: ItemImpl, root: &Path) -> syn::Result<TokenStream> {
    if item.trait_.is_some() {
        return Err(Error::new(
            item.span(),
            "`#[tool]` goes on a type's own `impl` block, not on that of a trait",
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new(item.generics.span(), "a type with tools has no generic parameters"));
    }
    let mut tools = Vec::new();
    for member in &mut item.items {
        if let ImplItem::Fn(method) = member {
            tools.extend(tool(method, root)?);
        }
    }
    if tools.is_empty() {
        return Err(Error::new(
            item.self_ty.span(),
            "no method has `#[tool(..)]`, so there is nothing to call",
        ));
    }
    let kind = &item.self_ty;
    Ok(quote! {
        #item

        #[allow(dead_code, unreachable_pub)]
        impl #kind {
            /// The tools of this value, which they share.
            pub fn tools(self: ::std::sync::Arc<Self>) -> ::std::vec::Vec<::std::sync::Arc<dyn #root::Tool>> {
                let this = self;
                ::std::vec![#(::std::sync::Arc::new(#tools)),*]
            }
        }
    })
}

/// The tool of one method, if it is to be one.
fn tool(method: &mut ImplItemFn, root: &Path) -> syn::Result<Option<TokenStream>> {
    let Some(place) = method.attrs.iter().position(|attribute| attribute.path().is_ident("tool")) else {
        return Ok(None);
    };
    let attribute = method.attrs.remove(place);
    let options: Options = match &attribute.meta {
        Meta::List(list) => list.parse_args()?,
        _ => syn::parse2(TokenStream::new()).map_err(|error| Error::new(attribute.span(), error))?,
    };
    arguments::check(&method.sig)?;
    check_receiver(&method.sig)?;
    let name = method.sig.ident.clone();
    let parameters = parameters(&mut method.sig)?;
    let definition = Definition {
        description: arguments::description(&name, &method.attrs)?,
        parameters,
        options: &options,
        signature: &method.sig,
        root,
        target: quote!(this.#name),
        reconcile: reconcile(&options)?,
        capture: quote!(let this = ::std::sync::Arc::clone(&this);),
    };
    Ok(Some(definition.tool()))
}

fn check_receiver(signature: &Signature) -> syn::Result<()> {
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {
            Ok(())
        }
        _ => Err(Error::new(
            signature.ident.span(),
            "a method that is a tool takes `&self`: calls run side by side",
        )),
    }
}

fn reconcile(options: &Options) -> syn::Result<Option<TokenStream>> {
    let Some(path) = arguments::reconcile(options) else { return Ok(None) };
    match path.get_ident() {
        Some(method) => Ok(Some(quote!(this.#method))),
        None => Err(Error::new(path.span(), "name a method of this block, without a path")),
    }
}
