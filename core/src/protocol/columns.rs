//! A message by columns. In a batch of writes what is alike stands far apart: each repeats its envelope, and between
//! two patients' ids lies a text. Put side by side, all ids, all times (as differences) and all texts cost a fraction
//! under compression. It is done to the CBOR of any message, not to a list of known fields: what a newer version adds
//! travels as well, and the bytes that come out are the bytes that went in (docs/SPEC.md, "By columns").

use super::BodyError;
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

/// The places met so far, and the column of each for each kind of leaf, numbered as they are met: both sides count
/// alike, so no name of a column travels.
struct Places<'a> {
    below: HashMap<(Place, &'a [u8]), Place>,
    columns: HashMap<(Place, u8), usize>,
    previous: Vec<u64>,
}

impl<'a> Places<'a> {
    fn new() -> Self {
        Self {
            below: HashMap::new(),
            columns: HashMap::new(),
            previous: vec![0],
        }
    }

    fn below(&mut self, place: Place, step: &'a [u8]) -> Option<Place> {
        let next = self.below.len() as Place + 1;
        let found = *self.below.entry((place, step)).or_insert(next);
        (found as usize <= PLACES_MAX).then_some(found)
    }

    fn element(&mut self, place: Place, count: u64, index: u64) -> Option<Place> {
        // Steps no key can be: the heads of arrays.
        const STEPS: [&[u8]; 5] = [&[0x80], &[0x81], &[0x82], &[0x83], &[0x84]];
        let index = if count <= TUPLE_MAX {
            index as usize
        } else {
            TUPLE_MAX as usize
        };
        self.below(place, STEPS[index])
    }

    fn column(&mut self, place: Place, kind: u8) -> usize {
        let next = self.previous.len();
        let column = *self.columns.entry((place, kind)).or_insert(next);
        if column == next {
            self.previous.push(0);
        }
        column
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
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Whether `bytes` are one item that comes out of columns as it goes in. Returns where it ends.
fn item_end(bytes: &[u8], depth: usize) -> Option<usize> {
    let head = head(bytes)?;
    let mut end = head.length;
    match head.major {
        UNSIGNED | NEGATIVE => {}
        BYTES => end = end.checked_add(usize::try_from(head.argument).ok()?)?,
        TEXT => {
            let start = end;
            end = end.checked_add(usize::try_from(head.argument).ok()?)?;
            std::str::from_utf8(bytes.get(start..end)?).ok()?;
        }
        ARRAY | MAP if depth < DEPTH_MAX => {
            for _ in 0..head.argument {
                if head.major == MAP {
                    if bytes.get(end)? >> 5 != TEXT {
                        return None;
                    }
                    end += item_end(bytes.get(end..)?, depth + 1)?;
                }
                end += item_end(bytes.get(end..)?, depth + 1)?;
            }
        }
        SIMPLE => {}
        _ => return None,
    }
    (end <= bytes.len()).then_some(end)
}

/// Splits a message into its columns.
struct Splitter<'a> {
    places: Places<'a>,
    columns: Vec<Vec<u8>>,
}

/// From this length on a column is a part of its own.
const PART_BYTES_MIN: usize = 512;

/// The message by columns, in parts that are best compressed apart: put together they are the message. `None` where it
/// is not ours or has too many places, and travels as it is.
pub fn split(message: &[u8]) -> Option<Vec<Vec<u8>>> {
    if item_end(message, 0)? != message.len() {
        return None;
    }
    let mut splitter = Splitter {
        places: Places::new(),
        columns: vec![Vec::new()],
    };
    splitter.item(message, 0, 0)?;
    let mut part = vec![MARK];
    write_varint(&mut part, splitter.columns.len() as u64);
    for column in &splitter.columns {
        write_varint(&mut part, column.len() as u64);
    }
    let mut parts = Vec::new();
    for column in splitter.columns {
        if column.len() >= PART_BYTES_MIN {
            if !part.is_empty() {
                parts.push(std::mem::take(&mut part));
            }
            parts.push(column);
        } else {
            part.extend(column);
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    Some(parts)
}

impl<'a> Splitter<'a> {
    fn leaf(&mut self, place: Place, kind: u8) -> usize {
        let column = self.places.column(place, kind);
        if column == self.columns.len() {
            self.columns.push(Vec::new());
        }
        column
    }

    /// Takes an item that [`item_end`] found good apart. Returns where it ends.
    fn item(&mut self, bytes: &'a [u8], place: Place, embedded: usize) -> Option<usize> {
        let head = head(bytes)?;
        let mut end = head.length;
        match head.major {
            UNSIGNED | NEGATIVE => {
                self.columns[0].push(head.major << 5);
                let column = self.leaf(place, head.major);
                let previous = std::mem::replace(&mut self.places.previous[column], head.argument);
                let step = head.argument.wrapping_sub(previous) as i64;
                write_varint(&mut self.columns[column], (step << 1 ^ step >> 63) as u64);
            }
            BYTES => {
                let content = &bytes[end..end + head.argument as usize];
                end += content.len();
                let is_map = content.first().is_some_and(|first| first >> 5 == MAP);
                if is_map && embedded < EMBEDDED_MAX && item_end(content, 0) == Some(content.len()) {
                    self.columns[0].extend(EMBEDDED);
                    self.item(content, place, embedded + 1)?;
                } else {
                    self.columns[0].extend(&bytes[..head.length]);
                    let column = self.leaf(place, BYTES);
                    self.columns[column].extend(content);
                }
            }
            TEXT => {
                let content = &bytes[end..end + head.argument as usize];
                end += content.len();
                self.columns[0].push(TEXT << 5);
                let column = self.leaf(place, TEXT);
                self.columns[column].extend(content);
                self.columns[column].push(TEXT_END);
            }
            ARRAY => {
                self.columns[0].extend(&bytes[..end]);
                for index in 0..head.argument {
                    let place = self.places.element(place, head.argument, index)?;
                    end += self.item(&bytes[end..], place, embedded)?;
                }
            }
            MAP => {
                self.columns[0].extend(&bytes[..end]);
                for _ in 0..head.argument {
                    let key = &bytes[end..end + item_end(&bytes[end..], 0)?];
                    end += key.len();
                    self.columns[0].extend(key);
                    let place = self.places.below(place, key)?;
                    end += self.item(&bytes[end..], place, embedded)?;
                }
            }
            _ => self.columns[0].extend(&bytes[..end]),
        }
        Some(end)
    }
}

/// Puts a message together again.
struct Joiner<'a> {
    places: Places<'a>,
    columns: Vec<&'a [u8]>,
    /// Bytes the message may still have; none once it is too long.
    room: Option<usize>,
}

/// The message that was split.
///
/// # Errors
/// `Malformed` where `bytes` are not a message by columns; `TooLarge` where it is longer than `bytes_max`.
pub fn join(bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    let (columns, behind) = columns(bytes).ok_or(BodyError::Malformed)?;
    let mut joiner = Joiner {
        places: Places::new(),
        columns,
        room: Some(bytes_max),
    };
    let mut out = Vec::with_capacity(bytes.len().min(bytes_max));
    let joined = joiner.item(&mut out, 0, 0, 0);
    let used_up = behind.is_empty() && joiner.columns.iter().all(|column| column.is_empty());
    match joined {
        _ if joiner.room.is_none() => Err(BodyError::TooLarge),
        Some(()) if used_up && joiner.places.previous.len() == joiner.columns.len() => Ok(out),
        _ => Err(BodyError::Malformed),
    }
}

/// The columns by their lengths, and what lies behind them.
fn columns(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let mut rest = bytes.strip_prefix(&[MARK])?;
    let count = usize::try_from(read_varint(&mut rest)?).ok()?;
    // Of each place at most four kinds of leaves; also bounds what follows.
    if count > PLACES_MAX * 4 {
        return None;
    }
    let lengths: Option<Vec<u64>> = (0..count).map(|_| read_varint(&mut rest)).collect();
    let mut columns = Vec::with_capacity(count);
    for length in lengths? {
        let (column, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        columns.push(column);
        rest = after;
    }
    Some((columns, rest))
}

impl<'a> Joiner<'a> {
    fn take(&mut self, column: usize, count: usize) -> Option<&'a [u8]> {
        let column = self.columns.get_mut(column)?;
        let (taken, rest) = column.split_at_checked(count)?;
        *column = rest;
        Some(taken)
    }

    /// Counts what was written: a difference of one byte may stand for nine.
    fn wrote(&mut self, count: usize) -> Option<()> {
        self.room = self.room?.checked_sub(count);
        self.room.map(|_| ())
    }

    fn item(&mut self, out: &mut Vec<u8>, place: Place, depth: usize, embedded: usize) -> Option<()> {
        if self.columns.first()?.starts_with(&EMBEDDED) {
            return self.embedded(out, place, embedded);
        }
        let head = head(self.columns.first()?)?;
        let structure = self.take(0, head.length)?;
        let start = out.len();
        match head.major {
            UNSIGNED | NEGATIVE if head.argument == 0 => {
                let column = self.places.column(place, head.major);
                let zigzag = read_varint(self.columns.get_mut(column)?)?;
                let step = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
                let value = self.places.previous[column].wrapping_add(step);
                self.places.previous[column] = value;
                write_head(out, head.major, value);
            }
            BYTES => {
                let column = self.places.column(place, BYTES);
                let content = self.take(column, usize::try_from(head.argument).ok()?)?;
                out.extend(structure);
                out.extend(content);
            }
            TEXT if head.argument == 0 => {
                let column = self.places.column(place, TEXT);
                let length = self
                    .columns
                    .get(column)?
                    .iter()
                    .position(|byte| *byte == TEXT_END)?;
                let content = self.take(column, length)?;
                self.take(column, 1)?;
                write_head(out, TEXT, length as u64);
                out.extend(content);
            }
            ARRAY | MAP if depth < DEPTH_MAX => {
                out.extend(structure);
                self.wrote(structure.len())?;
                return self.items(out, &head, place, depth + 1, embedded);
            }
            SIMPLE => out.extend(structure),
            _ => return None,
        }
        self.wrote(out.len() - start)
    }

    fn embedded(&mut self, out: &mut Vec<u8>, place: Place, embedded: usize) -> Option<()> {
        if embedded == EMBEDDED_MAX {
            return None;
        }
        self.take(0, EMBEDDED.len())?;
        let mut content = Vec::new();
        // Inside a byte string items lie in one another anew, as the reader of that string will see them.
        self.item(&mut content, place, 0, embedded + 1)?;
        let start = out.len();
        write_head(out, BYTES, content.len() as u64);
        self.wrote(out.len() - start)?;
        out.extend(content);
        Some(())
    }

    fn items(
        &mut self,
        out: &mut Vec<u8>,
        head: &Head,
        place: Place,
        depth: usize,
        embedded: usize,
    ) -> Option<()> {
        for index in 0..head.argument {
            let place = if head.major == MAP {
                let key = self.key()?;
                self.wrote(key.len())?;
                out.extend(key);
                self.places.below(place, key)?
            } else {
                self.places.element(place, head.argument, index)?
            };
            self.item(out, place, depth, embedded)?;
        }
        Some(())
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let head = head(self.columns.first()?)?;
        if head.major != TEXT {
            return None;
        }
        let length = head.length.checked_add(usize::try_from(head.argument).ok()?)?;
        self.take(0, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            if let Ok(joined) = join(&columns, 1 << 20) {
                prop_assert!(item_end(&joined, 0).is_none_or(|end| end <= joined.len()));
            }
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
