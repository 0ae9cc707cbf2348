//! The relay: forwards an address of the sandbox's own loopback to the socket of the proxy.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::{DETACH, RELAY};
use crate::sandbox::launch::PROXY_PORT;

/// Starts the relay, which listens when this returns. It is no child of this process, which becomes a command that may
/// wait for its children.
pub(super) fn start(socket: &Path) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PROXY_PORT))?;
    let mut between = Command::new(std::env::current_exe()?);
    between
        .arg(DETACH)
        .arg(socket)
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match between.status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other("it did not start")),
    }
}

/// Starts the relay and leaves it to the first process of the sandbox. Standard input is the listener.
pub(super) fn detach(socket: Option<OsString>) -> i32 {
    let started = std::env::current_exe().and_then(|program| {
        let mut relay = Command::new(program);
        // A script that kills its own group does not mean the relay.
        relay.arg(RELAY).args(socket).process_group(0).spawn()
    });
    i32::from(started.is_err())
}

/// Forwards until the sandbox ends.
pub(super) fn run(socket: Option<OsString>) -> i32 {
    let Some(socket) = socket.map(PathBuf::from) else { return 1 };
    let listener = std::io::stdin().as_fd().try_clone_to_owned().map(TcpListener::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let forwarded = listener.and_then(|listener| runtime?.block_on(forward(listener, &socket)));
    i32::from(forwarded.is_err())
}

async fn forward(listener: TcpListener, socket: &Path) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((mut client, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let socket = socket.to_owned();
        connections.spawn(async move {
            let mut proxy = UnixStream::connect(&socket).await?;
            tokio::io::copy_bidirectional(&mut client, &mut proxy).await
        });
    }
}
