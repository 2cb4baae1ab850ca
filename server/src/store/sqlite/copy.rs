//! What a backup needs: a copy while the store is in use, whether a file is whole, and the durable mark.

use super::{SqliteStore, id, keyed, signed, unsigned};
use crate::store::{ServerStore, StoreError, StoreResult};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use vereda_core::id::UnitId;
use vereda_core::record::{Compartment, Stream};

impl SqliteStore {
    /// Copies the whole store into a new file under the same key, while it is in use.
    ///
    /// # Errors
    /// Where the copy cannot be written.
    pub fn copy_to(&self, path: &Path, store_key: &[u8; 32]) -> StoreResult<()> {
        let mut copy = keyed(path, store_key)?;
        let backup = rusqlite::backup::Backup::new(&self.connection, &mut copy)?;
        // All pages in one step: one consistent read, which no writer waits for.
        backup.run_to_completion(i32::MAX, Duration::ZERO, None)?;
        Ok(())
    }

    /// Whether SQLite finds the file in order.
    pub(crate) fn is_whole(&mut self) -> StoreResult<bool> {
        let verdict: String = self
            .connection
            .query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
        Ok(verdict == "ok")
    }

    /// The end of every log.
    pub(crate) fn heads(&mut self) -> StoreResult<BTreeMap<Stream, u64>> {
        let mut statement = self
            .connection
            .prepare("select unit, compartment, seq from stream_head")?;
        let mut rows = statement.query([])?;
        let mut heads = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let unit: Vec<u8> = row.get(0)?;
            let unit = id("stream_head", &unit, UnitId::from_slice)?;
            let compartment =
                Compartment::from_code(row.get(1)?).ok_or(StoreError::Damaged("stream_head"))?;
            heads.insert(Stream::new(unit, compartment), unsigned(row.get(2)?));
        }
        Ok(heads)
    }

    /// Notes how far each stream lies in a checked copy.
    pub(crate) fn mark_durable(&mut self, heads: &BTreeMap<Stream, u64>) -> StoreResult<()> {
        self.begin([0; 32])?;
        let marked: StoreResult<()> = heads.iter().try_for_each(|(stream, seq)| {
            self.connection.execute(
                "update stream_head set durable = max(durable, ?3) where unit = ?1 and compartment = ?2",
                rusqlite::params![stream.unit.as_bytes(), stream.compartment.code(), signed(*seq)],
            )?;
            Ok(())
        });
        match marked.and_then(|()| self.commit()) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }
}
