//! Conversations: what responses are turns of.

use adjutant::durable::Expected;
use adjutant_core::role::Right;
use adjutant_core::{Code, Error};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::items;
use super::store::{Conversation, Shelf};
use crate::gateway::{Given, Tells, Vendor, failed, json as body_of, take};
use crate::openai::chat::metadata;
use crate::service::Service;
use crate::wire::{Fault, Node};

/// The most items of a page.
const MOST: usize = 100;
/// The items of a page where nobody says how many.
const USUAL: usize = 20;

pub(super) fn routes() -> Router<Service> {
    Router::new()
        .route("/v1/conversations", post(create))
        .route("/v1/conversations/{id}", get(show).post(change).delete(delete))
        .route("/v1/conversations/{id}/items", get(list).post(add))
        .route("/v1/conversations/{id}/items/{item}", get(item).delete(take_out))
}

/// Which part of a list is wanted.
#[derive(Deserialize)]
pub(super) struct Paged {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    order: Option<String>,
}

impl Paged {
    /// The part of a list, the newest first where nothing is said. Fails for more than a page, and for what is no order.
    pub(super) fn page(&self, items: &[Value]) -> Result<Value, Fault> {
        let limit = self.limit.unwrap_or(USUAL);
        if limit == 0 || limit > MOST {
            return Err(Fault::at("limit", "invalid_value", format!("`limit` must be 1 to {MOST}")));
        }
        let mut all: Vec<&Value> = items.iter().collect();
        match self.order.as_deref() {
            None | Some("desc") => all.reverse(),
            Some("asc") => {}
            Some(_) => return Err(Fault::at("order", "invalid_value", "`order` is `asc` or `desc`")),
        }
        let id = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_owned);
        let first = match &self.after {
            None => 0,
            Some(after) => all
                .iter()
                .position(|item| id(item).as_ref() == Some(after))
                .map(|place| place + 1)
                .ok_or_else(|| Fault::at("after", "invalid_value", format!("there is no item `{after}`")))?,
        };
        let page: Vec<&Value> = all.iter().skip(first).take(limit).copied().collect();
        let ends = |item: Option<&&Value>| item.and_then(|item| id(item));
        Ok(json!({
            "object": "list",
            "data": page,
            "first_id": ends(page.first()),
            "last_id": ends(page.last()),
            "has_more": all.len() > first + page.len(),
        }))
    }
}

fn shown(id: &str, conversation: &Conversation) -> Value {
    let Conversation { created, metadata, .. } = conversation;
    json!({"id": id, "object": "conversation", "created_at": created, "metadata": metadata})
}

/// Answers a request, or says why not.
async fn answer(
    service: Service,
    request: Request,
    handle: impl AsyncFnOnce(Given, Shelf) -> Result<Value, Fault>,
) -> Response {
    let answered = async {
        let given = take(service, request, Right::Run).await?;
        let shelf = Shelf::of(&given.caller);
        handle(given, shelf).await.map(|body| body_of(&body, &Tells::default()))
    };
    answered.await.unwrap_or_else(|fault| failed(Vendor::OpenAi, &fault))
}

async fn create(State(service): State<Service>, request: Request) -> Response {
    answer(service, request, async |given: Given, shelf: Shelf| {
        let body = if given.body.is_null() { json!({}) } else { given.body.clone() };
        let body = Node::body(&body);
        body.only(&["items", "metadata"])?;
        let gateway = given.caller.adjutant().gateway();
        let id = format!("conv_{}", gateway.id()?);
        let mut conversation = Conversation {
            created: gateway.now().0 / 1_000,
            metadata: metadata(&body)?,
            ..Conversation::default()
        };
        if let Some(items) = body.get("items") {
            put(&id, &mut conversation, &items)?;
        }
        shelf.converse(&id, &conversation, Expected::Nothing).await?;
        Ok(shown(&id, &conversation))
    })
    .await
}

/// Adds items of a client to a conversation; gives them with their ids.
fn put(id: &str, conversation: &mut Conversation, list: &Node<'_>) -> Result<Vec<Value>, Fault> {
    let added: Vec<Value> = list.items()?.map(|item| item.value().clone()).collect();
    if added.is_empty() || added.len() > USUAL {
        return Err(list.wrong("invalid_value", format!("`items` has 1 to {USUAL} items")));
    }
    let said = items::read(&added, true)?;
    let plain = id.strip_prefix("conv_").unwrap_or(id);
    let first = conversation.added;
    conversation.added += added.len();
    let named: Vec<Value> = added
        .into_iter()
        .enumerate()
        .map(|(place, item)| items::listed(item, format!("item_{plain}_{}", first + place)))
        .collect();
    conversation.items.extend(named.iter().cloned());
    conversation.said.extend(said);
    Ok(named)
}

async fn show(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(service, request, async |_: Given, shelf: Shelf| {
        let (conversation, _) = shelf.conversation(&id).await?;
        Ok(shown(&id, &conversation))
    })
    .await
}

async fn change(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(service, request, async |given: Given, shelf: Shelf| {
        let body = Node::body(&given.body);
        body.only(&["metadata"])?;
        body.need("metadata")?;
        let (mut conversation, revision) = shelf.conversation(&id).await?;
        conversation.metadata = metadata(&body)?;
        shelf.converse(&id, &conversation, Expected::Revision(revision)).await?;
        Ok(shown(&id, &conversation))
    })
    .await
}

async fn delete(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(service, request, async |_: Given, shelf: Shelf| {
        shelf.end(&id).await?;
        Ok(json!({"id": id, "object": "conversation.deleted", "deleted": true}))
    })
    .await
}

async fn list(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(paged): Query<Paged>,
    request: Request,
) -> Response {
    answer(service, request, async |_: Given, shelf: Shelf| {
        let (conversation, _) = shelf.conversation(&id).await?;
        paged.page(&conversation.items)
    })
    .await
}

async fn add(State(service): State<Service>, Path(id): Path<String>, request: Request) -> Response {
    answer(service, request, async |given: Given, shelf: Shelf| {
        let body = Node::body(&given.body);
        body.only(&["items"])?;
        let (mut conversation, revision) = shelf.conversation(&id).await?;
        let added = put(&id, &mut conversation, &body.need("items")?)?;
        shelf.converse(&id, &conversation, Expected::Revision(revision)).await?;
        let all = Paged { limit: Some(MOST), after: None, order: Some("asc".into()) };
        all.page(&added)
    })
    .await
}

async fn item(
    State(service): State<Service>,
    Path((id, item)): Path<(String, String)>,
    request: Request,
) -> Response {
    answer(service, request, async |_: Given, shelf: Shelf| {
        let (mut conversation, _) = shelf.conversation(&id).await?;
        let place = place_of(&conversation, &item)?;
        Ok(conversation.items.swap_remove(place))
    })
    .await
}

async fn take_out(
    State(service): State<Service>,
    Path((id, item)): Path<(String, String)>,
    request: Request,
) -> Response {
    answer(service, request, async |_: Given, shelf: Shelf| {
        let (mut conversation, revision) = shelf.conversation(&id).await?;
        let place = place_of(&conversation, &item)?;
        conversation.items.remove(place);
        let unheard = conversation.said.len().saturating_sub(conversation.heard);
        conversation.said = items::read(&conversation.items, true)?;
        conversation.heard = conversation.said.len().saturating_sub(unheard);
        shelf.converse(&id, &conversation, Expected::Revision(revision)).await?;
        Ok(shown(&id, &conversation))
    })
    .await
}

/// Where an item stands in a conversation. Fails where it is not there.
fn place_of(conversation: &Conversation, id: &str) -> Result<usize, Fault> {
    let is_it = |item: &Value| item.get("id").and_then(Value::as_str) == Some(id);
    conversation.items.iter().position(is_it).ok_or_else(|| {
        Error::new(Code::NotFound, format!("there is no item `{id}` in the conversation")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_page_by_page() {
        let items: Vec<Value> = (0..5).map(|number| json!({"id": format!("i{number}")})).collect();
        let page = |limit, after: Option<&str>, order: Option<&str>| {
            let paged = Paged { limit, after: after.map(str::to_owned), order: order.map(str::to_owned) };
            paged.page(&items).map(|page| {
                let ids: Vec<&str> = page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["id"].as_str().unwrap())
                    .collect();
                (ids.join(" "), page["has_more"].as_bool().unwrap())
            })
        };
        assert_eq!(page(Some(2), None, None), Ok(("i4 i3".into(), true)));
        assert_eq!(page(Some(3), Some("i3"), None), Ok(("i2 i1 i0".into(), false)));
        assert_eq!(page(Some(2), Some("i1"), Some("asc")), Ok(("i2 i3".into(), true)));
        assert_eq!(page(Some(0), None, None).unwrap_err().param.as_deref(), Some("limit"));
        assert_eq!(page(None, Some("x"), None).unwrap_err().param.as_deref(), Some("after"));
        assert_eq!(page(None, None, Some("up")).unwrap_err().param.as_deref(), Some("order"));
    }
}
