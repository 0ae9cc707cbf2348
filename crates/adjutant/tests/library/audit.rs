//! Who did what, and whether all is as it was recorded.

use adjutant::agent::approval::Decision;
use adjutant::core::role::Role;
use adjutant::durable::Verify;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{AuditFilter, NewKey, Verdict};

use crate::shop::{Till, desk, pay_cents};

fn what(what: &str) -> AuditFilter {
    AuditFilter { what: Some(what.to_owned()), ..AuditFilter::default() }
}

#[tokio::test]
async fn what_people_did_is_listed_and_nothing_of_it_can_be_changed_unseen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let model = Scripted::new([pay_cents(5), Turn::text("Paid.")]);
    let adjutant =
        Adjutant::builder().store(&path).model("main", model).resource(Till::default()).build().unwrap();
    let run = adjutant.start(&desk().approve("pay"), Task::new("Pay 5 cents.").user("carl")).await.unwrap();
    let driving = tokio::spawn({
        let run = run.clone();
        async move { run.reply().await }
    });
    let approval = loop {
        match adjutant.approvals().waiting().await.unwrap().pop() {
            Some(approval) => break approval,
            None => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    };
    let verdict = Verdict::new(Decision::Approve, "ann");
    adjutant.approvals().decide(&approval.run, &approval.signal, verdict).await.unwrap();
    driving.await.unwrap().unwrap();
    let key = adjutant.keys().create(NewKey::new("ci", Role::Viewer), "ann").await.unwrap();
    adjutant.keys().revoke(&key.key.id, "dora", None).await.unwrap();
    adjutant
        .audit()
        .record("dora", "policies.reloaded", "desk.cedar", serde_json::Value::Null)
        .await
        .unwrap();

    let audit = adjutant.audit();
    let all = audit.list(&AuditFilter::default(), None, 100).await.unwrap();
    let told: Vec<_> =
        all.events.iter().map(|event| (event.what.as_str(), event.by.as_deref().unwrap_or(""))).collect();
    assert_eq!(
        told,
        [
            ("policies.reloaded", "dora"),
            ("key.revoked", "dora"),
            ("key.created", "ann"),
            ("call.allowed", "ann"),
            ("run.started", "")
        ]
    );
    assert_eq!(all.next, None);
    let keys = audit.list(&what("key"), None, 1).await.unwrap();
    assert_eq!(keys.events[0].subject, key.key.id);
    let more = audit.list(&what("key"), keys.next, 9).await.unwrap();
    assert_eq!((more.events.len(), more.events[0].what.as_str()), (1, "key.created"));
    let of_run = AuditFilter { run: Some(run.id().clone()), ..AuditFilter::default() };
    assert_eq!(audit.list(&of_run, None, 9).await.unwrap().events.len(), 2);
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains(key.token.expose()));
    let head = audit.verify(Verify::default()).await.unwrap();
    assert_eq!(head.fault, None);

    assert_eq!(adjutant.erase_user("carl", "dora").await.unwrap(), 1);
    let verified = audit.verify(Verify { head: head.head, ..Verify::default() }).await.unwrap();
    assert_eq!((verified.fault, verified.erasures.len()), (None, 1));
    let left = audit.list(&AuditFilter::default(), None, 100).await.unwrap();
    assert_eq!(left.events[0].what, "person.erased");
    assert!(left.events.iter().all(|event| event.run.is_none()));

    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("UPDATE acts SET by = 'eve' WHERE what = 'key.created'", []).unwrap();
    assert!(audit.verify(Verify::default()).await.unwrap().fault.is_some());
}

#[tokio::test]
async fn whoever_does_something_to_a_run_is_told_by_the_name_that_they_came_with() {
    let folder = tempfile::tempdir().unwrap();
    let model = Scripted::new([pay_cents(5), Turn::text("Paid."), Turn::text("Again.")]);
    let adjutant = Adjutant::builder()
        .store(folder.path().join("a.db"))
        .model("main", model)
        .resource(Till::default())
        .build()
        .unwrap();
    let task = Task::new("Pay 5 cents.").user("carl");
    let run = adjutant.by("shop").start(&desk().approve("pay"), task).await.unwrap();
    let (ann, bob) = (adjutant.by("ann").handle(run.id()), adjutant.by("bob").handle(run.id()));
    ann.steer("Be quick, my number is 12345.").await.unwrap();
    ann.pause("lunch").await.unwrap();
    bob.resume().await.unwrap();
    bob.cancel("enough").await.unwrap();
    let refused = ann.cancel("again").await;
    let audit = adjutant.audit();
    let of_run = AuditFilter { run: Some(run.id().clone()), ..AuditFilter::default() };
    let all = audit.list(&of_run, None, 100).await.unwrap().events;
    let told: Vec<_> =
        all.iter().rev().map(|event| (event.what.as_str(), event.by.as_deref().unwrap_or(""))).collect();
    let expected = [
        ("run.started", "shop"),
        ("run.told", "ann"),
        ("run.paused", "ann"),
        ("run.resumed", "bob"),
        ("run.cancelled", "bob"),
    ];
    assert_eq!(told, expected, "{refused:?}");
    assert!(all.iter().all(|event| event.subject == "desk"), "{all:?}");
    assert_eq!(all.last().unwrap().details["user"], "carl");
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("12345"), "what was said is not in it: {text}");
    assert_eq!(audit.verify(Verify::default()).await.unwrap().fault, None);
}
