//! [`Sandbox`]: makes a command one that runs in a sandbox.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use adjutant_core::{Code, Error, Result};

use super::artifact::Snapshot;
use super::call::Call;
use super::cgroup::{Base, Group};
use super::config::{Config, Isolation};
use super::egress::{Hosts, Proxy};
use super::folder::{self, Folder};
use super::guard::Guard;
use super::inside::{self, Landlock};
use super::launch::{self, HOME, PROXY_PORT, Place, part};
use super::machine::{Machine, unavailable};
use super::tree::{self, Size};
use crate::skill::{self, Skills};

/// Where a file that was written for the call is in the sandbox.
const GIVEN: &str = "/run/adjutant";

/// Makes commands ones that run in a sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox {
    config: Config,
    hosts: Hosts,
}

/// What is to run in a sandbox.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// The program: a name that is looked for among the system's programs, or a path of the host. A file that is no part
    /// of the system is seen in the sandbox, too.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// A file for the program, as its name and what is in it; its path becomes the last argument.
    pub file: Option<(&'static str, Vec<u8>)>,
    /// Further files of the host that are seen, at the same path.
    pub files: Vec<PathBuf>,
    /// Where it starts, which is an empty folder there unless it is seen; in the session's folder where nothing is said.
    pub directory: Option<PathBuf>,
    /// The skills that the program sees.
    pub skills: Option<Skills>,
}

/// A command that runs in a sandbox.
#[derive(Debug)]
pub struct Entered {
    /// What to start.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Where to start it.
    pub directory: Option<PathBuf>,
    /// The environment that the program needs, besides what it is given. It wins over this process's own `PATH`.
    pub environment: Vec<(&'static str, String)>,
    /// Watches it. It must be held until the process is gone.
    pub guard: Guard,
}

impl Sandbox {
    /// A sandbox by this configuration. Nothing is made yet. Fails with [`Code::ToolInvalid`] when what it is to see is
    /// where it has something else.
    pub fn new(mut config: Config) -> Result<Self> {
        for path in config.read.iter_mut().chain(&mut config.write).chain(&mut config.hidden) {
            *path = absolute(path)?;
            check(path)?;
        }
        config.work = absolute(&config.work)?;
        let hosts = Hosts::read(&config.hosts)?;
        Ok(Self { config, hosts })
    }

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Makes the folders, the proxy where it reaches hosts, and the command line. Blocks for as long as the disk takes.
    /// The proxy runs on the tokio runtime that this is called in.
    ///
    /// Fails with [`Code::SandboxUnavailable`] when this machine, or this program, cannot make a sandbox.
    pub fn enter(&self, folder: &Folder, command: Command) -> Result<Entered> {
        let sandboxed = self.config.isolation == Isolation::Sandbox;
        let machine = if sandboxed { Some(Machine::find()?) } else { None };
        folder.create()?;
        let session = folder.files();
        let call = Call::begin(folder).map_err(|error| broken(&session, &error))?;
        let given = command.file.map(|(name, content)| {
            let path = call.write(name, &content).map_err(|error| broken(&session, &error))?;
            Ok::<_, Error>((path, Path::new(GIVEN).join(name)))
        });
        let given = given.transpose()?;
        let skills = command.skills.map(|skills| skills.unpack(&self.config.work)).transpose()?;
        let shelf = |place: &str| skills.is_some().then(|| (skill::VARIABLE, place.to_owned()));
        let mut arguments = command.arguments;
        let seen = |(host, inside): &(PathBuf, PathBuf)| {
            let path = if sandboxed { inside } else { host };
            path.to_string_lossy().into_owned()
        };
        arguments.extend(given.as_ref().map(seen));
        let limits = self.config.limits;
        let guard = |call| {
            let most = Size { bytes: limits.folder_bytes, files: limits.folder_files, beyond: false };
            let held = tree::measure(&session, &Size { bytes: u64::MAX, files: u64::MAX, beyond: true });
            let most = Size {
                bytes: most.bytes.max(held.bytes),
                files: most.files.max(held.files),
                beyond: held.beyond,
            };
            let before = Snapshot::of(&session);
            Guard {
                call,
                session: session.clone(),
                before,
                limits,
                most,
                sandboxed,
                proxy: None,
                group: None,
            }
        };
        let Some(machine) = machine else {
            return Ok(Entered {
                program: PathBuf::from(command.program),
                arguments: arguments.into_iter().map(OsString::from).collect(),
                directory: Some(session.clone()),
                environment: [("HOME", session.to_string_lossy().into_owned())]
                    .into_iter()
                    .chain(skills.as_ref().and_then(|place| shelf(&place.to_string_lossy())))
                    .collect(),
                guard: guard(call),
            });
        };
        let program = Path::new(&command.program);
        let mut bound: Vec<_> = given.into_iter().collect();
        bound.extend(skills.clone().map(|place| (place, PathBuf::from(skill::FOLDER))));
        let named = [program].into_iter().filter(|program| program.is_absolute());
        for path in
            named.chain(command.files.iter().map(PathBuf::as_path)).filter(|path| !launch::is_system(path))
        {
            check(path)?;
            bound.push((path.to_owned(), path.to_owned()));
        }
        let directory = command.directory.filter(|directory| check(directory).is_ok());
        let proxy = self.proxy(&call)?;
        let group = self.group()?;
        let place = Place {
            work: folder.work(),
            session: &session,
            call: call.folder(),
            group: group.as_ref().map(Group::door),
            directory: directory.as_deref(),
            inside: self.inside(),
        };
        let words =
            launch::command_line(&machine, &self.config, &place, &bound, &command.program, &arguments);
        let mut words = words.into_iter();
        let mut environment = vec![
            ("PATH", launch::PATH.to_owned()),
            ("HOME", HOME.to_owned()),
            ("TMPDIR", "/tmp".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        environment.extend(shelf(skill::FOLDER));
        if proxy.is_some() {
            environment.extend(proxied(&self.hosts));
        }
        Ok(Entered {
            program: words.next().map(PathBuf::from).unwrap_or_default(),
            arguments: words.collect(),
            directory: None,
            environment,
            guard: Guard { proxy, group, ..guard(call) },
        })
    }

    /// Begins to answer what asks for hosts.
    fn proxy(&self, call: &Call) -> Result<Option<Proxy>> {
        if self.hosts.is_empty() {
            return Ok(None);
        }
        if self.inside().is_none() {
            return Err(unavailable("a sandbox with `hosts` is made by a program that takes part in it, and this one does not")
                .with_help(
                    "call `adjutant::tool::first_in_main()` before anything else in the program's main function,                      or name a program that does, such as `adjutant`, in `Config::inside`",
                ));
        }
        let path = call.folder().join(part::PROXY);
        let proxy = Proxy::begin(&path, self.hosts.clone(), self.config.limits.network_bytes)?;
        folder::give(&path).map_err(|error| broken(&path, &error))?;
        Ok(Some(proxy))
    }

    /// The control group of one call, where there are any.
    fn group(&self) -> Result<Option<Group>> {
        let Some(named) = &self.config.cgroup else {
            // The supervisor does it where there is none.
            return Ok(Base::delegated().ok().and_then(|base| base.create(&self.config.limits).ok()));
        };
        let help = "name a control group that this user may write to and that has no processes, or leave out `cgroup`";
        let base = Base::at(named).map_err(|why| unavailable(why).with_help(help))?;
        let group = base.create(&self.config.limits).map_err(|error| {
            unavailable(format!("no control group can be made in `{}`", named.display()))
                .caused_by(&error)
                .with_help(help)
        });
        group.map(Some)
    }

    /// The program that is started within, where it has something to do there.
    pub(super) fn inside(&self) -> Option<&Path> {
        let program = self.config.inside.as_deref().or_else(|| inside::program())?;
        (!self.hosts.is_empty() || Landlock::of_kernel() != Landlock::None).then_some(program)
    }
}

/// How programs find the proxy. There is no one way.
fn proxied(hosts: &Hosts) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let address = format!("http://127.0.0.1:{PROXY_PORT}");
    // What listens in the sandbox itself is reached directly, unless the same name is one outside.
    let direct = if hosts.has_loopback() { "" } else { "localhost,127.0.0.1,::1" };
    let names = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let proxies = names.into_iter().map(move |name| (name, address.clone()));
    let rest = [("no_proxy", direct), ("NO_PROXY", direct), ("NODE_USE_ENV_PROXY", "1")];
    proxies.chain(rest.map(|(name, value)| (name, value.to_owned())))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        Error::new(Code::ToolInvalid, format!("`{}` is no path", path.display())).caused_by(&error)
    })
}

/// Refuses what would cover, or be covered by, what every sandbox has.
fn check(path: &Path) -> Result<()> {
    const OWN: [&str; 9] =
        [HOME, GIVEN, skill::FOLDER, launch::PROXY, launch::INSIDE, "/proc", "/dev", "/sys", "/etc/passwd"];
    if path == Path::new("/") || path == Path::new("/tmp") || OWN.iter().any(|own| path.starts_with(own)) {
        let message =
            format!("`{}` cannot be seen in a sandbox: it has one of its own there", path.display());
        return Err(
            Error::new(Code::ToolInvalid, message).with_help("name the folders below that are needed")
        );
    }
    Ok(())
}

fn broken(folder: &Path, error: &io::Error) -> Error {
    Error::new(Code::ToolBroken, format!("the folder `{}` cannot be prepared", folder.display()))
        .caused_by(error)
}
