//! Ways out of a sandbox.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use adjutant_tool::builtin::script::Language;

use super::{Place, heard};

#[tokio::test]
async fn the_files_of_the_host_are_not_there() {
    let Some(place) = Place::new() else { return };
    let secret = place.path().join("secret");
    std::fs::write(&secret, "s3cret").unwrap();
    let paths = ["/etc/shadow", "/etc/hostname", "/root", "/home", "/var", "/sys", "/boot", "/run/secrets"];
    for path in paths.into_iter().chain([secret.to_str().unwrap()]) {
        let text = place.shell(&format!("ls -d {path} || echo not there")).await.unwrap();
        assert_eq!(text, "not there", "{path}");
    }
    let users = place.shell("cut -d: -f1 /etc/passwd").await.unwrap();
    assert_eq!(users, "root\nsandbox");
    let escaped =
        place.shell(&format!("ln -s {} link; cat link || echo no", secret.display())).await.unwrap();
    assert_eq!(escaped, "no");
}

#[tokio::test]
async fn the_processes_of_the_host_are_not_there() {
    let Some(place) = Place::new() else { return };
    let seen = place.shell("ls /proc | grep -c '^[0-9]*$'").await.unwrap();
    assert!(seen.parse::<u32>().unwrap() <= 6, "{seen}");
    let ours = std::process::id();
    let script =
        format!("kill -9 {ours} 2>/dev/null || echo no; cat /proc/{ours}/environ 2>/dev/null || echo no");
    assert_eq!(place.shell(&script).await.unwrap(), "no\nno");
    // All that it can reach: what is in the sandbox. Root's sandbox ends with that.
    let _ = place.shell("kill -9 -1").await;
    let root = place
        .shell("ls /proc/1/'root'/etc/shadow /proc/*/'root'/etc/shadow 2>/dev/null || echo no")
        .await
        .unwrap();
    assert_eq!(root, "no");
}

#[tokio::test]
async fn nothing_of_the_network_is_reached() {
    let Some(place) = Place::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!(
        "import socket\n\
         for family, address in [(socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_INET, ('192.0.2.1', 80)),\n\
         \x20   (socket.AF_INET6, ('::1', {port}))]:\n\
         \x20   s = socket.socket(family); s.settimeout(2)\n\
         \x20   try: s.connect(address); print('reached', address)\n\
         \x20   except OSError as error: print(error.errno != 0)\n\
         for family in (40, 38, 17, 31):\n\
         \x20   try: socket.socket(family, socket.SOCK_DGRAM); print('made', family)\n\
         \x20   except OSError as error: print(error.errno)\n"
    );
    assert_eq!(place.python(&text).await.unwrap(), "True\nTrue\nTrue\n97\n97\n97\n97");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[tokio::test]
async fn sockets_without_a_file_are_not_reached() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let Some(place) = Place::new() else { return };
    let name = format!("adjutant-sandbox-test-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let text = format!("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0{name}')");
    assert!(heard(place.python(&text).await).contains("ConnectionRefusedError"));
}

#[tokio::test]
async fn another_session_is_not_there() {
    let Some(place) = Place::new() else { return };
    place.run(Language::Shell, "other", "echo private > note").await.unwrap();
    let other = place.folder("other").files();
    assert!(other.join("note").exists());
    let script = format!("find / -name note 2>/dev/null; cat {}/note || echo no", other.display());
    assert_eq!(place.shell(&script).await.unwrap(), "no");
    // What one leaves in `/tmp` is not there for the next call, either.
    place.shell("echo private > /tmp/note").await.unwrap();
    assert_eq!(place.shell("ls -A /tmp /dev/shm").await.unwrap(), "/dev/shm:\n\n/tmp:");
}

#[tokio::test]
async fn the_system_cannot_be_changed() {
    let Some(place) = Place::new() else { return };
    for path in [
        "/usr/bin/x",
        "/bin/x",
        "/etc/x",
        "/x",
        "/dev/x",
        "/proc/sys/kernel/hostname",
        "/run/x",
        "/etc/passwd",
    ] {
        let script = format!("(echo x > {path}) 2>/dev/null && echo written || echo refused");
        assert_eq!(place.shell(&script).await.unwrap(), "refused", "{path}");
    }
    let text = place.shell("mknod /tmp/disk b 8 0 2>/dev/null || echo refused; mount -t tmpfs none /tmp 2>/dev/null || echo refused");
    assert_eq!(text.await.unwrap(), "refused\nrefused");
}

#[tokio::test]
async fn no_right_can_be_gained() {
    let Some(place) = Place::new() else { return };
    let status = place
        .shell("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -s '\\t ' ' '")
        .await
        .unwrap();
    let none = "0000000000000000";
    assert_eq!(
        status,
        format!(
            "CapInh: {none}\nCapPrm: {none}\nCapEff: {none}\nCapBnd: {none}\nCapAmb: {none}\nNoNewPrivs: 1\nSeccomp: 2"
        )
    );
    let text = "unshare -U id || echo refused; unshare -m id || echo refused; nsenter -t 1 -m id || echo refused; chroot / id || echo refused";
    assert_eq!(
        place.shell(&format!("({text}) 2>/dev/null")).await.unwrap(),
        "refused\n".repeat(4).trim_end()
    );
}

#[tokio::test]
async fn dangerous_calls_to_the_kernel_are_refused() {
    let Some(place) = Place::new() else { return };
    let text = "import ctypes, errno\n\
                c = ctypes.CDLL(None, use_errno=True)\n\
                def call(name, *arguments):\n\
                \x20   c[name].restype = ctypes.c_long\n\
                \x20   print(name, c[name](*arguments), errno.errorcode[ctypes.get_errno()])\n\
                call('ptrace', 0, 0, 0, 0)\n\
                call('ptrace', 16, 1, 0, 0)\n\
                call('unshare', 0x10000000)\n\
                call('setns', 0, 0)\n\
                call('mount', b'none', b'/tmp', b'tmpfs', 0, 0)\n\
                call('umount2', b'/proc', 2)\n\
                call('shmget', 0, 4096, 0o1600)\n\
                call('memfd_create', b'x', 0)\n\
                call('ioctl', 0, 0x5412, b'x')\n\
                call('ioctl', 0, ctypes.c_ulong(0x100005412), b'x')\n\
                keyctl, io_uring = (250, 425) if ctypes.sizeof(ctypes.c_long) == 8 and __import__('os').uname().machine == 'x86_64' else (219, 425)\n\
                for number in (keyctl, io_uring):\n\
                \x20   print(c.syscall(number, 0, 0, 0), errno.errorcode[ctypes.get_errno()])\n";
    let refused = place.python(text).await.unwrap();
    let expected = "ptrace -1 EPERM\nptrace -1 EPERM\nunshare -1 EPERM\nsetns -1 EPERM\nmount -1 EPERM\numount2 -1 EPERM\n\
                    shmget -1 EPERM\nmemfd_create -1 ENOSYS\nioctl -1 EPERM\nioctl -1 EPERM\n-1 EPERM\n-1 ENOSYS";
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn no_terminal_is_there() {
    let Some(place) = Place::new() else { return };
    assert_eq!(
        place
            .shell("(echo x > /dev/tty) 2>/dev/null && echo typed || echo no; tty")
            .await
            .unwrap_or_default(),
        ""
    );
    let said = heard(place.shell("(echo x > /dev/tty) 2>/dev/null || exit 9").await);
    assert_eq!(said, "`shell` exited with 9");
}

#[tokio::test]
async fn only_the_standard_streams_are_open() {
    let Some(place) = Place::new() else { return };
    // The last one is the listing's own.
    assert_eq!(place.shell("ls /proc/self/fd").await.unwrap(), "0\n1\n2\n3");
}

#[tokio::test]
async fn nothing_outlives_the_call() {
    let Some(place) = Place::new() else { return };
    let ways = [
        "setsid sh -c 'while :; do date >> alive; sleep 0.05; done' >/dev/null 2>&1 & sleep 0.2",
        "nohup sh -c 'while :; do date >> alive; sleep 0.05; done' >/dev/null 2>&1 & sleep 0.2",
        "(setsid sh -c '(while :; do date >> alive; sleep 0.05; done) &' &) </dev/null >/dev/null 2>&1; sleep 0.2",
        "trap '' TERM HUP INT; while :; do date >> alive; sleep 0.05; done & sleep 0.2",
    ];
    for way in ways {
        place.shell(&format!("rm -f alive; {way}; test -s alive")).await.unwrap();
        let alive = place.folder("one").files().join("alive");
        let before = std::fs::metadata(&alive).unwrap().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(std::fs::metadata(&alive).unwrap().len(), before, "{way}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_its_processes() {
    let Some(place) = Place::new() else { return };
    let script = "(setsid sh -c 'while :; do date >> alive; sleep 0.02; done' &) >/dev/null 2>&1; sleep 30";
    let call = place.shell(script);
    let alive = place.folder("one").files().join("alive");
    let begun = async {
        while !alive.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ended = call => panic!("{ended:?}"),
        () = begun => {}
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = std::fs::metadata(&alive).unwrap().len();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(std::fs::metadata(&alive).unwrap().len(), before);
}
