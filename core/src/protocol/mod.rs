//! The wire protocol v1: the same types as CBOR (RFC 8949) and as JSON. `docs/SPEC.md` is normative.

mod audit_chain;
mod body;
mod codec;
pub mod columns;
mod correlation;
mod digest;
mod enrol;
mod find;
mod frozen;
mod log;
mod problem;
mod reference;
mod segments;
mod snapshot;
mod sync;
mod tail;
mod token;

pub use audit_chain::advance_audit;
pub use body::{BodyError, Encoding, decode_body, encode_body};
pub use codec::{DecodeError, decode, encode};
pub use correlation::CorrelationId;
pub use digest::{DigestAnswer, DigestAsked, DigestBelow, DigestDiffering, DigestRequest};
pub use enrol::{EnrolAnswer, EnrolRequest, EnrolmentCode, Person, Scope, Unit};
pub use find::{FindAnswer, FindRequest, Found};
pub use frozen::Frozen;
pub use log::{
    ChainHash, Cursor, DocumentChange, LogItem, Page, PageItem, PartChange, PartItem, SignedHeads,
    advance_chain, advance_chain_by_checks, chain_tag, change_check, moved_tag, share_tag,
};
pub use problem::Problem;
pub use reference::{ReferenceItem, ReferencePage};
pub use segments::{
    DocumentsAnswer, DocumentsRequest, SEGMENT_FORM, SEGMENT_MEDIA_TYPE, SegmentName, SegmentRequest,
    SegmentsAnswer, SegmentsRequest,
};
pub use snapshot::{SnapshotAnswer, SnapshotDocument, SnapshotRecord, SnapshotRequest};
pub use sync::{
    AuditAnchor, AuditBatch, AuditItem, AuditRecord, ChangeReference, Outcome, OutcomeRun, PushItem,
    QuarantineAnswer, Seen, SyncAnswer, SyncRequest,
};
pub use tail::{
    BREAKS_MAX, TAIL_POINTS_MAX, TailAnswer, TailFlaw, TailRequest, TailRun, WholeHeads, head_leaf,
};
pub use token::{Credential, Tokens};

/// The protocol's major version: the `/v1` of every path.
pub const VERSION: u16 = 1;
/// The minor version a device names in its sync requests: what it can read of an answer. Those before it named none.
pub const MINOR: u32 = 10;
/// The first minor version that reads items of patients who left a stream ([`PageItem::Part`], `Withheld`).
pub const MINOR_OF_PARTS: u32 = 9;
/// From this one on signed heads name the places before what a page does not carry whole.
pub const MINOR_OF_BREAKS: u32 = 10;
/// `POST`: one round trip of push and pull.
pub const PATH_SYNC: &str = "/v1/sync";
/// `POST`: an enrolment code becomes a device.
pub const PATH_ENROL: &str = "/v1/enrol";
/// `POST`: the documents and records of named patients.
pub const PATH_SNAPSHOT: &str = "/v1/snapshot";
/// `POST`: patients of other units, by an exact identifier.
pub const PATH_FIND: &str = "/v1/find";
/// `POST`: the list of a stream's row segments.
pub const PATH_SEGMENTS: &str = "/v1/segments";
/// `POST`: a segment's bytes.
pub const PATH_SEGMENT: &str = "/v1/segment";
/// `POST`: documents whole, by id.
pub const PATH_DOCUMENTS: &str = "/v1/documents";
/// `POST`: where a device and the server differ.
pub const PATH_DIGEST: &str = "/v1/digest";
/// `POST`: gives a restored server back what it lost.
pub const PATH_TAIL: &str = "/v1/tail";
/// `GET`: server-sent events, a poke for each stream that grew.
pub const PATH_LIVE: &str = "/v1/live";
