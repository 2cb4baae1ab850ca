//! Bodies as they travel. `application/vereda` is CBOR under brotli (RFC 7932) with a shared dictionary of field
//! names and kinds (after RFC 9842): an idle sync fits into a packet, and no header has to say so. A longer message
//! goes by columns first ([`columns`]).
//! `application/json` is for people and tools.

use super::{codec, columns};
use crate::limits::{BODY_DECODED_BYTES_MAX, BODY_RATIO_MAX};
use brotli::enc::StandardAlloc;
use brotli::enc::encode::{BrotliEncoderOperation, BrotliEncoderStateStruct};
use brotli::{Allocator, SliceWrapperMut};
use serde::{Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use std::io::Read;

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
        Encoding::Vereda => pack(&codec::encode(message)),
        // Maps of ours have string keys and no float is NaN, so JSON can hold every message.
        Encoding::Json => serde_json::to_vec(message).unwrap_or_default(),
    }
}

/// A travelling body as a message, decompressed within the limits of DESIGN §13.
pub fn decode_body<T: DeserializeOwned>(body: &[u8], encoding: Encoding) -> Result<T, BodyError> {
    match encoding {
        Encoding::Vereda => codec::decode(&unpack(body)?).map_err(|_| BodyError::Malformed),
        Encoding::Json if body.len() > BODY_DECODED_BYTES_MAX => Err(BodyError::TooLarge),
        Encoding::Json => serde_json::from_slice(body).map_err(|_| BodyError::Malformed),
    }
}

/// From here on a message goes by columns: in a shorter one the heads of the columns weigh more than they save.
const BY_COLUMNS_BYTES_MIN: usize = 2 * 1024;

fn pack(message: &[u8]) -> Vec<u8> {
    let parts = (message.len() >= BY_COLUMNS_BYTES_MIN)
        .then(|| columns::split(message))
        .flatten();
    match parts {
        Some(parts) => compress(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        None => compress(&[message]),
    }
}

fn unpack(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let bytes = decompress(body)?;
    if bytes.first() != Some(&columns::MARK) {
        return Ok(bytes);
    }
    columns::join(&bytes, BODY_DECODED_BYTES_MAX)
}

/// One brotli stream of all parts, with a meta-block of its own for each: ids, times and texts have nothing in
/// common, and one prefix code for all of them costs half as much again.
///
/// A text of one repeated character shrinks a thousandfold. What its reader would take for a bomb is filled up to
/// the ratio with a meta-block of metadata (RFC 7932 §9.2), which every decoder skips.
fn compress(parts: &[&[u8]]) -> Vec<u8> {
    let packed = compress_filled(parts, 0);
    let size: usize = parts.iter().map(|part| part.len()).sum();
    if size <= decoded_bytes_max(packed.len()) {
        return packed;
    }
    compress_filled(parts, size / BODY_RATIO_MAX + 1)
}

fn compress_filled(parts: &[&[u8]], filling: usize) -> Vec<u8> {
    let mut encoder = BrotliEncoderStateStruct::new(StandardAlloc::default());
    let size: usize = parts.iter().map(|part| part.len()).sum();
    // The phone's radio costs more than its processor; of large bodies 9 takes twice the time of 6 for a twentieth.
    encoder.params.quality = if size < 64 * 1024 { 9 } else { 6 };
    encoder.params.lgwin = 22;
    encoder.params.size_hint = size;
    match dictionary_for(parts) {
        Some(dictionary) => encoder.set_custom_dictionary(dictionary.len(), &dictionary),
        // Neither the encoder's built-in one, which a reader would look for behind ours.
        None => encoder.params.use_dictionary = false,
    }
    let mut packed = Vec::with_capacity(size / 4 + 64);
    let mut put = |operation, part: &[u8]| {
        let (mut left, mut read) = (part.len(), 0);
        loop {
            let mut output = [0; 4096];
            let (mut room, mut written) = (output.len(), 0);
            let went_on = encoder.compress_stream(
                operation,
                &mut left,
                part,
                &mut read,
                &mut room,
                &mut output,
                &mut written,
                &mut None,
                &mut |_, _, _, _| (),
            );
            debug_assert!(went_on, "writing to memory does not fail");
            packed.extend_from_slice(&output[..written]);
            if !went_on || left == 0 && !encoder.has_more_output() {
                break;
            }
        }
    };
    for (number, part) in parts.iter().enumerate() {
        let last = number + 1 == parts.len() && filling == 0;
        let operation = if last {
            BrotliEncoderOperation::BROTLI_OPERATION_FINISH
        } else {
            BrotliEncoderOperation::BROTLI_OPERATION_FLUSH
        };
        put(operation, part);
    }
    if filling > 0 {
        put(
            BrotliEncoderOperation::BROTLI_OPERATION_EMIT_METADATA,
            &vec![0; filling],
        );
        put(BrotliEncoderOperation::BROTLI_OPERATION_FINISH, &[]);
    }
    packed
}

/// The shared dictionary as the encoder may have it for this message: its last byte is one from which no match can
/// run over the dictionary's end. The encoder cuts such a match to one byte, for which brotli has no code, and panics
/// (brotli 9.1.1, `fix_unbroken_len`). That byte is then part of no match at all, so what a reader has there does not
/// matter. `None` where the message leaves none to choose.
fn dictionary_for(parts: &[&[u8]]) -> Option<Cow<'static, [u8]>> {
    let [head @ .., before, last] = DICTIONARY else {
        return None;
    };
    let bytes = || parts.iter().flat_map(|part| part.iter().copied());
    let first = bytes().next()?;
    let mut taken = [false; 256];
    let mut previous = None;
    for byte in bytes() {
        if let Some(previous) = previous.filter(|_| byte == first) {
            taken[usize::from(previous)] = true;
        }
        if previous == Some(*before) {
            taken[usize::from(byte)] = true;
        }
        previous = Some(byte);
    }
    if !taken[usize::from(*last)] {
        return Some(Cow::Borrowed(DICTIONARY));
    }
    let free = (0..=u8::MAX).find(|byte| !taken[usize::from(*byte)])?;
    Some(Cow::Owned([head, &[*before, free]].concat()))
}

/// What a body of so many bytes may decompress to. A small one may honestly exceed the ratio (an empty page of
/// repeated ids); a floor keeps it allowed.
fn decoded_bytes_max(bytes: usize) -> usize {
    BODY_DECODED_BYTES_MAX.min(bytes.saturating_mul(BODY_RATIO_MAX).max(64 * 1024))
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let limit = decoded_bytes_max(body.len());
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
    fn a_message_that_repeats_itself_is_no_bomb() {
        for count in [1, 1_000, 70_000, 900_000, 8_300_000] {
            let message = "a".repeat(count);
            let body = encode_body(&message, Encoding::Vereda);
            assert!(
                body.len() <= count / BODY_RATIO_MAX + 100,
                "{count} in {}",
                body.len()
            );
            assert_eq!(decode_body::<String>(&body, Encoding::Vereda), Ok(message));
        }
    }

    #[test]
    fn a_decompression_bomb_is_too_large() {
        let bomb = compress_filled(&[&vec![0; 64 * 1024 * 1024]], 0);
        assert_eq!(decompress(&bomb), Err(BodyError::TooLarge));
    }

    #[test]
    fn a_message_that_seems_to_go_on_where_the_dictionary_ends_survives_the_way() {
        let end = DICTIONARY[DICTIONARY.len() - 1];
        for place in 1..40 {
            // All bytes differ but two, which are those at the dictionary's end and at the message's beginning.
            let mut message: Vec<u8> = (0x80..0xf0).collect();
            message[place] = end;
            message[place + 1] = message[0];
            assert_eq!(decompress(&compress(&[&message])), Ok(message), "{place}");
        }
    }

    #[test]
    fn a_message_that_leaves_no_byte_for_the_dictionarys_end_goes_without_it() {
        let all: Vec<u8> = (0..=u8::MAX)
            .flat_map(|one| (0..=u8::MAX).flat_map(move |other| [one, other]))
            .collect();
        assert_eq!(dictionary_for(&[&all]), None);
        assert_eq!(
            decompress(&compress(&[&all, &all[1..]])),
            Ok([&all[..], &all[1..]].concat())
        );
    }
}
