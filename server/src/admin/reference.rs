//! Reference data: what a tenant keeps for all its devices. A row is never removed: what names it still shows it.

use super::{Administration, named, random_id};
use crate::store::sqlite::Directory;
use crate::store::{Rule, StoreResult};
use vereda_core::entropy::Entropy;
use vereda_core::id::UnitId;
use vereda_core::limits::BODY_BYTES_MAX;
use vereda_core::protocol::ReferenceItem;
use vereda_core::record::{
    KindDefinition, KindRegistry, Professional, ReferenceKind, Speciality, canonical_json,
};

impl Administration {
    /// The rows of a kind, retired ones among them, by id.
    ///
    /// # Errors
    /// Where there is no such tenant.
    pub fn references(
        &mut self,
        tenant: Option<&str>,
        kind: ReferenceKind,
    ) -> StoreResult<Vec<ReferenceItem>> {
        let tenant = self.store.tenant(tenant)?;
        self.store.references(tenant, kind)
    }

    /// Retires a row: nothing new is offered it, and what names it still shows it.
    ///
    /// # Errors
    /// Where there is no such tenant or row.
    pub fn retire_reference(
        &mut self,
        tenant: Option<&str>,
        kind: ReferenceKind,
        id: &str,
    ) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        self.store.retire_reference(tenant, kind, id)
    }

    /// Adds a speciality under its code, or changes its titles.
    ///
    /// # Errors
    /// Where there is no such tenant, or the code or a title is empty or no line.
    pub fn put_speciality(
        &mut self,
        tenant: Option<&str>,
        code: &str,
        speciality: &Speciality,
    ) -> StoreResult<()> {
        let code = named(code)?;
        speciality.check().map_err(|_| Rule::ReferenceInvalid)?;
        self.put(tenant, ReferenceKind::Speciality, code, speciality)
    }

    /// Adds a professional, and returns the row's id. `units` are names.
    ///
    /// # Errors
    /// Where there is no such tenant, unit or speciality, or a text is empty or no line.
    pub fn add_professional(
        &mut self,
        entropy: &mut dyn Entropy,
        tenant: Option<&str>,
        mut professional: Professional,
        units: &[&str],
    ) -> StoreResult<String> {
        professional.check().map_err(|_| Rule::ReferenceInvalid)?;
        let tenant_id = self.store.tenant(tenant)?;
        professional.units = units
            .iter()
            .map(|unit| self.store.unit(tenant_id, unit))
            .collect::<StoreResult<Vec<UnitId>>>()?;
        if let Some(code) = &professional.speciality {
            let known = self.store.references(tenant_id, ReferenceKind::Speciality)?;
            if !known.iter().any(|row| row.id == *code && !row.retired) {
                return Err(Rule::ReferenceUnknown.into());
            }
        }
        let id = random_id(entropy).to_string();
        self.put(tenant, ReferenceKind::Professional, &id, &professional)?;
        Ok(id)
    }

    /// Adds a kind of the tenant's own, or a later version of one; returns its name. A definition is JSON as
    /// [`KindDefinition::from_json`] reads it.
    ///
    /// # Errors
    /// Where there is no such tenant, the definition is none, its name is not `x-org.name`, or a later version is
    /// there.
    pub fn put_kind(&mut self, tenant: Option<&str>, definition: &str) -> StoreResult<String> {
        let read = |text: &str| KindDefinition::from_json(text).map_err(|_| Rule::KindInvalid);
        let mut registry = KindRegistry::standard();
        for row in self.references(tenant, ReferenceKind::Kind)? {
            // A definition that a later build of the program took may be no longer understood: it is kept.
            if let Ok(known) = KindDefinition::from_json(&row.content) {
                let _ = registry.add(known);
            }
        }
        let kind = read(definition)?.kind().to_string();
        registry.add(read(definition)?).map_err(|_| Rule::KindInvalid)?;
        let tenant = self.store.tenant(tenant)?;
        let content = canonical(definition)?;
        self.store
            .put_reference(tenant, ReferenceKind::Kind, &kind, &content)?;
        Ok(kind)
    }

    /// Says which speciality a user has; colleagues' devices show it.
    ///
    /// # Errors
    /// Where there is no such tenant, user or speciality.
    pub fn set_speciality(&mut self, tenant: Option<&str>, user: &str, code: &str) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let user = self.store.user(tenant, user)?;
        self.store.set_speciality(tenant, user, code)
    }

    fn put<T: serde::Serialize>(
        &mut self,
        tenant: Option<&str>,
        kind: ReferenceKind,
        id: &str,
        row: &T,
    ) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let content = serde_json::to_string(row).map_err(|_| Rule::ReferenceInvalid)?;
        self.store.put_reference(tenant, kind, id, &canonical(&content)?)
    }
}

fn canonical(content: &str) -> Result<String, Rule> {
    match canonical_json(content) {
        Ok(canonical) if canonical.len() <= BODY_BYTES_MAX => Ok(canonical),
        _ => Err(Rule::ReferenceInvalid),
    }
}
