//! Tenants, units, people, codes and devices, as an administrator sees them. Each call is one transaction of its
//! own, so it works while a server runs on the same file.

use super::{SqliteStore, array, id};
use crate::role::Role;
use crate::store::{DeviceRow, Rule, ServerStore, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::id::{TenantId, UnitId, UserId};
use vereda_core::record::ReferenceKind;
use vereda_core::time::EpochMs;

/// The administrator's calls.
pub trait Directory {
    /// The tenant of a name; without a name the only one there is.
    fn tenant(&mut self, name: Option<&str>) -> StoreResult<TenantId>;
    /// Adds a tenant.
    fn add_tenant(&mut self, tenant: TenantId, name: &str) -> StoreResult<()>;
    /// Adds a unit to a tenant.
    fn add_unit(&mut self, tenant: TenantId, unit: UnitId, name: &str) -> StoreResult<()>;
    /// The unit of a name.
    fn unit(&mut self, tenant: TenantId, name: &str) -> StoreResult<UnitId>;
    /// Adds a user, or gives one another role, and puts them into units.
    fn put_user(
        &mut self,
        tenant: TenantId,
        user: UserId,
        name: &str,
        role: Role,
        units: &[UnitId],
    ) -> StoreResult<UserId>;
    /// Takes a user out of a unit.
    fn leave_unit(&mut self, tenant: TenantId, user: UserId, unit: UnitId) -> StoreResult<()>;
    /// The user of a name.
    fn user(&mut self, tenant: TenantId, name: &str) -> StoreResult<UserId>;
    /// Adds an enrolment code.
    fn add_enrolment(&mut self, secret_hash: &[u8; 32], user: UserId, expires_ms: EpochMs)
    -> StoreResult<()>;
    /// Every device, with its user's name.
    fn devices(&mut self) -> StoreResult<Vec<(DeviceRow, String)>>;
    /// Revokes a device.
    fn revoke(&mut self, short: u32, now_ms: EpochMs) -> StoreResult<()>;
}

impl SqliteStore {
    /// Runs something in a transaction of its own.
    pub(crate) fn within<T>(&mut self, work: impl FnOnce(&mut Self) -> StoreResult<T>) -> StoreResult<T> {
        self.begin([0; 32])?;
        match work(self).and_then(|value| self.commit().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }

    pub(super) fn scope_changed(&self, tenant: TenantId) -> StoreResult<()> {
        self.connection.execute(
            "update tenant set scope_version = scope_version + 1 where id = ?1",
            [tenant.as_bytes()],
        )?;
        Ok(())
    }

    fn named(&self, sql: &str, tenant: TenantId, name: &str) -> StoreResult<Option<[u8; 16]>> {
        let found: Option<Vec<u8>> = self
            .connection
            .query_row(sql, params![tenant.as_bytes(), name], |row| row.get(0))
            .optional()?;
        found.map(|bytes| array("person", &bytes)).transpose()
    }
}

fn unique(error: StoreError, rule: Rule) -> StoreError {
    match error {
        StoreError::Database(inner)
            if inner.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
        {
            rule.into()
        }
        other => other,
    }
}

impl Directory for SqliteStore {
    fn tenant(&mut self, name: Option<&str>) -> StoreResult<TenantId> {
        let found: Vec<Vec<u8>> = self
            .connection
            .prepare("select id from tenant where ?1 is null or name = ?1")?
            .query_map([name], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        match found.as_slice() {
            [only] => id("tenant", only, TenantId::from_slice),
            [] => Err(Rule::TenantUnknown.into()),
            _ => Err(Rule::TenantUnnamed.into()),
        }
    }

    fn add_tenant(&mut self, tenant: TenantId, name: &str) -> StoreResult<()> {
        self.within(|store| {
            store.connection.execute(
                "insert into tenant (id, name, scope_version) values (?1, ?2, 1)",
                params![tenant.as_bytes(), name],
            )?;
            Ok(())
        })
        .map_err(|error| unique(error, Rule::TenantThere))
    }

    fn add_unit(&mut self, tenant: TenantId, unit: UnitId, name: &str) -> StoreResult<()> {
        self.within(|store| {
            store.connection.execute(
                "insert into unit (id, tenant, name) values (?1, ?2, ?3)",
                params![unit.as_bytes(), tenant.as_bytes(), name],
            )?;
            let content = serde_json::json!({ "name": name }).to_string();
            store.write_reference(tenant, ReferenceKind::Unit, &unit.to_string(), &content, false)
        })
        .map_err(|error| unique(error, Rule::UnitThere))
    }

    fn unit(&mut self, tenant: TenantId, name: &str) -> StoreResult<UnitId> {
        self.named(
            "select id from unit where tenant = ?1 and name = ?2",
            tenant,
            name,
        )?
        .map(UnitId::from_bytes)
        .ok_or(StoreError::Rule(Rule::UnitUnknown))
    }

    fn put_user(
        &mut self,
        tenant: TenantId,
        user: UserId,
        name: &str,
        role: Role,
        units: &[UnitId],
    ) -> StoreResult<UserId> {
        self.within(|store| {
            let known = store.named(
                "select id from person where tenant = ?1 and name = ?2",
                tenant,
                name,
            )?;
            let user = known.map_or(user, UserId::from_bytes);
            let put = store.connection.execute(
                "insert into person (id, tenant, name, role) values (?1, ?2, ?3, ?4)
                 on conflict (id) do update set role = excluded.role
                 where person.tenant = excluded.tenant and person.name = excluded.name",
                params![user.as_bytes(), tenant.as_bytes(), name, role.name()],
            )?;
            if put == 0 {
                return Err(Rule::IdTaken.into());
            }
            for unit in units {
                store.connection.execute(
                    "insert or ignore into membership (person, unit) values (?1, ?2)",
                    params![user.as_bytes(), unit.as_bytes()],
                )?;
            }
            store.scope_changed(tenant)?;
            Ok(user)
        })
    }

    fn leave_unit(&mut self, tenant: TenantId, user: UserId, unit: UnitId) -> StoreResult<()> {
        self.within(|store| {
            store.connection.execute(
                "insert or ignore into past_membership (person, unit)
                 select person, unit from membership where person = ?1 and unit = ?2",
                params![user.as_bytes(), unit.as_bytes()],
            )?;
            store.connection.execute(
                "delete from membership where person = ?1 and unit = ?2",
                params![user.as_bytes(), unit.as_bytes()],
            )?;
            // Whoever comes back is granted anew.
            store.connection.execute(
                "delete from scope_grant where person = ?1 and unit = ?2",
                params![user.as_bytes(), unit.as_bytes()],
            )?;
            store.scope_changed(tenant)
        })
    }

    fn user(&mut self, tenant: TenantId, name: &str) -> StoreResult<UserId> {
        self.named(
            "select id from person where tenant = ?1 and name = ?2",
            tenant,
            name,
        )?
        .map(UserId::from_bytes)
        .ok_or(StoreError::Rule(Rule::UserUnknown))
    }

    fn add_enrolment(
        &mut self,
        secret_hash: &[u8; 32],
        user: UserId,
        expires_ms: EpochMs,
    ) -> StoreResult<()> {
        self.within(|store| {
            store.connection.execute(
                "insert into enrolment_code (secret_hash, person, expires_ms) values (?1, ?2, ?3)",
                params![secret_hash, user.as_bytes(), expires_ms],
            )?;
            Ok(())
        })
    }

    fn devices(&mut self) -> StoreResult<Vec<(DeviceRow, String)>> {
        let mut devices = Vec::new();
        for device in self.read_devices()? {
            let name = self.connection.query_row(
                "select name from person where id = ?1",
                [device.user.as_bytes()],
                |row| row.get(0),
            )?;
            devices.push((device, name));
        }
        Ok(devices)
    }

    fn revoke(&mut self, short: u32, now_ms: EpochMs) -> StoreResult<()> {
        self.within(|store| {
            let changed = store.connection.execute(
                "update device set revoked_ms = coalesce(revoked_ms, ?2) where short = ?1",
                params![short, now_ms],
            )?;
            if changed == 0 {
                return Err(Rule::DeviceUnknown.into());
            }
            Ok(())
        })
    }
}
