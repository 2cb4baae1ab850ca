//! The replica: writes, one's own and everybody's, become changes of documents and rows of the read model, in the
//! transaction of the step. Own writes that wait lie on top of what the server accepted and can be taken back.

mod apply;
mod cache;
mod chart_rows;
mod departure;
mod entry_rows;
mod first_sync;
mod links;
mod placement;
mod reconstruct;
mod records;
mod records_again;
mod repair;
mod resync;

pub use apply::{Previous, accept_change, apply_accepted, apply_own, find_change, settle_own};
pub use cache::DocumentCache;
pub use departure::{
    awaits_records, begin_departures, continue_departures, end_departures, leave_streams, note_unknown,
    settle_unknown,
};
pub use entry_rows::{entry_state, shown_header_of as shown_header};
pub use first_sync::{Opening, announce, ingest, take_document};
pub use links::{accept_link, refresh_links};
pub use placement::{accept_placement, carried_by, check_asked, end_shares, is_readable, writing_unit};
pub use reconstruct::{rebuild_documents, reproject_everything, subjects};
pub use records::{accept_record, accept_snapshot_record, refresh_record};
pub use records_again::{begin as begin_records_again, finish as finish_records_again};
pub use repair::{
    DocumentCheck, Repair, check_document, opened_leaf, repair_document, repair_record, withdraw_repair,
};
pub use resync::{end_resync, keep as keep_document, mark_documents};
