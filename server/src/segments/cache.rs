//! The lists that were built, in bounded memory.

use super::build::{Built, Position};
use crate::store::Head;
use std::collections::HashMap;
use std::sync::Arc;
use vereda_core::id::{PatientId, TenantId};
use vereda_core::record::Stream;

/// Bytes of segments kept; past it the lists used least recently go.
const KEPT_BYTES_MAX: usize = 192 * 1024 * 1024;
/// A list is made anew where the log has grown since by this many bytes and by a tenth.
const AGE_BYTES_MAX: u64 = 1024 * 1024;

/// The lists that were built, and the bytes of their segments.
#[derive(Default)]
pub(crate) struct SegmentCache {
    pub(super) lists: HashMap<(TenantId, Stream), List>,
    clock: u64,
}

/// A stream's log when its list was begun.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    pub(super) epoch: u64,
    pub(super) head: Head,
    /// Bytes of the log up to `head`.
    pub(super) log_bytes: u64,
}

pub(super) struct List {
    pub(super) begun: Beginning,
    pub(super) segments: Vec<Built>,
    pub(super) next: Option<Position>,
    used: u64,
}

/// A segment that was built: its stream, its bytes, its patients.
pub(super) type Found = (Stream, Arc<Vec<u8>>, Arc<Vec<PatientId>>);

impl List {
    fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum()
    }

    fn is_stale(&self, now: &Beginning) -> bool {
        let grown = now.log_bytes.saturating_sub(self.begun.log_bytes);
        self.begun.epoch != now.epoch
            || now.head.seq < self.begun.head.seq
            || (grown > AGE_BYTES_MAX && grown > self.begun.log_bytes / 10)
    }
}

impl SegmentCache {
    /// Drops a list that is too old to begin with.
    pub(super) fn drop_stale(&mut self, tenant: TenantId, stream: Stream, now: &Beginning) {
        let list = self.lists.get(&(tenant, stream));
        if list.is_some_and(|list| list.is_stale(now)) {
            self.lists.remove(&(tenant, stream));
        }
    }

    /// Takes the list of a stream out, or an empty one.
    pub(super) fn take(&mut self, tenant: TenantId, stream: Stream, now: Beginning) -> List {
        self.clock += 1;
        let list = self.lists.remove(&(tenant, stream)).unwrap_or_else(|| List {
            begun: now,
            segments: Vec::new(),
            next: Some(Position::BEGINNING),
            used: 0,
        });
        List {
            used: self.clock,
            ..list
        }
    }

    /// Puts it back.
    pub(super) fn put(&mut self, tenant: TenantId, stream: Stream, list: List) {
        self.lists.insert((tenant, stream), list);
        self.shed();
    }

    pub(super) fn find(&self, tenant: TenantId, hash: &[u8; 32]) -> Option<Found> {
        let mine = self.lists.iter().filter(|((owner, _), _)| *owner == tenant);
        mine.flat_map(|((_, stream), list)| list.segments.iter().map(move |segment| (stream, segment)))
            .find(|(_, segment)| *segment.name.hash == *hash)
            .map(|(stream, segment)| (*stream, segment.bytes.clone(), segment.patients.clone()))
    }

    /// Drops the lists used least recently until the rest fits; the one in use stays.
    fn shed(&mut self) {
        while self.lists.values().map(List::bytes).sum::<usize>() > KEPT_BYTES_MAX && self.lists.len() > 1 {
            let oldest = self.lists.iter().min_by_key(|(_, list)| list.used);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.lists.remove(&key);
        }
    }
}
