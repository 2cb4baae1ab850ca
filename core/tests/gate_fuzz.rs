//! The admission gate and chance: mutated bytes under right checksums, judged against Automerge itself.

#[allow(dead_code, reason = "each test program uses a part")]
mod gate_support;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, Automerge, Change, ROOT, SaveOptions};
use gate_support::{honest, hostile, last_sequences, max_ops};
use proptest::prelude::*;
use vereda_core::document::gate::{
    AdmittedChange, ChangeContext, GateRefusal, admit_change, admit_document, inspect_change, split_chunks,
    try_change,
};

/// One small wrong in some bytes.
#[derive(Debug, Clone)]
enum Damage {
    FlipBit(usize, u8),
    Shift(usize, u8),
    Write(usize, u8),
    Copy(usize, usize),
    Swap(usize, usize),
    Remove(usize),
    Add(usize, u8),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let at = any::<usize>;
    let one = prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        (at(), prop_oneof![Just(1), Just(255)]).prop_map(|(at, by)| Damage::Shift(at, by)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Write(at, byte)),
        (at(), at()).prop_map(|(from, to)| Damage::Copy(from, to)),
        (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
        at().prop_map(Damage::Remove),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Add(at, byte)),
    ];
    proptest::collection::vec(one, 1..4)
}

fn damaged(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for one in damage {
        let length = bytes.len().max(1);
        if bytes.is_empty() {
            return bytes;
        }
        match *one {
            Damage::FlipBit(at, bit) => bytes[at % length] ^= 1 << bit,
            Damage::Shift(at, by) => bytes[at % length] = bytes[at % length].wrapping_add(by),
            Damage::Write(at, byte) => bytes[at % length] = byte,
            Damage::Copy(from, to) => bytes[to % length] = bytes[from % length],
            Damage::Swap(one, other) => bytes.swap(one % length, other % length),
            Damage::Remove(at) => drop(bytes.remove(at % length)),
            Damage::Add(at, byte) => bytes.insert(at % length, byte),
        }
    }
    bytes
}

/// What a chunk of Automerge's holds behind its frame.
fn content(chunk: &[u8]) -> &[u8] {
    let length_end = 9 + chunk[9..].iter().take_while(|byte| **byte & 0x80 != 0).count();
    &chunk[length_end + 1..]
}

/// The document before the `index`th change, and what a server would know of it.
struct Before {
    document: Automerge,
    seen: Vec<Change>,
    next: Change,
}

impl Before {
    fn new(document: &Automerge, index: usize) -> Self {
        let mut seen = document.get_changes(&[]);
        let next = seen.remove(1 + index % (seen.len() - 1).max(1));
        seen.truncate(
            seen.iter()
                .position(|change| change.deps().contains(&next.hash()))
                .unwrap_or(seen.len()),
        );
        let mut document = Automerge::new();
        document.apply_changes(seen.clone()).expect("an honest history");
        Self { document, seen, next }
    }

    fn admit(&self, bytes: &[u8]) -> Result<AdmittedChange, GateRefusal> {
        let (known, last) = (max_ops(&self.seen), last_sequences(&self.seen));
        let dependency = |hash: &[u8; 32]| known.get(hash).copied();
        let last_seq = |actor: &[u8]| last.get(actor).copied().unwrap_or(0);
        let actor = Some(self.next.actor_id().to_bytes());
        admit_change(
            bytes,
            &ChangeContext {
                actor,
                dependency: &dependency,
                last_seq: &last_seq,
            },
        )
    }
}

/// Whatever got in: the document saves, passes the gate, loads, and takes an honest edit.
fn assert_lives_on(document: &Automerge) {
    let saved = document.save();
    admit_document(&saved).expect("a document from admitted changes is admitted");
    let mut reloaded = AutoCommit::load(&saved).expect("it loads again");
    assert_eq!(reloaded.get_heads(), document.get_heads());
    reloaded
        .put(ROOT, "honest", "edit")
        .expect("it takes an honest edit");
    AutoCommit::load(&reloaded.save()).expect("and loads again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_damaged_change_that_passes_leaves_a_document_that_lives_on(
        steps in honest::steps(),
        index in any::<usize>(),
        damages in proptest::collection::vec(damage(), 40),
    ) {
        let document = honest::document(&steps);
        prop_assume!(document.get_changes(&[]).len() > 1);
        let before = Before::new(&document, index);
        prop_assert!(before.admit(before.next.raw_bytes()).is_ok());
        for damage in damages {
            let chunk = hostile::chunk(1, &damaged(content(before.next.raw_bytes()), &damage));
            let Ok(admitted) = before.admit(&chunk) else { continue };
            let change = Change::try_from(&chunk[..]).expect("Automerge reads what the gate admits");
            prop_assert_eq!(admitted.operations, change.len() as u64);
            prop_assert_eq!(admitted.hash, change.hash().0);
            if let Ok(after) = try_change(&before.document, change) {
                assert_lives_on(&after);
            }
        }
    }

    #[test]
    fn a_damaged_document_that_passes_loads_or_fails_without_panic(
        steps in honest::steps(),
        damages in proptest::collection::vec(damage(), 40),
    ) {
        let document = honest::document(&steps);
        let saved = document.save_with_options(SaveOptions { deflate: false, retain_orphans: false });
        for damage in damages {
            let chunk = hostile::chunk(0, &damaged(content(&saved), &damage));
            if admit_document(&chunk).is_ok()
                && let Ok(loaded) = Automerge::load(&chunk)
            {
                prop_assert_eq!(loaded.get_heads(), document.get_heads());
                assert_lives_on(&loaded);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_gate_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        kind in 0..4_u8,
        steps in honest::steps(),
        damage in damage(),
    ) {
        let saved = honest::document(&steps).save();
        let with_frame = hostile::chunk(kind, &bytes);
        let inflated = hostile::deflated(&bytes);
        for bytes in [bytes, with_frame, inflated, damaged(&saved, &damage)] {
            let _ = split_chunks(&bytes);
            let _ = inspect_change(&bytes);
            let _ = admit_document(&bytes);
        }
    }
}
