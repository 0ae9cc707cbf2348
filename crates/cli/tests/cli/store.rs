//! Stores that cannot be used.

use crate::sandbox::{Sandbox, sees};

#[test]
fn a_store_of_a_newer_version() {
    let sandbox = Sandbox::with_agent("");
    sandbox.run(&["run", "Hello!"]);
    let store = rusqlite::Connection::open(sandbox.path(".adjutant/adjutant.db")).unwrap();
    store.pragma_update(None, "user_version", 999).unwrap();
    drop(store);
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 1
    --- stderr
    error[store-newer]: `[folder]/.adjutant/adjutant.db` was written by a newer version of adjutant (its format is 999, this one knows 12)

    hint: use that version, or another store; nothing was changed
    ");
    sees!(sandbox.run(&["runs"]), @"
    exit 1
    --- stderr
    error[store-newer]: `[folder]/.adjutant/adjutant.db` was written by a newer version of adjutant (its format is 999, this one knows 12)

    hint: use that version, or another store; nothing was changed
    ");
}

#[test]
fn a_file_that_is_no_store() {
    let sandbox = Sandbox::with_agent("");
    sandbox.write(".adjutant/adjutant.db", &"this is no database ".repeat(300));
    sees!(sandbox.run(&["runs"]), @"
    exit 1
    --- stderr
    error[store-corrupt]: the file is not a store of adjutant's, or is damaged
    cause: file is not a database
    cause: Error code 26: file is not a database

    hint: restore it from a backup, or use another file
    ");
}

#[test]
fn a_folder_that_cannot_be_made() {
    let sandbox = Sandbox::with_agent("");
    sandbox.write(".adjutant", "a file in the way");
    sees!(sandbox.run(&["runs"]), @"
    exit 1
    --- stderr
    error[store-unavailable]: the folder `[folder]/.adjutant` cannot be made
    cause: File exists (os error 17)
    ");
}

#[test]
fn a_full_disk() {
    let sandbox = Sandbox::with_agent("");
    sandbox.run(&["run", "Hello!"]);
    // A limit on the size of files is what a test can do without a disk of its own. The shell must not be killed by
    // the signal that goes with it.
    let script = "trap '' XFSZ; ulimit -f 8; exec $ADJUTANT run 'Hello!'";
    sees!(sandbox.seen(&sandbox.shell(script).output().unwrap()), @"
    exit 1
    --- stderr
    error[store-full]: the disk does not take the data
    cause: disk I/O error
    cause: Error code 4874: disk I/O error

    hint: check the disk and its space; everything that was acknowledged is safe
    ");
    // Nothing is broken by it.
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  desk  ended  [moment]  [time]  Hello!  I have no tools here, and without them I know nothing....
    ");
}
