//! How a chunk hangs in the graph of changes, read from its beginning alone.

use super::change::{read_actor, read_hashes};
use super::chunk::{Chunk, ChunkKind};
use super::limits::DOCUMENT_ACTORS_MAX;
use super::reader::Reader;
use super::{ChangeHash, GateRefusal};

/// What a chunk says of the graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Links {
    /// A saved document: the changes in it that no other depends on.
    Document(Vec<ChangeHash>),
    /// A change, and what it depends on.
    Change(ChangeHash, Vec<ChangeHash>),
}

/// Reads them of a chunk of our own store, once its checksum was found right.
///
/// # Errors
/// `ChecksumMismatch`, or why it cannot be read.
pub fn links(chunk: &Chunk<'_>) -> Result<Links, GateRefusal> {
    if chunk.kind == ChunkKind::Document {
        let mut reader = Reader::new(chunk.document_content()?);
        let actors = reader.length()?;
        if actors > DOCUMENT_ACTORS_MAX {
            return Err(GateRefusal::TooManyActors);
        }
        for _ in 0..actors {
            read_actor(&mut reader)?;
        }
        return Ok(Links::Document(read_hashes(&mut reader)?));
    }
    let (content, hash) = chunk.change_content()?;
    let dependencies = read_hashes(&mut Reader::new(&content))?;
    Ok(Links::Change(hash, dependencies))
}
