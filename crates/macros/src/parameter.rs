//! What each parameter of a function is for: an argument, the context, or a resource.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, FnArg, Ident, Pat, PatType, Signature, Type};

/// One parameter.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) purpose: Purpose,
}

/// Where the value of a parameter comes from.
pub(crate) enum Purpose {
    /// The model writes it.
    Argument(Box<Argument>),
    /// The run gives it; whether by reference.
    Context { reference: bool },
    /// The program gives it, by its type.
    Resource(Box<Type>),
}

/// An argument that the model writes.
pub(crate) struct Argument {
    /// The type that is read from JSON.
    pub(crate) kind: Type,
    /// Whether the function takes a reference to it.
    pub(crate) reference: bool,
    /// Documentation, and what is meant for schemars and serde.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) default: Option<Expr>,
}

impl Parameter {
    /// The expression that the function is called with.
    pub(crate) fn passed(&self) -> TokenStream {
        let name = &self.name;
        match &self.purpose {
            Purpose::Argument(argument) if argument.reference => quote!(&arguments.#name),
            Purpose::Argument(_) => quote!(arguments.#name),
            Purpose::Context { reference: true } => quote!(&context),
            Purpose::Context { reference: false } => quote!(::core::clone::Clone::clone(&context)),
            Purpose::Resource(_) => {
                let held = self.held();
                quote!(&#held)
            }
        }
    }

    /// The variable that holds a resource during a call.
    pub(crate) fn held(&self) -> Ident {
        format_ident!("resource_{}", self.name)
    }
}

/// Reads the parameters after `self`, and takes from them the attributes that only this macro understands.
pub(crate) fn parameters(signature: &mut Signature) -> syn::Result<Vec<Parameter>> {
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "a tool has no generic parameters: a model cannot choose types",
        ));
    }
    let typed = signature.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(input) => Some(input),
        FnArg::Receiver(_) => None,
    });
    typed.map(parameter).collect()
}

fn parameter(input: &mut PatType) -> syn::Result<Parameter> {
    let Pat::Ident(pattern) = &*input.pat else {
        return Err(Error::new(input.pat.span(), "give this parameter a name: models see it"));
    };
    let name = pattern.ident.clone();
    let attributes = std::mem::take(&mut input.attrs);
    let purpose = match &*input.ty {
        Type::ImplTrait(kind) => {
            return Err(Error::new(
                kind.span(),
                "give this parameter a type of its own: its schema is made from it",
            ));
        }
        Type::Reference(reference) if reference.mutability.is_some() => {
            return Err(Error::new(
                reference.span(),
                "calls run side by side, so a resource is shared: take `&T`",
            ));
        }
        Type::Reference(reference) => match (&*reference.elem, owned(&reference.elem)) {
            (_, Some(kind)) => argument(kind, true, attributes)?,
            (inner, None) if is_context(inner) => bare(Purpose::Context { reference: true }, &attributes)?,
            (inner, None) => bare(Purpose::Resource(Box::new(inner.clone())), &attributes)?,
        },
        kind if is_context(kind) => bare(Purpose::Context { reference: false }, &attributes)?,
        kind => argument(kind.clone(), false, attributes)?,
    };
    Ok(Parameter { name, purpose })
}

fn argument(kind: Type, reference: bool, attributes: Vec<Attribute>) -> syn::Result<Purpose> {
    let (mut kept, mut default) = (Vec::new(), None);
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("default") {
            if default.replace(attribute.parse_args::<Expr>()?).is_some() {
                return Err(Error::new(attribute.span(), "there is a default already"));
            }
        } else if ["doc", "schemars", "serde"].iter().any(|known| path.is_ident(known)) {
            kept.push(attribute);
        } else {
            return Err(Error::new(
                attribute.span(),
                "an argument takes a doc comment, `#[default(value)]`, `#[schemars(..)]` and `#[serde(..)]`",
            ));
        }
    }
    Ok(Purpose::Argument(Box::new(Argument { kind, reference, attributes: kept, default })))
}

/// A parameter that the model does not see.
fn bare(purpose: Purpose, attributes: &[Attribute]) -> syn::Result<Purpose> {
    match attributes.iter().find(|attribute| !attribute.path().is_ident("doc")) {
        Some(attribute) => Err(Error::new(
            attribute.span(),
            "only an argument can have this; models do not see this parameter",
        )),
        None => Ok(purpose),
    }
}

/// What `&str` and `&[T]` are read as.
fn owned(kind: &Type) -> Option<Type> {
    match kind {
        Type::Path(path) if path.path.is_ident("str") => Some(syn::parse_quote!(::std::string::String)),
        Type::Slice(slice) => {
            let item = &slice.elem;
            Some(syn::parse_quote!(::std::vec::Vec<#item>))
        }
        _ => None,
    }
}

fn is_context(kind: &Type) -> bool {
    last_segment(kind).is_some_and(|name| name == "Context")
}

/// Whether the function can fail, as far as its signature tells: its type is called `Result`, with or without a path.
pub(crate) fn is_result(signature: &Signature) -> bool {
    let syn::ReturnType::Type(_, kind) = &signature.output else { return false };
    last_segment(kind).is_some_and(|name| name == "Result")
}

fn last_segment(kind: &Type) -> Option<&Ident> {
    let Type::Path(path) = kind else { return None };
    path.path.segments.last().map(|segment| &segment.ident)
}
