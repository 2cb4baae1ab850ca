//! What an administrator does, on the same file as a server that may be running.

mod audit;
mod drawer;
pub(crate) mod duty;
mod quarantine;
mod reference;
mod scope;

pub use audit::AuditReport;
pub use quarantine::{DecisionError, decide};

use crate::key_file::ServerKeys;
use crate::role::Role;
use crate::store::sqlite::{Directory, SqliteStore};
use crate::store::{DeviceRow, Rule, StoreResult};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use std::path::Path;
use vereda_core::bytes::ByteArray;
use vereda_core::entropy::Entropy;
use vereda_core::id::{TenantId, UnitId, UserId};
use vereda_core::protocol::{Credential, EnrolmentCode, encode};
use vereda_core::time::EpochMs;

/// How long an enrolment code lives unless told otherwise.
pub const ENROLMENT_CODE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// An administrator's hold on a store.
#[derive(Debug)]
pub struct Administration {
    store: SqliteStore,
    signing_key: [u8; 32],
}

impl Administration {
    /// Opens or creates the store at `path`.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open(path: &Path, keys: &ServerKeys, entropy: &mut dyn Entropy) -> StoreResult<Self> {
        Ok(Self {
            store: open_store(path, keys, entropy)?,
            signing_key: SigningKey::from_bytes(&keys.signing).verifying_key().to_bytes(),
        })
    }

    /// Adds a tenant.
    ///
    /// # Errors
    /// Where one of this name is there, or the name is empty.
    pub fn create_tenant(&mut self, entropy: &mut dyn Entropy, name: &str) -> StoreResult<TenantId> {
        let name = named(name)?;
        let tenant = TenantId(random_id(entropy));
        self.store.add_tenant(tenant, name)?;
        Ok(tenant)
    }

    /// Adds a unit to a tenant (the only one, when none is named).
    ///
    /// # Errors
    /// Where one of this name is there, no such tenant, or the name is empty.
    pub fn create_unit(
        &mut self,
        entropy: &mut dyn Entropy,
        tenant: Option<&str>,
        name: &str,
    ) -> StoreResult<UnitId> {
        self.create_unit_again(UnitId(random_id(entropy)), tenant, name)
    }

    /// The same under the id that the unit's devices know it by (`vereda status`): a copy was put back that lacks it.
    ///
    /// # Errors
    /// As [`Self::create_unit`], and where the id is another unit's.
    pub fn create_unit_again(
        &mut self,
        unit: UnitId,
        tenant: Option<&str>,
        name: &str,
    ) -> StoreResult<UnitId> {
        let name = named(name)?;
        let tenant = self.store.tenant(tenant)?;
        self.store.add_unit(tenant, unit, name)?;
        Ok(unit)
    }

    /// Adds a user to units, or an existing one to further units, in a role.
    ///
    /// # Errors
    /// Where there is no such tenant or unit, or the name is empty.
    pub fn put_user(
        &mut self,
        entropy: &mut dyn Entropy,
        tenant: Option<&str>,
        name: &str,
        role: Role,
        units: &[&str],
    ) -> StoreResult<UserId> {
        let id = named(name).and_then(|name| {
            let tenant = self.store.tenant(tenant)?;
            Ok(self.store.user(tenant, name).ok())
        })?;
        let user = id.unwrap_or_else(|| UserId(random_id(entropy)));
        self.put_user_again(user, tenant, name, role, units)
    }

    /// The same under the id that the user's devices know them by (`vereda status`): a copy was put back that lacks
    /// them.
    ///
    /// # Errors
    /// As [`Self::put_user`], and where the name has another id, or the id another name.
    pub fn put_user_again(
        &mut self,
        user: UserId,
        tenant: Option<&str>,
        name: &str,
        role: Role,
        units: &[&str],
    ) -> StoreResult<UserId> {
        let name = named(name)?;
        let tenant = self.store.tenant(tenant)?;
        let units: Vec<UnitId> = units
            .iter()
            .map(|unit| self.store.unit(tenant, unit))
            .collect::<StoreResult<_>>()?;
        if self.store.user(tenant, name).is_ok_and(|known| known != user) {
            return Err(Rule::IdTaken.into());
        }
        self.store.put_user(tenant, user, name, role, &units)
    }

    /// Takes a user out of a unit: their devices' scope shrinks at the next sync.
    ///
    /// # Errors
    /// Where there is no such tenant, user or unit.
    pub fn leave_unit(&mut self, tenant: Option<&str>, user: &str, unit: &str) -> StoreResult<()> {
        let tenant = self.store.tenant(tenant)?;
        let (user, unit) = (self.store.user(tenant, user)?, self.store.unit(tenant, unit)?);
        self.store.leave_unit(tenant, user, unit)
    }

    /// Makes an enrolment code for a user: what is handed over, as text. `authority` is the fingerprint of the TLS
    /// authority the device shall trust (`tls::authority_fingerprint`).
    ///
    /// # Errors
    /// Where there is no such tenant or user.
    pub fn enrolment_code(
        &mut self,
        entropy: &mut dyn Entropy,
        tenant: Option<&str>,
        user: &str,
        expires_ms: EpochMs,
        authority: Option<[u8; 32]>,
    ) -> StoreResult<String> {
        let tenant = self.store.tenant(tenant)?;
        let user = self.store.user(tenant, user)?;
        let secret = entropy.next_32()[..16].to_vec();
        self.store
            .add_enrolment(&Sha256::digest(&secret).into(), user, expires_ms)?;
        let code = EnrolmentCode {
            secret: Credential(secret),
            signing_key: ByteArray::new(self.signing_key),
            authority: authority.map(ByteArray::new),
        };
        Ok(URL_SAFE_NO_PAD.encode(encode(&code)))
    }

    /// Every device, with its user's name.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn devices(&mut self) -> StoreResult<Vec<(DeviceRow, String)>> {
        self.store.devices()
    }

    /// Revokes a device: it is answered 401 from now on, and keeps what it has not sent.
    ///
    /// # Errors
    /// Where there is no such device.
    pub fn revoke(&mut self, short: u32, now_ms: EpochMs) -> StoreResult<()> {
        self.store.revoke(short, now_ms)
    }
}

/// Opens or creates the store at `path`.
///
/// # Errors
/// As [`SqliteStore::open`].
pub fn open_store(path: &Path, keys: &ServerKeys, entropy: &mut dyn Entropy) -> StoreResult<SqliteStore> {
    SqliteStore::open(path, &keys.store, &keys.master, entropy.next_u64() >> 33)
}

/// A name people will type again: without blanks around it.
fn named(name: &str) -> StoreResult<&str> {
    match name.trim() {
        "" => Err(Rule::NameEmpty.into()),
        name => Ok(name),
    }
}

fn random_id(entropy: &mut dyn Entropy) -> uuid::Uuid {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
