//! Begins anew what a process was asked in the background before it died.

use std::time::Duration;

use adjutant::Adjutant;
use adjutant::durable::Expected;
use adjutant::model::Call;
use adjutant_core::error::Retry;
use adjutant_core::{Code, Error, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::held::{Held, Work, left};
use super::store::Shelf;
use super::stream::Events;
use super::work::{Keeping, Listener, work};
use crate::gateway::Talk;
use crate::service::Service;
use crate::wire::Fault;

/// How often it is looked for what nobody holds any more.
const LOOK: Duration = Duration::from_secs(2);

/// Takes over what other processes have left, for all tenants, until nothing new is begun any more.
pub(crate) async fn take_over(service: Service) {
    while !service.draining().is_cancelled() {
        for adjutant in service.tenants().all() {
            // What cannot be taken now is there the next time.
            let _ = look(&service, &adjutant).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(service: &Service, adjutant: &Adjutant) -> Result<()> {
    for document in left(adjutant).await? {
        let place = service.stream()?;
        if let Some((held, asked)) = Held::again(adjutant, &document).await? {
            begin(service, adjutant, held, asked, place).await?;
        }
    }
    Ok(())
}

async fn begin(
    service: &Service,
    adjutant: &Adjutant,
    held: Held,
    asked: Work,
    place: OwnedSemaphorePermit,
) -> Result<()> {
    let id = asked.frame.id.clone();
    let shelf = Shelf::of_all(adjutant);
    let kept = match shelf.response(&id).await {
        Ok(kept) if kept.is_under_way() => kept,
        Ok(_) => return held.done().await,
        Err(error) if error.code() == Code::NotFound => return held.done().await,
        Err(error) => return Err(error),
    };
    let said = asked.request.messages.iter().skip(asked.instructions);
    let keeping = Keeping {
        shelf: shelf.for_whom(kept.by),
        id,
        over: Some(Expected::Something),
        said: said.map(|message| message.as_ref().clone()).collect(),
        input: kept.input,
        session: kept.session,
        conversation: asked.frame.conversation.clone(),
        by_agent: false,
        user: kept.user,
    };
    if held.is_hopeless() {
        let error = Error::new(Code::Internal, "every process that worked on it came to its end");
        return fail(&asked, &keeping, held, error).await;
    }
    let (asker, request) = (asked.asker(), asked.request.clone());
    let talk = match adjutant.gateway().ask(&asker, &asked.model, request, Call::default()).await {
        Ok(exchange) => Talk::Model(Box::new(exchange)),
        // It is begun again when nobody is taken to hold it any more.
        Err(error) if error.code().retry() == Retry::Later => return Ok(()),
        Err(error) => return fail(&asked, &keeping, held, error).await,
    };
    let working = service.background().begin(&adjutant.scope().tenant, &keeping.id);
    let listener = Listener::Later { to: working, _place: place };
    service.background().spawn(work(talk, Events::new(asked.frame), keeping, listener, Some(held)));
    Ok(())
}

async fn fail(asked: &Work, keeping: &Keeping, held: Held, error: Error) -> Result<()> {
    let (mut events, mut out) = (Events::new(asked.frame.clone()), Vec::new());
    events.fail(&Fault::from(error), &mut out);
    if let Some(response) = events.response() {
        let told = out.into_iter().map(|event| event.data).collect();
        keeping.partial(response, None, told).await?;
    }
    held.done().await
}
