//! An agent that writes programs, in an application of one's own:
//! `cargo run -p adjutant --example programs -- "Which region sold the most units?"`.

use adjutant::agent::definition::CodeMode;
use adjutant::prelude::*;

/// One line of the books.
#[derive(serde::Serialize)]
struct Sale {
    region: &'static str,
    units: u32,
}

/// Reads what was sold. Columns: region (text), units (number).
#[tool(pure)]
async fn sales() -> Vec<Sale> {
    let regions = ["north", "south", "east"].into_iter().cycle();
    regions.zip(0..3_000).map(|(region, n)| Sale { region, units: n % 7 + n % 3 }).collect()
}

fn main() -> adjutant::Result<()> {
    // Programs run in a child process, which is this executable once more.
    adjutant::tool::first_in_main();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| {
        adjutant::Error::new(adjutant::Code::Internal, "the threads cannot be started").caused_by(&error)
    })?;
    runtime.block_on(ask())
}

async fn ask() -> adjutant::Result<()> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "Which region sold the most units?".to_owned());
    let analyst = Agent::new("analyst")
        .instructions("You answer questions about sales by programs.")
        .tool(sales)
        .code(CodeMode::javascript())
        .limit(steps(10));

    // The model is the one that OPENAI_API_KEY or ADJUTANT_MODEL gives, otherwise the built-in offline model.
    let adjutant = Adjutant::builder().in_memory().build()?;
    let reply = adjutant.run(&analyst, question).await?;
    println!("{reply}");
    Ok(())
}
