//! Sandboxed processes: what runs a program that nobody has read.
//!
//! [`Sandbox::enter`] turns a command into one that runs in a sandbox, and gives the guard that goes with it:
//! - **What it sees.** Its own mount namespace: the system's programs and libraries, which it cannot change; the files
//!   and folders that the configuration lists; its session's folder, which it may write to, at [`HOME`]; and an empty
//!   `/tmp` for each call. Nothing else of the host, not even by name.
//! - **What it reaches.** Its own network namespace. The one way out is a proxy in this process, which lets the hosts pass
//!   that the configuration lists; none is there where it lists none. Own process, IPC, host name and user namespaces, no
//!   terminal. A seccomp filter takes away what it has no use for: other namespaces, mounts, tracing, the kernel's
//!   keyring, socket families that know no namespace.
//! - **Who it is.** A user id without rights, without capabilities, that can gain none. Where Adjutant runs as root, it
//!   is another user on the host, too: resource limits do not bind root.
//! - **How much it takes.** The kernel limits memory, processes, open files and the size of a file, per process and for
//!   the user id. A control group limits all processes together where one was delegated; otherwise a supervisor adds up
//!   their memory. It always adds up the size of the folder, and ends what takes too much.
//! - **How long it lives.** All of it ends with the call, with `SIGKILL` to the first process of its process namespace:
//!   a daemon, a session of its own, or a double fork does not help. It also ends when this process dies.
//!
//! bubblewrap sets the namespaces up, `prlimit` (and for root `setpriv`) of util-linux the rest. The program itself is
//! started once more within ([`first_in_main`](crate::first_in_main)): it puts up landlock as a second wall, and relays to the proxy.
//! [`examine`] says what holds on a machine.

mod artifact;
mod call;
mod cgroup;
mod config;
mod egress;
mod enter;
mod examine;
mod filter;
mod folder;
mod group;
mod guard;
mod inside;
mod keep;
mod launch;
mod machine;
mod tree;

pub use artifact::Artifact;
pub use config::{Config, Isolation, Limits};
pub use egress::{Sink, host_is_valid};
pub use enter::{Command, Entered, Sandbox};
pub(crate) use examine::refused;
pub use examine::{Finding, examine};
pub use folder::{Folder, Owner};
pub use guard::Guard;
pub(crate) use inside::first_in_main;
pub use launch::HOME;
