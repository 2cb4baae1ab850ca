//! Bodies as they travel. `application/vereda` is CBOR under brotli (RFC 7932) with a shared dictionary of field
//! names and kinds (after RFC 9842): an idle sync fits into a packet, and no header has to say so.
//! `application/json` is for people and tools.

use super::codec;
use crate::limits::{BODY_DECODED_BYTES_MAX, BODY_RATIO_MAX};
use brotli::enc::{BrotliEncoderParams, StandardAlloc};
use brotli::{Allocator, IoReaderWrapper, IoWriterWrapper, SliceWrapperMut};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{Error, ErrorKind, Read};

/// Version 1 of the shared dictionary; a golden vector fixes its hash.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");

/// How a body travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// CBOR under brotli with the shared dictionary.
    Vereda,
    /// JSON, not compressed.
    Json,
}

impl Encoding {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Vereda => "application/vereda",
            Self::Json => "application/json",
        }
    }

    /// The encoding a `Content-Type` or `Accept` names; parameters are ignored.
    pub fn of_media_type(value: &str) -> Option<Self> {
        let value = value.split([';', ',']).next().unwrap_or_default().trim();
        [Self::Vereda, Self::Json]
            .into_iter()
            .find(|encoding| encoding.media_type().eq_ignore_ascii_case(value))
    }
}

/// Why a body is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    /// It would decompress past the limit or the ratio.
    #[error("the body decompresses past its limit")]
    TooLarge,
    /// It is not a message of this type.
    #[error("the body is not a message of this protocol")]
    Malformed,
}

/// A message as it travels.
pub fn encode_body<T: Serialize>(message: &T, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Vereda => compress(&codec::encode(message)),
        // Maps of ours have string keys and no float is NaN, so JSON can hold every message.
        Encoding::Json => serde_json::to_vec(message).unwrap_or_default(),
    }
}

/// A travelling body as a message, decompressed within the limits of DESIGN §13.
pub fn decode_body<T: DeserializeOwned>(body: &[u8], encoding: Encoding) -> Result<T, BodyError> {
    match encoding {
        Encoding::Vereda => codec::decode(&decompress(body)?).map_err(|_| BodyError::Malformed),
        Encoding::Json if body.len() > BODY_DECODED_BYTES_MAX => Err(BodyError::TooLarge),
        Encoding::Json => serde_json::from_slice(body).map_err(|_| BodyError::Malformed),
    }
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    // Quality 9 on the whole: the phone's radio costs more than its processor. Large bodies get a cheaper one.
    let parameters = BrotliEncoderParams {
        quality: if bytes.len() < 256 * 1024 { 9 } else { 6 },
        lgwin: 22,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut packed = Vec::with_capacity(bytes.len() / 4 + 64);
    let mut input = [0; 4096];
    let mut output = [0; 4096];
    let written = brotli::BrotliCompressCustomIoCustomDict(
        &mut IoReaderWrapper(&mut { bytes }),
        &mut IoWriterWrapper(&mut packed),
        &mut input,
        &mut output,
        &parameters,
        StandardAlloc::default(),
        &mut |_, _, _, _| (),
        DICTIONARY,
        Error::from(ErrorKind::UnexpectedEof),
    );
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    packed
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    // A small body may honestly exceed the ratio (an empty page of repeated ids); a floor keeps it allowed.
    let limit = BODY_DECODED_BYTES_MAX.min(body.len().saturating_mul(BODY_RATIO_MAX).max(64 * 1024));
    let mut dictionary = StandardAlloc::default().alloc_cell(DICTIONARY.len());
    dictionary.slice_mut().copy_from_slice(DICTIONARY);
    let reader = brotli::Decompressor::new_with_custom_dict(body, 4096, dictionary);
    let mut bytes = Vec::new();
    match reader.take(limit as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > limit => Err(BodyError::TooLarge),
        Ok(_) => Ok(bytes),
        Err(_) => Err(BodyError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_the_way() {
        let message: Vec<String> = (0..500).map(|n| format!("message {n}")).collect();
        for encoding in [Encoding::Vereda, Encoding::Json] {
            let body = encode_body(&message, encoding);
            assert_eq!(decode_body::<Vec<String>>(&body, encoding), Ok(message.clone()));
        }
    }

    #[test]
    fn a_decompression_bomb_is_too_large() {
        let bomb = compress(&vec![0; 64 * 1024 * 1024]);
        assert_eq!(decompress(&bomb), Err(BodyError::TooLarge));
    }
}
