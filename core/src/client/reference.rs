//! Reference data: what the tenant keeps for all its devices, and how fresh it is. Read-only on a device.

use super::{Client, Watched};
use crate::device::Device;
use crate::error::{Language, Result, SyncError};
use crate::limits::REFERENCE_FRESH_MS;
use crate::record::{KindDefinition, Professional, ReferenceKind, Speciality, UnitReference};
use crate::reference;
use crate::step::Step;
use crate::store::tenant_reference::{self, StoredReference};
use crate::time::{EpochMs, Now};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reference data: units, specialities, professionals, the tenant's own kinds.
#[derive(Debug)]
pub struct Reference<'a>(pub(super) &'a Client);

/// How far what is shown can be trusted to be the newest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "since_ms")]
pub enum Freshness {
    /// The server confirmed it within the last 24 hours.
    Fresh,
    /// As the server confirmed it then, by its clock; it may have changed by now.
    StaleSince(EpochMs),
    /// The server never said that this is all.
    Partial,
}

/// A list, with how fresh it is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReferenceList<T> {
    /// The version of the tenant's reference data it is of.
    pub version: u32,
    /// How fresh.
    pub freshness: Freshness,
    /// The rows, by id.
    pub rows: Vec<ReferenceEntry<T>>,
}

/// A row of a list.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReferenceEntry<T> {
    /// Names it among its kind: a UUID, a code, a kind's name.
    pub id: String,
    /// What is known of it.
    pub content: T,
    /// No longer offered for anything new; what names it still shows it.
    pub retired: bool,
    /// When this row came, by the server's clock.
    pub fetched_ms: EpochMs,
    /// Until when it counts as fresh, by the server's clock.
    pub expires_ms: EpochMs,
}

/// A kind of the tenant's own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TenantKind {
    /// Its major version.
    pub version: u32,
    /// Its minor version.
    pub minor: u32,
    /// Its title in Portuguese.
    pub pt: String,
    /// Its title in English.
    pub en: String,
    /// The app knows an earlier major version: what it writes of this kind waits for an update (`app_too_old`).
    pub needs_update: bool,
}

impl Reference<'_> {
    /// The tenant's units.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub async fn units(&self) -> Result<ReferenceList<UnitReference>> {
        self.typed(ReferenceKind::Unit).await
    }

    /// The specialities.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub async fn specialities(&self) -> Result<ReferenceList<Speciality>> {
        self.typed(ReferenceKind::Speciality).await
    }

    /// The professionals.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub async fn professionals(&self) -> Result<ReferenceList<Professional>> {
        self.typed(ReferenceKind::Professional).await
    }

    /// The tenant's own kinds; those of the build and the app are in the registry the store was opened with.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub async fn kinds(&self) -> Result<ReferenceList<TenantKind>> {
        self.0
            .call(|step| {
                read(step, ReferenceKind::Kind.name(), |step, content| {
                    let definition = KindDefinition::from_json(content).ok()?;
                    Some(TenantKind {
                        version: definition.version(),
                        minor: definition.minor(),
                        pt: definition.title(Language::Portuguese).to_owned(),
                        en: definition.title(Language::English).to_owned(),
                        needs_update: step.kinds.needs_update(definition.kind()),
                    })
                })
            })
            .await
    }

    /// The rows of any kind, as JSON: also of one this version does not know.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub async fn rows(&self, kind: &str) -> Result<ReferenceList<serde_json::Value>> {
        let kind = kind.to_owned();
        self.0
            .call(move |step| read(step, &kind, |_, content| serde_json::from_str(content).ok()))
            .await
    }

    /// The tenant's units, watched.
    pub fn watch_units(&self) -> Watched<ReferenceList<UnitReference>> {
        self.watch(|client| Box::pin(async move { client.reference().units().await }))
    }

    /// The specialities, watched.
    pub fn watch_specialities(&self) -> Watched<ReferenceList<Speciality>> {
        self.watch(|client| Box::pin(async move { client.reference().specialities().await }))
    }

    /// The professionals, watched.
    pub fn watch_professionals(&self) -> Watched<ReferenceList<Professional>> {
        self.watch(|client| Box::pin(async move { client.reference().professionals().await }))
    }

    /// The tenant's own kinds, watched.
    pub fn watch_kinds(&self) -> Watched<ReferenceList<TenantKind>> {
        self.watch(|client| Box::pin(async move { client.reference().kinds().await }))
    }

    async fn typed<T: DeserializeOwned + Send + 'static>(
        &self,
        kind: ReferenceKind,
    ) -> Result<ReferenceList<T>> {
        self.0
            .call(move |step| read(step, kind.name(), |_, content| serde_json::from_str(content).ok()))
            .await
    }

    fn watch<T>(
        &self,
        query: impl Fn(Client) -> std::pin::Pin<Box<dyn Future<Output = Result<ReferenceList<T>>> + Send>>
        + Send
        + Sync
        + 'static,
    ) -> Watched<ReferenceList<T>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.reference),
            Box::new(move || query(client.clone())),
        )
    }
}

/// The rows of a kind that this version can read.
fn read<T>(
    step: &mut Step<'_>,
    kind: &str,
    of: impl Fn(&Step<'_>, &str) -> Option<T>,
) -> Result<ReferenceList<T>> {
    let state = reference::state(step.transaction)?;
    let newest = step.device.enrolled()?.scope.reference;
    let now_ms = server_now(step.device, &step.now);
    let freshness = match state.confirmed_ms {
        Some(confirmed_ms) if now_ms < confirmed_ms + REFERENCE_FRESH_MS && state.version == newest => {
            Freshness::Fresh
        }
        Some(confirmed_ms) => Freshness::StaleSince(confirmed_ms),
        None => Freshness::Partial,
    };
    let entry = |step: &Step<'_>, row: StoredReference| {
        let since_ms = state
            .confirmed_ms
            .map_or(row.fetched_ms, |ms| ms.max(row.fetched_ms));
        Some(ReferenceEntry {
            content: of(step, &row.item.content)?,
            id: row.item.id,
            retired: row.item.retired,
            fetched_ms: row.fetched_ms,
            expires_ms: since_ms + REFERENCE_FRESH_MS,
        })
    };
    let stored = tenant_reference::list(step.transaction, kind).map_err(SyncError::from)?;
    let rows = stored.into_iter().filter_map(|row| entry(step, row)).collect();
    Ok(ReferenceList {
        version: state.version,
        freshness,
        rows,
    })
}

/// The server's time as far as it is known, else the device's.
fn server_now(device: &Device, now: &Now) -> EpochMs {
    device.server_ms(now).unwrap_or(now.wall_ms)
}
