//! Bytes as a hostile device would forge them: any content under a right checksum.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};
use sha2::{Digest, Sha256};

/// A number as unsigned LEB128.
pub(crate) fn unsigned(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A number as signed LEB128.
pub(crate) fn signed(mut number: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if (number == 0 && low & 0x40 == 0) || (number == -1 && low & 0x40 != 0) {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A run of `count` times `value`, already encoded.
pub(crate) fn run(count: i64, value: &[u8]) -> Vec<u8> {
    [signed(count), value.to_vec()].concat()
}

/// A column where every row holds another value.
pub(crate) fn literals(values: &[Vec<u8>]) -> Vec<u8> {
    [
        signed(-i64::try_from(values.len()).expect("few")),
        values.concat(),
    ]
    .concat()
}

/// A text with its length.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [unsigned(text.len() as u64), text.as_bytes().to_vec()].concat()
}

fn framed(kind: u8, checksum: &[u8], content: &[u8]) -> Vec<u8> {
    [
        &[0x85, 0x6f, 0x4a, 0x83],
        checksum,
        &[kind],
        &unsigned(content.len() as u64)[..],
        content,
    ]
    .concat()
}

/// A chunk with the checksum its content has.
pub(crate) fn chunk(kind: u8, content: &[u8]) -> Vec<u8> {
    let hash = hash(kind, content);
    framed(kind, &hash[..4], content)
}

/// A deflated change with the checksum of what it inflates to.
pub(crate) fn deflated(content: &[u8]) -> Vec<u8> {
    framed(2, &hash(1, content)[..4], &deflate(content))
}

/// Raw deflate at its best.
pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// The hash of a chunk.
pub(crate) fn hash(kind: u8, content: &[u8]) -> [u8; 32] {
    Sha256::digest([&[kind], &unsigned(content.len() as u64)[..], content].concat()).into()
}

/// The content of a change, every part free to be wrong. The default puts `true` under a key, once.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) dependencies: Vec<[u8; 32]>,
    pub(crate) actor: Vec<u8>,
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    pub(crate) time: i64,
    pub(crate) message: String,
    pub(crate) others: Vec<Vec<u8>>,
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
    pub(crate) extra: Vec<u8>,
}

impl Default for Forged {
    fn default() -> Self {
        Self {
            dependencies: Vec::new(),
            actor: vec![7; 16],
            seq: 1,
            start_op: 1,
            time: 0,
            message: String::new(),
            others: Vec::new(),
            columns: vec![
                (0x15, literals(&[text("key")])),
                (0x34, unsigned(1)),
                (0x42, literals(&[unsigned(1)])),
                (0x56, literals(&[unsigned(2)])),
                (0x70, literals(&[unsigned(0)])),
            ],
            extra: Vec::new(),
        }
    }
}

impl Forged {
    /// The same columns, each row `count` times.
    pub(crate) fn repeated(count: i64) -> Self {
        let columns = vec![
            (0x15, run(count, &text("key"))),
            (0x34, unsigned(count.unsigned_abs())),
            (0x42, run(count, &unsigned(1))),
            (0x56, run(count, &unsigned(2))),
            (0x70, run(count, &unsigned(0))),
        ];
        Self {
            columns,
            ..Self::default()
        }
    }

    /// Puts another column in the place of the one with this specification, or adds it.
    pub(crate) fn with_column(mut self, specification: u64, bytes: Vec<u8>) -> Self {
        self.columns.retain(|(known, _)| *known != specification);
        self.columns.push((specification, bytes));
        self.columns.sort_by_key(|(known, _)| *known);
        self
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = unsigned(self.dependencies.len() as u64);
        content.extend(self.dependencies.concat());
        content.extend(unsigned(self.actor.len() as u64));
        content.extend(&self.actor);
        content.extend(unsigned(self.seq));
        content.extend(unsigned(self.start_op));
        content.extend(signed(self.time));
        content.extend(text(&self.message));
        content.extend(unsigned(self.others.len() as u64));
        for other in &self.others {
            content.extend(unsigned(other.len() as u64));
            content.extend(other);
        }
        content.extend(unsigned(self.columns.len() as u64));
        for (specification, bytes) in &self.columns {
            content.extend(unsigned(*specification));
            content.extend(unsigned(bytes.len() as u64));
        }
        for (_, bytes) in &self.columns {
            content.extend(bytes);
        }
        content.extend(&self.extra);
        content
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        chunk(1, &self.content())
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(1, &self.content())
    }
}

/// The content of a saved document, every part free to be wrong. The default is what [`Forged::default`] leaves.
#[derive(Clone)]
pub(crate) struct ForgedDocument {
    pub(crate) actors: Vec<Vec<u8>>,
    pub(crate) heads: Vec<[u8; 32]>,
    pub(crate) head_indices: Vec<u64>,
    pub(crate) changes: Vec<(u64, Vec<u8>)>,
    pub(crate) operations: Vec<(u64, Vec<u8>)>,
}

impl Default for ForgedDocument {
    fn default() -> Self {
        Self {
            actors: vec![vec![7; 16]],
            heads: vec![Forged::default().hash()],
            head_indices: vec![0],
            changes: vec![
                (0x01, literals(&[unsigned(0)])),
                (0x03, literals(&[signed(1)])),
                (0x13, literals(&[signed(1)])),
                (0x23, literals(&[signed(0)])),
                (0x40, literals(&[unsigned(0)])),
                (0x56, literals(&[unsigned(7)])),
            ],
            operations: vec![
                (0x15, literals(&[text("key")])),
                (0x21, literals(&[unsigned(0)])),
                (0x23, literals(&[signed(1)])),
                (0x34, unsigned(1)),
                (0x42, literals(&[unsigned(1)])),
                (0x56, literals(&[unsigned(2)])),
                (0x80, literals(&[unsigned(0)])),
            ],
        }
    }
}

impl ForgedDocument {
    pub(crate) fn with_change_column(mut self, specification: u64, bytes: Vec<u8>) -> Self {
        replace(&mut self.changes, specification, bytes);
        self
    }

    pub(crate) fn with_operation_column(mut self, specification: u64, bytes: Vec<u8>) -> Self {
        replace(&mut self.operations, specification, bytes);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut content = unsigned(self.actors.len() as u64);
        for actor in &self.actors {
            content.extend(unsigned(actor.len() as u64));
            content.extend(actor);
        }
        content.extend(unsigned(self.heads.len() as u64));
        content.extend(self.heads.concat());
        for columns in [&self.changes, &self.operations] {
            content.extend(unsigned(columns.len() as u64));
            for (specification, bytes) in columns {
                content.extend(unsigned(*specification));
                content.extend(unsigned(bytes.len() as u64));
            }
        }
        for (_, bytes) in self.changes.iter().chain(&self.operations) {
            content.extend(bytes);
        }
        for index in &self.head_indices {
            content.extend(unsigned(*index));
        }
        chunk(0, &content)
    }
}

/// Columns lie in the order of their numbers without the bit that says deflated.
fn replace(columns: &mut Vec<(u64, Vec<u8>)>, specification: u64, bytes: Vec<u8>) {
    columns.retain(|(known, _)| known & !8 != specification & !8);
    columns.push((specification, bytes));
    columns.sort_by_key(|(known, _)| known & !8);
}
