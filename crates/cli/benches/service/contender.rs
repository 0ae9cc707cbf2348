//! Those who are compared, each a process of its own.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load::Asked;

/// How long somebody may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nginx,
    Bare,
    Adjutant,
    Portkey,
    LiteLlm,
}

impl Peer {
    pub(crate) const ALL: &[Self] = &[Self::Nginx, Self::Bare, Self::Adjutant, Self::Portkey, Self::LiteLlm];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx, a plain proxy",
            Self::Bare => "axum and reqwest, a plain proxy",
            Self::Adjutant => "Adjutant",
            Self::Portkey => "Portkey",
            Self::LiteLlm => "LiteLLM",
        }
    }
}

/// A process that listens.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// One of those who are compared, as it runs.
pub(crate) struct Contender {
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
    process: Process,
    provider: SocketAddr,
    /// What it is shown to answer.
    pub(crate) token: Option<String>,
    _folder: TempDir,
}

/// Starts this program in another role.
pub(crate) fn start_role(role: &str, arguments: &[String]) -> Process {
    let program = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(program)
        .args(["--role", role])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output is piped");
    BufReader::new(output).read_line(&mut line).expect("it says where it listens");
    Process { address: line.trim().parse().expect("it says an address"), child }
}

impl Contender {
    /// Starts it in front of a provider. Fails with why it cannot be had.
    pub(crate) async fn start(peer: Peer, provider: SocketAddr) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let place = folder.path();
        if peer == Peer::Bare {
            let process = start_role("proxy", &[provider.to_string()]);
            return Ok(Self {
                peer,
                address: process.address,
                process,
                provider,
                token: None,
                _folder: folder,
            });
        }
        let port = free_port();
        let mut token = None;
        let mut command = match peer {
            Peer::Nginx => nginx(place, port, provider)?,
            Peer::Adjutant => {
                let (command, first) = adjutant(place, port, provider)?;
                token = Some(first);
                command
            }
            Peer::Portkey => portkey(port)?,
            Peer::LiteLlm => litellm(place, port, provider)?,
            Peer::Bare => return Err("it is this program".to_owned()),
        };
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = quiet.spawn().map_err(|error| format!("it does not start: {error}"))?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let process = Process { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > PATIENCE {
                return Err(format!("nobody listens at {address} after {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Self { peer, address, process, provider, token, _folder: folder })
    }

    /// How it is asked for what the provider has.
    pub(crate) fn asked(&self, streamed: bool) -> Asked {
        let path = "/v1/chat/completions";
        match (&self.token, self.peer) {
            (Some(token), _) => {
                Asked::new(path, vec![("authorization", format!("Bearer {token}"))], "main", streamed)
            }
            (None, Peer::LiteLlm) => {
                Asked::new(path, vec![("authorization", "Bearer sk-bench".to_owned())], "bench", streamed)
            }
            (None, Peer::Portkey) => {
                let headers = vec![
                    ("x-portkey-provider", "openai".to_owned()),
                    ("x-portkey-custom-host", format!("http://{}/v1", self.provider)),
                    ("authorization", "Bearer sk-bench".to_owned()),
                ];
                Asked::new(path, headers, "bench", streamed)
            }
            _ => Asked::new(path, Vec::new(), "bench", streamed),
        }
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.process.child.id());
        let pages = std::fs::read_to_string(path).unwrap_or_default();
        // The second number is what stands in memory; a page is 4 KiB on the machines that people run this on.
        pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
    }

    /// The CPU that it and what it started have taken, user and kernel.
    pub(crate) fn cpu(&self) -> Duration {
        let all = processes();
        let mut ours = vec![self.process.child.id()];
        while let Some((id, ..)) =
            all.iter().find(|(id, parent, _)| ours.contains(parent) && !ours.contains(id))
        {
            ours.push(*id);
        }
        all.iter().filter(|(id, ..)| ours.contains(id)).map(|(.., cpu)| *cpu).sum()
    }
}

/// Every process with its parent and the CPU that it has taken (`proc_pid_stat(5)`).
fn processes() -> Vec<(u32, u32, Duration)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let read = |entry: std::fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name may have spaces; what follows its bracket has none.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        // A tick is 10 ms on every Linux that people run.
        let cpu = Duration::from_millis(10 * (number(11)? + number(12)?));
        Some((id, u32::try_from(number(1)?).ok()?, cpu))
    };
    entries.filter_map(read).collect()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
}

fn nginx(place: &Path, port: u16, provider: SocketAddr) -> Result<Command, String> {
    let text = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log {0}/access; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/f; \
         uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; keepalive_requests 1000000;\n\
         upstream provider {{ server {provider}; keepalive 64; keepalive_requests 1000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://provider; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; proxy_buffering off; }} }} }}\n",
        place.display()
    );
    let file = place.join("nginx.conf");
    write(&file, &text)?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).arg("-p").arg(place);
    Ok(command)
}

/// The service with all that it has on, and a key for it.
fn adjutant(place: &Path, port: u16, provider: SocketAddr) -> Result<(Command, String), String> {
    std::fs::create_dir_all(place.join("policies")).map_err(|error| error.to_string())?;
    std::fs::create_dir_all(place.join("agents")).map_err(|error| error.to_string())?;
    write(&place.join("agents/desk.md"), "---\nmodel: slow\n---\nHelp.\n")?;
    let steps = "---\nmodel: steps\ntools: [calculator]\nlimits: { steps: 30 }\n---\nCalculate.\n";
    write(&place.join("agents/steps.md"), steps)?;
    let asks = "---\nmodel: steps\ntools: [calculator]\napprove: [calculator]\n---\nCalculate.\n";
    write(&place.join("agents/asks.md"), asks)?;
    let model = |role: &str, model: &str| {
        format!(
            "[models.{role}]\nprovider = \"openai\"\nmodel = \"{model}\"\nbase_url = \"http://{provider}/v1\"\n\
             prices = {{ input = 1.0, output = 2.0 }}\n\n"
        )
    };
    let models = [model("main", "bench"), model("slow", "slow"), model("steps", "steps")].concat();
    let settings = format!(
        "[project]\ntitles = false\n\n{models}[budget]\nmoney = \"100000 USD\"\nper = \"day\"\n\n[server]\nrequests_per_minute = 100000000\nburst = 100000000\n"
    );
    write(&place.join("adjutant.toml"), &settings)?;
    write(&place.join("policies/all.cedar"), "permit (principal, action, resource);\n")?;
    let program = env!("CARGO_BIN_EXE_adjutant");
    let made = Command::new(program)
        .args(["keys", "create", "bench", "--role", "operator", "--project"])
        .arg(place)
        .env("OPENAI_API_KEY", "sk-bench")
        .output()
        .map_err(|error| error.to_string())?;
    let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    if token.is_empty() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg(place)
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .env("OPENAI_API_KEY", "sk-bench");
    Ok((command, token))
}

fn portkey(port: u16) -> Result<Command, String> {
    let folder = std::env::var_os("PORTKEY").map(PathBuf::from).ok_or("`PORTKEY` names no folder")?;
    let mut command = Command::new("node");
    command
        .arg(folder.join("node_modules/@portkey-ai/gateway/build/start-server.js"))
        .arg(format!("--port={port}"))
        .arg("--headless")
        .env("TRUSTED_CUSTOM_HOSTS", "127.0.0.1");
    Ok(command)
}

fn litellm(place: &Path, port: u16, provider: SocketAddr) -> Result<Command, String> {
    let program = std::env::var_os("LITELLM").ok_or("`LITELLM` names no executable")?;
    let file = place.join("litellm.yaml");
    write(
        &file,
        &format!(
            "model_list:\n  - model_name: bench\n    litellm_params:\n      model: openai/bench\n      api_base: http://{provider}/v1\n      \
             api_key: sk-bench\ngeneral_settings:\n  master_key: sk-bench\n"
        ),
    )?;
    let mut command = Command::new(program);
    command.arg("--config").arg(&file).args([
        "--host",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--num_workers",
        "1",
    ]);
    Ok(command)
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
