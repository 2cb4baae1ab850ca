//! `POST /v1/segments`, `/v1/segment`, `/v1/documents`: a stream's state for a device that has nothing of it yet.
//! A segment is immutable and named by its hash; the list of them is signed like heads.

use super::{ChainHash, SnapshotDocument, SnapshotRecord};
use crate::bytes::ByteArray;
use crate::id::{DocumentId, PatientId};
use crate::record::Stream;
use serde::{Deserialize, Serialize};

/// The form of a segment's content. A device that knows another one reads the log instead.
pub const SEGMENT_FORM: u32 = 1;

/// Asks for the list of a stream's segments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentsRequest {
    /// The stream.
    pub stream: Stream,
    /// How many segments of the list the device knows.
    pub from: u32,
    /// The list they are of: its `as_of`; 0 for none.
    pub as_of: u64,
}

/// A segment's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentName {
    /// SHA-256 of its bytes.
    pub hash: ByteArray<32>,
    /// How many bytes.
    pub bytes: u32,
    /// Entries and chart items in it.
    pub rows: u32,
}

/// Part of the list. Of a stream that is out of scope or has no segments: as of 0, and none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentsAnswer {
    /// The server's history.
    pub epoch: u64,
    /// [`SEGMENT_FORM`].
    pub form: u32,
    /// Every item of the stream up to here is in the segments; the log goes on behind it.
    pub as_of: u64,
    /// The running hash there.
    pub chain: ByteArray<32>,
    /// The place of the first segment below; 0 although more were known: the list was made anew.
    pub first: u32,
    /// The segments, in the order of their content: patient, year, part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentName>,
    /// The list goes on: ask again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Ed25519 by the key pinned at enrolment over [`SegmentsAnswer::signed_bytes`].
    pub signature: ByteArray<64>,
}

impl SegmentsAnswer {
    /// What is signed: the answer with the stream and without the signature.
    pub fn signed_bytes(&self, stream: &Stream) -> Vec<u8> {
        let mut bytes = b"vereda segments v1\0".to_vec();
        let unsigned = Self {
            signature: ByteArray::new([0; 64]),
            ..self.clone()
        };
        bytes.extend(super::encode(&(stream, unsigned)));
        bytes
    }

    /// The running hash at `as_of`.
    pub fn chain(&self) -> ChainHash {
        *self.chain
    }
}

/// Asks for a segment's bytes; the answer's body is these bytes, of media type [`SEGMENT_MEDIA_TYPE`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentRequest {
    /// Which.
    pub hash: ByteArray<32>,
    /// From this byte on.
    pub from: u32,
}

/// The media type of a segment's bytes.
pub const SEGMENT_MEDIA_TYPE: &str = "application/vereda-segment";

/// Asks for documents whole, up to `limits::DOCUMENTS_ASKED_MAX`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DocumentsRequest {
    /// Which.
    pub documents: Vec<DocumentId>,
    /// Patients whose records are asked for, up to as many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<PatientId>,
}

/// The documents in scope; the others are not in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DocumentsAnswer {
    /// The server's history.
    pub epoch: u64,
    /// The documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<SnapshotDocument>,
    /// The records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<SnapshotRecord>,
    /// The answer would be too large: these were left out, ask again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<DocumentId>,
}
