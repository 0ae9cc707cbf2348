//! A program that takes part in making sandboxes, as one does that embeds the library, and does nothing else.

fn main() {
    adjutant_tool::sandbox::first_in_main();
}
