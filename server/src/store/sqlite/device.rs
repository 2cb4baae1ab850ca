//! Devices, enrolment codes, members: what authentication and scope are read from.

use super::{SqliteStore, array, id, signed, unsigned};
use crate::role::Role;
use crate::store::{DeviceRow, EnrolmentRow, MemberRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use vereda_core::id::{StoreId, TenantId, UnitId, UserId};
use vereda_core::protocol::{Person, Unit};
use vereda_core::redact::Sensitive;

const DEVICE_COLUMNS: &str =
    "select short, store, tenant, person, hardware, label, salt, refresh, refreshed_ms,
     enrolled_ms, revoked_ms from device";

fn device(row: &Row<'_>) -> StoreResult<DeviceRow> {
    let blob = |column| -> StoreResult<Vec<u8>> { Ok(row.get(column)?) };
    Ok(DeviceRow {
        short: row.get(0)?,
        store: id("device", &blob(1)?, StoreId::from_slice)?,
        tenant: id("device", &blob(2)?, TenantId::from_slice)?,
        user: id("device", &blob(3)?, UserId::from_slice)?,
        hardware: array("device", &blob(4)?)?,
        label: Sensitive(row.get(5)?),
        salt: array("device", &blob(6)?)?,
        refresh: row.get(7)?,
        refreshed_ms: row.get(8)?,
        enrolled_ms: row.get(9)?,
        revoked_ms: row.get(10)?,
    })
}

impl SqliteStore {
    pub(super) fn meta(&mut self, name: &str) -> StoreResult<u64> {
        self.find_meta(name)?.ok_or(StoreError::Damaged("meta"))
    }

    pub(super) fn find_meta(&mut self, name: &str) -> StoreResult<Option<u64>> {
        let value: Option<i64> = self
            .connection
            .prepare_cached("select value from meta where name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(value.map(unsigned))
    }

    pub(super) fn set_meta(&mut self, name: &str, value: u64) -> StoreResult<()> {
        self.connection
            .prepare_cached(
                "insert into meta (name, value) values (?1, ?2)
                 on conflict (name) do update set value = excluded.value",
            )?
            .execute(params![name, signed(value)])?;
        Ok(())
    }

    pub(super) fn read_enrolment(&mut self, secret_hash: &[u8; 32]) -> StoreResult<Option<EnrolmentRow>> {
        let row: Option<(Vec<u8>, i64, Option<Vec<u8>>)> = self
            .connection
            .prepare_cached("select person, expires_ms, used_by from enrolment_code where secret_hash = ?1")?
            .query_row([secret_hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((user, expires_ms, used_by)) = row else {
            return Ok(None);
        };
        Ok(Some(EnrolmentRow {
            user: id("enrolment_code", &user, UserId::from_slice)?,
            expires_ms,
            used_by: used_by
                .map(|store| id("enrolment_code", &store, StoreId::from_slice))
                .transpose()?,
        }))
    }

    pub(super) fn mark_enrolment(&mut self, secret_hash: &[u8; 32], store: StoreId) -> StoreResult<()> {
        self.connection
            .prepare_cached("update enrolment_code set used_by = ?2 where secret_hash = ?1")?
            .execute(params![secret_hash, store.as_bytes()])?;
        Ok(())
    }

    pub(super) fn read_device(&mut self, wanted: &str, value: impl ToSql) -> StoreResult<Option<DeviceRow>> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{DEVICE_COLUMNS} where {wanted}"))?;
        let mut rows = statement.query([value])?;
        rows.next()?.map(device).transpose()
    }

    pub(super) fn read_devices(&mut self) -> StoreResult<Vec<DeviceRow>> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("{DEVICE_COLUMNS} order by short"))?;
        let mut rows = statement.query([])?;
        let mut devices = Vec::new();
        while let Some(row) = rows.next()? {
            devices.push(device(row)?);
        }
        Ok(devices)
    }

    pub(super) fn write_device(&mut self, device: &DeviceRow) -> StoreResult<u32> {
        let short = (device.short != 0).then_some(device.short);
        let short: u32 = self
            .connection
            .prepare_cached(
                "insert into device (short, store, tenant, person, hardware, label, salt, refresh, refreshed_ms,
                     enrolled_ms, revoked_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 on conflict (short) do update set
                     hardware = excluded.hardware, label = excluded.label, salt = excluded.salt,
                     refresh = excluded.refresh, refreshed_ms = excluded.refreshed_ms,
                     enrolled_ms = excluded.enrolled_ms, revoked_ms = excluded.revoked_ms
                 returning short",
            )?
            .query_row(
                params![
                    short,
                    device.store.as_bytes(),
                    device.tenant.as_bytes(),
                    device.user.as_bytes(),
                    device.hardware,
                    device.label.0,
                    device.salt,
                    device.refresh,
                    device.refreshed_ms,
                    device.enrolled_ms,
                    device.revoked_ms
                ],
                |row| row.get(0),
            )?;
        Ok(short)
    }

    pub(super) fn read_member(&mut self, user: UserId) -> StoreResult<Option<MemberRow>> {
        let row: Option<(Vec<u8>, String, u32)> = self
            .connection
            .prepare_cached(
                "select person.tenant, role, scope_version from person
                 join tenant on tenant.id = person.tenant where person.id = ?1",
            )?
            .query_row([user.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((tenant, role, scope_version)) = row else {
            return Ok(None);
        };
        let units: Vec<(Vec<u8>, String)> = self
            .connection
            .prepare_cached(
                "select unit.id, unit.name from membership join unit on unit.id = membership.unit
                 where person = ?1 order by unit.name, unit.id",
            )?
            .query_map([user.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let grants = self.read_grants(user)?;
        Ok(Some(MemberRow {
            tenant: id("person", &tenant, TenantId::from_slice)?,
            user,
            role: role.parse::<Role>().map_err(|()| StoreError::Damaged("person"))?,
            units: units
                .into_iter()
                .map(|(unit, name)| {
                    Ok(Unit {
                        id: id("unit", &unit, UnitId::from_slice)?,
                        name: Sensitive(name),
                    })
                })
                .collect::<StoreResult<_>>()?,
            grants,
            scope_version,
        }))
    }

    pub(super) fn read_colleagues(&mut self, user: UserId) -> StoreResult<Vec<Person>> {
        let people: Vec<(Vec<u8>, String, Option<String>)> = self
            .connection
            .prepare_cached(
                "select distinct person.id, person.name, person.speciality from membership
                 join person on person.id = membership.person
                 where unit in (select unit from membership where person = ?1) order by person.id",
            )?
            .query_map([user.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        people
            .into_iter()
            .map(|(person, name, speciality)| {
                Ok(Person {
                    id: id("person", &person, UserId::from_slice)?,
                    name: Sensitive(name),
                    speciality,
                })
            })
            .collect()
    }
}
