//! A message by columns. In a batch of writes what is alike stands far apart: each repeats its envelope, and between
//! two patients' ids lies a text. Put side by side, all ids, all times (as differences) and all texts cost a fraction
//! under compression. It is done to the CBOR of any message, not to a list of known fields: what a newer version adds
//! travels as well, and the bytes that come out are the bytes that went in (docs/SPEC.md, "By columns").

mod join;
mod split;

pub use join::join;
pub use split::split;

use std::collections::HashMap;

/// The first byte of a message by columns: `break`, with which no CBOR item begins (RFC 8949 §3.2.1).
pub const MARK: u8 = 0xff;

/// How deep items may lie in one another.
const DEPTH_MAX: usize = 32;
/// How deep CBOR may lie inside byte strings of CBOR.
const EMBEDDED_MAX: usize = 2;
/// How many places a message may have: what a hostile one can make its reader remember.
const PLACES_MAX: usize = 4_096;
/// The items of an array up to this length are told apart by their index; those of a longer one are alike.
const TUPLE_MAX: u64 = 4;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const SIMPLE: u8 = 7;
/// CBOR inside a byte string, as in RFC 8949 §3.4.5.1. No message of ours has another tag.
const EMBEDDED: [u8; 2] = [0xd8, 0x18];
/// The end of a text in its column: UTF-8 has no such byte.
const TEXT_END: u8 = 0xff;

/// Where an item stands: the keys that lead to it.
type Place = u32;

/// What is known of a place; 0 where nothing is: the first column is the structure's, and no place lies above itself.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The column of each kind of leaf.
    columns: [usize; TEXT as usize + 1],
    /// The places of the items of an array here.
    elements: [Place; TUPLE_MAX as usize + 1],
}

/// The places met so far, and the column of each for each kind of leaf, numbered as they are met: both sides count
/// alike, so no name of a column travels.
struct Places<'a> {
    known: Vec<Known>,
    below: HashMap<(Place, &'a [u8]), Place>,
    previous: Vec<u64>,
}

impl<'a> Places<'a> {
    fn new() -> Self {
        Self {
            known: vec![Known::default()],
            below: HashMap::new(),
            previous: vec![0],
        }
    }

    fn next(&mut self) -> Option<Place> {
        let next = self.known.len();
        self.known.push(Known::default());
        (next <= PLACES_MAX).then_some(next as Place)
    }

    fn below(&mut self, place: Place, key: &'a [u8]) -> Option<Place> {
        if let Some(found) = self.below.get(&(place, key)) {
            return Some(*found);
        }
        let next = self.next()?;
        self.below.insert((place, key), next);
        Some(next)
    }

    fn element(&mut self, place: Place, count: u64, index: u64) -> Option<Place> {
        let index = if count <= TUPLE_MAX { index } else { TUPLE_MAX } as usize;
        match self.known[place as usize].elements[index] {
            0 => {
                let next = self.next()?;
                self.known[place as usize].elements[index] = next;
                Some(next)
            }
            found => Some(found),
        }
    }

    fn column(&mut self, place: Place, kind: u8) -> usize {
        let next = self.previous.len();
        let column = &mut self.known[place as usize].columns[kind as usize];
        if *column == 0 {
            *column = next;
            self.previous.push(0);
        }
        *column
    }
}

/// An item's head.
struct Head {
    major: u8,
    argument: u64,
    length: usize,
}

/// Reads a head in its shortest form; a longer one could not be restored.
fn head(bytes: &[u8]) -> Option<Head> {
    let first = *bytes.first()?;
    let (major, low) = (first >> 5, first & 31);
    let wide = |count: usize| -> Option<u64> {
        let bytes = bytes.get(1..=count)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    let (argument, length, least) = match low {
        0..24 => (u64::from(low), 1, 0),
        24 => (wide(1)?, 2, 24),
        25 => (wide(2)?, 3, 1 << 8),
        26 => (wide(4)?, 5, 1 << 16),
        27 => (wide(8)?, 9, 1 << 32),
        _ => return None,
    };
    // The argument of a simple value or float is no number: half of them have leading zeros.
    let shortest = argument >= least || major == SIMPLE;
    shortest.then_some(Head {
        major,
        argument,
        length,
    })
}

fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let wide = argument.to_be_bytes();
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend([major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend(&wide[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend(&wide[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend(&wide);
        }
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        // Of the tenth byte one bit is left; more of them would be another form of the same number.
        if shift == 63 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::BodyError;
    use proptest::prelude::*;

    fn any_item() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(|value| super::super::encode(&value)),
            any::<i64>().prop_map(|value| super::super::encode(&value)),
            any::<bool>().prop_map(|value| super::super::encode(&value)),
            any::<f64>().prop_map(|value| super::super::encode(&value)),
            ".{0,40}".prop_map(|value| super::super::encode(&value)),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|value| byte_string(&value)),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(|items| {
                    let mut bytes = Vec::new();
                    write_head(&mut bytes, ARRAY, items.len() as u64);
                    bytes.extend(items.concat());
                    bytes
                }),
                prop::collection::vec(("[a-d]{1,2}", inner.clone()), 0..8).prop_map(|items| {
                    let mut bytes = Vec::new();
                    write_head(&mut bytes, MAP, items.len() as u64);
                    for (key, value) in items {
                        bytes.extend(super::super::encode(&key));
                        bytes.extend(value);
                    }
                    bytes
                }),
                inner.prop_map(|item| byte_string(&item)),
            ]
        })
    }

    fn byte_string(content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_head(&mut bytes, BYTES, content.len() as u64);
        bytes.extend(content);
        bytes
    }

    proptest! {
        #[test]
        fn what_goes_into_columns_comes_out_of_them(message in any_item()) {
            let columns = split(&message).expect("an item of ours").concat();
            prop_assert_eq!(join(&columns, message.len()), Ok(message.clone()));
            prop_assert_eq!(join(&columns, message.len() - 1), Err(BodyError::TooLarge));
        }

        #[test]
        fn bytes_from_anywhere_are_joined_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            bytes.insert(0, MARK);
            if let Ok(message) = join(&bytes, 1_000) {
                prop_assert!(message.len() <= 1_000);
            }
            let _ = split(&bytes[1..]);
        }

        #[test]
        fn a_changed_byte_gives_another_message_or_none(message in any_item(), at in any::<prop::sample::Index>(), to: u8) {
            let mut columns = split(&message).expect("an item of ours").concat();
            let at = at.index(columns.len());
            prop_assume!(columns[at] != to);
            columns[at] = to;
            prop_assert_ne!(join(&columns, 1 << 20), Ok(message));
        }
    }

    #[test]
    fn a_longer_head_than_needed_and_a_tag_travel_as_they_are() {
        for message in [
            &[0x18, 0x01][..],
            &[0xc0, 0x01],
            &[0x9f, 0xff],
            &[0x61, 0xff],
            &[0x01, 0x01],
            &[],
        ] {
            assert_eq!(split(message), None, "{message:02x?}");
        }
        // Inside a byte string they are bytes like any others.
        let message = byte_string(&[0xa1, 0x61, b'a', 0x18, 0x01]);
        let columns = split(&message).expect("a byte string").concat();
        assert_eq!(join(&columns, 100), Ok(message));
    }

    #[test]
    fn a_message_that_claims_more_than_it_holds_is_refused_before_it_is_built() {
        let nested = [vec![MARK, 1, 100], vec![0x81; 100]].concat();
        assert_eq!(join(&nested, usize::MAX), Err(BodyError::Malformed));
        let endless = [
            vec![MARK, 2, 9, 0],
            vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ]
        .concat();
        assert_eq!(join(&endless, usize::MAX), Err(BodyError::Malformed));
        assert_eq!(
            join(&[MARK, 0xff, 0xff, 0xff, 0xff, 0x0f], usize::MAX),
            Err(BodyError::Malformed)
        );
        assert_eq!(
            join(&[MARK, 1, 1, 0xf6, 0], usize::MAX),
            Err(BodyError::Malformed),
            "bytes left over"
        );
    }
}
