//! `adjutant store`.

use crate::sandbox::Sandbox;

#[test]
fn a_backup_is_made_checked_and_put_back() {
    let sandbox = Sandbox::with_agent("");
    sandbox.run(&["run", "Hello!"]);
    std::fs::create_dir_all(sandbox.path(".adjutant/vault")).unwrap();
    std::fs::write(sandbox.path(".adjutant/vault/secret-token.sealed"), "sealed").unwrap();
    let made = sandbox.run(&["store", "backup", "saved", "--as", "ann"]);
    assert!(made.starts_with("exit 0") && made.contains("`saved`: the store"), "{made}");
    assert!(sandbox.run(&["store", "backup", "saved"]).contains("error[conflict]"));
    assert!(sandbox.run(&["store", "check", "saved"]).contains("is sound"));
    assert!(sandbox.run(&["store", "check"]).contains("is sound"));
    sandbox.run(&["run", "Later!"]);
    std::fs::remove_file(sandbox.path(".adjutant/vault/secret-token.sealed")).unwrap();
    let restored = sandbox.run(&["store", "restore", "saved", "--as", "bob"]);
    assert!(restored.starts_with("exit 0") && restored.contains("the store from before is"), "{restored}");
    let sealed = std::fs::read_to_string(sandbox.path(".adjutant/vault/secret-token.sealed")).unwrap();
    assert!(sealed == "sealed" && restored.contains("vault.before-"), "{restored}");
    assert_eq!(sandbox.json(&["runs", "list"]).as_array().unwrap().len(), 1);
    sandbox.run(&["run", "Again!"]);
    let audit = sandbox.run(&["audit"]);
    assert!(audit.contains("store.copied") && audit.contains("store.restored"), "{audit}");
    assert!(sandbox.run(&["audit", "verify"]).starts_with("exit 0"));
    std::fs::write(sandbox.path("saved/store.db"), "this is no database").unwrap();
    assert!(sandbox.run(&["store", "restore", "saved"]).contains("error[store-corrupt]"));
    assert_eq!(sandbox.json(&["runs", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_backup_on_a_full_disk_leaves_nothing() {
    let sandbox = Sandbox::with_agent("");
    sandbox.run(&["run", "Hello!"]);
    // As in the test of a store on a full disk; the store itself is written before, with more room.
    sandbox.run(&["audit"]);
    let script = "trap '' XFSZ; ulimit -f 100; exec $ADJUTANT store backup saved";
    let told = sandbox.seen(&sandbox.shell(script).output().unwrap());
    assert!(told.contains("error[store-full]"), "{told}");
    assert!(!sandbox.path("saved").exists() && !sandbox.path("saved.part").exists());
    assert!(sandbox.run(&["store", "backup", "saved"]).starts_with("exit 0"));
}
