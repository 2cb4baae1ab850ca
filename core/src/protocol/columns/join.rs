//! A message put together from its columns, which may be anybody's bytes.

use super::{
    ARRAY, BYTES, DEPTH_MAX, EMBEDDED, EMBEDDED_MAX, Head, MAP, MARK, NEGATIVE, PLACES_MAX, Place, Places,
    SIMPLE, TEXT, TEXT_END, UNSIGNED, head, read_varint, write_head,
};
use crate::protocol::BodyError;

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
