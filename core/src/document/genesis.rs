//! The genesis change: the maps every document starts with, made by a fixed actor at time 0. Documents created
//! apart share it, so they merge. Its hash is part of the format (SPEC, "Documents").

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ChangeHash, ObjId, ObjType, ROOT};
use std::sync::OnceLock;

/// The maps of a document.
#[derive(Clone)]
pub(super) struct Maps {
    /// Entry id → canonical header, one scalar.
    pub(super) entries: ObjId,
    /// Draft id → map of `opened`, `text`, `body`, `occurred`.
    pub(super) drafts: ObjId,
    /// `entry id/name` → what people decided about an entry.
    pub(super) marks: ObjId,
    /// `item id/field` → value with who and when, one scalar.
    pub(super) chart: ObjId,
}

/// A document that holds the genesis change alone, and its maps.
pub(super) fn genesis() -> &'static (Automerge, Maps) {
    static GENESIS: OnceLock<(Automerge, Maps)> = OnceLock::new();
    GENESIS.get_or_init(|| {
        let mut document = Automerge::new();
        document.set_actor(ActorId::from(b"vereda genesis 1".as_slice()));
        let mut transaction = document.transaction();
        let mut map = |name: &str| {
            // A fresh document takes any key at its root.
            transaction.put_object(ROOT, name, ObjType::Map).unwrap_or(ROOT)
        };
        let maps = Maps {
            entries: map("entries"),
            drafts: map("drafts"),
            marks: map("marks"),
            chart: map("chart"),
        };
        transaction.commit_with(CommitOptions::default().with_time(0));
        (document, maps)
    })
}

/// The hash of the genesis change.
pub(super) fn genesis_hash() -> ChangeHash {
    genesis().0.get_heads()[0]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_genesis_change_has_the_hash_of_the_format() {
        let hash = "4de3a798fcab9545b4c8955f9b8e32b90f0640ae80a2e8da20f48bf17c977afd";
        assert_eq!(hex::encode(super::genesis_hash().0), hash);
    }
}
