//! Whether the right tool is among the first five, beside plain BM25.
//!
//! `cargo test -p adjutant-tool --test search -- --nocapture` prints the figures of `docs/performance.md`.

use adjutant_tool::search::Index;

use crate::baseline::Bm25;
use crate::set::Set;

/// By how many points the search must be better.
const BETTER: f64 = 8.0;

#[test]
fn the_right_tool_is_found_more_often_than_by_plain_bm25() {
    println!("{:<10} {:<9} {:>7} {:>6} {:>6}", "set", "half", "queries", "BM25", "ours");
    for name in ["bfcl", "metatool"] {
        for half in ["tuning", "held-out"] {
            let set = Set::read(name, half);
            assert!(set.queries.len() > 50, "{name}/{half} has next to no queries");
            let plain = Bm25::new(&set.tools);
            let index = Index::new(&set.tools);
            let plain = set.among_five(|query| plain.search(query));
            let ours =
                set.among_five(|query| index.search(query, 5).into_iter().map(|found| found.tool).collect());
            println!("{name:<10} {half:<9} {:>7} {plain:>5.1}% {ours:>5.1}%", set.queries.len());
            assert!(
                ours >= plain + BETTER,
                "{name}/{half}: {ours:.1} % is not {BETTER} points above {plain:.1} %"
            );
        }
    }
}
