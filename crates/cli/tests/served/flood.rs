//! More connections than most services see.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::place::{Place, cashier};

/// How many connections are made, where the system allows as many.
const CONNECTIONS: u64 = 10_000;

/// The memory of a process, in KiB.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "the memory of a process is read as Linux tells it")]
async fn ten_thousand_connections_are_held_and_answered() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    setrlimit(Resource::Nofile, Rlimit { current: Some(most.min(200_000)), maximum: limit.maximum }).unwrap();
    let connections = CONNECTIONS.min(most.saturating_sub(500));
    let mock = cashier(Duration::ZERO).start().await.unwrap();
    let place =
        Place::new(&mock.base_url(), "[server]\nhead_timeout = \"5m\"\nstrangers_per_minute = 100000\n");
    let served = place.serve("first", &[]).await;
    let before = memory(served.process());
    let address = served.base.trim_start_matches("http://").to_owned();
    let mut open = Vec::new();
    for number in 0..connections {
        // One of all addresses of this machine for each few: a port is needed for each.
        let mut stream =
            TcpStream::connect(&address).await.unwrap_or_else(|error| panic!("{number}: {error}"));
        stream.write_all(b"GET /api/health/live HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        open.push(stream);
    }
    let mut answered = [0; 15];
    for stream in &mut open {
        stream.read_exact(&mut answered).await.unwrap();
        assert_eq!(&answered, b"HTTP/1.1 200 OK");
    }
    let each = memory(served.process()).saturating_sub(before) / connections;
    eprintln!("{connections} connections, {each} KiB each");
    assert!(each < 64, "{each} KiB each");
    let began = Instant::now();
    assert_eq!(served.status("/api/health/ready").await, Some(200));
    let run = served.start().await;
    served.until(&run, &["ended"]).await;
    assert!(began.elapsed() < Duration::from_secs(10));
}
