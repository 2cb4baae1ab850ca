//! The frame around everything Automerge writes: magic number, checksum, type, length, content.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::inflate::inflate;
use super::limits::CHANGE_BYTES_MAX;
use super::reader::Reader;
use super::{ChangeHash, GateRefusal};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const TYPE_DOCUMENT: u8 = 0;
const TYPE_CHANGE: u8 = 1;
const TYPE_COMPRESSED_CHANGE: u8 = 2;

/// What a chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// A saved document: many changes, their operations merged.
    Document,
    /// One change.
    Change,
    /// One change, deflated.
    CompressedChange,
}

/// One chunk as it lies in the bytes: only the frame was read, nothing is verified yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// What the chunk says it holds.
    pub kind: ChunkKind,
    /// The whole chunk, frame included: what [`super::admit_change`] and Automerge take.
    pub bytes: &'a [u8],
    checksum: [u8; 4],
    content: &'a [u8],
}

impl std::fmt::Debug for Chunk<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Chunk")
            .field("kind", &self.kind)
            .field("length", &self.bytes.len())
            .finish()
    }
}

impl<'a> Chunk<'a> {
    fn read(reader: &mut Reader<'a>, whole: &'a [u8]) -> Result<Self, GateRefusal> {
        let start = whole.len() - reader.remaining();
        if reader.array::<4>()? != MAGIC {
            return Err(GateRefusal::UnexpectedChunk);
        }
        let checksum = reader.array::<4>()?;
        let kind = match reader.byte()? {
            TYPE_DOCUMENT => ChunkKind::Document,
            TYPE_CHANGE => ChunkKind::Change,
            TYPE_COMPRESSED_CHANGE => ChunkKind::CompressedChange,
            _ => return Err(GateRefusal::UnexpectedChunk),
        };
        let length = reader.length()?;
        let content = reader.take(length)?;
        let end = whole.len() - reader.remaining();
        let bytes = whole.get(start..end).ok_or(GateRefusal::Truncated)?;
        Ok(Self {
            kind,
            bytes,
            checksum,
            content,
        })
    }

    /// The one chunk that `bytes` are.
    pub(super) fn only(bytes: &'a [u8]) -> Result<Self, GateRefusal> {
        let mut reader = Reader::new(bytes);
        let chunk = Self::read(&mut reader, bytes)?;
        if !reader.is_empty() {
            return Err(GateRefusal::TrailingBytes);
        }
        Ok(chunk)
    }

    /// Whether its bytes are those it was written with.
    ///
    /// # Errors
    /// `ChecksumMismatch`, or why its content cannot be read.
    pub fn verify(&self) -> Result<(), GateRefusal> {
        match self.kind {
            ChunkKind::Document => self.document_content().map(|_| ()),
            ChunkKind::Change | ChunkKind::CompressedChange => self.change_content().map(|_| ()),
        }
    }

    /// The content of a change, inflated, and its hash, once the checksum was found right.
    pub(super) fn change_content(&self) -> Result<(Cow<'a, [u8]>, ChangeHash), GateRefusal> {
        if self.content.len() > CHANGE_BYTES_MAX {
            return Err(GateRefusal::ChangeTooLarge);
        }
        let content = match self.kind {
            ChunkKind::Document => return Err(GateRefusal::UnexpectedChunk),
            ChunkKind::Change => Cow::Borrowed(self.content),
            ChunkKind::CompressedChange => Cow::Owned(inflate(
                self.content,
                CHANGE_BYTES_MAX,
                GateRefusal::ChangeTooLarge,
            )?),
        };
        // The checksum of a deflated change is that of the change it inflates to.
        let hash = self.verified_hash(TYPE_CHANGE, &content)?;
        Ok((content, hash))
    }

    /// The content of a document once the checksum was found right; its columns are still deflated.
    pub(super) fn document_content(&self) -> Result<&'a [u8], GateRefusal> {
        if self.kind != ChunkKind::Document {
            return Err(GateRefusal::UnexpectedChunk);
        }
        self.verified_hash(TYPE_DOCUMENT, self.content)?;
        Ok(self.content)
    }

    fn verified_hash(&self, kind: u8, content: &[u8]) -> Result<ChangeHash, GateRefusal> {
        let mut hasher = Sha256::new();
        hasher.update([kind]);
        let mut length = content.len();
        loop {
            let low = (length & 0x7f) as u8;
            length >>= 7;
            hasher.update([if length == 0 { low } else { low | 0x80 }]);
            if length == 0 {
                break;
            }
        }
        hasher.update(content);
        let hash: ChangeHash = hasher.finalize().into();
        if hash[..4] != self.checksum {
            return Err(GateRefusal::ChecksumMismatch);
        }
        Ok(hash)
    }
}

/// Cuts bytes into the chunks they are made of, without looking inside.
///
/// # Errors
/// `Truncated` when the last chunk is not whole, `UnexpectedChunk` for anything else than documents and changes.
pub fn split_chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, GateRefusal> {
    let mut reader = Reader::new(bytes);
    let mut chunks = Vec::new();
    while !reader.is_empty() {
        chunks.push(Chunk::read(&mut reader, bytes)?);
    }
    Ok(chunks)
}
