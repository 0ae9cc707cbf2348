//! The one way from a sandbox to the network: a proxy in this process that lets listed hosts pass.
//!
//! The sandbox has a network namespace of its own, so nothing in it reaches anything by itself. A Unix socket is bound
//! into it, on which [`Proxy`] answers as an HTTP proxy: `CONNECT` for TLS and everything else, absolute addresses for
//! plain HTTP. Programs in the sandbox find it where they look for proxies (`HTTPS_PROXY`), at an address of their own
//! loopback that [`inside`](super::inside) forwards to the socket. Whoever talks to the socket directly meets the same
//! proxy: nothing rests on what is in the sandbox.
//!
//! - The proxy resolves names itself and connects to the address that it has checked.
//! - A plain request names its host once: the header `Host` is written anew from the address. Each request is made by
//!   itself, so that nothing can be hidden behind another one.
//! - A tunnel that begins as TLS must be for the host that was asked for, where it names one. What is said inside of TLS
//!   is not seen.

mod forward;
mod hello;
mod hosts;
mod log;
mod metered;
mod proxy;
mod tunnel;

pub(super) use hosts::Hosts;
pub use hosts::host_is_valid;
pub use log::Sink;
pub(super) use proxy::Proxy;
