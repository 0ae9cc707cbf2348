//! `#[tool]` on a function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, FnArg, ItemFn, Path};

use crate::arguments::{self, Definition};
use crate::options::Options;
use crate::parameter::parameters;

/// Puts a unit struct of the function's name in its place: the struct is the tool, `name::call` the function.
pub(crate) fn expand(options: &Options, item: ItemFn, root: &Path) -> syn::Result<TokenStream> {
    let ItemFn { attrs, vis, sig: mut signature, block, .. } = item;
    arguments::check(&signature)?;
    if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
        return Err(Error::new(
            receiver.self_token.span,
            "for methods, put `#[tool]` on the `impl` block and `#[tool(..)]` on each method",
        ));
    }
    let name = signature.ident.clone();
    let definition = Definition {
        description: arguments::description(&name, &attrs)?,
        parameters: parameters(&mut signature)?,
        options,
        signature: &signature,
        root,
        target: quote!(#name::call),
        reconcile: arguments::reconcile(options).map(|path| quote!(#path)),
        capture: TokenStream::new(),
    };
    let tool = definition.tool();
    let (documentation, other): (Vec<_>, Vec<_>) =
        attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let (asynchronous, inputs, output) = (&signature.asyncness, &signature.inputs, &signature.output);
    Ok(quote! {
        #(#documentation)*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, Default)]
        #vis struct #name;

        #[allow(dead_code, unreachable_pub)]
        impl #name {
            #(#documentation)*
            ///
            /// This is the function itself: nothing is checked, recorded or limited.
            #(#other)*
            #vis #asynchronous fn call(#inputs) #output #block

            /// The tool with a resource bound to it, which wins over one of the same type that the agent has.
            #vis fn with<T: Send + Sync + 'static>(self, resource: T) -> #root::FunctionTool {
                #root::FunctionTool::from(self).with(resource)
            }
        }

        impl ::core::convert::From<#name> for #root::FunctionTool {
            fn from(_: #name) -> Self #tool
        }

        impl ::core::convert::From<#name> for ::std::sync::Arc<dyn #root::Tool> {
            fn from(tool: #name) -> Self {
                ::std::sync::Arc::new(#root::FunctionTool::from(tool))
            }
        }
    })
}
