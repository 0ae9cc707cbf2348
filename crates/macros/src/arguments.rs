//! What both forms of the attribute share: the type of the arguments, and the call.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Signature};

use crate::options::{Effect, Options};
use crate::parameter::{Parameter, Purpose, is_result};

/// One function or method as a tool.
pub(crate) struct Definition<'a> {
    pub(crate) options: &'a Options,
    pub(crate) signature: &'a Signature,
    pub(crate) description: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) root: &'a Path,
    /// What is called: `order::call`, or `this.find`.
    pub(crate) target: TokenStream,
    /// What is called to find out about a lost call.
    pub(crate) reconcile: Option<TokenStream>,
    /// Statements before the functions: they make what the functions capture.
    pub(crate) capture: TokenStream,
}

impl Definition<'_> {
    /// A block that makes the `FunctionTool`.
    pub(crate) fn tool(&self) -> TokenStream {
        let Self { options, signature, description, root, capture, .. } = self;
        let arguments = self.arguments();
        let specification = options.specification(&signature.ident, description, root);
        let call = self.call();
        let needs = self.parameters.iter().filter_map(|parameter| match &parameter.purpose {
            Purpose::Resource(kind) => Some(quote!(#root::Need::of::<#kind>())),
            _ => None,
        });
        let reconcile = self.reconcile.as_ref().map(|target| {
            quote! {
                .with_reconcile({
                    #capture
                    move |arguments, context| {
                        #capture
                        async move { #target(arguments, context).await.map_err(#root::Failure::from) }
                    }
                })
            }
        });
        quote! {{
            #arguments
            #root::FunctionTool::new(#specification, {
                #capture
                move |arguments, context| {
                    #capture
                    async move { #call }
                }
            })
            #reconcile
            .with_needs(::std::vec![#(#needs),*])
        }}
    }

    /// The type that the arguments are read as, and that their schema is made from.
    fn arguments(&self) -> TokenStream {
        let root = self.root;
        let serde = text(&quote!(#root::serde));
        let schemars = text(&quote!(#root::schemars));
        let mut fields = Vec::new();
        let mut defaults = Vec::new();
        for parameter in &self.parameters {
            let Purpose::Argument(argument) = &parameter.purpose else { continue };
            let (name, kind, attributes) = (&parameter.name, &argument.kind, &argument.attributes);
            let default = argument.default.as_ref().map(|value| {
                let function = format_ident!("default_{}", name);
                let value = match value {
                    Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
                        quote!(::core::convert::Into::into(#value))
                    }
                    other => quote!(#other),
                };
                defaults.push(quote!(fn #function() -> #kind { #value }));
                let path = LitStr::new(&function.to_string(), name.span());
                quote!(#[serde(default = #path)])
            });
            fields.push(quote!(#(#attributes)* #default #name: #kind));
        }
        quote! {
            #[derive(#root::serde::Deserialize, #root::schemars::JsonSchema)]
            #[serde(crate = #serde, deny_unknown_fields)]
            #[schemars(crate = #schemars)]
            struct Arguments { #(#fields),* }
            #(#defaults)*
        }
    }

    fn call(&self) -> TokenStream {
        let Self { signature, root, target, .. } = self;
        let resources = self.parameters.iter().filter_map(|parameter| match &parameter.purpose {
            Purpose::Resource(kind) => {
                let held = parameter.held();
                Some(quote!(let #held = context.resource::<#kind>().map_err(#root::Failure::from)?;))
            }
            _ => None,
        });
        let passed = self.parameters.iter().map(Parameter::passed);
        let wait = signature.asyncness.map(|_| quote!(.await));
        let fail = is_result(signature).then(|| quote!(.map_err(#root::Failure::from)?));
        quote! {
            let arguments: Arguments = #root::read(arguments)?;
            let _ = (&arguments, &context);
            #(#resources)*
            let output = #target(#(#passed),*)#wait #fail;
            #root::output(output)
        }
    }
}

fn text(path: &TokenStream) -> String {
    path.to_string().replace(' ', "")
}

/// What models read: the doc comment up to its first heading, which begins what is meant for programmers.
pub(crate) fn description(name: &Ident, attributes: &[Attribute]) -> syn::Result<String> {
    let lines = attributes.iter().filter_map(doc_line);
    let lines: Vec<_> =
        lines.flat_map(|text| text.split('\n').map(str::to_owned).collect::<Vec<_>>()).collect();
    let lines = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
    let text = lines.take_while(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n");
    if text.trim().is_empty() {
        return Err(Error::new(name.span(), "write a doc comment: models choose tools by it"));
    }
    Ok(text.trim().to_owned())
}

pub(crate) fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    match &meta.value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if meta.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// Refuses what cannot be called safely.
pub(crate) fn check(signature: &Signature) -> syn::Result<()> {
    match (&signature.safety, &signature.variadic) {
        (syn::Safety::Default, None) => Ok(()),
        _ => Err(Error::new(signature.span(), "a tool is a safe function")),
    }
}

/// The function that finds out about a lost call.
pub(crate) fn reconcile(options: &Options) -> Option<&Path> {
    match &options.effect {
        Effect::Reconcile(path) => Some(path),
        _ => None,
    }
}
