//! FHIR R4 data types, as far as a timeline needs them.

mod attachment;
mod concept;
mod moment;
mod person;
mod quantity;
mod reference;

pub(crate) use attachment::{attached_text, attached_title};
pub(crate) use concept::{Concept, code_of};
pub(crate) use moment::{moment, moment_of, period_end, period_start};
pub(crate) use person::{address_line, full_name};
pub(crate) use quantity::{Quantity, shown_number};
pub(crate) use reference::{Reference, is_id, is_type};
