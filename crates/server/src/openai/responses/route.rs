//! Makes responses, and gives those that are kept.

use std::sync::Arc;
use std::time::Duration;

use adjutant::durable::Expected;
use adjutant_core::message::{Message, Part};
use adjutant_core::role::Right;
use adjutant_core::{Code, Error};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use futures::stream::{Stream, poll_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};

use super::again::Return;
use super::answer::{Frame, whole};
use super::conversations;
use super::held::{Held, Work, forget};
use super::items::{self, referred};
use super::request::{Asked, Before, read};
use super::store::{Kept, Session, Shelf};
use super::stream::Events;
use super::work::{Keeping, Listener, work};
use crate::gateway::{Asks, Given, Talk, Target, Tells, Vendor, failed, json as body_of, streamed, take};
use crate::service::Service;
use crate::wire::{Fault, checked};

/// How many pieces wait for a client that reads slowly.
pub(super) const MOST_WAITING: usize = 32;

/// The routes of responses and conversations.
pub(in crate::openai) fn routes() -> Router<Service> {
    Router::new()
        .route("/v1/responses", post(create))
        .route("/v1/responses/{id}", get(show).delete(delete))
        .route("/v1/responses/{id}/cancel", post(cancel))
        .route("/v1/responses/{id}/input_items", get(input_items))
        .merge(conversations::routes())
}

async fn create(State(service): State<Service>, request: Request) -> Response {
    made(service, request).await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

async fn made(service: Service, request: Request) -> Result<Response, Fault> {
    let mut given = take(service, request, Right::Run).await?;
    let shelf = Shelf::of(&given.caller);
    look_up(&shelf, &mut given.body).await?;
    let mut asked = read(&given.body)?;
    // Whoever is a person by their token asks for nobody else.
    asked.user = given.caller.who().user.clone().or(asked.user);
    let gateway = given.caller.adjutant().gateway();
    let id = gateway.id()?;
    let conversation = match &asked.before {
        Some(Before::Conversation(id)) => Some(id.clone()),
        _ => None,
    };
    let frame = Frame {
        id: id.clone(),
        created: gateway.now().0 / 1_000,
        model: asked.model.clone(),
        background: asked.background,
        sealed: asked.sealed,
        conversation: conversation.clone(),
        echo: asked.echo.clone(),
    };
    let target = Target::of(&asked.model);
    let by_agent = matches!(target, Target::Agent(_));
    let followed = follow(&shelf, &asked, by_agent, &id).await?;
    let said = together(followed.said, &asked.request.messages)?;
    let instructions = asked.instructions.iter().map(|text| Arc::new(Message::system(text.as_str())));
    let unheard = said.iter().skip(followed.heard).cloned().map(Arc::new);
    let mut request = asked.request.clone();
    request.messages = instructions.chain(unheard).collect();
    let keeping = Keeping {
        shelf,
        id: id.clone(),
        over: asked.store.then_some(Expected::Nothing),
        said,
        input: with_ids(&asked.input, &id),
        session: followed.session,
        conversation,
        by_agent,
        user: asked.user.clone(),
    };
    // What goes on without its client may be looked at meanwhile.
    let seen = asked.stream || asked.background;
    let asks = Asks { target, request, user: asked.user, session: followed.turn_of, streamed: seen };
    if asked.background {
        return later(&given, asks, frame, keeping, asked.stream).await;
    }
    if !asked.stream {
        let heard = Talk::begin(&given, asks).await?.whole().await?;
        let body = whole(&frame, &heard.response);
        keeping.whole(&body, &heard.response.message, Vec::new()).await?;
        return Ok(body_of(&body, &heard.tells()));
    }
    let place = given.service.stream()?;
    let talk = Talk::begin(&given, asks).await?;
    let tells = talk.tells();
    let (sender, pieces) = channel(MOST_WAITING);
    let listener = Listener::Client { to: sender, _place: place };
    tokio::spawn(work(talk, Events::new(frame), keeping, listener, None));
    Ok(streamed(received(pieces), given.service.settings().heartbeat, &tells))
}

/// Goes on without its client.
async fn later(
    given: &Given,
    asks: Asks,
    frame: Frame,
    mut keeping: Keeping,
    stream: bool,
) -> Result<Response, Fault> {
    let (id, tenant) = (frame.id.clone(), tenant(given));
    let place = given.service.stream()?;
    let to_do = match &asks.target {
        Target::Model(name) => {
            let (asker, request) = (given.asker(asks.user.clone()), asks.request.clone());
            let instructions = request.messages.len().saturating_sub(keeping.said.len());
            Some(Work::new(asker, name, request, instructions, frame.clone()))
        }
        // It is a run, which goes on by itself.
        Target::Agent(_) => None,
    };
    let talk = Talk::begin(given, asks).await?;
    let tells = talk.tells();
    let response = frame.response("in_progress", Vec::new(), None);
    keeping.partial(&response, tells.run.clone(), Vec::new()).await?;
    keeping.over = keeping.over.map(|_| Expected::Something);
    // Last, so that whoever takes it over finds all of it.
    let held = match to_do {
        Some(to_do) => {
            let user = keeping.user.clone().or_else(|| given.caller.who().user.clone());
            Some(Held::begin(given.caller.adjutant(), &to_do, user).await?)
        }
        None => None,
    };
    let working = given.service.background().begin(&tenant, &id);
    let listener = Listener::Later { to: working, _place: place };
    let is_answer = held.is_some();
    let work = work(talk, Events::new(frame), keeping, listener, held);
    match is_answer {
        true => given.service.background().spawn(work),
        false => drop(tokio::spawn(work)),
    }
    match stream {
        true => Return::to(given, &id).told(None).await,
        false => Ok(body_of(&response, &tells)),
    }
}

/// What comes through a channel.
pub(super) fn received(mut pieces: Receiver<String>) -> impl Stream<Item = String> + Send {
    poll_fn(move |context| pieces.poll_recv(context))
}

fn tenant(given: &Given) -> String {
    given.caller.who().tenant.to_string()
}

/// Puts the items that a request refers to in their places: clients do not send again what was kept.
async fn look_up(shelf: &Shelf, body: &mut Value) -> Result<(), Fault> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let named = text("safety_identifier").or_else(|| text("user"));
    let Some(items) = body.get_mut("input").and_then(Value::as_array_mut) else { return Ok(()) };
    for (place, item) in items.iter_mut().enumerate() {
        let Some((item_id, response)) = referred(item) else { continue };
        let missing = || {
            Fault::at(format!("input[{place}].id"), "invalid_value", format!("there is no item `{item_id}`"))
        };
        let kept = shelf.response_for(&response, named.as_deref()).await.map_err(|_| missing())?;
        let output = kept.response.get("output").and_then(Value::as_array).into_iter().flatten();
        let mut all = output.chain(&kept.input);
        let found = all.find(|item| item.get("id").and_then(Value::as_str) == Some(&item_id)).cloned();
        *item = found.ok_or_else(missing)?;
    }
    Ok(())
}

/// What a request follows.
#[derive(Default)]
struct Followed {
    /// What was said before.
    said: Vec<Message>,
    /// The session that the agent's answer is a turn of.
    turn_of: Option<String>,
    /// How many of these messages that session has heard. A model hears all of them.
    heard: usize,
    /// The session that whoever follows this one may go on in.
    session: Option<Session>,
}

/// What was said before a request, and the session of the agent that it asks. What the session did not hear, because a model answered in
/// between or items were added, the agent is told again; where somebody else has followed the same response, that is all of it.
async fn follow(shelf: &Shelf, asked: &Asked, by_agent: bool, id: &str) -> Result<Followed, Fault> {
    // An answer that is not kept must not stand in a session either.
    let begin = || {
        (by_agent && asked.store).then(|| Session { name: Session::named(id), at: id.to_owned(), heard: 0 })
    };
    let of_own = |said: Vec<Message>, session: Option<Session>| Followed {
        said,
        turn_of: session.as_ref().map(|session| session.name.clone()),
        heard: 0,
        session,
    };
    match &asked.before {
        None => Ok(of_own(Vec::new(), begin())),
        Some(Before::Conversation(id)) => {
            let named = asked.user.as_deref();
            let conversation =
                shelf.conversation_for(id, named).await.map_err(|error| at(error, "conversation"))?;
            let turn_of = by_agent.then(|| Session::named(id));
            let heard = if by_agent { conversation.heard } else { 0 };
            Ok(Followed { said: conversation.said, turn_of, heard, session: None })
        }
        Some(Before::Response(before)) => {
            let plain = before.strip_prefix("resp_").unwrap_or(before);
            let kept = shelf
                .response_for(plain, asked.user.as_deref())
                .await
                .map_err(|error| at(error, "previous_response_id"))?;
            if !kept.is_whole() {
                let error = Error::new(Code::Conflict, format!("the response `{before}` is not complete"));
                return Err(at(
                    error.with_help("wait for its end, or follow another one"),
                    "previous_response_id",
                ));
            }
            match kept.session {
                session if !by_agent => Ok(Followed { said: kept.said, session, ..Followed::default() }),
                Some(session) if asked.store && shelf.go_on(&session, id).await? => {
                    let (name, heard) = (session.name.clone(), session.heard);
                    let session = Some(Session { at: id.to_owned(), ..session });
                    Ok(Followed { said: kept.said, turn_of: Some(name), heard, session })
                }
                _ => Ok(of_own(kept.said, begin())),
            }
        }
    }
}

fn at(error: Error, param: &str) -> Fault {
    Fault { param: Some(param.to_owned()), ..Fault::from(error) }
}

/// What was said before with what is said now. Results find the names of the calls that they answer.
fn together(before: Vec<Message>, now: &[Arc<Message>]) -> Result<Vec<Message>, Fault> {
    let names: std::collections::HashMap<_, _> =
        before.iter().flat_map(Message::calls).map(|call| (call.id.clone(), call.name.clone())).collect();
    let mut all = before;
    for message in now {
        let mut message = Message::clone(message);
        for part in &mut message.parts {
            if let Part::ToolResult(result) = part
                && let Some(name) = names.get(&result.call).filter(|_| result.name.is_empty())
            {
                result.name.clone_from(name);
            }
        }
        all.push(message);
    }
    checked(all, "input")
}

/// The items of a request, each with an id, as lists of them want it.
fn with_ids(items: &[Value], id: &str) -> Vec<Value> {
    let named = |(place, item): (usize, &Value)| items::listed(item.clone(), format!("in_{id}_{place}"));
    items.iter().enumerate().map(named).collect()
}

/// How long a run that is cancelled is waited for.
const ENDS: Duration = Duration::from_secs(5);

/// Why runs are cancelled.
const CANCELLED: &str = "its response was cancelled";
const DELETED: &str = "its response was deleted";

/// How a kept response is asked for.
#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    starting_after: Option<u64>,
}

async fn show(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
    request: Request,
) -> Response {
    let found = async {
        let given = take(service, request, Right::Run).await?;
        let plain = id.strip_prefix("resp_").unwrap_or(&id);
        if shown.stream == Some(true) {
            return Return::to(&given, plain).told(shown.starting_after).await;
        }
        let kept = Return::to(&given, plain).settled().await?;
        Ok(body_of(&kept.response, &Tells { run: kept.run, ..Tells::default() }))
    };
    found.await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

async fn delete(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    let deleted = async {
        let given = take(service, request, Right::Run).await?;
        let plain = id.strip_prefix("resp_").unwrap_or(&id);
        let shelf = Shelf::of(&given.caller);
        let kept = shelf.response(plain).await?;
        forget(shelf.adjutant().engine().as_ref(), plain).await?;
        if let Some(under) = Return::to(&given, plain).under() {
            under.cancel.cancel();
        } else if let Some(run) = &kept.run {
            given.caller.adjutant().find(run).await?.cancel(DELETED).await?;
        }
        shelf.forget(plain).await?;
        Ok::<_, Fault>(body_of(&json!({"id": id, "object": "response", "deleted": true}), &Tells::default()))
    };
    deleted.await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

async fn cancel(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    let cancelled = async {
        let given = take(service, request, Right::Run).await?;
        let plain = id.strip_prefix("resp_").unwrap_or(&id);
        let kept = Return::to(&given, plain).settled().await?;
        if kept.response.get("background") != Some(&Value::Bool(true)) {
            return Err(Fault::at(
                "response_id",
                "invalid_value",
                "only what goes on in the background can be cancelled",
            ));
        }
        if let Some(mut under) = Return::to(&given, plain).under() {
            under.cancel.cancel();
            let mut next = 0;
            while let Some(events) = under.from(next).await {
                next += events.len();
            }
        } else if kept.is_under_way() {
            stop(&given, plain, kept).await?;
        }
        let kept = Return::to(&given, plain).settled().await?;
        Ok(body_of(&kept.response, &Tells::default()))
    };
    cancelled.await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

/// Cancels what another process works on, which finds that it is not to any more.
async fn stop(given: &Given, id: &str, mut kept: Kept) -> Result<(), Fault> {
    let shelf = Shelf::of(&given.caller);
    if let Some(run) = &kept.run {
        let run = given.caller.adjutant().find(run).await?;
        run.cancel(CANCELLED).await?;
        // One that does not come to its end by then does later; the response says so when it is asked for.
        let _ = tokio::time::timeout(ENDS, run.reply()).await;
        return Ok(());
    }
    if forget(shelf.adjutant().engine().as_ref(), id).await? {
        kept.end("cancelled", Value::Null);
        shelf.keep(id, &kept, Expected::Something).await?;
    }
    Ok(())
}

async fn input_items(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(paged): Query<conversations::Paged>,
    request: Request,
) -> Response {
    let listed = async {
        let given = take(service, request, Right::Run).await?;
        let plain = id.strip_prefix("resp_").unwrap_or(&id);
        let kept = Shelf::of(&given.caller).response(plain).await?;
        Ok::<_, Fault>(body_of(&paged.page(&kept.input)?, &Tells::default()))
    };
    listed.await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}
