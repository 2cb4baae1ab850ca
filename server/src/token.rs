//! Tokens: short codes under the token key, so that an idle request stays small and nothing secret is stored.
//!
//! * access: device (4 bytes), end in seconds (4), code (12).
//! * refresh: device (4), number (4), code (12). Each use issues the next number. The number before the last one
//!   issued stays valid, and is answered with that last one again: an answer that was lost, or a request that came
//!   twice, logs nobody out. A number higher than the last known was issued before this store was restored.
//!
//! The code also covers the device's salt, which a new enrolment renews.

use crate::store::DeviceRow;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use vereda_core::id::{PatientId, TenantId, UnitId, UserId};
use vereda_core::limits::{ACCESS_TOKEN_MS, REFRESH_TOKEN_MS};
use vereda_core::protocol::{Credential, Tokens};
use vereda_core::time::EpochMs;

const TOKEN_BYTES: usize = 8 + CODE_BYTES;
/// A truncated code (RFC 2104 §5): 96 bits, which only this server can check, one guess a request.
const CODE_BYTES: usize = 12;

/// The key under every token.
#[derive(Clone)]
pub(crate) struct TokenKey(pub(crate) [u8; 32]);

/// A token taken apart; nothing about it is known to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadToken {
    /// The device it names.
    pub(crate) device: u32,
    number: u32,
    code: [u8; CODE_BYTES],
}

/// What a refresh token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshWorth {
    /// The one last issued, or a later one: the next number is due.
    Next(u32),
    /// The one before: the last one issued is due again.
    Again(u32),
    /// Older, too old, or never issued.
    Nothing,
}

impl ReadToken {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; TOKEN_BYTES] = bytes.try_into().ok()?;
        Some(Self {
            device: u32::from_be_bytes(bytes[..4].try_into().ok()?),
            number: u32::from_be_bytes(bytes[4..8].try_into().ok()?),
            code: bytes[8..].try_into().ok()?,
        })
    }
}

impl TokenKey {
    /// A grant to claim a patient for a unit until an instant: that instant, and a code over all of it.
    pub(crate) fn make_grant(
        &self,
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
        user: UserId,
        until_ms: EpochMs,
    ) -> Option<Vec<u8>> {
        let code = self.grant_code(tenant, patient, unit, user, until_ms)?;
        let mut grant = until_ms.to_be_bytes().to_vec();
        grant.extend_from_slice(&code.finalize().into_bytes());
        Some(grant)
    }

    /// Until when a grant holds; none where it is not ours.
    pub(crate) fn grant(
        &self,
        grant: &[u8],
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
        user: UserId,
    ) -> Option<EpochMs> {
        let (until_ms, code) = grant.split_first_chunk::<8>()?;
        let until_ms = EpochMs::from_be_bytes(*until_ms);
        self.grant_code(tenant, patient, unit, user, until_ms)?
            .verify_slice(code)
            .is_ok()
            .then_some(until_ms)
    }

    fn grant_code(
        &self,
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
        user: UserId,
        until_ms: EpochMs,
    ) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(b"claim");
        for id in [
            tenant.as_bytes(),
            patient.as_bytes(),
            unit.as_bytes(),
            user.as_bytes(),
        ] {
            mac.update(id);
        }
        mac.update(&until_ms.to_be_bytes());
        Some(mac)
    }

    fn code(&self, purpose: &[u8], device: &DeviceRow, number: u32) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(purpose);
        mac.update(&device.short.to_be_bytes());
        mac.update(device.store.as_bytes());
        mac.update(&device.salt);
        mac.update(&number.to_be_bytes());
        Some(mac)
    }

    fn issue(&self, purpose: &[u8], device: &DeviceRow, number: u32) -> Credential {
        let mut token = Vec::with_capacity(TOKEN_BYTES);
        token.extend_from_slice(&device.short.to_be_bytes());
        token.extend_from_slice(&number.to_be_bytes());
        if let Some(mac) = self.code(purpose, device, number) {
            token.extend_from_slice(&mac.finalize().into_bytes()[..CODE_BYTES]);
        }
        Credential(token)
    }

    fn is_ours(&self, purpose: &[u8], device: &DeviceRow, token: &ReadToken) -> bool {
        token.device == device.short
            && self
                .code(purpose, device, token.number)
                .is_some_and(|mac| mac.verify_truncated_left(&token.code).is_ok())
    }

    /// Whether an access token was issued to this device, and whether it still holds.
    pub(crate) fn access(&self, device: &DeviceRow, token: &ReadToken, now_ms: EpochMs) -> (bool, bool) {
        let ours = self.is_ours(b"access", device, token);
        (ours, ours && now_ms < i64::from(token.number) * 1000)
    }

    /// What a refresh token of this device is worth.
    pub(crate) fn refresh(&self, device: &DeviceRow, token: &ReadToken, now_ms: EpochMs) -> RefreshWorth {
        let stale = now_ms.saturating_sub(device.refreshed_ms) > REFRESH_TOKEN_MS;
        if stale || !self.is_ours(b"refresh", device, token) {
            RefreshWorth::Nothing
        } else if token.number >= device.refresh {
            RefreshWorth::Next(token.number.saturating_add(1))
        } else if token.number + 1 == device.refresh {
            RefreshWorth::Again(device.refresh)
        } else {
            RefreshWorth::Nothing
        }
    }

    /// The tokens of a device whose row holds the refresh token's number.
    pub(crate) fn tokens(&self, device: &DeviceRow, now_ms: EpochMs) -> Tokens {
        let end_s = u32::try_from(now_ms.saturating_add(ACCESS_TOKEN_MS) / 1000).unwrap_or(0);
        Tokens {
            access: self.issue(b"access", device, end_s),
            refresh: self.issue(b"refresh", device, device.refresh),
            expires_ms: i64::from(end_s) * 1000,
        }
    }
}
