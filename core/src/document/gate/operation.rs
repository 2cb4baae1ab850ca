//! The columns of operations, which changes and documents share.
//!
//! [`OperationColumns::tally`] comes first and counts by runs; [`OperationRows`] then walks the rows that were
//! found to be few enough.

use super::GateRefusal;
use super::columns::{ColumnData, specification};
use super::limits::KEY_BYTES_MAX;
use super::reader::Reader;
use super::runs::{BooleanRows, DeltaRows, Rows, Tally, tally, tally_booleans};

/// An operation's name: the index of its actor in the chunk's list, and its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    pub(super) actor: usize,
    pub(super) counter: u64,
}

impl Identifier {
    pub(super) fn new(actor: u64, counter: u64) -> Result<Self, GateRefusal> {
        match (usize::try_from(actor), counter) {
            (Ok(actor), 1..) => Ok(Self { actor, counter }),
            _ => Err(GateRefusal::InvalidReference),
        }
    }

    /// Orders operations as Automerge does: by counter, then by actor.
    pub(super) fn age(self) -> (u64, usize) {
        (self.counter, self.actor)
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    MakeMap,
    Set,
    MakeList,
    Delete,
    MakeText,
    Increment,
}

impl Action {
    fn from_code(code: u64) -> Result<Self, GateRefusal> {
        match code {
            0 => Ok(Self::MakeMap),
            1 => Ok(Self::Set),
            2 => Ok(Self::MakeList),
            3 => Ok(Self::Delete),
            4 => Ok(Self::MakeText),
            5 => Ok(Self::Increment),
            6 | 7 => Err(GateRefusal::UnsupportedOperation),
            _ => Err(GateRefusal::Malformed("an action is unknown")),
        }
    }
}

/// Where in its object an operation acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    Text(&'a str),
    Head,
    Element(Identifier),
}

/// One operation, as far as the gate looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation<'a> {
    /// The object acted on; none for the root map.
    pub(super) object: Option<Identifier>,
    pub(super) key: Key<'a>,
    pub(super) insert: bool,
    pub(super) action: Action,
    /// How many predecessors (in a change) or successors (in a document) it names.
    pub(super) links: u64,
}

/// What the columns may claim.
#[derive(Clone, Copy)]
pub(super) struct OperationLimits {
    pub(super) operations_max: u64,
    pub(super) links_max: u64,
    pub(super) key_bytes_max: u64,
}

/// The columns of operations. `link_…` are predecessors in a change and successors in a document.
pub(super) struct OperationColumns<'a> {
    object_actor: &'a [u8],
    object_counter: &'a [u8],
    key_actor: &'a [u8],
    key_counter: &'a [u8],
    key_text: &'a [u8],
    insert: &'a [u8],
    action: &'a [u8],
    value_metadata: &'a [u8],
    value: &'a [u8],
    link_count: &'a [u8],
    link_actor: &'a [u8],
    link_counter: &'a [u8],
}

impl<'a> OperationColumns<'a> {
    pub(super) const OF_CHANGE: [u32; 12] = [
        specification::OBJECT_ACTOR,
        specification::OBJECT_COUNTER,
        specification::KEY_ACTOR,
        specification::KEY_COUNTER,
        specification::KEY_TEXT,
        specification::INSERT,
        specification::ACTION,
        specification::VALUE_METADATA,
        specification::VALUE,
        specification::PREDECESSOR_COUNT,
        specification::PREDECESSOR_ACTOR,
        specification::PREDECESSOR_COUNTER,
    ];

    pub(super) const OF_DOCUMENT: [u32; 14] = [
        specification::OBJECT_ACTOR,
        specification::OBJECT_COUNTER,
        specification::KEY_ACTOR,
        specification::KEY_COUNTER,
        specification::KEY_TEXT,
        specification::IDENTIFIER_ACTOR,
        specification::IDENTIFIER_COUNTER,
        specification::INSERT,
        specification::ACTION,
        specification::VALUE_METADATA,
        specification::VALUE,
        specification::SUCCESSOR_COUNT,
        specification::SUCCESSOR_ACTOR,
        specification::SUCCESSOR_COUNTER,
    ];

    pub(super) fn of_change(data: &'a ColumnData<'_>) -> Self {
        let links = [
            specification::PREDECESSOR_COUNT,
            specification::PREDECESSOR_ACTOR,
            specification::PREDECESSOR_COUNTER,
        ];
        Self::with_links(data, links)
    }

    pub(super) fn of_document(data: &'a ColumnData<'_>) -> Self {
        let links = [
            specification::SUCCESSOR_COUNT,
            specification::SUCCESSOR_ACTOR,
            specification::SUCCESSOR_COUNTER,
        ];
        Self::with_links(data, links)
    }

    fn with_links(data: &'a ColumnData<'_>, [link_count, link_actor, link_counter]: [u32; 3]) -> Self {
        Self {
            object_actor: data.get(specification::OBJECT_ACTOR),
            object_counter: data.get(specification::OBJECT_COUNTER),
            key_actor: data.get(specification::KEY_ACTOR),
            key_counter: data.get(specification::KEY_COUNTER),
            key_text: data.get(specification::KEY_TEXT),
            insert: data.get(specification::INSERT),
            action: data.get(specification::ACTION),
            value_metadata: data.get(specification::VALUE_METADATA),
            value: data.get(specification::VALUE),
            link_count: data.get(link_count),
            link_actor: data.get(link_actor),
            link_counter: data.get(link_counter),
        }
    }

    /// How many operations the columns hold, once all of them agree on it. Counts by runs: time is proportional to
    /// the bytes, whatever the runs claim.
    pub(super) fn tally(&self, limits: OperationLimits) -> Result<u64, GateRefusal> {
        let rows_max = limits.operations_max;
        let actions = tally::<u64>(self.action, rows_max, |run| {
            run.value
                .map_or(Ok(()), |code| Action::from_code(code).map(|_| ()))
        })?;
        let operations = actions.rows;
        require_full(actions, operations)?;
        require_sparse(tally::<u64>(self.object_actor, rows_max, |_| Ok(()))?, operations)?;
        require_sparse(
            tally::<u64>(self.object_counter, rows_max, |_| Ok(()))?,
            operations,
        )?;
        require_sparse(tally::<u64>(self.key_actor, rows_max, |_| Ok(()))?, operations)?;
        require_sparse(tally::<i64>(self.key_counter, rows_max, |_| Ok(()))?, operations)?;
        require_sparse(self.tally_key_texts(limits)?, operations)?;
        if tally_booleans(self.insert, rows_max)? != operations {
            return Err(GateRefusal::Malformed("columns differ in length"));
        }
        self.tally_values(operations, rows_max)?;
        self.tally_links(operations, limits)?;
        Ok(operations)
    }

    fn tally_key_texts(&self, limits: OperationLimits) -> Result<Tally, GateRefusal> {
        let mut key_bytes = 0_u64;
        tally::<&str>(self.key_text, limits.operations_max, |run| {
            let length = run.value.map_or(0, str::len);
            if length > KEY_BYTES_MAX {
                return Err(GateRefusal::Malformed("a key is too long"));
            }
            // The length was just bounded and the count by `operations_max`.
            key_bytes += run.count * length as u64;
            match key_bytes > limits.key_bytes_max {
                true => Err(GateRefusal::Malformed("the keys are too long together")),
                false => Ok(()),
            }
        })
    }

    fn tally_values(&self, operations: u64, rows_max: u64) -> Result<(), GateRefusal> {
        let mut value_bytes = 0_u64;
        let metadata = tally::<u64>(self.value_metadata, rows_max, |run| {
            let run_bytes = (run.value.unwrap_or(0) >> 4).checked_mul(run.count);
            value_bytes = run_bytes
                .and_then(|bytes| value_bytes.checked_add(bytes))
                .filter(|bytes| *bytes <= self.value.len() as u64)
                .ok_or(GateRefusal::Malformed("the values are shorter than announced"))?;
            Ok(())
        })?;
        require_full(metadata, operations)?;
        match value_bytes == self.value.len() as u64 {
            true => Ok(()),
            false => Err(GateRefusal::Malformed("the values are longer than announced")),
        }
    }

    fn tally_links(&self, operations: u64, limits: OperationLimits) -> Result<(), GateRefusal> {
        let mut links = 0_u64;
        let counts = tally::<u64>(self.link_count, limits.operations_max, |run| {
            links = run
                .value
                .unwrap_or(0)
                .checked_mul(run.count)
                .and_then(|more| links.checked_add(more))
                .filter(|links| *links <= limits.links_max)
                .ok_or(GateRefusal::TooManyOperations)?;
            Ok(())
        })?;
        require_full(counts, operations)?;
        require_full(
            tally::<u64>(self.link_actor, limits.links_max, |_| Ok(()))?,
            links,
        )?;
        require_full(
            tally::<i64>(self.link_counter, limits.links_max, |_| Ok(()))?,
            links,
        )
    }

    pub(super) fn rows(&self) -> OperationRows<'a> {
        OperationRows {
            object_actor: Rows::new(self.object_actor),
            object_counter: Rows::new(self.object_counter),
            key_actor: Rows::new(self.key_actor),
            key_counter: DeltaRows::new(self.key_counter),
            key_text: Rows::new(self.key_text),
            insert: BooleanRows::new(self.insert),
            action: Rows::new(self.action),
            value_metadata: Rows::new(self.value_metadata),
            value: Reader::new(self.value),
            link_count: Rows::new(self.link_count),
            link_actor: Rows::new(self.link_actor),
            link_counter: DeltaRows::new(self.link_counter),
        }
    }
}

pub(super) fn require_full(tally: Tally, rows: u64) -> Result<(), GateRefusal> {
    match tally.rows == rows && tally.values == rows {
        true => Ok(()),
        false => Err(GateRefusal::Malformed("columns differ in length")),
    }
}

/// A column that leaves rows out is absent when it would leave out all of them.
pub(super) fn require_sparse(tally: Tally, rows: u64) -> Result<(), GateRefusal> {
    match tally.rows == 0 || (tally.rows == rows && tally.values > 0) {
        true => Ok(()),
        false => Err(GateRefusal::Malformed("columns differ in length")),
    }
}

/// The operations, row by row.
pub(super) struct OperationRows<'a> {
    object_actor: Rows<'a, u64>,
    object_counter: Rows<'a, u64>,
    key_actor: Rows<'a, u64>,
    key_counter: DeltaRows<'a>,
    key_text: Rows<'a, &'a str>,
    insert: BooleanRows<'a>,
    action: Rows<'a, u64>,
    value_metadata: Rows<'a, u64>,
    value: Reader<'a>,
    link_count: Rows<'a, u64>,
    link_actor: Rows<'a, u64>,
    link_counter: DeltaRows<'a>,
}

impl<'a> OperationRows<'a> {
    /// The next operation; its links must be taken with [`Self::next_link`] before the one after it.
    pub(super) fn next_operation(&mut self) -> Result<Operation<'a>, GateRefusal> {
        let object = match (self.object_actor.next_row()?, self.object_counter.next_row()?) {
            (None, None) => None,
            (Some(actor), Some(counter)) => Some(Identifier::new(actor, counter)?),
            _ => return Err(GateRefusal::Malformed("an object is named by half")),
        };
        let key = self.next_key()?;
        let insert = self.insert.next_row()?;
        let action = Action::from_code(self.action.next_value()?)?;
        let value = self.next_value()?;
        let links = self.link_count.next_value()?;
        let fits_key = match key {
            Key::Text(_) => !insert,
            Key::Head => insert && object.is_some(),
            Key::Element(_) => object.is_some(),
        };
        let fits_action = match action {
            Action::Set => true,
            Action::MakeMap | Action::MakeList | Action::MakeText => value == ValueKind::Null,
            Action::Delete => value == ValueKind::Null && !insert,
            Action::Increment => value == ValueKind::Number && !insert,
        };
        if !fits_key || !fits_action {
            return Err(GateRefusal::Malformed(
                "the parts of an operation do not belong together",
            ));
        }
        Ok(Operation {
            object,
            key,
            insert,
            action,
            links,
        })
    }

    pub(super) fn next_link(&mut self) -> Result<Identifier, GateRefusal> {
        Identifier::new(self.link_actor.next_value()?, self.link_counter.next_unsigned()?)
    }

    fn next_key(&mut self) -> Result<Key<'a>, GateRefusal> {
        let parts = (
            self.key_text.next_row()?,
            self.key_actor.next_row()?,
            self.key_counter.next_row()?,
        );
        match parts {
            (Some(text), None, None) => Ok(Key::Text(text)),
            (None, None, Some(0)) => Ok(Key::Head),
            (None, Some(actor), Some(counter)) => {
                let counter =
                    u64::try_from(counter).map_err(|_| GateRefusal::Malformed("a counter is negative"))?;
                Ok(Key::Element(Identifier::new(actor, counter)?))
            }
            _ => Err(GateRefusal::Malformed("a key is named by half")),
        }
    }

    fn next_value(&mut self) -> Result<ValueKind, GateRefusal> {
        let metadata = self.value_metadata.next_value()?;
        let length = usize::try_from(metadata >> 4).map_err(|_| GateRefusal::Truncated)?;
        let bytes = self.value.take(length)?;
        ValueKind::of(metadata & 0x0f, bytes)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Null,
    Number,
    Other,
}

impl ValueKind {
    /// Checks that `bytes` are a value of the type `code`, written the one way there is.
    fn of(code: u64, bytes: &[u8]) -> Result<Self, GateRefusal> {
        let mut reader = Reader::new(bytes);
        let kind = match code {
            0 => Self::Null,
            1 | 2 => Self::Other,
            3 => reader.unsigned().map(|_| Self::Number)?,
            4 => reader.signed().map(|_| Self::Number)?,
            5 => reader.array::<8>().map(|_| Self::Other)?,
            8 | 9 => reader.signed().map(|_| Self::Other)?,
            6 => {
                std::str::from_utf8(bytes).map_err(|_| GateRefusal::Malformed("a text is not UTF-8"))?;
                return Ok(Self::Other);
            }
            7 => return Ok(Self::Other),
            _ => return Err(GateRefusal::UnsupportedOperation),
        };
        match reader.is_empty() {
            true => Ok(kind),
            false => Err(GateRefusal::Malformed("a value has bytes left over")),
        }
    }
}
