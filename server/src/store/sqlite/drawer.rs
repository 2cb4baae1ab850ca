//! What was refused, as whoever looks after a unit sees it. The writes themselves are in their devices' drawers.

use super::{SqliteStore, signed, unsigned};
use crate::store::{RefusedPlace, RefusedRow, StoreResult};
use rusqlite::params;
use vereda_core::id::{TenantId, UserId};

impl SqliteStore {
    /// A page of what was refused of the devices of everybody who shares a unit with a user, by device and number.
    pub(crate) fn refused_of_units(
        &mut self,
        tenant: TenantId,
        user: UserId,
        after: Option<&RefusedPlace>,
        limit: usize,
    ) -> StoreResult<Vec<RefusedRow>> {
        let after = after.copied().unwrap_or_default();
        let mut statement = self.connection.prepare_cached(
            "select device.short, outcome.incarnation, outcome.n, person.name, outcome.code, outcome.detail
             from device join person on person.id = device.person
             join outcome on outcome.store = device.store
             where device.tenant = ?1 and outcome.code is not null
               and device.person in (
                   select membership.person from membership
                   where membership.unit in (select unit from membership where person = ?2))
               and (device.short, outcome.incarnation, outcome.n) > (?3, ?4, ?5)
             order by device.short, outcome.incarnation, outcome.n limit ?6",
        )?;
        let rows = statement.query_map(
            params![
                tenant.as_bytes(),
                user.as_bytes(),
                after.device,
                signed(after.incarnation),
                signed(after.n),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| {
                Ok(RefusedRow {
                    place: RefusedPlace {
                        device: row.get(0)?,
                        incarnation: unsigned(row.get(1)?),
                        n: unsigned(row.get(2)?),
                    },
                    user: row.get(3)?,
                    code: row.get(4)?,
                    detail: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
