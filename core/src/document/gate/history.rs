//! The change table of a saved document: who wrote which operations after what, without the operations.

use super::GateRefusal;
use super::columns::{ColumnData, specification};
use super::limits::{
    CHANGE_OPERATIONS_MAX, DEPENDENCIES_MAX, DOCUMENT_CHANGES_MAX, DOCUMENT_OPERATIONS_MAX,
    MESSAGE_BYTES_MAX, OPERATION_COUNTER_MAX, TIME_MAX,
};
use super::operation::{Identifier, require_full, require_sparse};
use super::runs::{DeltaRows, Rows, RunValue, Tally, tally};

/// The columns of the change table. Bytes that writers may attach to a change are not among them: this library
/// attaches none.
pub(super) const COLUMNS: [u32; 8] = [
    specification::CHANGE_ACTOR,
    specification::CHANGE_SEQUENCE,
    specification::CHANGE_MAX_OP,
    specification::CHANGE_TIME,
    specification::CHANGE_MESSAGE,
    specification::DEPENDENCY_COUNT,
    specification::DEPENDENCY_INDEX,
    specification::EXTRA_METADATA,
];

/// An attachment of no bytes, the only one there may be.
const NO_EXTRA: u64 = 7;

/// The operations of one change: their counters follow one another.
///
/// 32 bits are plenty: [`OPERATION_COUNTER_MAX`] and [`DOCUMENT_OPERATIONS_MAX`] were checked.
#[derive(Clone, Copy)]
struct Span {
    start_op: u32,
    operations: u32,
    /// How many operations lie in the changes before this one.
    offset: u32,
}

impl Span {
    fn new(start_op: u64, operations: u64, offset: u64) -> Result<Self, GateRefusal> {
        let narrow = |number: u64| u32::try_from(number).map_err(|_| GateRefusal::TooManyOperations);
        Ok(Self {
            start_op: narrow(start_op)?,
            operations: narrow(operations)?,
            offset: narrow(offset)?,
        })
    }

    fn end(self) -> u64 {
        u64::from(self.start_op) + u64::from(self.operations)
    }
}

/// One change in the order of the table.
#[derive(Clone, Copy)]
struct Entry {
    max_op: u32,
    is_head: bool,
}

/// What one actor wrote.
#[derive(Clone, Default)]
struct Author {
    last_sequence: u64,
    /// The changes that hold operations, in their order.
    spans: Vec<Span>,
}

/// The judged table.
pub(super) struct History {
    authors: Vec<Author>,
    entries: Vec<Entry>,
    operations: u64,
}

impl History {
    /// Judges the table: sequence numbers without gaps, dependencies before what depends on them, `start_op` (which
    /// the table holds only as the difference of `max_op`s) within the limits of a change.
    pub(super) fn read(data: &ColumnData<'_>, actors: usize) -> Result<Self, GateRefusal> {
        let changes = tally_columns(data)?;
        let mut history = Self {
            authors: vec![Author::default(); actors],
            entries: Vec::new(),
            operations: 0,
        };
        let mut rows = ChangeRows::new(data);
        for _ in 0..changes {
            history.add(&mut rows)?;
        }
        match history.authors.iter().any(|author| author.last_sequence == 0) {
            true => Err(GateRefusal::NotCanonical(
                "an actor is listed that wrote no change",
            )),
            false => Ok(history),
        }
    }

    fn add(&mut self, rows: &mut ChangeRows<'_>) -> Result<(), GateRefusal> {
        let actor = usize::try_from(rows.actor.next_value()?).map_err(|_| GateRefusal::InvalidReference)?;
        let sequence = rows.sequence.next_unsigned()?;
        let max_op = rows.max_op.next_unsigned()?;
        if !(-TIME_MAX..=TIME_MAX).contains(&rows.time.next_row()?.unwrap_or(0)) {
            return Err(GateRefusal::Malformed("a time is out of range"));
        }
        let before = self.max_op_of_dependencies(rows)?;
        let operations = max_op.checked_sub(before).ok_or(GateRefusal::StartOpInvalid)?;
        if max_op > OPERATION_COUNTER_MAX || operations > CHANGE_OPERATIONS_MAX {
            return Err(GateRefusal::TooManyOperations);
        }
        let span = Span::new(before + 1, operations, self.operations)?;
        let author = self.authors.get_mut(actor).ok_or(GateRefusal::InvalidReference)?;
        if sequence != author.last_sequence + 1 {
            return Err(GateRefusal::Malformed(
                "sequence numbers do not follow one another",
            ));
        }
        author.last_sequence = sequence;
        if author.spans.last().is_some_and(|last| last.end() > before + 1) {
            return Err(GateRefusal::StartOpInvalid);
        }
        if operations > 0 {
            author.spans.push(span);
        }
        let max_op = u32::try_from(max_op).map_err(|_| GateRefusal::TooManyOperations)?;
        self.entries.push(Entry {
            max_op,
            is_head: true,
        });
        self.operations += operations;
        match self.operations > DOCUMENT_OPERATIONS_MAX {
            true => Err(GateRefusal::TooManyOperations),
            false => Ok(()),
        }
    }

    fn max_op_of_dependencies(&mut self, rows: &mut ChangeRows<'_>) -> Result<u64, GateRefusal> {
        let count = rows.dependency_count.next_value()?;
        if count > DEPENDENCIES_MAX as u64 {
            return Err(GateRefusal::TooManyDependencies);
        }
        let mut max_op = 0;
        let mut seen = [0_u64; DEPENDENCIES_MAX];
        for number in 0..usize::try_from(count).unwrap_or(0) {
            let index = rows.dependency_index.next_unsigned()?;
            if seen[..number].contains(&index) {
                return Err(GateRefusal::NotCanonical("a dependency is named twice"));
            }
            seen[number] = index;
            let entry = usize::try_from(index)
                .ok()
                .and_then(|index| self.entries.get_mut(index))
                .ok_or(GateRefusal::InvalidReference)?;
            entry.is_head = false;
            max_op = max_op.max(u64::from(entry.max_op));
        }
        Ok(max_op)
    }

    /// How many changes the table holds.
    pub(super) fn changes(&self) -> u64 {
        self.entries.len() as u64
    }

    /// How many operations the changes hold together.
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// The highest operation of all changes.
    pub(super) fn max_op(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| entry.max_op)
            .max()
            .unwrap_or(0)
            .into()
    }

    /// How many changes no other depends on.
    pub(super) fn heads(&self) -> usize {
        self.entries.iter().filter(|entry| entry.is_head).count()
    }

    /// The highest operation of the head at this place in the table; none where there is no head.
    pub(super) fn max_op_of_head(&self, index: u64) -> Option<u64> {
        let entry = self.entries.get(usize::try_from(index).ok()?)?;
        entry.is_head.then_some(entry.max_op.into())
    }

    /// The sequence number of the actor's last change.
    pub(super) fn last_sequence(&self, actor: usize) -> u64 {
        self.authors.get(actor).map_or(0, |author| author.last_sequence)
    }

    /// The place of an operation among all operations of the document, none where no change holds it.
    pub(super) fn place_of(&self, identifier: Identifier) -> Option<usize> {
        let spans = &self.authors.get(identifier.actor)?.spans;
        let after = spans.partition_point(|span| u64::from(span.start_op) <= identifier.counter);
        let span = spans.get(after.checked_sub(1)?)?;
        let within = identifier.counter - u64::from(span.start_op);
        match within < u64::from(span.operations) {
            true => usize::try_from(u64::from(span.offset) + within).ok(),
            false => None,
        }
    }
}

fn tally_columns(data: &ColumnData<'_>) -> Result<u64, GateRefusal> {
    let actors = tally_changes::<u64>(data.get(specification::CHANGE_ACTOR))?;
    let changes = actors.rows;
    require_full(actors, changes)?;
    require_full(
        tally_changes::<i64>(data.get(specification::CHANGE_SEQUENCE))?,
        changes,
    )?;
    require_full(
        tally_changes::<i64>(data.get(specification::CHANGE_MAX_OP))?,
        changes,
    )?;
    let times = tally_changes::<i64>(data.get(specification::CHANGE_TIME))?;
    if times.rows > 0 {
        require_full(times, changes)?;
    }
    let messages = tally::<&str>(
        data.get(specification::CHANGE_MESSAGE),
        DOCUMENT_CHANGES_MAX,
        |run| match run.value.is_some_and(|message| message.len() > MESSAGE_BYTES_MAX) {
            true => Err(GateRefusal::Malformed("a message is too long")),
            false => Ok(()),
        },
    );
    require_sparse(messages.map_err(too_many_changes)?, changes)?;
    let mut dependencies = 0;
    let counts = tally::<u64>(
        data.get(specification::DEPENDENCY_COUNT),
        DOCUMENT_CHANGES_MAX,
        |run| {
            let count = run.value.unwrap_or(0);
            if count > DEPENDENCIES_MAX as u64 {
                return Err(GateRefusal::TooManyDependencies);
            }
            dependencies += count * run.count;
            Ok(())
        },
    );
    require_full(counts.map_err(too_many_changes)?, changes)?;
    let indices = tally::<i64>(
        data.get(specification::DEPENDENCY_INDEX),
        dependencies,
        |_| Ok(()),
    );
    require_full(
        indices.map_err(|_| GateRefusal::Malformed("columns differ in length"))?,
        dependencies,
    )?;
    let extras = tally::<u64>(
        data.get(specification::EXTRA_METADATA),
        DOCUMENT_CHANGES_MAX,
        |run| match run.value == Some(NO_EXTRA) {
            true => Ok(()),
            false => Err(GateRefusal::TrailingBytes),
        },
    );
    require_full(extras.map_err(too_many_changes)?, changes)?;
    Ok(changes)
}

fn tally_changes<'a, V: RunValue<'a>>(column: &'a [u8]) -> Result<Tally, GateRefusal> {
    tally::<V>(column, DOCUMENT_CHANGES_MAX, |_| Ok(())).map_err(too_many_changes)
}

fn too_many_changes(refusal: GateRefusal) -> GateRefusal {
    match refusal {
        GateRefusal::TooManyOperations => GateRefusal::TooManyChanges,
        other => other,
    }
}

struct ChangeRows<'a> {
    actor: Rows<'a, u64>,
    sequence: DeltaRows<'a>,
    max_op: DeltaRows<'a>,
    time: DeltaRows<'a>,
    dependency_count: Rows<'a, u64>,
    dependency_index: DeltaRows<'a>,
}

impl<'a> ChangeRows<'a> {
    fn new(data: &'a ColumnData<'_>) -> Self {
        Self {
            actor: Rows::new(data.get(specification::CHANGE_ACTOR)),
            sequence: DeltaRows::new(data.get(specification::CHANGE_SEQUENCE)),
            max_op: DeltaRows::new(data.get(specification::CHANGE_MAX_OP)),
            time: DeltaRows::new(data.get(specification::CHANGE_TIME)),
            dependency_count: Rows::new(data.get(specification::DEPENDENCY_COUNT)),
            dependency_index: DeltaRows::new(data.get(specification::DEPENDENCY_INDEX)),
        }
    }
}
