//! Taking more than is there.

use std::time::Duration;

use adjutant_tool::sandbox;

use super::{Place, heard};

#[tokio::test]
async fn a_fork_bomb_ends() {
    let Some(mut place) = Place::new() else { return };
    place.timeout = Duration::from_secs(3);
    // Ends by itself when no more can be made, or is killed at the end of its time.
    let said = heard(place.shell("bomb() { bomb | bomb & }; bomb; bomb | bomb; sleep 10").await);
    assert!(said.contains("was killed") || said.contains("exited"), "{said}");
    let most = "import os\nfor made in range(1000):\n    try:\n        if os.fork() == 0: os.read(0, 1); __import__('time').sleep(9); os._exit(0)\n    except BlockingIOError: break\nprint(made)";
    let made: u32 = place.python(most).await.unwrap().parse().unwrap();
    assert!(made < 32, "{made}");
}

#[tokio::test]
async fn a_memory_bomb_ends() {
    let Some(place) = Place::new() else { return };
    let said = heard(place.python("x = bytearray(1 << 40)").await);
    assert!(said.contains("MemoryError"), "{said}");
    // Each takes less than one may, and all of them more.
    let many = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(os.urandom(1 << 20)) * 100\n        time.sleep(20)\n        os._exit(0)\ntime.sleep(20)";
    assert_eq!(
        heard(place.python(many).await),
        "`python` was killed, since it took more than 268435456 bytes of memory"
    );
    // Shared memory belongs to no process's own.
    let shared = "import mmap, time\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1\ntime.sleep(20)";
    assert!(heard(place.python(shared).await).contains("bytes of memory"));
}

#[tokio::test]
async fn memory_that_is_shared_counts_once() {
    let Some(place) = Place::new() else { return };
    let text = "import os, time\nx = bytearray(os.urandom(1 << 20)) * 100\nfor _ in range(8):\n    if os.fork() == 0: time.sleep(1); os._exit(0)\ntime.sleep(0.8)\nprint(len(x))";
    assert_eq!(place.python(text).await.unwrap(), (100 << 20).to_string());
}

#[tokio::test]
async fn a_full_disk_is_only_the_sessions() {
    let Some(mut place) = Place::new() else { return };
    let most = "more than 33554432 bytes";
    for script in [
        "i=0; while :; do head -c 4000000 /dev/zero > file$i; i=$((i+1)); done",
        "i=0; while :; do head -c 4000000 /dev/zero > /tmp/file$i; i=$((i+1)); done",
        "i=0; while :; do head -c 4000000 /dev/zero > /dev/shm/file$i; i=$((i+1)); done",
    ] {
        let said = heard(place.shell(script).await);
        assert!(said.contains(most), "{said}");
        // The next call can tidy up.
        place.shell("rm -f file*").await.unwrap();
    }
    let nameless = "import os\nkept = []\nwhile True:\n    f = open('x', 'wb'); kept.append(f); os.unlink('x'); f.write(bytes(4000000)); f.flush()";
    assert!(heard(place.python(nameless).await).contains(most));
    let many = heard(place.shell("i=0; while :; do : > file$i; i=$((i+1)); done").await);
    assert!(many.contains("more than 500 files"), "{many}");
    place.config.limits.file_bytes = 1_000_000;
    let said = heard(place.shell("rm -f file*; head -c 2000000 /dev/zero > big").await);
    assert!(said.contains("exited with"), "{said}");
    assert_eq!(place.folder("one").artifacts().unwrap()[0].bytes, 1_000_000);
}

#[tokio::test]
async fn folders_that_hide_their_content_end_the_call() {
    let Some(place) = Place::new() else { return };
    let deep = "import os\nwhile True:\n    os.mkdir('d' * 200); os.chdir('d' * 200)";
    let said = heard(place.python(deep).await);
    assert!(said.contains("nested too deep") || said.contains("500 files"), "{said}");
    // What else there is can be listed and read all the same.
    place.folder("one").keep("a", "text/plain", b"kept", &sandbox::Limits::default()).unwrap();
    let listed = place.folder("one").artifacts().unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    place.folder("one").erase().unwrap();
    assert!(!place.folder("one").files().exists());
}

#[tokio::test]
async fn open_files_are_limited() {
    let Some(place) = Place::new() else { return };
    let text = "kept = []\nwhile True: kept.append(open('/dev/null'))";
    assert!(heard(place.python(text).await).contains("Too many open files"));
}

#[tokio::test]
async fn endless_output_is_cut_and_time_is_limited() {
    let Some(mut place) = Place::new() else { return };
    place.timeout = Duration::from_secs(1);
    let said = heard(place.shell("yes").await);
    assert_eq!(said, "`shell` was killed after 1s");
    let text = place.shell("head -c 10000000 /dev/zero | tr '\\0' x").await.unwrap();
    assert!(text.contains("of 10000000 bytes]") && text.len() < 70_000);
    assert_eq!(heard(place.shell("trap '' TERM; sleep 60").await), "`shell` was killed after 1s");
}
