//! A saved document: its change table, the operations that are left, and the changes appended behind.

use std::collections::HashMap;

use super::change::{self, read_actor, read_hashes};
use super::chunk::{Chunk, ChunkKind};
use super::columns::ColumnList;
use super::history::{self, History};
use super::limits::{
    DEPENDENCIES_MAX, DOCUMENT_ACTORS_MAX, DOCUMENT_CHANGES_MAX, DOCUMENT_COLUMN_BYTES_MAX,
    DOCUMENT_OPERATIONS_MAX,
};
use super::operation::OperationColumns;
use super::reader::Reader;
use super::state::Operations;
use super::{AdmittedChange, AdmittedDocument, ChangeHash, GateRefusal};

/// Admits a document chunk, change chunks, or the first followed by the second.
pub(super) fn admit(chunks: &[Chunk<'_>]) -> Result<AdmittedDocument, GateRefusal> {
    if chunks.is_empty() {
        return Err(GateRefusal::Truncated);
    }
    let (base, appended) = match chunks.split_first() {
        Some((first, rest)) if first.kind == ChunkKind::Document => (Saved::read(first)?, rest),
        _ => (Saved::default(), chunks),
    };
    let mut tail = Tail::new(base);
    for chunk in appended {
        tail.append(chunk)?;
    }
    Ok(tail.document)
}

/// What the document chunk says.
#[derive(Default)]
struct Saved {
    document: AdmittedDocument,
    /// The highest operation of each head.
    max_ops: HashMap<ChangeHash, u64>,
    last_sequences: HashMap<Vec<u8>, u64>,
    inflated_bytes: usize,
}

impl Saved {
    fn read(chunk: &Chunk<'_>) -> Result<Self, GateRefusal> {
        let mut reader = Reader::new(chunk.document_content()?);
        let actors = read_actors(&mut reader)?;
        let heads = read_hashes(&mut reader)?;
        let change_list = ColumnList::read(&mut reader, &history::COLUMNS)?;
        let operation_list = ColumnList::read(&mut reader, &OperationColumns::OF_DOCUMENT)?;
        let mut inflated_bytes = 0;
        let history = {
            let change_data = change_list.read_data(&mut reader, &mut inflated_bytes)?;
            History::read(&change_data, actors.len())?
        };
        if history.heads() != heads.len() {
            return Err(GateRefusal::Malformed(
                "the heads are not the changes nothing depends on",
            ));
        }
        let operation_data = operation_list.read_data(&mut reader, &mut inflated_bytes)?;
        let mut max_ops = HashMap::with_capacity(heads.len());
        for head in &heads {
            let index = reader.unsigned()?;
            let max_op = history
                .max_op_of_head(index)
                .ok_or(GateRefusal::InvalidReference)?;
            max_ops.insert(*head, max_op);
        }
        if !reader.is_empty() {
            return Err(GateRefusal::TrailingBytes);
        }
        Operations::new(&history).judge(&operation_data)?;
        let last_sequences = actors
            .iter()
            .enumerate()
            .map(|(index, actor)| (actor.to_vec(), history.last_sequence(index)))
            .collect();
        let document = AdmittedDocument {
            heads,
            changes: history.changes(),
            operations: history.operations(),
            max_op: history.max_op(),
            column_bytes: inflated_bytes,
            appended: Vec::new(),
        };
        Ok(Self {
            document,
            max_ops,
            last_sequences,
            inflated_bytes,
        })
    }
}

fn read_actors<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, GateRefusal> {
    let count = reader.length()?;
    if count > DOCUMENT_ACTORS_MAX {
        return Err(GateRefusal::TooManyActors);
    }
    let mut actors: Vec<&[u8]> = Vec::with_capacity(count);
    for _ in 0..count {
        let actor = read_actor(reader)?;
        if actors.last() >= Some(&actor) {
            return Err(GateRefusal::NotCanonical("actors are not in order"));
        }
        actors.push(actor);
    }
    Ok(actors)
}

/// The changes behind the document chunk.
struct Tail {
    document: AdmittedDocument,
    /// A document chunk holds the hashes of its heads only: what else is named may be in it.
    has_unnamed_changes: bool,
    max_ops: HashMap<ChangeHash, u64>,
    last_sequences: HashMap<Vec<u8>, u64>,
    bytes: usize,
}

impl Tail {
    fn new(saved: Saved) -> Self {
        Self {
            has_unnamed_changes: saved.document.changes > 0,
            document: saved.document,
            max_ops: saved.max_ops,
            last_sequences: saved.last_sequences,
            bytes: saved.inflated_bytes,
        }
    }

    fn append(&mut self, chunk: &Chunk<'_>) -> Result<(), GateRefusal> {
        let inspected = change::inspect(chunk)?;
        self.bytes += inspected.content_bytes;
        if self.bytes > DOCUMENT_COLUMN_BYTES_MAX {
            return Err(GateRefusal::DocumentTooLarge);
        }
        let change = inspected.change;
        if self.max_ops.contains_key(&change.hash) {
            return Err(GateRefusal::AlreadyKnown);
        }
        self.judge_place(&change)?;
        self.document.operations += change.operations;
        if self.document.operations > DOCUMENT_OPERATIONS_MAX {
            return Err(GateRefusal::TooManyOperations);
        }
        self.document.changes += 1;
        if self.document.changes > DOCUMENT_CHANGES_MAX {
            return Err(GateRefusal::TooManyChanges);
        }
        self.document.max_op = self.document.max_op.max(change.max_op());
        self.max_ops.insert(change.hash, change.max_op());
        self.last_sequences.insert(change.actor.clone(), change.seq);
        self.document
            .heads
            .retain(|head| !change.dependencies.contains(head));
        self.document.heads.push(change.hash);
        if self.document.heads.len() > DEPENDENCIES_MAX {
            return Err(GateRefusal::TooManyDependencies);
        }
        self.document.appended.push(change);
        Ok(())
    }

    fn judge_place(&self, change: &AdmittedChange) -> Result<(), GateRefusal> {
        let last_sequence = self.last_sequences.get(&change.actor).copied().unwrap_or(0);
        if change.seq <= last_sequence {
            return Err(GateRefusal::SequenceReused);
        }
        if change.seq - 1 > last_sequence {
            return Err(GateRefusal::SequenceGap);
        }
        let mut max_op = 0;
        let mut all_known = true;
        for dependency in &change.dependencies {
            match self.max_ops.get(dependency) {
                Some(known) => max_op = max_op.max(*known),
                None if self.has_unnamed_changes => all_known = false,
                None => return Err(GateRefusal::UnknownDependency),
            }
        }
        let follows = match all_known {
            true => change.start_op == max_op + 1,
            false => change.start_op > max_op,
        };
        if follows {
            Ok(())
        } else {
            Err(GateRefusal::StartOpInvalid)
        }
    }
}
