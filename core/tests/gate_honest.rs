//! The admission gate and honest devices: what Automerge writes passes, and is read as Automerge reads it.

#[allow(dead_code, reason = "each test program uses a part")]
mod gate_support;

use automerge::{Automerge, Change, SaveOptions};
use gate_support::{honest, last_sequences, max_ops};
use proptest::prelude::*;
use vereda_core::document::gate::{AdmittedDocument, ChangeContext, admit_change, admit_document};

/// Admits a document's changes one after the other, as a server that saw none of them would.
fn admit_history(document: &mut Automerge) {
    let mut seen: Vec<Change> = Vec::new();
    for change in document.get_changes(&[]) {
        let deflated = change.clone().bytes().into_owned();
        let known = max_ops(&seen);
        let last = last_sequences(&seen);
        let dependency = |hash: &[u8; 32]| known.get(hash).copied();
        let last_seq = |actor: &[u8]| last.get(actor).copied().unwrap_or(0);
        let context = ChangeContext {
            actor: Some(change.actor_id().to_bytes()),
            dependency: &dependency,
            last_seq: &last_seq,
        };
        let plain = admit_change(change.raw_bytes(), &context).expect("an honest change");
        assert_eq!(plain.hash, change.hash().0);
        assert_eq!(plain.actor, change.actor_id().to_bytes());
        assert_eq!(plain.seq, change.seq());
        assert_eq!(plain.start_op, change.start_op().get());
        assert_eq!(plain.operations, change.len() as u64);
        assert_eq!(plain.max_op(), change.max_op());
        let dependencies: Vec<[u8; 32]> = change.deps().iter().map(|hash| hash.0).collect();
        assert_eq!(plain.dependencies, dependencies);
        assert_eq!(admit_change(&deflated, &context), Ok(plain));
        seen.push(change);
    }
}

/// Checks what the gate read of a saved document against what Automerge says.
fn assert_read_rightly(admitted: &AdmittedDocument, document: &Automerge) {
    let changes = document.get_changes(&[]);
    let mut heads: Vec<[u8; 32]> = document.get_heads().iter().map(|hash| hash.0).collect();
    let mut read = admitted.heads.clone();
    heads.sort_unstable();
    read.sort_unstable();
    assert_eq!(read, heads);
    assert_eq!(admitted.changes, changes.len() as u64);
    assert_eq!(
        admitted.operations,
        changes.iter().map(|change| change.len() as u64).sum::<u64>()
    );
    assert_eq!(
        admitted.max_op,
        changes.iter().map(Change::max_op).max().unwrap_or(0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_automerge_writes_is_admitted_and_read_as_automerge_reads_it(steps in honest::steps()) {
        admit_history(&mut honest::document(&steps));
    }

    #[test]
    fn what_automerge_saves_is_admitted_and_read_as_automerge_reads_it(steps in honest::steps()) {
        let document = honest::document(&steps);
        let saved = document.save();
        let plain = document.save_with_options(SaveOptions { deflate: false, retain_orphans: false });
        for bytes in [saved, plain] {
            let admitted = admit_document(&bytes).expect("an honest document");
            assert_read_rightly(&admitted, &document);
            assert!(admitted.appended.is_empty());
        }
    }

    #[test]
    fn changes_behind_a_saved_document_are_admitted(steps in honest::steps(), more in honest::steps()) {
        let mut devices = honest::Devices::new();
        devices.work(&steps);
        let before = devices.merged();
        devices.work(&more);
        let after = devices.merged();
        let mut bytes = before.save();
        let mut alone = Vec::new();
        for change in after.get_changes(&before.get_heads()) {
            bytes.extend_from_slice(&change.clone().bytes());
        }
        for change in after.get_changes(&[]) {
            alone.extend_from_slice(change.raw_bytes());
        }
        assert_read_rightly(&admit_document(&bytes).expect("honest"), &after);
        assert_read_rightly(&admit_document(&alone).expect("honest"), &after);
    }
}
