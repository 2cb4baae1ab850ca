//! Canonical CBOR: definite lengths, fields in their declared order, the shortest integers. Equal values have
//! equal bytes, which is what lets both sides hash them.

use serde::{Serialize, de::DeserializeOwned};

/// The bytes are not the message they should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a message of this protocol")]
pub struct DecodeError;

/// Encodes a value.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = minicbor_serde::Serializer::new(&mut bytes);
    match value.serialize(serializer.serialize_unit_as_null(true)) {
        Ok(()) => bytes,
        // Writing to memory cannot fail and no type of ours refuses to be serialized.
        Err(error) => unreachable!("a message that cannot be encoded: {error}"),
    }
}

/// Decodes a value; bytes left over are an error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = minicbor_serde::Deserializer::new(bytes);
    let value = T::deserialize(&mut deserializer).map_err(|_| DecodeError)?;
    if deserializer.decoder().position() == bytes.len() {
        Ok(value)
    } else {
        Err(DecodeError)
    }
}
