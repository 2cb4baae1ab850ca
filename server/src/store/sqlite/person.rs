//! The people of a tenant, as an administrator sees them.

use super::{SqliteStore, array, id};
use crate::role::Role;
use crate::store::{PersonRow, StoreError, StoreResult};
use vereda_core::id::{TenantId, UserId};

impl SqliteStore {
    /// Everybody of a tenant, by name, with their units and grants.
    pub(crate) fn people(&mut self, tenant: TenantId) -> StoreResult<Vec<PersonRow>> {
        let rows: Vec<(Vec<u8>, String, String, Option<String>)> = self
            .connection
            .prepare_cached("select id, name, role, speciality from person where tenant = ?1 order by name")?
            .query_map([tenant.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let scopes = self.scopes(tenant)?;
        rows.into_iter()
            .map(|(person, name, role, speciality)| {
                let person: [u8; 16] = array("person", &person)?;
                Ok(PersonRow {
                    user: id("person", &person, UserId::from_slice)?,
                    units: self.unit_names(&person)?,
                    scopes: scopes
                        .iter()
                        .filter(|scope| scope.user == name)
                        .cloned()
                        .collect(),
                    role: role.parse::<Role>().map_err(|()| StoreError::Damaged("person"))?,
                    name,
                    speciality,
                })
            })
            .collect()
    }

    fn unit_names(&mut self, person: &[u8; 16]) -> StoreResult<Vec<String>> {
        let mut statement = self.connection.prepare_cached(
            "select unit.name from membership join unit on unit.id = membership.unit
             where person = ?1 order by unit.name",
        )?;
        let names = statement.query_map([person], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }
}
