//! Writes from outside their author's scope, held until a supervisor decides.

use super::{SqliteStore, array, id, signed, unsigned};
use crate::store::{QuarantineDecision, QuarantineRow, StoreError, StoreResult};
use rusqlite::{Row, ToSql, params};
use vereda_core::id::{Incarnation, PatientId, StoreId, TenantId, UnitId, UserId};
use vereda_core::record::{Compartment, Stream};

const COLUMNS: &str =
    "select store, incarnation, n, hash, tenant, person, unit, compartment, patient, generation,
     received_ms, decision, decided_by, decided_ms, sealed from quarantine";

fn place<'a>(row: &'a QuarantineRow, n: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [b"quarantine", row.incarnation.store.as_bytes(), n]
}

/// A row without what is sealed, and that.
fn row(row: &Row<'_>) -> StoreResult<(QuarantineRow, Vec<u8>)> {
    let damaged = || StoreError::Damaged("quarantine");
    let blob = |column| -> StoreResult<Vec<u8>> { Ok(row.get(column)?) };
    let decided = match (row.get(11)?, row.get::<_, Option<Vec<u8>>>(12)?, row.get(13)?) {
        (Some(code), Some(user), Some(at_ms)) => {
            let decision = match code {
                0 => QuarantineDecision::Released,
                1 => QuarantineDecision::Discarded,
                _ => return Err(damaged()),
            };
            Some((decision, id("quarantine", &user, UserId::from_slice)?, at_ms))
        }
        _ => None,
    };
    let compartment = Compartment::from_code(row.get(7)?).ok_or_else(damaged)?;
    let unit = id("quarantine", &blob(6)?, UnitId::from_slice)?;
    let quarantined = QuarantineRow {
        incarnation: Incarnation {
            store: id("quarantine", &blob(0)?, StoreId::from_slice)?,
            number: unsigned(row.get(1)?),
        },
        n: unsigned(row.get(2)?),
        hash: array("quarantine", &blob(3)?)?,
        tenant: id("quarantine", &blob(4)?, TenantId::from_slice)?,
        user: id("quarantine", &blob(5)?, UserId::from_slice)?,
        stream: Stream::new(unit, compartment),
        patient: id("quarantine", &blob(8)?, PatientId::from_slice)?,
        generation: row.get(9)?,
        received_ms: row.get(10)?,
        write: Vec::new(),
        decided,
    };
    Ok((quarantined, blob(14)?))
}

impl SqliteStore {
    pub(super) fn read_quarantined(
        &mut self,
        incarnation: &Incarnation,
        n: u64,
    ) -> StoreResult<Option<QuarantineRow>> {
        let found = self.read_quarantine_rows(
            "store = ?1 and incarnation = ?2 and n = ?3",
            &[
                &incarnation.store.as_bytes().as_slice(),
                &signed(incarnation.number),
                &signed(n),
            ],
        )?;
        Ok(found.into_iter().next())
    }

    pub(super) fn read_quarantine(&mut self, tenant: TenantId) -> StoreResult<Vec<QuarantineRow>> {
        self.read_quarantine_rows(
            "tenant = ?1 and decision is null order by received_ms, store, incarnation, n",
            &[&tenant.as_bytes().as_slice()],
        )
    }

    fn read_quarantine_rows(
        &mut self,
        condition: &str,
        values: &[&dyn ToSql],
    ) -> StoreResult<Vec<QuarantineRow>> {
        let mut found = Vec::new();
        {
            let mut statement = self
                .connection
                .prepare_cached(&format!("{COLUMNS} where {condition}"))?;
            let mut rows = statement.query(values)?;
            while let Some(next) = rows.next()? {
                found.push(row(next)?);
            }
        }
        found
            .into_iter()
            .map(|(mut row, sealed)| {
                let n = row.n.to_be_bytes();
                let (tenant, patient) = (row.tenant, row.patient);
                row.write = self.unseal("quarantine", tenant, patient, &place(&row, &n), sealed)?;
                Ok(row)
            })
            .collect()
    }

    pub(super) fn write_quarantined(&mut self, row: &QuarantineRow) -> StoreResult<()> {
        let n = row.n.to_be_bytes();
        let sealed = self.seal(row.tenant, row.patient, &place(row, &n), &row.write)?;
        let decision = row.decided.map(|(decision, ..)| decision as u8);
        self.connection
            .prepare_cached(
                "insert into quarantine (store, incarnation, n, hash, tenant, person, unit, compartment, patient,
                     generation, received_ms, decision, decided_by, decided_ms, sealed)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                 on conflict (store, incarnation, n) do update set
                     decision = excluded.decision, decided_by = excluded.decided_by,
                     decided_ms = excluded.decided_ms",
            )?
            .execute(params![
                row.incarnation.store.as_bytes(),
                signed(row.incarnation.number),
                signed(row.n),
                row.hash,
                row.tenant.as_bytes(),
                row.user.as_bytes(),
                row.stream.unit.as_bytes(),
                row.stream.compartment.code(),
                row.patient.as_bytes(),
                row.generation,
                row.received_ms,
                decision,
                row.decided.map(|(_, user, _)| *user.as_bytes()),
                row.decided.map(|(.., at_ms)| at_ms),
                sealed
            ])?;
        Ok(())
    }
}
