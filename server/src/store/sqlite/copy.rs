//! What a backup needs: a copy while the store is in use, whether a file is whole, and the durable mark.

use super::{SqliteStore, id, keyed, signed, unsigned};
use crate::store::{ServerStore, StoreError, StoreResult};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use vereda_core::id::UnitId;
use vereda_core::record::{Compartment, Stream};

/// How far a store reaches: the end of each stream's log, and of each incarnation's audit.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    streams: BTreeMap<Stream, u64>,
    audits: Vec<(Vec<u8>, i64, i64)>,
}

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

    /// Copies a file that is no store in use, byte for byte as SQLite reads it, whatever version wrote it.
    ///
    /// # Errors
    /// Where the key does not open it, or the copy cannot be written.
    pub(crate) fn copy_file(from: &Path, to: &Path, store_key: &[u8; 32]) -> StoreResult<()> {
        let source = keyed(from, store_key)?;
        source.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
        let mut copy = keyed(to, store_key)?;
        rusqlite::backup::Backup::new(&source, &mut copy)?.run_to_completion(
            i32::MAX,
            Duration::ZERO,
            None,
        )?;
        Ok(())
    }

    /// Whether SQLite finds the file in order.
    pub(crate) fn is_whole(&mut self) -> StoreResult<bool> {
        let verdict: String = self
            .connection
            .query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
        Ok(verdict == "ok")
    }

    /// The end of every log and of every audit.
    pub(crate) fn reach(&mut self) -> StoreResult<Reach> {
        let mut reach = Reach::default();
        let mut statement = self
            .connection
            .prepare("select unit, compartment, seq from stream_head")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let unit: Vec<u8> = row.get(0)?;
            let unit = id("stream_head", &unit, UnitId::from_slice)?;
            let compartment =
                Compartment::from_code(row.get(1)?).ok_or(StoreError::Damaged("stream_head"))?;
            let stream = Stream::new(unit, compartment);
            reach.streams.insert(stream, unsigned(row.get(2)?));
        }
        let mut statement = self
            .connection
            .prepare("select store, incarnation, max(k) from audit group by store, incarnation")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            reach.audits.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        Ok(reach)
    }

    /// Notes how far each stream lies in a checked copy.
    pub(crate) fn mark_durable(&mut self, reach: &Reach) -> StoreResult<()> {
        self.begin([0; 32])?;
        let marked: StoreResult<()> = reach.streams.iter().try_for_each(|(stream, seq)| {
            self.connection.execute(
                "update stream_head set durable = max(durable, ?3) where unit = ?1 and compartment = ?2",
                rusqlite::params![stream.unit.as_bytes(), stream.compartment.code(), signed(*seq)],
            )?;
            Ok(())
        });
        let marked = marked.and_then(|()| {
            reach.audits.iter().try_for_each(|(store, incarnation, k)| {
                self.connection.execute(
                    "insert into audit_durable (store, incarnation, k) values (?1, ?2, ?3)
                     on conflict (store, incarnation) do update set k = max(k, excluded.k)",
                    rusqlite::params![store, incarnation, k],
                )?;
                Ok(())
            })
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
