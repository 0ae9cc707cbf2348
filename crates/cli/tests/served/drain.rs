//! A process is told to stop, and another goes on.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;

use crate::place::{Place, cashier};

/// What has come of a stream until its end, but for how the run stands, which has no place.
async fn events(
    served: &crate::place::Served,
    run: &str,
    after: Option<&str>,
) -> Vec<(String, Option<String>)> {
    let mut request = served.request(Method::GET, &format!("/api/runs/{run}/events"));
    if let Some(after) = after {
        request = request.header("last-event-id", after);
    }
    let text = request.send().await.unwrap().text().await.unwrap();
    let blocks = text.split("\n\n").filter(|block| block.contains("event: "));
    let field =
        |block: &str, name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let events = blocks.map(|block| (field(block, "event: ").unwrap(), field(block, "id: ")));
    events.filter(|(event, _)| event != "state").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_comes_to_its_recorded_end_and_another_process_goes_on() {
    let mock = cashier(Duration::from_millis(700)).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let mut first = place.serve("first", &[]).await;
    let run = first.start().await;
    let watched = tokio::spawn({
        let request = first.request(Method::GET, &format!("/api/runs/{run}/events"));
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    // The model is being asked.
    while mock.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = place.serve("second", &[]).await;
    let began = Instant::now();
    first.signal(Signal::TERM);
    let status = first.ended().await;
    assert_eq!((status.code(), status.signal()), (Some(143), None), "{}", first.log());
    assert!(began.elapsed() < Duration::from_secs(10), "it waits no longer than it must");
    second.until(&run, &["ended"]).await;
    assert_eq!(mock.requests().len(), 2, "what was under way was recorded, and is not asked again");
    assert_eq!(place.paid().into_values().collect::<Vec<_>>(), [1]);
    // Who watched was let go, and sees the rest at the other one.
    let seen = watched.await.unwrap();
    assert!(!seen.contains("event: ended"), "{seen}");
    let last = seen.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let rest = events(&second, &run, Some(last)).await;
    assert_eq!(rest.last().unwrap().0, "ended");
    let all = events(&second, &run, None).await;
    assert!(rest.len() < all.len() && all.ends_with(&rest), "nothing is missed, nothing comes twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_the_deadline_is_left_to_others() {
    let mock = cashier(Duration::from_secs(4)).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "");
    let mut first = place.serve("first", &["--patience", "1"]).await;
    let run = first.start().await;
    while mock.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    first.signal(Signal::TERM);
    assert_eq!(first.ended().await.code(), Some(143));
    assert!((1_000..3_500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    let second = place.serve("second", &[]).await;
    second.until(&run, &["ended"]).await;
    assert_eq!(place.paid()[&run], 1);
    assert_eq!(mock.requests().len(), 3, "the call that could be made again was");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_that_it_stops_before_it_does() {
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place = Place::new(&mock.base_url(), "[server]\nnotice = \"2s\"\n");
    let mut served = place.serve("first", &[]).await;
    assert_eq!(served.status("/api/health/ready").await, Some(200));
    served.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(served.status("/api/health/ready").await, Some(503));
    assert_eq!(served.status("/api/health/live").await, Some(200));
    let run = served.start().await;
    assert_eq!(served.ended().await.code(), Some(143));
    let other = place.serve("second", &[]).await;
    other.until(&run, &["ended"]).await;
    // Twice means at once.
    other.signal(Signal::TERM);
    other.signal(Signal::TERM);
}
