//! The way out to listed hosts, and every way around it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_core::Code;
use adjutant_tool::Failure;
use adjutant_tool::builtin::script::{Config, Language, script};
use serde_json::json;

use super::{Place, context, heard};

/// A server on this machine's loopback that answers every request with what it was asked, and closes.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let said = Arc::clone(&said);
                std::thread::spawn(move || answer(stream, &said));
            }
        });
        Self { port, heard }
    }

    /// How often it was asked something.
    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn last(&self) -> String {
        self.heard.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

fn answer(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut asked, mut chunk) = (Vec::new(), [0; 4096]);
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => asked.extend(chunk.iter().take(count)),
            _ => break,
        }
    }
    // What is hidden behind the head comes at once.
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    if let Ok(count) = stream.read(&mut chunk) {
        asked.extend(chunk.iter().take(count));
    }
    heard.lock().unwrap().push(String::from_utf8_lossy(&asked).into_owned());
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

/// A place whose scripts reach these hosts.
fn place(hosts: &[String]) -> Option<Place> {
    let mut place = Place::new()?;
    place.config.hosts = hosts.to_vec();
    Some(place)
}

/// Sends bytes to the proxy as they stand, and prints the first line of what comes back.
fn raw(bytes: &str) -> String {
    format!(
        "import socket\ns = socket.create_connection(('127.0.0.1', 3128)); s.settimeout(10)\ns.sendall(b'''{bytes}''')\n\
         print(s.recv(4096).split(b'\\r\\n')[0].decode())\n"
    )
}

/// A TLS server for `localhost` on this machine that answers one request, and its certificate.
fn tls_server() -> (u16, String) {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::new(config.clone())).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut asked = [0; 4096];
            if let Ok(1..) = stream.read(&mut asked) {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    (port, made.cert.pem())
}

const URLLIB: &str = "import urllib.request, urllib.error\n\
                      def get(url):\n\
                      \x20   try: print(urllib.request.urlopen(url, timeout=10).read().decode())\n\
                      \x20   except urllib.error.HTTPError as error: print(error.code, error.read().decode().strip())\n\
                      \x20   except OSError as error: print(error)\n";

#[tokio::test]
async fn a_listed_host_is_reached_by_its_name_and_port_alone() {
    let (server, other) = (Server::start(), Server::start());
    let Some(place) = place(&[format!("localhost:{}", server.port)]) else { return };
    let text = format!(
        "{URLLIB}get('http://localhost:{}/a?b=c')\nget('http://localhost:{}/')",
        server.port, other.port
    );
    let printed = place.python(&text).await.unwrap();
    let refused = format!("`localhost:{}` is not among the hosts of the sandbox", other.port);
    assert_eq!(
        printed,
        format!("hello\n403 adjutant: {refused}\n[the sandbox's proxy refused a connection: {refused}]")
    );
    let asked = server.last();
    assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
    assert!(asked.to_lowercase().contains(&format!("\r\nhost: localhost:{}\r\n", server.port)), "{asked}");
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn a_tunnel_leads_to_listed_hosts_alone() {
    let (server, other) = (Server::start(), Server::start());
    let Some(place) = place(&[format!("127.0.0.1:{}", server.port)]) else { return };
    let connect = |to: &str| raw(&format!("CONNECT {to} HTTP/1.1\\r\\nHost: {to}\\r\\n\\r\\n"));
    let text = format!(
        "{}s.sendall(b'GET /in HTTP/1.1\\r\\n\\r\\n')\nprint(s.recv(99).split(b'\\r\\n')[0].decode())",
        connect(&format!("127.0.0.1:{}", server.port))
    );
    assert_eq!(place.python(&text).await.unwrap(), "HTTP/1.1 200 OK\nHTTP/1.1 200 OK");
    assert!(server.last().starts_with("GET /in"));
    let (own, others) = (server.port, other.port);
    for to in [
        format!("127.0.0.1:{others}"),
        format!("localhost:{own}"),
        format!("127.0.0.2:{own}"),
        format!("[::1]:{own}"),
        format!("0.0.0.0:{own}"),
        format!("127.0.0.1:{own}@127.0.0.1:{others}"),
        "169.254.169.254:80".to_owned(),
        "127.0.0.1".to_owned(),
    ] {
        let line = place.python(&connect(&to)).await.unwrap();
        assert!(line.starts_with("HTTP/1.1 403") || line.starts_with("HTTP/1.1 400"), "{to}: {line}");
    }
    // Every way to write the address is that address.
    let line = place.python(&connect(&format!("0x7f.1:{own}"))).await.unwrap();
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn tls_is_carried_as_it_is() {
    let (port, certificate) = tls_server();
    let Some(place) = place(&[format!("localhost:{port}")]) else { return };
    let text = format!(
        "import ssl, urllib.request as u\n\
         c = ssl.create_default_context(cadata='''{certificate}''')\n\
         def get(url, context):\n\
         \x20   try: print(u.urlopen(url, context=context, timeout=10).read().decode())\n\
         \x20   except OSError as error: print(error)\n\
         get('https://localhost:{port}/', c)\n\
         get('https://localhost:{port}/', None)\n\
         get('https://other.example/', c)\n"
    );
    let printed = place.python(&text).await.unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.first(), Some(&"secret"), "{printed}");
    assert!(
        printed.contains("certificate verify failed") && printed.contains("Tunnel connection failed: 403"),
        "{printed}"
    );
    // As the program does that people use.
    let script = format!(
        "printf '%s' '{certificate}' > ca.pem; command -v curl >/dev/null || {{ echo secret; exit; }}\n\
         curl -sS --cacert ca.pem https://localhost:{port}/"
    );
    assert!(place.shell(&script).await.unwrap().starts_with("secret"));
}

#[tokio::test]
async fn a_request_goes_where_its_address_says_and_nothing_hides_behind_it() {
    let (server, other) = (Server::start(), Server::start());
    let Some(place) = place(&[format!("localhost:{}", server.port)]) else { return };
    let (own, others) = (server.port, other.port);
    let get = format!("GET http://localhost:{own}/x HTTP/1.1\\r\\n");
    // Another host in the header, and once more.
    for header in [format!("Host: localhost:{others}\\r\\n"), "Host: a\\r\\nHost: b\\r\\n".to_owned()] {
        let line = place.python(&raw(&format!("{get}{header}\\r\\n"))).await.unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK");
        let asked = server.last().to_lowercase();
        assert_eq!(asked.matches("\nhost:").count(), 1, "{asked}");
        assert!(asked.contains(&format!("host: localhost:{own}")), "{asked}");
    }
    // A second request in the body of the first, and one that follows it.
    let hidden = "GET /admin HTTP/1.1\\r\\nHost: admin\\r\\n\\r\\n";
    let followed = place.python(&raw(&format!("{get}Host: a\\r\\n\\r\\n{hidden}"))).await.unwrap();
    assert!(followed.starts_with("HTTP/1.1 200 OK"), "{followed}");
    assert!(!server.last().contains("admin"), "{}", server.last());
    let both = format!(
        "{get}Host: a\\r\\nContent-Length: 3\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n{hidden}"
    );
    let _ = place.python(&raw(&both)).await;
    assert!(!server.heard.lock().unwrap().iter().any(|asked| asked.contains("admin")));
    // Addresses that are not what they seem.
    for line in [
        "GET /x HTTP/1.1\\r\\nHost: localhost:OWN".to_owned(),
        format!("GET http://localhost:OWN@localhost:{others}/ HTTP/1.1\\r\\nHost: localhost:OWN"),
        "GET https://localhost:OWN/ HTTP/1.1\\r\\nHost: localhost:OWN".to_owned(),
        "GET ftp://localhost:OWN/ HTTP/1.1\\r\\nHost: localhost:OWN".to_owned(),
        format!("GET http://localhost:{others}#@localhost:OWN/ HTTP/1.1\\r\\nHost: localhost:OWN"),
    ] {
        let line = line.replace("OWN", &own.to_string());
        let said = place.python(&raw(&format!("{line}\\r\\n\\r\\n"))).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 403") || said.starts_with("HTTP/1.1 400"), "{line}: {said}");
    }
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn nothing_goes_around_the_proxy() {
    let server = Server::start();
    let Some(place) = place(&[format!("localhost:{}", server.port), "dns.example".to_owned()]) else {
        return;
    };
    let port = server.port;
    let text = format!(
        "import socket\n\
         def attempt(name, work):\n\
         \x20   try: print(name, 'reached', work())\n\
         \x20   except OSError: print(name, 'no')\n\
         def tcp(family, address):\n\
         \x20   s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(2); s.connect(address)\n\
         def udp(address):\n\
         \x20   s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.sendto(b'x', address); s.recv(9)\n\
         attempt('loopback', lambda: tcp(socket.AF_INET, ('127.0.0.1', {port})))\n\
         attempt('public', lambda: tcp(socket.AF_INET, ('1.1.1.1', 443)))\n\
         attempt('six', lambda: tcp(socket.AF_INET6, ('::1', {port})))\n\
         attempt('public six', lambda: tcp(socket.AF_INET6, ('2606:4700:4700::1111', 443)))\n\
         attempt('dns', lambda: udp(('1.1.1.1', 53)))\n\
         attempt('name', lambda: socket.getaddrinfo('dns.example', 443))\n\
         attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))\n\
         attempt('packet', lambda: socket.socket(17, socket.SOCK_RAW))\n\
         s = socket.socket(socket.AF_UNIX); s.connect('/run/adjutant-proxy')\n\
         s.sendall(b'CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n'); print(s.recv(99).split(b'\\r\\n')[0].decode())\n"
    );
    let printed = place.python(&text).await.unwrap();
    let expected = "loopback no\npublic no\nsix no\npublic six no\ndns no\nname no\nraw no\npacket no\nHTTP/1.1 403 Forbidden";
    assert!(printed.starts_with(expected), "{printed}");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_name_that_leads_into_a_private_network_is_refused() {
    let server = Server::start();
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    // The machine's own name leads to an address of its own, as a name would whose owner is hostile.
    let leads_here =
        std::net::ToSocketAddrs::to_socket_addrs(&(name, 80)).is_ok_and(|mut found| found.next().is_some());
    if name.is_empty() || name == "localhost" || !leads_here {
        return;
    }
    let Some(place) = place(&[format!("{name}:{}", server.port)]) else { return };
    let said = place.python(&format!("{URLLIB}get('http://{name}:{}/')", server.port)).await.unwrap();
    assert!(said.contains("which is not on the public internet"), "{said}");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn tls_that_is_for_another_host_is_refused() {
    let server = Server::start();
    let Some(place) = place(&[format!("localhost:{}", server.port)]) else { return };
    let text = format!(
        "import socket, ssl\n\
         s = socket.create_connection(('127.0.0.1', 3128)); s.settimeout(10)\n\
         s.sendall(b'CONNECT localhost:{} HTTP/1.1\\r\\n\\r\\n'); print(s.recv(99).split(b'\\r\\n')[0].decode())\n\
         c = ssl.create_default_context()\n\
         try: c.wrap_socket(s, server_hostname='admin.example.org')\n\
         except OSError as error: print('refused')\n",
        server.port
    );
    let said = place.python(&text).await.unwrap();
    let port = server.port;
    assert_eq!(
        said,
        format!(
            "HTTP/1.1 200 OK\nrefused\n[the sandbox's proxy refused a connection: TLS to `localhost:{port}` was for \
             `admin.example.org`]"
        )
    );
    assert!(!server.heard.lock().unwrap().iter().any(|asked| !asked.is_empty()));
}

#[tokio::test]
async fn what_is_moved_and_how_often_is_bounded() {
    let server = Server::start();
    let Some(mut place) = place(&[format!("localhost:{}", server.port)]) else { return };
    place.config.limits.network_bytes = 2_000;
    let text = format!("{URLLIB}for _ in range(40): get('http://localhost:{}/')", server.port);
    let said = place.python(&text).await.unwrap();
    assert!(
        said.starts_with("hello\n") && said.contains("more than 2000 bytes were sent and received"),
        "{said}"
    );
    // Connections that ask for nothing hold no more than their own.
    place.config.limits.network_bytes = 1 << 20;
    let text = format!(
        "import socket, time\nkept = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(100)]\n\
         time.sleep(0.5)\nfor s in kept: s.close()\n{URLLIB}get('http://localhost:{}/')",
        server.port
    );
    assert_eq!(place.python(&text).await.unwrap(), "hello");
}

#[tokio::test]
async fn the_relay_is_no_child_and_cannot_be_killed_along() {
    let server = Server::start();
    let Some(place) = place(&[format!("localhost:{}", server.port)]) else { return };
    let text = "import os\ntry: print(os.waitpid(-1, 0))\nexcept ChildProcessError: print('no child')";
    assert_eq!(place.python(text).await.unwrap(), "no child");
    let script = format!(
        "trap '' TERM; kill -TERM 0; python3 -c \"import urllib.request as u; print(u.urlopen('http://localhost:{}').read())\"",
        server.port
    );
    assert_eq!(place.shell(&script).await.unwrap(), "b'hello'");
}

#[tokio::test]
async fn refusals_are_told_while_the_script_runs() {
    let Some(place) = place(&["example.org".to_owned()]) else { return };
    let mut config = Config::new(Language::Python, place.config.clone());
    config.timeout = Duration::from_secs(20);
    let tool = script(config).unwrap();
    let about = &tool.spec().description;
    assert!(about.contains("reaches no host but `example.org`"), "{about}");
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let context = context("one").with_progress(Arc::new(move |text| sink.lock().unwrap().push(text)));
    let text =
        format!("{URLLIB}get('http://other.example/')\nget('http://other.example/')\nraise SystemExit(3)");
    let outcome = tool.call(json!({ "script": text }), context).await;
    let said = heard(outcome.map(|output| output.as_text()));
    let note =
        "the sandbox's proxy refused a connection: `other.example:80` is not among the hosts of the sandbox";
    assert!(said.starts_with("`python` exited with 3") && said.ends_with(&format!("[{note}]")), "{said}");
    assert_eq!(*told.lock().unwrap(), [note]);
}

#[tokio::test]
async fn without_a_program_that_takes_part_it_is_refused() {
    let Some(mut place) = place(&["example.org".to_owned()]) else { return };
    place.config.inside = None;
    let outcome = place.shell("echo ran").await;
    let Err(Failure::Run(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.code(), Code::SandboxUnavailable);
    assert!(error.help().is_some_and(|help| help.contains("first_in_main")), "{error}");
    // Without a network nothing changes.
    place.config.hosts.clear();
    assert_eq!(place.shell("echo ran").await.unwrap(), "ran");
}
