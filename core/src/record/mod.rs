//! Clinical values and what may be done with them: parsed and judged here, trusted inside.

mod chart;
mod entry;
mod identifier;
mod intent;
mod kind;
mod patient;
mod stream;
mod write;

pub use chart::{ChartField, ChartFields, ChartKind};
pub use entry::{EntryHeader, Marks, NewEntry, Origin, Relation};
pub use identifier::{Identifier, IdentifierSystem};
pub use intent::{BodyEdit, DraftEdit, Intent, ReferenceRow, TextEdit};
pub use kind::{Kind, KindDefinition, KindRegistry};
pub use patient::{Contact, FieldChange, PatientField, PatientRecord, PatientValue};
pub use stream::{Compartment, Stream};
pub use write::{Class, Write, WriteHash};
