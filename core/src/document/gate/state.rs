//! The operations of a saved document, judged against its change table.
//!
//! A document holds its operations sorted: by object, by key or element, by age. Deletions are not stored; they are
//! successors that are nowhere present. Automerge rebuilds every change from this, so each operation of the change
//! table must be there exactly once, as itself or as a deletion.

use super::GateRefusal;
use super::columns::{ColumnData, specification};
use super::history::History;
use super::limits::{DOCUMENT_KEY_BYTES_MAX, DOCUMENT_OPERATIONS_MAX, DOCUMENT_SUCCESSORS_MAX};
use super::operation::{
    Action, Identifier, Key, Operation, OperationColumns, OperationLimits, OperationRows, require_full,
};
use super::runs::{DeltaRows, Rows, tally};

const LIMITS: OperationLimits = OperationLimits {
    operations_max: DOCUMENT_OPERATIONS_MAX,
    links_max: DOCUMENT_SUCCESSORS_MAX,
    key_bytes_max: DOCUMENT_KEY_BYTES_MAX,
};

const IS_PRESENT: u32 = 1;
const IS_MAP: u32 = 2;
const IS_SEQUENCE: u32 = 4;
const IS_ELEMENT: u32 = 8;
/// The remaining bits number the register in which an operation was met, from 1.
const REGISTER_SHIFT: u32 = 4;

/// What one operation can overwrite another in: a key of a map, an element of a list or text.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Register<'a> {
    object: Option<Identifier>,
    /// An element is named by the operation that inserted it.
    key: Key<'a>,
}

/// Judges row by row. Four bytes for each operation of the change table say what was seen of it.
pub(super) struct Operations<'h, 'a> {
    history: &'h History,
    seen: Vec<u32>,
    last: Option<(Register<'a>, Identifier)>,
    register: u32,
}

impl<'h, 'a> Operations<'h, 'a> {
    pub(super) fn new(history: &'h History) -> Self {
        // At most `DOCUMENT_OPERATIONS_MAX`, which the table was held to.
        let operations = usize::try_from(history.operations()).unwrap_or(0);
        Self {
            history,
            seen: vec![0; operations],
            last: None,
            register: 0,
        }
    }

    pub(super) fn judge(mut self, data: &'a ColumnData<'_>) -> Result<(), GateRefusal> {
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
        match self.seen.contains(&0) {
            true => Err(GateRefusal::Malformed("operations are missing")),
            false => Ok(()),
        }
    }

    fn judge_operation(
        &mut self,
        identifier: Identifier,
        operation: &Operation<'a>,
    ) -> Result<(), GateRefusal> {
        if operation.action == Action::Delete {
            return Err(GateRefusal::Malformed("a deletion is stored as an operation"));
        }
        if let Some(object) = operation.object {
            let kind = match operation.key {
                Key::Text(_) => IS_MAP,
                Key::Head | Key::Element(_) => IS_SEQUENCE,
            };
            self.require_earlier(object, identifier, kind)?;
        }
        if let Key::Element(element) = operation.key {
            self.require_earlier(element, identifier, IS_ELEMENT)?;
        }
        self.enter_register(identifier, operation)?;
        let flags = match operation.action {
            Action::MakeMap => IS_MAP,
            Action::MakeList | Action::MakeText => IS_SEQUENCE,
            Action::Set | Action::Delete | Action::Increment => 0,
        };
        let element = if operation.insert { IS_ELEMENT } else { 0 };
        let seen = self.meet(identifier)?;
        if *seen & IS_PRESENT != 0 {
            return Err(GateRefusal::InvalidReference);
        }
        *seen |= IS_PRESENT | flags | element;
        Ok(())
    }

    /// Objects ascend, keys ascend within a map, and age ascends within a register.
    fn enter_register(
        &mut self,
        identifier: Identifier,
        operation: &Operation<'a>,
    ) -> Result<(), GateRefusal> {
        let key = if operation.insert {
            Key::Element(identifier)
        } else {
            operation.key
        };
        let register = Register {
            object: operation.object,
            key,
        };
        let ascends = match self.last {
            Some((last, before)) if last == register => before.age() < identifier.age(),
            Some((last, _)) => {
                self.register += 1;
                let (last_object, object) = (
                    last.object.map(Identifier::age),
                    register.object.map(Identifier::age),
                );
                match (last.key, register.key) {
                    (Key::Text(last_text), Key::Text(text)) if last_object == object => last_text < text,
                    _ => last_object <= object,
                }
            }
            None => {
                self.register = 1;
                true
            }
        };
        self.last = Some((register, identifier));
        if ascends {
            Ok(())
        } else {
            Err(GateRefusal::NotCanonical("operations are out of order"))
        }
    }

    fn judge_successors(
        &mut self,
        identifier: Identifier,
        operation: &Operation<'a>,
        rows: &mut OperationRows<'a>,
    ) -> Result<(), GateRefusal> {
        for _ in 0..operation.links {
            let successor = rows.next_link()?;
            if successor.counter <= identifier.counter {
                return Err(GateRefusal::InvalidReference);
            }
            self.meet(successor)?;
        }
        Ok(())
    }

    /// Notes that an operation lives in the current register, and nowhere else: one that succeeded another in two
    /// registers would be rebuilt twice.
    fn meet(&mut self, identifier: Identifier) -> Result<&mut u32, GateRefusal> {
        let register = self.register;
        let seen = self.seen_mut(identifier)?;
        match *seen >> REGISTER_SHIFT {
            0 => *seen |= register << REGISTER_SHIFT,
            met if met == register => {}
            _ => return Err(GateRefusal::InvalidReference),
        }
        Ok(seen)
    }

    fn require_earlier(&mut self, named: Identifier, by: Identifier, flag: u32) -> Result<(), GateRefusal> {
        match named.counter < by.counter && *self.seen_mut(named)? & flag != 0 {
            true => Ok(()),
            false => Err(GateRefusal::InvalidReference),
        }
    }

    fn seen_mut(&mut self, identifier: Identifier) -> Result<&mut u32, GateRefusal> {
        let place = self
            .history
            .place_of(identifier)
            .ok_or(GateRefusal::InvalidReference)?;
        self.seen.get_mut(place).ok_or(GateRefusal::InvalidReference)
    }
}
