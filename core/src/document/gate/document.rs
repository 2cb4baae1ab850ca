//! A saved document: its change table, the operations that are left, and the changes appended behind.

use std::collections::HashMap;

use super::change::{self, read_actor, read_hashes};
use super::chunk::{Chunk, ChunkKind};
use super::columns::{ColumnData, ColumnList, specification};
use super::history::{self, History};
use super::limits::{
    DEPENDENCIES_MAX, DOCUMENT_ACTORS_MAX, DOCUMENT_CHANGES_MAX, DOCUMENT_COLUMN_BYTES_MAX,
    DOCUMENT_KEY_BYTES_MAX, DOCUMENT_OPERATIONS_MAX, DOCUMENT_SUCCESSORS_MAX,
};
use super::operation::{
    Action, Identifier, Key, Operation, OperationColumns, OperationLimits, OperationRows, require_full,
};
use super::reader::Reader;
use super::runs::{DeltaRows, Rows, tally};
use super::{AdmittedChange, AdmittedDocument, ChangeHash, GateRefusal};

const LIMITS: OperationLimits = OperationLimits {
    operations_max: DOCUMENT_OPERATIONS_MAX,
    links_max: DOCUMENT_SUCCESSORS_MAX,
    key_bytes_max: DOCUMENT_KEY_BYTES_MAX,
};

/// Admits a document chunk, change chunks, or the first followed by the second.
pub(super) fn admit(chunks: &[Chunk<'_>]) -> Result<AdmittedDocument, GateRefusal> {
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
        let change_data = change_list.read_data(&mut reader, &mut inflated_bytes)?;
        let history = History::read(&change_data, actors.len())?;
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

const IS_PRESENT: u8 = 1;
const IS_SUCCESSOR: u8 = 2;
const IS_MAP: u8 = 4;
const IS_SEQUENCE: u8 = 8;
const IS_ELEMENT: u8 = 16;

/// Judges the operations of a document against its change table. One byte for each operation of the table says
/// what was seen of it.
struct Operations<'h> {
    history: &'h History,
    seen: Vec<u8>,
    last_object: Option<Identifier>,
}

impl<'h> Operations<'h> {
    fn new(history: &'h History) -> Self {
        // At most `DOCUMENT_OPERATIONS_MAX`, which the table was held to.
        let operations = usize::try_from(history.operations()).unwrap_or(0);
        Self {
            history,
            seen: vec![0; operations],
            last_object: None,
        }
    }

    fn judge(mut self, data: &ColumnData<'_>) -> Result<(), GateRefusal> {
        let columns = OperationColumns::of_document(data);
        let identifier_actor = data.get(specification::IDENTIFIER_ACTOR);
        let identifier_counter = data.get(specification::IDENTIFIER_COUNTER);
        let operations = columns.tally(LIMITS)?;
        require_full(
            tally::<u64>(identifier_actor, operations, |_| Ok(()))?,
            operations,
        )?;
        require_full(
            tally::<i64>(identifier_counter, operations, |_| Ok(()))?,
            operations,
        )?;
        let mut rows = columns.rows();
        let mut actors = Rows::<u64>::new(identifier_actor);
        let mut counters = DeltaRows::new(identifier_counter);
        for _ in 0..operations {
            let identifier = Identifier::new(actors.next_value()?, counters.next_unsigned()?)?;
            let operation = rows.next_operation()?;
            self.judge_operation(identifier, &operation)?;
            self.judge_successors(identifier, &operation, &mut rows)?;
        }
        // What is neither present nor a successor (a deletion) is missing.
        match self
            .seen
            .iter()
            .all(|seen| seen & (IS_PRESENT | IS_SUCCESSOR) != 0)
        {
            true => Ok(()),
            false => Err(GateRefusal::Malformed("operations are missing")),
        }
    }

    fn judge_operation(&mut self, identifier: Identifier, operation: &Operation) -> Result<(), GateRefusal> {
        if operation.action == Action::Delete {
            return Err(GateRefusal::Malformed("a deletion is stored as an operation"));
        }
        self.judge_object(identifier, operation)?;
        if let Key::Element(element) = operation.key {
            self.require_earlier(element, identifier, IS_ELEMENT)?;
        }
        let mut flags = IS_PRESENT;
        if operation.insert {
            flags |= IS_ELEMENT;
        }
        flags |= match operation.action {
            Action::MakeMap => IS_MAP,
            Action::MakeList | Action::MakeText => IS_SEQUENCE,
            Action::Set | Action::Delete | Action::Increment => 0,
        };
        let seen = self.seen_mut(identifier)?;
        if *seen & IS_PRESENT != 0 {
            return Err(GateRefusal::InvalidReference);
        }
        *seen |= flags;
        Ok(())
    }

    /// Operations are grouped by object, objects ascend, and an object was made before anything is in it.
    fn judge_object(&mut self, identifier: Identifier, operation: &Operation) -> Result<(), GateRefusal> {
        if operation.object == self.last_object && operation.object.is_none() {
            return Ok(());
        }
        let object = operation
            .object
            .ok_or(GateRefusal::NotCanonical("objects are out of order"))?;
        if self
            .last_object
            .is_some_and(|last| (last.counter, last.actor) > (object.counter, object.actor))
        {
            return Err(GateRefusal::NotCanonical("objects are out of order"));
        }
        self.last_object = Some(object);
        let kind = match operation.key {
            Key::Text => IS_MAP,
            Key::Head | Key::Element(_) => IS_SEQUENCE,
        };
        self.require_earlier(object, identifier, kind)
    }

    fn judge_successors(
        &mut self,
        identifier: Identifier,
        operation: &Operation,
        rows: &mut OperationRows<'_>,
    ) -> Result<(), GateRefusal> {
        for _ in 0..operation.links {
            let successor = rows.next_link()?;
            if successor.counter <= identifier.counter {
                return Err(GateRefusal::InvalidReference);
            }
            *self.seen_mut(successor)? |= IS_SUCCESSOR;
        }
        Ok(())
    }

    fn require_earlier(&mut self, named: Identifier, by: Identifier, flag: u8) -> Result<(), GateRefusal> {
        match named.counter < by.counter && *self.seen_mut(named)? & flag != 0 {
            true => Ok(()),
            false => Err(GateRefusal::InvalidReference),
        }
    }

    fn seen_mut(&mut self, identifier: Identifier) -> Result<&mut u8, GateRefusal> {
        let place = self
            .history
            .place_of(identifier)
            .ok_or(GateRefusal::InvalidReference)?;
        self.seen.get_mut(place).ok_or(GateRefusal::InvalidReference)
    }
}
