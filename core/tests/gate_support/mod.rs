//! Documents as honest devices write them, and bytes as hostile ones do.

pub(crate) mod honest;
pub(crate) mod hostile;

use std::collections::HashMap;

use automerge::Change;

/// The highest operation of each change.
pub(crate) fn max_ops(changes: &[Change]) -> HashMap<[u8; 32], u64> {
    changes
        .iter()
        .map(|change| (change.hash().0, change.max_op()))
        .collect()
}

/// The last sequence number of each actor.
pub(crate) fn last_sequences(changes: &[Change]) -> HashMap<Vec<u8>, u64> {
    let mut last = HashMap::new();
    for change in changes {
        last.insert(change.actor_id().to_bytes().to_vec(), change.seq());
    }
    last
}
