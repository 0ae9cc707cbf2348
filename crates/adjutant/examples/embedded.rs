//! Adjutant in an application of one's own: `cargo run -p adjutant --example embedded -- "Where is order 1042?"`.

use std::collections::BTreeMap;

use adjutant::prelude::*;

/// What the application has already: its orders.
struct Orders(BTreeMap<u32, &'static str>);

/// Finds an order by its number, and says where it is.
#[tool(pure)]
async fn order(
    /// The number on the receipt.
    number: u32,
    orders: &Orders,
) -> Result<String, ToolError> {
    let place = orders.0.get(&number).ok_or_else(|| ToolError::new(format!("there is no order {number}")))?;
    Ok(format!("Order {number} is {place}."))
}

#[tokio::main]
async fn main() -> adjutant::Result<()> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "Where is order 1042?".to_owned());
    let orders = Orders([(1042, "on its way to you"), (1043, "in the workshop")].into());
    let desk = Agent::new("desk")
        .instructions("You run the service desk of a shop. Look things up before you answer.")
        .tool(order)
        .limit(steps(20));

    // The model is the one that OPENAI_API_KEY or ADJUTANT_MODEL gives, otherwise the built-in offline model.
    let adjutant = Adjutant::builder().store("target/embedded.db").resource(orders).build()?;
    // The run is on disk before anything happens, and survives this process.
    let reply = adjutant.run(&desk, question).await?;
    println!("{reply}");
    Ok(())
}
