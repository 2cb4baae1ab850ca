//! A value together with the bytes it came in: what is hashed is what was sent, also when a newer peer put
//! fields into it that this version does not know.

use super::codec;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// Canonical bytes and, where this version can read them, their value.
#[derive(Clone, PartialEq, Debug)]
pub struct Frozen<T> {
    bytes: Vec<u8>,
    value: Option<T>,
}

impl<T: Serialize + DeserializeOwned> Frozen<T> {
    /// Freezes a value.
    pub fn new(value: T) -> Self {
        Self {
            bytes: codec::encode(&value),
            value: Some(value),
        }
    }

    /// Takes bytes as they came.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let value = codec::decode(&bytes).ok();
        Self { bytes, value }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value; `None` when another version wrote it.
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// SHA-256 of the bytes.
    pub fn hash(&self) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        Sha256::digest(&self.bytes).into()
    }
}

impl<T: Serialize> Serialize for Frozen<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Some(value) if serializer.is_human_readable() => value.serialize(serializer),
            _ => serializer.serialize_bytes(&self.bytes),
        }
    }
}

impl<'de, T: Serialize + DeserializeOwned> Deserialize<'de> for Frozen<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            T::deserialize(deserializer).map(Self::new)
        } else {
            crate::bytes::ByteBuf::deserialize(deserializer).map(|bytes| Self::from_bytes(bytes.into_vec()))
        }
    }
}
