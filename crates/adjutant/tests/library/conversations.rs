//! Sessions.

use adjutant::core::message::Role;
use adjutant::model::scripted::Turn;
use adjutant::prelude::*;

use crate::shop::{desk, look_up, saying};

#[tokio::test]
async fn turns_know_what_was_said_before() {
    let adjutant = saying([
        look_up(),
        Turn::text("It is on its way."),
        Turn::text("I said so.").expecting_last("Are you sure?"),
    ]);
    let session = adjutant.session("ann");
    let first = session.say(&desk(), "Where is order 1042?").await.unwrap();
    let second = session.say(&desk(), "Are you sure?").await.unwrap();
    assert_eq!((first.text.as_str(), second.text.as_str()), ("It is on its way.", "I said so."));
    assert_eq!(session.turns().await.unwrap().len(), 2);

    let history = session.history().await.unwrap();
    let roles: Vec<Role> = history.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [Role::User, Role::Assistant, Role::Tool, Role::Assistant, Role::User, Role::Assistant]
    );
    assert_eq!(adjutant::core::message::transcript_fault(&history), None);
    assert_eq!(adjutant.session("bob").history().await.unwrap(), []);
}

#[tokio::test]
async fn new_conversations_have_ids_of_their_own() {
    let adjutant = saying([]);
    assert_ne!(adjutant.new_session().unwrap().id(), adjutant.new_session().unwrap().id());
}

#[tokio::test]
async fn a_requests_history_is_shown_with_the_turns_before() {
    let builder = Adjutant::builder().in_memory().model("main", Offline::new());
    let adjutant = builder.resource(crate::shop::Till::default()).build().unwrap();
    let session = adjutant.session("ann");
    session.say(&desk(), "Where is order 1042?").await.unwrap();
    let run = session.start(&desk(), "Thanks!").await.unwrap();
    run.reply().await.unwrap();
    let requests = run.requests().await.unwrap();
    assert!(requests[0].body.as_str().contains("Where is order 1042?"), "{requests:?}");
}
