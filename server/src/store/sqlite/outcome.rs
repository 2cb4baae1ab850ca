//! What became of each write.

use super::{SqliteStore, array, signed, unsigned};
use crate::store::{Decision, OutcomeRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::id::Incarnation;

/// The columns of an outcome after its hash.
type Columns = (Vec<u8>, Option<i64>, Option<i64>, Option<String>, Option<String>);

impl SqliteStore {
    pub(super) fn read_outcome(
        &mut self,
        incarnation: &Incarnation,
        n: u64,
    ) -> StoreResult<Option<OutcomeRow>> {
        let row: Option<Columns> = self
            .connection
            .prepare_cached(
                "select hash, seq, received_ms, code, detail from outcome
                 where store = ?1 and incarnation = ?2 and n = ?3",
            )?
            .query_row(
                params![
                    incarnation.store.as_bytes(),
                    signed(incarnation.number),
                    signed(n)
                ],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()?;
        let Some((hash, seq, received_ms, code, detail)) = row else {
            return Ok(None);
        };
        let decision = match (seq, received_ms, code) {
            (Some(seq), Some(received_ms), None) => Decision::Accepted {
                seq: unsigned(seq),
                received_ms,
            },
            (None, None, Some(code)) => Decision::Refused {
                code,
                detail: detail.unwrap_or_default(),
            },
            _ => return Err(StoreError::Damaged("outcome")),
        };
        Ok(Some(OutcomeRow {
            hash: array("outcome", &hash)?,
            decision,
        }))
    }

    pub(super) fn read_highest_outcome(
        &mut self,
        incarnation: &Incarnation,
    ) -> StoreResult<Option<(u64, [u8; 32])>> {
        let row: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "select n, hash from outcome where store = ?1 and incarnation = ?2 order by n desc limit 1",
            )?
            .query_row(
                params![incarnation.store.as_bytes(), signed(incarnation.number)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        row.map(|(n, hash)| Ok((unsigned(n), array("outcome", &hash)?)))
            .transpose()
    }

    pub(super) fn write_outcome(
        &mut self,
        incarnation: &Incarnation,
        n: u64,
        outcome: &OutcomeRow,
    ) -> StoreResult<()> {
        let (seq, received_ms, code, detail) = match &outcome.decision {
            Decision::Accepted { seq, received_ms } => (Some(signed(*seq)), Some(*received_ms), None, None),
            Decision::Refused { code, detail } => (None, None, Some(code), Some(detail)),
        };
        self.connection
            .prepare_cached(
                "insert into outcome (store, incarnation, n, hash, seq, received_ms, code, detail)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                incarnation.store.as_bytes(),
                signed(incarnation.number),
                signed(n),
                outcome.hash,
                seq,
                received_ms,
                code,
                detail
            ])?;
        Ok(())
    }
}
