//! What stands in the parentheses of `#[tool(..)]`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitBool, LitInt, LitStr, Path, Token};

/// What to say where nothing is said about a second call.
const ASK_EFFECT: &str = "say what happens if the tool is called twice: `#[tool(pure)]` (it changes nothing), \
    `#[tool(idempotent)]` (twice with one key is once), `#[tool(at_most_once)]` (never again by itself) or \
    `#[tool(reconcile = function)]` (the function finds out whether it happened)";

/// What happens if the tool is called twice.
pub(crate) enum Effect {
    Pure,
    Idempotent,
    AtMostOnce,
    /// With the function that looks a call up.
    Reconcile(Path),
}

impl Effect {
    /// The variant of the effect in the core crate.
    pub(crate) fn variant(&self) -> Ident {
        let name = match self {
            Self::Pure => "Pure",
            Self::Idempotent => "Idempotent",
            Self::AtMostOnce => "AtMostOnce",
            Self::Reconcile(_) => "Reconcile",
        };
        Ident::new(name, Span::call_site())
    }
}

/// The options of one tool.
pub(crate) struct Options {
    pub(crate) effect: Effect,
    pub(crate) name: Option<LitStr>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) flow: Flow,
}

/// What it does with information, as far as that is said.
#[derive(Default)]
pub(crate) struct Flow {
    source: Option<LitStr>,
    trusted: Option<LitBool>,
    egress: Option<LitBool>,
}

impl Flow {
    /// The specification with it; as it is where nothing is said.
    fn around(&self, specification: TokenStream, root: &Path) -> TokenStream {
        if self.source.is_none() && self.trusted.is_none() && self.egress.is_none() {
            return specification;
        }
        let source = optional(self.source.as_ref());
        let (trusted, egress) = (optional(self.trusted.as_ref()), optional(self.egress.as_ref()));
        quote!(#root::flowing(#specification, #source, #trusted, #egress))
    }
}

impl Options {
    /// The call that makes the specification.
    pub(crate) fn specification(&self, function: &Ident, description: &str, root: &Path) -> TokenStream {
        let name = self.name.as_ref().map_or_else(|| unraw(function), LitStr::value);
        let effect = self.effect.variant();
        let timeout = optional(self.timeout_ms);
        let concurrency = optional(self.concurrency);
        let specification = quote! {
            #root::specification::<Arguments>(#name, #description, #root::Effect::#effect, #timeout, #concurrency)
        };
        self.flow.around(specification, root)
    }
}

fn optional<T: quote::ToTokens>(value: Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// The name without `r#`.
fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut effect, mut name, mut timeout_ms, mut concurrency) = (None, None, None, None);
        let mut flow = Flow::default();
        for part in Punctuated::<Part, Token![,]>::parse_terminated(input)? {
            let word = part.word;
            let twice = match part.value {
                Choice::Effect(value) => effect.replace(value).is_some(),
                Choice::Name(value) => name.replace(check_name(value)?).is_some(),
                Choice::Timeout(value) => timeout_ms.replace(millis(&value)?).is_some(),
                Choice::Source(value) => flow.source.replace(value).is_some(),
                Choice::Trusted(value) => flow.trusted.replace(value).is_some(),
                Choice::Egress(value) => flow.egress.replace(value).is_some(),
                Choice::Concurrency(value) => concurrency.replace(positive(&value)?).is_some(),
            };
            if twice {
                return Err(Error::new(word.span(), format!("`{word}` says something that was said before")));
            }
        }
        let effect = effect.ok_or_else(|| Error::new(Span::call_site(), ASK_EFFECT))?;
        Ok(Self { effect, name, timeout_ms, concurrency, flow })
    }
}

struct Part {
    word: Ident,
    value: Choice,
}

enum Choice {
    Effect(Effect),
    Name(LitStr),
    Timeout(LitStr),
    Concurrency(LitInt),
    Source(LitStr),
    Trusted(LitBool),
    Egress(LitBool),
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        let value = match word.to_string().as_str() {
            "pure" => Choice::Effect(Effect::Pure),
            "idempotent" => Choice::Effect(Effect::Idempotent),
            "at_most_once" => Choice::Effect(Effect::AtMostOnce),
            "reconcile" if !input.peek(Token![=]) => {
                return Err(Error::new(
                    word.span(),
                    "name the function that finds out: `reconcile = function`",
                ));
            }
            "reconcile" => Choice::Effect(Effect::Reconcile(after_equals(input)?)),
            "name" => Choice::Name(after_equals(input)?),
            "timeout" => Choice::Timeout(after_equals(input)?),
            "concurrency" => Choice::Concurrency(after_equals(input)?),
            "source" => Choice::Source(after_equals(input)?),
            "trusted" => Choice::Trusted(after_equals(input)?),
            "egress" => Choice::Egress(after_equals(input)?),
            other => {
                let message = format!(
                    "`{other}` is no option; there are pure, idempotent, at_most_once, reconcile, name, timeout, \
                     concurrency, source, trusted and egress"
                );
                return Err(Error::new(word.span(), message));
            }
        };
        Ok(Self { word, value })
    }
}

fn after_equals<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn check_name(name: LitStr) -> syn::Result<LitStr> {
    let text = name.value();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(name);
    }
    Err(Error::new(name.span(), "the name of a tool has 1 to 64 characters of a-z, A-Z, 0-9, _ and -"))
}

fn millis(text: &LitStr) -> syn::Result<u64> {
    let value = text.value();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let size = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let product = size.and_then(|size: u64| number.parse::<u64>().ok()?.checked_mul(size));
    product.filter(|millis| *millis > 0).ok_or_else(|| {
        Error::new(text.span(), "write a duration as a number and a unit: 250ms, 30s, 5m or 1h")
    })
}

fn positive(number: &LitInt) -> syn::Result<u32> {
    number
        .base10_parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| Error::new(number.span(), "at least one call at a time must be possible"))
}
