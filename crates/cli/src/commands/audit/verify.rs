//! `adjutant audit verify`.

use adjutant::Adjutant;
use adjutant::durable::{Act, Fault, Verified, Verify};
use adjutant_core::hash::Digest;
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, clean, count, local_time};

/// Compares everything with the chain over it: whether a record was changed, moved, added or removed. Ends with exit code 1 where one
/// was. What was erased in the open is told, with who did it.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Looks at the content of links from this number on only; the chain itself is always looked at from its beginning.
    #[arg(long, value_name = "LINK", default_value_t = 0)]
    from: u64,
    /// A hash that this command told earlier and that was kept elsewhere: it must still be in the chain, so nothing of that time was
    /// cut off or written anew.
    #[arg(long, value_name = "HASH")]
    head: Option<Digest>,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let verify = Verify { from: arguments.from, head: arguments.head };
    let found = adjutant.audit().verify(verify).await?;
    let exit = if found.fault.is_none() { Exit::Success } else { Exit::Failure };
    if output.json {
        output.json(&found)?;
        return Ok(exit);
    }
    tell(&found, output)?;
    Ok(exit)
}

fn tell(found: &Verified, output: Output) -> Ended<()> {
    for act in &found.erasures {
        output.line(&clean(&erasure(act)))?;
    }
    if found.before > 0 {
        let begun = found.begun.map(local_time).unwrap_or_default();
        output.line(&format!(
            "the chain began at {begun}; {} from before are in no link",
            count(found.before, "record")
        ))?;
    }
    if let Some(fault) = &found.fault {
        output.line(&clean(&wrong(fault)))?;
        output.talk(&format!("{} of the chain were right before that", count(found.links, "link")));
        return Ok(());
    }
    output.line(&format!(
        "{}: {} and {} are as they were recorded, {} were erased",
        count(found.links, "link"),
        count(found.records, "record"),
        count(found.acts, "act"),
        count(found.erased, "record"),
    ))?;
    if let Some(head) = found.head {
        output.line(&format!("head {head}"))?;
        output.talk("keep the head elsewhere: `adjutant audit verify --head HASH` then shows that nothing was cut off");
    }
    Ok(())
}

fn erasure(act: &Act) -> String {
    let what = if act.what == Act::PRUNED { "pruned" } else { "erased" };
    let runs = count(act.gone().len() as u64, "run");
    format!("{} {runs} {what} by {}", local_time(act.at), act.by)
}

fn wrong(fault: &Fault) -> String {
    let mut text = format!("broken: {}", fault.what);
    let place = [
        fault.link.map(|link| format!("link {link}")),
        fault.run.as_ref().map(|run| format!("run {run}")),
        fault.record.map(|record| format!("record {record}")),
    ];
    let place: Vec<String> = place.into_iter().flatten().collect();
    if !place.is_empty() {
        text.push_str(&format!(" ({})", place.join(", ")));
    }
    text
}
