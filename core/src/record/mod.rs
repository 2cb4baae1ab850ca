//! Clinical values and what may be done with them: parsed and judged here, trusted inside.

mod canonical;
mod chart;
mod duplicate;
mod entry;
mod fold;
mod identifier;
mod intent;
mod kind;
mod numeric;
mod partial_date;
mod patient;
mod reference;
mod search;
mod statistics;
mod stream;
mod text;
mod validate;
mod write;

pub use canonical::{canonical_json, canonical_text, parse_json};
pub use chart::{ChartField, ChartFields, ChartKind};
pub use duplicate::{DuplicateReason, duplicate_keys, likely_duplicate};
pub use entry::{EntryHeader, Marks, NewEntry, Origin, Relation};
pub use fold::fold;
pub use identifier::{Identifier, IdentifierSystem};
pub use intent::{BodyEdit, DraftEdit, Intent, ReferenceRow, TextEdit};
pub use kind::{Kind, KindDefinition, KindRegistry};
pub use numeric::{Found, Measure, NumericField};
pub use partial_date::PartialDate;
pub use patient::{Contact, FieldChange, PatientField, PatientRecord, PatientValue};
pub use reference::{Council, Professional, ReferenceKind, Speciality, UnitReference};
pub use search::SearchWords;
pub use statistics::{Finite, Heatmap, HeatmapCell, Window, mean, moving_average, percentile_95};
pub use stream::{Compartment, Stream};
pub(crate) use text::check_length;
pub use write::{Class, FirstKey, Write, WriteHash};
