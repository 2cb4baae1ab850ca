//! Reference data: rows of a tenant under a version that rises with each change, so that a device reads only what
//! changed behind its own.

use super::SqliteStore;
use crate::store::{Rule, StoreResult};
use rusqlite::params;
use vereda_core::id::{TenantId, UserId};
use vereda_core::limits::{REFERENCE_BYTES_MAX, REFERENCE_ROWS_MAX};
use vereda_core::protocol::{ReferenceItem, ReferencePage};
use vereda_core::record::ReferenceKind;
use vereda_core::redact::Sensitive;

impl SqliteStore {
    pub(super) fn read_reference_version(&mut self, tenant: TenantId) -> StoreResult<u32> {
        Ok(self
            .connection
            .prepare_cached("select reference_version from tenant where id = ?1")?
            .query_row([tenant.as_bytes()], |row| row.get(0))?)
    }

    pub(super) fn read_reference(&mut self, tenant: TenantId, from: u32) -> StoreResult<ReferencePage> {
        let newest = self.read_reference_version(tenant)?;
        // A device that has more than there is saw another history: it begins again.
        let from = if from > newest { 0 } else { from };
        let mut page = ReferencePage {
            from,
            version: newest,
            rows: Vec::new(),
        };
        let mut statement = self.connection.prepare_cached(
            "select version, kind, id, content, retired from reference
             where tenant = ?1 and version > ?2 order by version",
        )?;
        let mut rows = statement.query(params![tenant.as_bytes(), from])?;
        let (mut bytes, mut reached) = (0, from);
        while let Some(row) = rows.next()? {
            let content: String = row.get(3)?;
            bytes += content.len() + 64;
            let is_full = page.rows.len() == REFERENCE_ROWS_MAX || bytes > REFERENCE_BYTES_MAX;
            if is_full && !page.rows.is_empty() {
                page.version = reached;
                break;
            }
            reached = row.get(0)?;
            page.rows.push(ReferenceItem {
                kind: row.get(1)?,
                id: row.get(2)?,
                content: Sensitive(content),
                retired: row.get(4)?,
            });
        }
        Ok(page)
    }

    /// Writes a row under the tenant's next version, inside a transaction.
    pub(super) fn write_reference(
        &mut self,
        tenant: TenantId,
        kind: ReferenceKind,
        id: &str,
        content: &str,
        retired: bool,
    ) -> StoreResult<()> {
        let version: u32 = self.connection.query_row(
            "update tenant set reference_version = reference_version + 1 where id = ?1
             returning reference_version",
            [tenant.as_bytes()],
            |row| row.get(0),
        )?;
        self.connection.execute(
            "insert or replace into reference (tenant, kind, id, version, content, retired)
             values (?1, ?2, ?3, ?4, ?5, ?6)",
            params![tenant.as_bytes(), kind.name(), id, version, content, retired],
        )?;
        // Devices learn of it as of any change of their scope.
        self.scope_changed(tenant)
    }

    /// Adds or changes a row.
    pub(crate) fn put_reference(
        &mut self,
        tenant: TenantId,
        kind: ReferenceKind,
        id: &str,
        content: &str,
    ) -> StoreResult<()> {
        self.within(|store| store.write_reference(tenant, kind, id, content, false))
    }

    /// Retires a row: it stays for what names it.
    pub(crate) fn retire_reference(
        &mut self,
        tenant: TenantId,
        kind: ReferenceKind,
        id: &str,
    ) -> StoreResult<()> {
        self.within(|store| {
            let row = store
                .references(tenant, kind)?
                .into_iter()
                .find(|row| row.id == id)
                .ok_or(Rule::ReferenceUnknown)?;
            store.write_reference(tenant, kind, id, &row.content, true)
        })
    }

    /// The rows of a kind, by id.
    pub(crate) fn references(
        &mut self,
        tenant: TenantId,
        kind: ReferenceKind,
    ) -> StoreResult<Vec<ReferenceItem>> {
        let mut statement = self.connection.prepare_cached(
            "select id, content, retired from reference where tenant = ?1 and kind = ?2 order by id",
        )?;
        let rows = statement.query_map(params![tenant.as_bytes(), kind.name()], |row| {
            Ok(ReferenceItem {
                kind: kind.name().to_owned(),
                id: row.get(0)?,
                content: Sensitive(row.get(1)?),
                retired: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Says which speciality a user has.
    pub(crate) fn set_speciality(&mut self, tenant: TenantId, user: UserId, code: &str) -> StoreResult<()> {
        self.within(|store| {
            let specialities = store.references(tenant, ReferenceKind::Speciality)?;
            if !specialities.iter().any(|row| row.id == code && !row.retired) {
                return Err(Rule::ReferenceUnknown.into());
            }
            store.connection.execute(
                "update person set speciality = ?2 where id = ?1",
                params![user.as_bytes(), code],
            )?;
            store.scope_changed(tenant)
        })
    }
}
