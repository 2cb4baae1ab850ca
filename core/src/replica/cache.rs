//! Documents in memory: the least recently used goes first, and what a failed step touched goes at once.

use crate::document::{DocumentKey, LoadedDocument};
use crate::error::{Code, Result, SyncError};
use crate::id::DocumentId;
use crate::limits::{LOADED_BYTES_MAX, LOADED_DOCUMENTS_MAX};
use crate::store::documents::{self, DocumentHealth};
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap};

/// Documents in memory.
#[derive(Debug, Default)]
pub struct DocumentCache {
    loaded: HashMap<DocumentId, (LoadedDocument, u64)>,
    touched: BTreeSet<DocumentId>,
    tick: u64,
}

impl DocumentCache {
    /// The document, loaded from its chunks if it is not in memory. A new one where there is none.
    ///
    /// # Errors
    /// `document_quarantined` when it was set aside, or its chunks do not load (the caller then notes it as damaged).
    pub(super) fn get(&mut self, connection: &Connection, key: &DocumentKey) -> Result<&mut LoadedDocument> {
        let id = key.id();
        self.tick += 1;
        self.touched.insert(id);
        if !self.loaded.contains_key(&id) {
            if documents::get(connection, &id)?.is_some_and(|row| row.health == DocumentHealth::Quarantined) {
                return Err(SyncError::from(Code::DocumentQuarantined));
            }
            let chunks = documents::chunks(connection, &id, false)?;
            let loaded = LoadedDocument::load(chunks.iter().map(Vec::as_slice))
                .map_err(|_| SyncError::from(Code::StoreDamaged))?;
            self.make_room(loaded.bytes());
            self.loaded.insert(id, (loaded, self.tick));
        }
        let (document, used) = self.loaded.get_mut(&id).ok_or(SyncError::from(Code::Internal))?;
        *used = self.tick;
        Ok(document)
    }

    /// Puts a rebuilt document in the place of the one in memory.
    pub(super) fn replace(&mut self, id: DocumentId, document: LoadedDocument) {
        self.tick += 1;
        self.touched.insert(id);
        self.loaded.insert(id, (document, self.tick));
    }

    /// Drops one document.
    pub fn evict(&mut self, id: &DocumentId) {
        self.loaded.remove(id);
    }

    /// The step was committed: what it touched is as the store has it.
    pub fn committed(&mut self) {
        self.touched.clear();
    }

    /// The step was not committed: what it touched may differ from the store.
    pub fn rolled_back(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            self.loaded.remove(&id);
        }
    }

    /// Drops everything: another process wrote.
    pub fn clear(&mut self) {
        self.loaded.clear();
        self.touched.clear();
    }

    fn make_room(&mut self, incoming: usize) {
        // A loaded document takes several times its saved bytes.
        let mut bytes = incoming
            + self
                .loaded
                .values()
                .map(|(document, _)| document.bytes())
                .sum::<usize>();
        while self.loaded.len() >= LOADED_DOCUMENTS_MAX
            || (bytes * 4 > LOADED_BYTES_MAX && !self.loaded.is_empty())
        {
            let oldest = self
                .loaded
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(id, _)| *id);
            let Some(oldest) = oldest else { return };
            if let Some((document, _)) = self.loaded.remove(&oldest) {
                bytes -= document.bytes();
            }
        }
    }
}
