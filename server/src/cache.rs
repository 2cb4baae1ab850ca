//! Documents kept loaded between requests. What is here equals what the store holds: whoever fails evicts.

use std::collections::HashMap;
use vereda_core::document::LoadedDocument;
use vereda_core::id::{DocumentId, TenantId};
use vereda_core::limits::{LOADED_BYTES_MAX, LOADED_DOCUMENTS_MAX};

/// A server has more memory than a phone.
const DOCUMENTS_MAX: usize = 8 * LOADED_DOCUMENTS_MAX;
const BYTES_MAX: usize = 4 * LOADED_BYTES_MAX;

#[derive(Default)]
pub(crate) struct DocumentCache {
    loaded: HashMap<(TenantId, DocumentId), (u64, LoadedDocument)>,
    clock: u64,
    bytes: usize,
}

impl DocumentCache {
    /// Takes a document out; whoever took it puts it back, or drops it where something failed.
    pub(crate) fn take(&mut self, tenant: TenantId, id: DocumentId) -> Option<LoadedDocument> {
        let (_, document) = self.loaded.remove(&(tenant, id))?;
        self.bytes = self.bytes.saturating_sub(document.bytes());
        Some(document)
    }

    pub(crate) fn put(&mut self, tenant: TenantId, id: DocumentId, document: LoadedDocument) {
        self.clock += 1;
        self.bytes += document.bytes();
        self.loaded.insert((tenant, id), (self.clock, document));
        if self.loaded.len() > DOCUMENTS_MAX || self.bytes > BYTES_MAX {
            self.shed();
        }
    }

    pub(crate) fn evict(&mut self, tenant: TenantId, id: DocumentId) {
        drop(self.take(tenant, id));
    }

    pub(crate) fn clear(&mut self) {
        self.loaded.clear();
        self.bytes = 0;
    }

    /// Drops the half that was used least recently.
    fn shed(&mut self) {
        let mut used: Vec<u64> = self.loaded.values().map(|(used, _)| *used).collect();
        used.sort_unstable();
        let keep_from = used.get(used.len() / 2).copied().unwrap_or_default();
        self.loaded.retain(|_, (used, _)| *used >= keep_from);
        self.bytes = self.loaded.values().map(|(_, document)| document.bytes()).sum();
    }
}
