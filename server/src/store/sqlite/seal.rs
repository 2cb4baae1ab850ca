//! Sealing what bears a patient's data: AES-256-GCM under a key of the patient's own, which lies wrapped by the
//! master key. Destroying the wrapped key erases the patient from the store and from every copy of it.

use crate::store::{StoreError, StoreResult};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use vereda_core::entropy::Entropy;

/// A key that seals. `Debug` shows nothing of it.
pub(super) struct SealingKey(LessSafeKey);

impl SealingKey {
    pub(super) fn new(key: &[u8; 32]) -> StoreResult<Self> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| StoreError::Damaged("patient_key"))
    }

    /// Seals bytes to the place they will lie at, so that a row moved elsewhere does not open.
    pub(super) fn seal(
        &self,
        entropy: &mut dyn Entropy,
        place: &[&[u8]],
        plain: &[u8],
    ) -> StoreResult<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(join(place)),
                &mut sealed[NONCE_LEN..],
            )
            .map_err(|_| StoreError::Damaged("a payload too large to be sealed"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens bytes sealed to a place.
    pub(super) fn open(
        &self,
        table: &'static str,
        place: &[&[u8]],
        mut sealed: Vec<u8>,
    ) -> StoreResult<Vec<u8>> {
        let damaged = || StoreError::Damaged(table);
        let (nonce, _) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .0
            .open_in_place(nonce, Aad::from(join(place)), &mut sealed[NONCE_LEN..])
            .map_err(|_| damaged())?
            .len();
        sealed.truncate(NONCE_LEN + length);
        sealed.drain(..NONCE_LEN);
        Ok(sealed)
    }
}

fn join(place: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(96);
    for part in place {
        joined.extend_from_slice(&(part.len() as u32).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}
