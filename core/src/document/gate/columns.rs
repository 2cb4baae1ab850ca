//! The list of columns in front of the column data, and the data themselves, inflated where they must be.

use std::borrow::Cow;

use super::GateRefusal;
use super::inflate::inflate;
use super::limits::DOCUMENT_COLUMN_BYTES_MAX;
use super::reader::Reader;

/// What a column means: a number for the field (upper bits) and the type of its values (lower three).
pub(super) mod specification {
    pub(in super::super) const OBJECT_ACTOR: u32 = 0x01;
    pub(in super::super) const OBJECT_COUNTER: u32 = 0x02;
    pub(in super::super) const KEY_ACTOR: u32 = 0x11;
    pub(in super::super) const KEY_COUNTER: u32 = 0x13;
    pub(in super::super) const KEY_TEXT: u32 = 0x15;
    pub(in super::super) const IDENTIFIER_ACTOR: u32 = 0x21;
    pub(in super::super) const IDENTIFIER_COUNTER: u32 = 0x23;
    pub(in super::super) const INSERT: u32 = 0x34;
    pub(in super::super) const ACTION: u32 = 0x42;
    pub(in super::super) const VALUE_METADATA: u32 = 0x56;
    pub(in super::super) const VALUE: u32 = 0x57;
    pub(in super::super) const PREDECESSOR_COUNT: u32 = 0x70;
    pub(in super::super) const PREDECESSOR_ACTOR: u32 = 0x71;
    pub(in super::super) const PREDECESSOR_COUNTER: u32 = 0x73;
    pub(in super::super) const SUCCESSOR_COUNT: u32 = 0x80;
    pub(in super::super) const SUCCESSOR_ACTOR: u32 = 0x81;
    pub(in super::super) const SUCCESSOR_COUNTER: u32 = 0x83;
    pub(in super::super) const MARK_EXPAND: u32 = 0x94;
    pub(in super::super) const MARK_NAME: u32 = 0xa5;

    pub(in super::super) const CHANGE_ACTOR: u32 = 0x01;
    pub(in super::super) const CHANGE_SEQUENCE: u32 = 0x03;
    pub(in super::super) const CHANGE_MAX_OP: u32 = 0x13;
    pub(in super::super) const CHANGE_TIME: u32 = 0x23;
    pub(in super::super) const CHANGE_MESSAGE: u32 = 0x35;
    pub(in super::super) const DEPENDENCY_COUNT: u32 = 0x40;
    pub(in super::super) const DEPENDENCY_INDEX: u32 = 0x43;
    pub(in super::super) const EXTRA_METADATA: u32 = 0x56;
}

const DEFLATED: u32 = 0x08;

/// One line of the list.
#[derive(Clone, Copy)]
struct Column {
    specification: u32,
    is_deflated: bool,
    length: usize,
}

/// The list: which columns follow, in which order, and how long each is.
pub(super) struct ColumnList {
    columns: Vec<Column>,
}

impl ColumnList {
    /// Reads a list whose columns are all in `known`, each once and in ascending order.
    pub(super) fn read(reader: &mut Reader<'_>, known: &[u32]) -> Result<Self, GateRefusal> {
        let count = reader.length()?;
        if count > known.len() + 2 {
            return Err(GateRefusal::Malformed("too many columns"));
        }
        let mut columns = Vec::with_capacity(count);
        let mut previous = None;
        for _ in 0..count {
            let raw = u32::try_from(reader.unsigned()?)
                .map_err(|_| GateRefusal::Malformed("a column is unknown"))?;
            let specification = raw & !DEFLATED;
            if previous >= Some(specification) {
                return Err(GateRefusal::Malformed("columns are out of order"));
            }
            previous = Some(specification);
            if matches!(
                specification,
                specification::MARK_EXPAND | specification::MARK_NAME
            ) {
                return Err(GateRefusal::UnsupportedOperation);
            }
            if !known.contains(&specification) {
                return Err(GateRefusal::Malformed("a column is unknown"));
            }
            let length = reader.length()?;
            if length == 0 {
                return Err(GateRefusal::NotCanonical("a column is empty"));
            }
            columns.push(Column {
                specification,
                is_deflated: raw & DEFLATED != 0,
                length,
            });
        }
        Ok(Self { columns })
    }

    /// Refuses deflated columns: inside a change there are none.
    pub(super) fn require_plain(&self) -> Result<(), GateRefusal> {
        match self.columns.iter().any(|column| column.is_deflated) {
            true => Err(GateRefusal::Malformed("a column of a change is deflated")),
            false => Ok(()),
        }
    }

    /// Takes the data of all columns; `inflated_bytes` counts what all lists of a document inflate to.
    pub(super) fn read_data<'a>(
        &self,
        reader: &mut Reader<'a>,
        inflated_bytes: &mut usize,
    ) -> Result<ColumnData<'a>, GateRefusal> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let raw = reader.take(column.length)?;
            let bytes_left = DOCUMENT_COLUMN_BYTES_MAX.saturating_sub(*inflated_bytes);
            let bytes = match column.is_deflated {
                true => Cow::Owned(inflate(raw, bytes_left, GateRefusal::DocumentTooLarge)?),
                false if raw.len() > bytes_left => return Err(GateRefusal::DocumentTooLarge),
                false => Cow::Borrowed(raw),
            };
            if bytes.is_empty() {
                return Err(GateRefusal::NotCanonical("a column is empty"));
            }
            *inflated_bytes += bytes.len();
            columns.push((column.specification, bytes));
        }
        Ok(ColumnData { columns })
    }
}

/// The columns' bytes by their meaning.
pub(super) struct ColumnData<'a> {
    columns: Vec<(u32, Cow<'a, [u8]>)>,
}

impl ColumnData<'_> {
    /// The column's bytes, empty when the column is absent.
    pub(super) fn get(&self, specification: u32) -> &[u8] {
        self.columns
            .iter()
            .find(|(known, _)| *known == specification)
            .map_or(&[], |(_, bytes)| bytes)
    }
}
