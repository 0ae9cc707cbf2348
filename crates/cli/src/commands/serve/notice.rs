//! What the service tells systemd, where that has started it: that it is ready, and that it stops.

use std::os::unix::net::UnixDatagram;

/// Where systemd listens, as it names it to those that it starts.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Tells systemd something, where it listens. Whoever does not hear it waits until its own time is over.
pub(super) fn tell(state: &str) {
    let Some(place) = std::env::var_os(SOCKET) else { return };
    let Ok(socket) = UnixDatagram::unbound() else { return };
    let _ = send(&socket, state, &place);
}

#[cfg(target_os = "linux")]
fn send(socket: &UnixDatagram, state: &str, place: &std::ffi::OsStr) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    // A name that is in no folder begins with `@`.
    match place.as_bytes().strip_prefix(b"@") {
        Some(name) => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address)
        }
        None => socket.send_to(state.as_bytes(), place),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(socket: &UnixDatagram, state: &str, place: &std::ffi::OsStr) -> std::io::Result<usize> {
    socket.send_to(state.as_bytes(), place)
}
