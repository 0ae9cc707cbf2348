//! What a programmer reads when the attribute is used wrongly.

use proc_macro2::TokenStream;
use quote::quote;

use super::expand;

fn message(options: TokenStream, item: TokenStream) -> String {
    expand(options, item, || Ok(syn::parse_quote!(::adjutant_tool::generated))).unwrap_err().to_string()
}

#[test]
fn the_effect_is_asked_for() {
    let item = quote!(
        /// Finds.
        async fn find() {}
    );
    let text = message(quote!(), item.clone());
    assert!(text.starts_with("say what happens if the tool is called twice: `#[tool(pure)]`"), "{text}");
    assert!(message(quote!(timeout = "3s"), item).contains("#[tool(at_most_once)]"));
}

#[test]
fn a_method_is_asked_for_its_effect_too() {
    let item = quote!(
        impl Desk {
            /// Finds.
            #[tool]
            async fn find(&self) {}
        }
    );
    assert!(message(quote!(), item).starts_with("say what happens if the tool is called twice"));
}

#[test]
fn wrong_options_are_named() {
    let cases = [
        (quote!(pur), "`pur` is no option; there are pure, idempotent"),
        (quote!(pure, idempotent), "`idempotent` says something that was said before"),
        (quote!(reconcile), "name the function that finds out: `reconcile = function`"),
        (quote!(pure, timeout = "soon"), "write a duration as a number and a unit: 250ms, 30s, 5m or 1h"),
        (quote!(pure, timeout = "0s"), "write a duration"),
        (quote!(pure, timeout = 30), "expected string literal"),
        (quote!(pure, concurrency = 0), "at least one call at a time must be possible"),
        (quote!(pure, name = "find order"), "the name of a tool has 1 to 64 characters"),
    ];
    for (options, expected) in cases {
        let text = message(
            options,
            quote!(
                /// Finds.
                fn find() {}
            ),
        );
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn wrong_functions_are_named() {
    let cases = [
        (
            quote!(
                fn find() {}
            ),
            "write a doc comment: models choose tools by it",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find<T>(a: T) {}
            ),
            "a tool has no generic parameters",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find(a: impl Copy) {}
            ),
            "give this parameter a type of its own",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find((a, b): (u8, u8)) {}
            ),
            "give this parameter a name",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find(a: &mut Desk) {}
            ),
            "calls run side by side, so a resource is shared",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find(#[default(1)] desk: &Desk) {}
            ),
            "only an argument can have this",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find(#[mine] a: u8) {}
            ),
            "an argument takes a doc comment",
        ),
        (
            quote!(
                #[doc = "F"]
                unsafe fn find() {}
            ),
            "a tool is a safe function",
        ),
        (
            quote!(
                #[doc = "F"]
                fn find(&self) {}
            ),
            "for methods, put `#[tool]` on the `impl` block",
        ),
        (
            quote!(
                struct Find;
            ),
            "`#[tool]` goes on a function or on an `impl` block",
        ),
    ];
    for (item, expected) in cases {
        let text = message(quote!(pure), item);
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn wrong_blocks_are_named() {
    let cases = [
        (quote!(impl Desk { fn find(&self) {} }), "no method has `#[tool(..)]`"),
        (quote!(impl Trait for Desk {}), "`#[tool]` goes on a type's own `impl` block"),
        (
            quote!(
                impl<T> Desk<T> {}
            ),
            "a type with tools has no generic parameters",
        ),
        (
            quote!(impl Desk { #[doc = "F"] #[tool(pure)] fn find(&mut self) {} }),
            "a method that is a tool takes `&self`",
        ),
        (
            quote!(impl Desk { #[doc = "F"] #[tool(pure)] fn find() {} }),
            "a method that is a tool takes `&self`",
        ),
        (
            quote!(impl Desk { #[doc = "F"] #[tool(reconcile = a::b)] fn find(&self) {} }),
            "name a method of this block, without a path",
        ),
    ];
    for (item, expected) in cases {
        let text = message(quote!(), item);
        assert!(text.starts_with(expected), "{text}");
    }
    assert!(
        message(quote!(pure), quote!(impl Desk {}))
            .starts_with("on an `impl` block `#[tool]` takes no options")
    );
}
