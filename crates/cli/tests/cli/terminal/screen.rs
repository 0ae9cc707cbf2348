//! A terminal with a person in front of it: the program on a pseudo-terminal of its own, and what stands on the screen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::{Callbacks, Parser};

use crate::sandbox::Sandbox;

/// How long to wait for what should appear on the screen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a screen: so many that nothing scrolls away.
const ROWS: u16 = 80;

/// What the terminal says back to the program.
#[derive(Default)]
struct Replies(Vec<u8>);

impl Callbacks for Replies {
    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        _: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        letter: char,
    ) {
        // Where the cursor is: the line editor asks before it draws.
        if letter == 'n' && parameters == [[6].as_slice()] {
            let (row, column) = screen.cursor_position();
            self.0.extend(format!("\x1b[{};{}R", row + 1, column + 1).into_bytes());
        }
    }
}

struct State {
    parser: Parser<Replies>,
    closed: bool,
}

/// The program on a terminal.
pub(super) struct Terminal {
    program: Child,
    keyboard: File,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Terminal {
    /// Starts the program on a terminal that is so many columns wide.
    pub(super) fn open(sandbox: &Sandbox, columns: u16, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("a terminal");
        let program = start(&master, sandbox, arguments);

        let size = |count| NonZeroU16::new(count).expect("more than none");
        let parser = Parser::new_with_callbacks(size(ROWS), size(columns), 0, Replies::default());
        let shared = Arc::new((Mutex::new(State { parser, closed: false }), Condvar::new()));
        let keyboard = File::from(master);
        let (mut reader, seen) = (keyboard.try_clone().expect("a file"), Arc::clone(&shared));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                // Linux fails the read when nobody is at the other end any more.
                let count = reader.read(&mut bytes).unwrap_or(0);
                let Ok(mut state) = seen.0.lock() else { return };
                state.closed = count == 0;
                state.parser.process(&bytes[..count]);
                let replies = std::mem::take(&mut state.parser.callbacks_mut().0);
                seen.1.notify_all();
                drop(state);
                if count == 0 || reader.write_all(&replies).is_err() {
                    return;
                }
            }
        });
        Self { program, keyboard, shared }
    }

    /// Types.
    pub(super) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Waits until a text stands on the screen.
    pub(super) fn shows(&self, text: &str) {
        self.shows_times(text, 1);
    }

    /// Waits until a text stands on the screen so often.
    pub(super) fn shows_times(&self, text: &str, times: usize) {
        self.waits(&format!("`{text}` {times} times"), |state| {
            state.parser.screen().contents().matches(text).count() >= times
        });
    }

    /// What stands on the screen.
    pub(super) fn contents(&self) -> String {
        self.shared.0.lock().expect("no panic").parser.screen().contents()
    }

    /// The text on the screen that is bold.
    pub(super) fn bold(&self) -> String {
        let state = self.shared.0.lock().expect("no panic");
        let screen = state.parser.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        let cells = cells.filter_map(|(row, column)| screen.cell(row, column));
        cells.filter(|cell| cell.bold()).map(vt100::Cell::contents).collect()
    }

    /// Sends a signal.
    pub(super) fn signal(&self, name: &str) {
        let id = self.program.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("`kill` is there");
        assert!(sent.success());
    }

    /// Waits until the program has ended, and gives its exit code.
    pub(super) fn ends(&mut self) -> Option<i32> {
        self.waits("the program to end", |state| state.closed);
        self.program.wait().expect("it is a child").code()
    }

    fn waits(&self, what: &str, happened: impl Fn(&State) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shared.0.lock().expect("no panic");
        while !happened(&state) {
            let rest = until.saturating_duration_since(Instant::now());
            let in_vain = rest.is_zero() || state.closed;
            assert!(!in_vain, "waited in vain for {what}; the screen:\n{}", state.parser.screen().contents());
            state = self.shared.1.wait_timeout(state, rest).expect("no panic").0;
        }
    }
}

/// The terminal becomes the one that controls the program: Ctrl-C is a signal to it.
fn start(master: &OwnedFd, sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let name = ptsname(master, Vec::new()).expect("a terminal").into_string().expect("a path");
    let end = || File::options().read(true).write(true).open(&name).expect("a terminal");
    let mut command = Command::new("setsid");
    command.args(["--ctty", env!("CARGO_BIN_EXE_adjutant")]).args(arguments);
    sandbox.prepare(&mut command);
    command.env("TERM", "xterm-256color");
    command.stdin(end()).stdout(end()).stderr(end());
    command.spawn().expect("`setsid` is there")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
