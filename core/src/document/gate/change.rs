//! One change: who wrote it, after what, and what it does.

use super::chunk::Chunk;
use super::columns::ColumnList;
use super::limits::{
    ACTOR_BYTES_MAX, CHANGE_ACTORS_MAX, CHANGE_BYTES_MAX, CHANGE_KEY_BYTES_MAX, CHANGE_OPERATIONS_MAX,
    CHANGE_PREDECESSORS_MAX, DEPENDENCIES_MAX, MESSAGE_BYTES_MAX, OPERATION_COUNTER_MAX, TIME_MAX,
};
use super::operation::{Action, Identifier, Key, OperationColumns, OperationLimits};
use super::reader::Reader;
use super::{AdmittedChange, ChangeContext, ChangeHash, GateRefusal};

const LIMITS: OperationLimits = OperationLimits {
    operations_max: CHANGE_OPERATIONS_MAX,
    links_max: CHANGE_PREDECESSORS_MAX,
    key_bytes_max: CHANGE_KEY_BYTES_MAX,
};

/// A change judged by its form, and how long its content is once inflated.
pub(super) struct Inspected {
    pub(super) change: AdmittedChange,
    pub(super) content_bytes: usize,
}

/// Admits the change in `chunk` into the document that `context` knows.
pub(super) fn admit(chunk: &Chunk<'_>, context: &ChangeContext<'_>) -> Result<AdmittedChange, GateRefusal> {
    read(chunk, |header, hash| header.judge(hash, context)).map(|inspected| inspected.change)
}

/// Judges only the form of the change in `chunk`.
pub(super) fn inspect(chunk: &Chunk<'_>) -> Result<Inspected, GateRefusal> {
    read(chunk, |_, _| Ok(()))
}

fn read(
    chunk: &Chunk<'_>,
    judge_header: impl FnOnce(&Header<'_>, &ChangeHash) -> Result<(), GateRefusal>,
) -> Result<Inspected, GateRefusal> {
    let (content, hash) = chunk.change_content()?;
    let mut reader = Reader::new(&content);
    let header = Header::read(&mut reader)?;
    judge_header(&header, &hash)?;
    let list = ColumnList::read(&mut reader, &OperationColumns::OF_CHANGE)?;
    list.require_plain()?;
    let data = list.read_data(&mut reader, &mut 0)?;
    if !reader.is_empty() {
        // Automerge would keep such bytes as the change's own; this library never writes any.
        return Err(GateRefusal::TrailingBytes);
    }
    let columns = OperationColumns::of_change(&data);
    let operations = columns.tally(LIMITS)?;
    if header.start_op + operations - 1 > OPERATION_COUNTER_MAX {
        return Err(GateRefusal::TooManyOperations);
    }
    Operations::new(&header, operations).judge(&columns)?;
    let change = AdmittedChange {
        hash,
        actor: header.actor.to_vec(),
        seq: header.sequence,
        start_op: header.start_op,
        operations,
        dependencies: header.dependencies,
    };
    Ok(Inspected {
        change,
        content_bytes: content.len(),
    })
}

/// Everything in front of the operations.
struct Header<'a> {
    dependencies: Vec<ChangeHash>,
    actor: &'a [u8],
    sequence: u64,
    start_op: u64,
    /// The actors besides the author that operations name.
    others: Vec<&'a [u8]>,
}

impl<'a> Header<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateRefusal> {
        let dependencies = read_hashes(reader)?;
        let actor = read_actor(reader)?;
        let sequence = reader.unsigned()?;
        if sequence == 0 || u32::try_from(sequence).is_err() {
            return Err(GateRefusal::Malformed("a sequence number is out of range"));
        }
        let start_op = reader.unsigned()?;
        if start_op == 0 || start_op > OPERATION_COUNTER_MAX {
            return Err(GateRefusal::StartOpInvalid);
        }
        if !(-TIME_MAX..=TIME_MAX).contains(&reader.signed()?) {
            return Err(GateRefusal::Malformed("a time is out of range"));
        }
        let message = reader.prefixed(MESSAGE_BYTES_MAX, GateRefusal::Malformed("a message is too long"))?;
        std::str::from_utf8(message).map_err(|_| GateRefusal::Malformed("a text is not UTF-8"))?;
        let others = read_other_actors(reader, actor)?;
        Ok(Self {
            dependencies,
            actor,
            sequence,
            start_op,
            others,
        })
    }

    /// Compares the header with what is known of sender and document, cheapest and most telling first.
    fn judge(&self, hash: &ChangeHash, context: &ChangeContext<'_>) -> Result<(), GateRefusal> {
        if context.actor.is_some_and(|actor| actor != self.actor) {
            return Err(GateRefusal::ForeignActor);
        }
        if (context.dependency)(hash).is_some() {
            return Err(GateRefusal::AlreadyKnown);
        }
        let last_sequence = (context.last_seq)(self.actor);
        if self.sequence <= last_sequence {
            return Err(GateRefusal::SequenceReused);
        }
        if self.sequence - 1 > last_sequence {
            return Err(GateRefusal::SequenceGap);
        }
        // Automerge looks other actors up in the document and panics where one has written nothing.
        if self.others.iter().any(|other| (context.last_seq)(other) == 0) {
            return Err(GateRefusal::InvalidReference);
        }
        let mut max_op = 0;
        for dependency in &self.dependencies {
            let known = (context.dependency)(dependency).ok_or(GateRefusal::UnknownDependency)?;
            max_op = max_op.max(known);
        }
        match max_op.checked_add(1) == Some(self.start_op) {
            true => Ok(()),
            false => Err(GateRefusal::StartOpInvalid),
        }
    }
}

/// Reads hashes, all different.
pub(super) fn read_hashes(reader: &mut Reader<'_>) -> Result<Vec<ChangeHash>, GateRefusal> {
    let count = reader.length()?;
    if count > DEPENDENCIES_MAX {
        return Err(GateRefusal::TooManyDependencies);
    }
    let mut hashes: Vec<ChangeHash> = Vec::with_capacity(count);
    for _ in 0..count {
        let hash = reader.array::<32>()?;
        if hashes.contains(&hash) {
            return Err(GateRefusal::NotCanonical("a dependency is named twice"));
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

/// Reads an actor id.
pub(super) fn read_actor<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], GateRefusal> {
    let refusal = GateRefusal::Malformed("an actor id has a wrong length");
    let actor = reader.prefixed(ACTOR_BYTES_MAX, refusal)?;
    match actor.is_empty() {
        true => Err(refusal),
        false => Ok(actor),
    }
}

/// Reads the actors besides the author: ascending, the author not among them.
fn read_other_actors<'a>(reader: &mut Reader<'a>, author: &[u8]) -> Result<Vec<&'a [u8]>, GateRefusal> {
    let count = reader.length()?;
    if count >= CHANGE_ACTORS_MAX {
        return Err(GateRefusal::TooManyActors);
    }
    let mut actors: Vec<&[u8]> = Vec::with_capacity(count);
    for _ in 0..count {
        let actor = read_actor(reader)?;
        if actors.last() >= Some(&actor) || actor == author {
            return Err(GateRefusal::NotCanonical("actors are not in order"));
        }
        actors.push(actor);
    }
    Ok(actors)
}

/// What an earlier operation of the same change was, for those after it that name it.
#[derive(Clone, Copy)]
struct Earlier {
    action: Action,
    insert: bool,
}

/// Judges the operations of one change against each other.
struct Operations {
    start_op: u64,
    operations: u64,
    earlier: Vec<Earlier>,
    is_actor_named: Vec<bool>,
}

impl Operations {
    fn new(header: &Header<'_>, operations: u64) -> Self {
        // At most `CHANGE_OPERATIONS_MAX`, so this fits everywhere.
        let capacity = usize::try_from(operations).unwrap_or(0);
        let mut is_actor_named = vec![false; 1 + header.others.len()];
        is_actor_named[0] = true;
        Self {
            start_op: header.start_op,
            operations,
            earlier: Vec::with_capacity(capacity),
            is_actor_named,
        }
    }

    fn judge(mut self, columns: &OperationColumns<'_>) -> Result<(), GateRefusal> {
        let mut rows = columns.rows();
        for _ in 0..self.operations {
            let operation = rows.next_operation()?;
            if let Some(object) = operation.object {
                let earlier = self.resolve(object)?;
                if earlier.is_some_and(|earlier| !fits_object(earlier.action, operation.key)) {
                    return Err(GateRefusal::InvalidReference);
                }
            }
            if let Key::Element(element) = operation.key {
                let earlier = self.resolve(element)?;
                if earlier.is_some_and(|earlier| !earlier.insert) {
                    return Err(GateRefusal::InvalidReference);
                }
            }
            for _ in 0..operation.links {
                let earlier = self.resolve(rows.next_link()?)?;
                if earlier.is_some_and(|earlier| earlier.action == Action::Delete) {
                    return Err(GateRefusal::InvalidReference);
                }
            }
            let needs_predecessor = matches!(operation.action, Action::Delete | Action::Increment);
            if (needs_predecessor && operation.links == 0) || (operation.insert && operation.links > 0) {
                return Err(GateRefusal::InvalidReference);
            }
            self.earlier.push(Earlier {
                action: operation.action,
                insert: operation.insert,
            });
        }
        match self.is_actor_named.iter().all(|is_named| *is_named) {
            true => Ok(()),
            false => Err(GateRefusal::NotCanonical(
                "an actor is listed that no operation names",
            )),
        }
    }

    /// Finds what an operation refers to: one before this change (none: only the document knows it) or an earlier
    /// one of this change.
    fn resolve(&mut self, identifier: Identifier) -> Result<Option<Earlier>, GateRefusal> {
        let is_named = self
            .is_actor_named
            .get_mut(identifier.actor)
            .ok_or(GateRefusal::InvalidReference)?;
        *is_named = true;
        let Some(index) = identifier.counter.checked_sub(self.start_op) else {
            return Ok(None);
        };
        // `start_op` is above every operation of every dependency, so only the author can be there.
        if identifier.actor != 0 {
            return Err(GateRefusal::InvalidReference);
        }
        let index = usize::try_from(index).map_err(|_| GateRefusal::InvalidReference)?;
        self.earlier
            .get(index)
            .copied()
            .map(Some)
            .ok_or(GateRefusal::InvalidReference)
    }
}

fn fits_object(action: Action, key: Key<'_>) -> bool {
    match key {
        Key::Text(_) => action == Action::MakeMap,
        Key::Head | Key::Element(_) => matches!(action, Action::MakeList | Action::MakeText),
    }
}

/// The longest chunk a change can be: its content and the frame around it.
pub(super) const CHUNK_BYTES_MAX: usize = CHANGE_BYTES_MAX + 32;
