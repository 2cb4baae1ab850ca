//! A message taken apart into its columns.

use super::{
    ARRAY, BYTES, DEPTH_MAX, EMBEDDED, EMBEDDED_MAX, MAP, MARK, NEGATIVE, Place, Places, SIMPLE, TEXT,
    TEXT_END, UNSIGNED, head, write_varint,
};

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
