//! `POST /v1/snapshot`: the patients a device needs first, from state and not from history.

use crate::bytes::ByteBuf;
use crate::id::{DocumentId, PatientId};
use crate::record::{PatientRecord, Stream};
use serde::{Deserialize, Serialize};

/// A device names up to `limits::SNAPSHOT_PATIENTS_MAX` patients.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotRequest {
    /// The patients.
    pub patients: Vec<PatientId>,
}

/// A document as the server holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotDocument {
    /// Which.
    pub id: DocumentId,
    /// `chapter` or `chart`.
    pub kind: String,
    /// Whose.
    pub patient: PatientId,
    /// The stream that orders it.
    pub stream: Stream,
    /// Of a chapter: the UTC year and the part.
    pub chapter: (i32, u32),
    /// Every item of the stream up to here is in it.
    pub as_of: u64,
    /// Automerge's saved form; passes the gate before it is opened.
    pub saved: ByteBuf,
}

/// A record as the server holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Whose.
    pub patient: PatientId,
    /// The stream that orders it.
    pub stream: Stream,
    /// The record.
    pub record: PatientRecord,
    /// Its version.
    pub version: u64,
    /// Every item of the stream up to here is in it.
    pub as_of: u64,
}

/// The answer; patients out of scope or unknown are simply not in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SnapshotAnswer {
    /// The server's history.
    pub epoch: u64,
    /// The records.
    pub records: Vec<SnapshotRecord>,
    /// The documents.
    pub documents: Vec<SnapshotDocument>,
    /// The answer would be too large: these were left out, ask again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<PatientId>,
}
