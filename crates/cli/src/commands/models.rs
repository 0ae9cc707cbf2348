//! `adjutant models`: which model stands behind each role, what is known of it, and whether it answers.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use adjutant::model::{Call, Collector, Delta, Model, Note, Profile, Request, Response, StopReason};
use adjutant::project::{Choice, Details, Key};
use adjutant_core::message::Message;
use adjutant_core::money::Prices;
use adjutant_core::time::format_duration;
use clap::{Args, Subcommand};
use futures::StreamExt;
use serde_json::{Value, json};

use super::exchanges::Exchanges;
use super::vectors;
use crate::arguments::Shared;
use crate::exit::{Ended, Exit};
use crate::place;
use crate::screen::{Output, Table};

/// What a model is asked that shall only show that it answers.
const QUESTION: &str = "Reply with the single word: ready";

/// Shows the models of a project, and tries them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists the roles that agents name, and the model behind each. This is also what `adjutant models` does.
    List(List),
    /// Shows everything about one model: where it is, what it can do and costs, and the layers around it.
    Show(Show),
    /// Asks a model one short question, and tells how long the answer took and what it cost.
    Test(Test),
}

#[derive(Args, Debug)]
struct List {
    /// The project: a folder, or one agent's Markdown file.
    #[arg(value_name = "PROJECT")]
    place: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Show {
    /// A role, or a model id such as openai/gpt-4.1-mini.
    #[arg(value_name = "MODEL", default_value = "main")]
    model: String,
}

#[derive(Args, Debug)]
struct Test {
    /// A role, or a model id such as openai/gpt-4.1-mini.
    #[arg(value_name = "MODEL", default_value = "main")]
    model: String,
    /// What to ask.
    #[arg(long, value_name = "TEXT", default_value = QUESTION)]
    question: String,
    #[command(flatten)]
    exchanges: Exchanges,
}

pub(crate) async fn execute(arguments: &Arguments, shared: &Shared, output: Output) -> Ended {
    match &arguments.command {
        None => list(&arguments.list, shared, output),
        Some(Command::List(command)) => list(command, shared, output),
        Some(Command::Show(command)) => show(command, shared, output),
        Some(Command::Test(command)) => test(command, shared, output).await,
    }
}

fn list(arguments: &List, shared: &Shared, output: Output) -> Ended {
    let project = place::load(arguments.place.as_deref(), shared)?;
    let choices = project.models().roles().into_iter().collect::<adjutant_core::Result<Vec<Choice>>>()?;
    if output.json {
        output.json(&choices.iter().map(as_json).collect::<Vec<Value>>())?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["role", "model", "server", "key", "decided by"]);
    for choice in &choices {
        let server = choice.base_url.as_deref().unwrap_or("built in");
        table.row([&choice.name, &choice.id, server, &key(&choice.key), &choice.origin.to_string()]);
    }
    output.data(&table.render(output.data_colored))?;
    choices.iter().filter_map(Choice::notice).for_each(|notice| output.talk(&format!("\nnote: {notice}")));
    Ok(Exit::Success)
}

fn show(arguments: &Show, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let details = project.models().details(&arguments.model)?;
    if output.json {
        output.json(&details_as_json(&details))?;
        return Ok(Exit::Success);
    }
    let Details { choice, profile, layers, fallback, unpriced, timeouts, embedding } = &details;
    let mut lines = vec![
        ("model".to_owned(), choice.id.clone()),
        ("decided by".to_owned(), choice.origin.to_string()),
        ("server".to_owned(), choice.base_url.clone().unwrap_or_else(|| "built in".to_owned())),
        ("key".to_owned(), key(&choice.key)),
    ];
    lines.extend(embedding.as_ref().map_or_else(|| profile_lines(profile), vectors::lines));
    lines.extend(timeouts.map(|limits| {
        let [connect, first, answer, idle, whole] =
            [limits.connect, limits.first_byte, limits.answer, limits.idle, limits.whole].map(format_duration);
        let text = format!(
            "connect {connect}, first byte {first} (of a whole answer {answer}), between pieces {idle}, whole {whole}"
        );
        ("timeouts".to_owned(), text)
    }));
    for layer in layers {
        let (name, what) = layer.split_once(": ").unwrap_or((layer, ""));
        lines.push((name.to_owned(), what.to_owned()));
    }
    if !fallback.is_empty() {
        let told = |name: &String| match unpriced.contains(name) {
            true => format!("{name} (its price is not known: no budget in money holds once it answers)"),
            false => name.clone(),
        };
        lines.push(("fallback".to_owned(), fallback.iter().map(told).collect::<Vec<_>>().join(", then ")));
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines.iter().try_for_each(|(name, what)| output.line(&format!("{name:width$}  {what}")))?;
    if let Some(notice) = choice.notice() {
        output.talk(&format!("\nnote: {notice}"));
    }
    Ok(Exit::Success)
}

fn profile_lines(profile: &Profile) -> Vec<(String, String)> {
    let tokens =
        |number: Option<u64>| number.map_or("not known".to_owned(), |number| format!("{number} tokens"));
    let can: Vec<&str> = profile.abilities.all().filter(|(_, can)| *can).map(|(name, _)| name).collect();
    let prices = profile.prices.map_or_else(
        || "not known: no budget in money holds for it".to_owned(),
        |prices| price_words(&prices),
    );
    vec![
        ("window".to_owned(), tokens(profile.context_window)),
        ("answer".to_owned(), tokens(profile.max_output_tokens)),
        ("can".to_owned(), can.join(", ").replace('_', " ")),
        ("prices".to_owned(), prices),
    ]
}

fn price_words(prices: &Prices) -> String {
    let parts = [
        ("input", Some(prices.input)),
        ("output", Some(prices.output)),
        ("cached", prices.cached),
        ("cache write", prices.cache_write),
        ("reasoning", prices.reasoning),
    ];
    let known = parts.iter().filter_map(|(name, price)| price.map(|price| format!("{name} {price}")));
    let mut words = format!("USD for a million tokens: {}", known.collect::<Vec<_>>().join(", "));
    if let Some(above) = prices.above {
        words.push_str(&format!(
            "; with more than {} tokens of input: input {}, output {}",
            above.tokens, above.input, above.output
        ));
    }
    words
}

async fn test(arguments: &Test, shared: &Shared, output: Output) -> Ended {
    let project = place::load(None, shared)?;
    let recording = arguments.exchanges.begin_anew(&project, output)?;
    if project.models().details(&arguments.model)?.embedding.is_some() {
        let embedder = project.models().embedder(&arguments.model)?;
        let made = vectors::try_out(embedder.as_ref(), &arguments.question, output).await;
        recording.finish()?;
        return made;
    }
    let model = project.models().get(&arguments.model)?;
    let asked = ask(model.as_ref(), &arguments.question, output).await;
    recording.finish()?;
    let answered = asked?;
    if output.json {
        output.json(&answered.as_json())?;
    } else {
        answered.tell(output)?;
    }
    Ok(Exit::Success)
}

/// An answer, and how it came.
struct Answered {
    id: String,
    response: Response,
    /// Until the first piece of the answer.
    first: Duration,
    whole: Duration,
    cost: Option<adjutant_core::money::Money>,
    rate_limits: Vec<(String, String)>,
}

async fn ask(model: &dyn Model, question: &str, output: Output) -> adjutant_core::Result<Answered> {
    let request = Request::new([Message::user(question)]);
    let call = call(output);
    let begin = Instant::now();
    let mut deltas = model.stream(request.clone(), call).await?;
    let (mut first, mut rate_limits) = (None, Vec::new());
    let mut collector = Collector::for_request(&request);
    while let Some(delta) = deltas.next().await {
        let delta = delta?;
        match &delta {
            Delta::Start(start) => rate_limits.clone_from(&start.rate_limits),
            Delta::Text(_) | Delta::Reasoning(_) if first.is_none() => first = Some(begin.elapsed()),
            _ => {}
        }
        collector.push(delta);
    }
    let (response, whole) = (collector.finish()?, begin.elapsed());
    let prices = match &response.instead {
        Some(instead) => instead.prices,
        None => model.profile().prices,
    };
    Ok(Answered {
        id: model.id().to_owned(),
        first: first.unwrap_or(whole),
        whole,
        cost: prices
            .zip(response.usage)
            .filter(|_| !response.has_fees())
            .map(|(prices, usage)| prices.cost(&usage)),
        response,
        rate_limits,
    })
}

/// A call that tells what is waited for.
pub(super) fn call(output: Output) -> Call {
    let listener = move |note: Note| match note {
        Note::Alive => {}
        note => output.talk(&note.to_string()),
    };
    Call { listener: Some(std::sync::Arc::new(listener)), ..Call::default() }
}

impl Answered {
    fn tell(&self, output: Output) -> Ended<()> {
        let response = &self.response;
        output.foreign(&format!("{}\n", response.message.text().trim()))?;
        let usage = response.usage.map_or("tokens not counted by the provider".to_owned(), |usage| {
            format!("{} tokens in, {} out", usage.input, usage.output)
        });
        let cost = self.cost.map_or("cost not known".to_owned(), |cost| cost.to_string());
        let (first, whole) = (format_duration(self.first), format_duration(self.whole));
        output.talk(&format!("{}: first piece after {first}, whole after {whole}, {usage}, {cost}", self.id));
        for tried in &response.tried {
            output.talk(&format!("tried `{}` before: {}", tried.model, tried.error));
        }
        if let Some(instead) = &response.instead {
            let how = if instead.cached { "from the cache" } else { "in its place" };
            output.talk(&format!("answered by `{}` {how}", instead.model));
        }
        if response.stop != StopReason::EndTurn {
            output.talk(&format!("it stopped early: {:?}", response.stop));
        }
        if let Some(id) = &response.request_id {
            output.aside(&format!("request {id}"));
        }
        self.rate_limits.iter().for_each(|(name, value)| output.aside(&format!("{name}: {value}")));
        Ok(())
    }

    fn as_json(&self) -> Value {
        json!({
            "model": self.id,
            "answer": self.response.message.text(),
            "first_ms": millis(self.first),
            "whole_ms": millis(self.whole),
            "cost": self.cost,
            "response": self.response,
            "rate_limits": self.rate_limits.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether there is a key, in words.
pub(crate) fn key(key: &Key) -> String {
    match key {
        Key::None => "none needed".to_owned(),
        Key::Found(source) => format!("found in {source}"),
        Key::Missing(source, _) => format!("missing: {source}"),
    }
}

fn details_as_json(details: &Details) -> Value {
    let mut value = as_json(&details.choice);
    if let Some(object) = value.as_object_mut() {
        object.insert("profile".to_owned(), json!(details.profile));
        object.insert("layers".to_owned(), json!(details.layers));
        object.insert("fallback".to_owned(), json!(details.fallback));
        object.insert("unpriced".to_owned(), json!(details.unpriced));
        object.insert("timeouts".to_owned(), json!(details.timeouts));
        object.insert("embedding".to_owned(), details.embedding.as_ref().map(vectors::as_json).into());
    }
    value
}

/// A choice as JSON; never with the key itself.
pub(crate) fn as_json(choice: &Choice) -> Value {
    json!({
        "role": choice.name,
        "model": choice.id,
        "provider": choice.provider,
        "base_url": choice.base_url,
        "key": match choice.key {
            Key::None => "none",
            Key::Found(_) => "found",
            Key::Missing(..) => "missing",
        },
        "origin": choice.origin.to_string(),
    })
}
