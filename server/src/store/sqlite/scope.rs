//! Scopes: compartments granted to people in single units, beyond what their role reads.

use super::{SqliteStore, id};
use crate::role::Role;
use crate::store::{Rule, ScopeRow, StoreError, StoreResult};
use rusqlite::params;
use vereda_core::id::{TenantId, UnitId, UserId};
use vereda_core::record::Compartment;

impl SqliteStore {
    pub(super) fn read_grants(&mut self, user: UserId) -> StoreResult<Vec<(UnitId, Compartment)>> {
        // A grant outlives no membership, whoever ended that.
        let rows: Vec<(Vec<u8>, u8)> = self
            .connection
            .prepare_cached(
                "select unit, compartment from scope_grant
                 where person = ?1 and unit in (select unit from membership where person = ?1)
                 order by unit, compartment",
            )?
            .query_map([user.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        rows.into_iter()
            .map(|(unit, code)| {
                let compartment = Compartment::from_code(code).ok_or(StoreError::Damaged("scope_grant"))?;
                Ok((id("scope_grant", &unit, UnitId::from_slice)?, compartment))
            })
            .collect()
    }

    /// The role of a user.
    pub(crate) fn role(&mut self, user: UserId) -> StoreResult<Role> {
        let role: String = self.connection.query_row(
            "select role from person where id = ?1",
            [user.as_bytes()],
            |row| row.get(0),
        )?;
        role.parse().map_err(|()| StoreError::Damaged("person"))
    }

    /// Grants a compartment to a user of a unit. Granted twice is granted once.
    pub(crate) fn grant(
        &mut self,
        tenant: TenantId,
        user: UserId,
        unit: UnitId,
        compartment: Compartment,
    ) -> StoreResult<()> {
        self.within(|store| {
            if !store.role(user)?.rights().grants.contains(&compartment) {
                return Err(Rule::ScopeNotForRole.into());
            }
            let is_member = store
                .connection
                .prepare("select 1 from membership where person = ?1 and unit = ?2")?
                .exists(params![user.as_bytes(), unit.as_bytes()])?;
            if !is_member {
                return Err(Rule::NotInUnit.into());
            }
            store.connection.execute(
                "insert or ignore into scope_grant (person, unit, compartment) values (?1, ?2, ?3)",
                params![user.as_bytes(), unit.as_bytes(), compartment.code()],
            )?;
            store.scope_changed(tenant)
        })
    }

    /// Takes a grant back.
    pub(crate) fn revoke_grant(
        &mut self,
        tenant: TenantId,
        user: UserId,
        unit: UnitId,
        compartment: Compartment,
    ) -> StoreResult<()> {
        self.within(|store| {
            let taken = store.connection.execute(
                "delete from scope_grant where person = ?1 and unit = ?2 and compartment = ?3",
                params![user.as_bytes(), unit.as_bytes(), compartment.code()],
            )?;
            if taken == 0 {
                return Err(Rule::ScopeUnknown.into());
            }
            store.scope_changed(tenant)
        })
    }

    /// The grants of a tenant, by user and unit.
    pub(crate) fn scopes(&mut self, tenant: TenantId) -> StoreResult<Vec<ScopeRow>> {
        let rows: Vec<(String, String, u8)> = self
            .connection
            .prepare(
                "select person.name, unit.name, compartment from scope_grant
                 join person on person.id = scope_grant.person
                 join unit on unit.id = scope_grant.unit
                 where person.tenant = ?1 order by person.name, unit.name, compartment",
            )?
            .query_map([tenant.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        rows.into_iter()
            .map(|(user, unit, code)| {
                Ok(ScopeRow {
                    user,
                    unit,
                    compartment: Compartment::from_code(code).ok_or(StoreError::Damaged("scope_grant"))?,
                })
            })
            .collect()
    }
}
