//! A stream's log: items in one total order under a running hash.

use super::{ChangeReference, Frozen};
use crate::bytes::{ByteArray, ByteBuf};
use crate::id::{Incarnation, PatientId, WriteId};
use crate::record::{Stream, Write};
use crate::time::EpochMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The running hash after an item. Before the first it is all zeros.
pub type ChainHash = [u8; 32];

/// How far a reader has come in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The stream.
    pub stream: Stream,
    /// The last item read; 0 before the first.
    pub seq: u64,
    /// Eight bytes of the running hash there: a server whose log differs takes a new epoch.
    pub chain: ByteArray<8>,
}

/// The eight bytes of a running hash that a cursor carries.
pub fn chain_tag(chain: &ChainHash) -> ByteArray<8> {
    let mut tag = [0; 8];
    tag.copy_from_slice(&chain[..8]);
    ByteArray::new(tag)
}

/// The first four bytes of a change's hash, big-endian: what travels of it.
pub fn change_check(hash: &[u8; 32]) -> u32 {
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// The running hash after an item, of the hashes of its changes.
pub fn advance_chain(
    previous: &ChainHash,
    incarnation: &Incarnation,
    write_hash: &[u8; 32],
    change_hashes: &[[u8; 32]],
    received_ms: EpochMs,
) -> ChainHash {
    let checks: Vec<u32> = change_hashes.iter().map(change_check).collect();
    advance_chain_by_checks(previous, incarnation, write_hash, &checks, received_ms)
}

/// The running hash after an item: over what the page says of it, so that a whole page is verified before any of
/// it is applied.
pub fn advance_chain_by_checks(
    previous: &ChainHash,
    incarnation: &Incarnation,
    write_hash: &[u8; 32],
    checks: &[u32],
    received_ms: EpochMs,
) -> ChainHash {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(incarnation.store.as_bytes());
    hash.update(incarnation.number.to_be_bytes());
    hash.update(write_hash);
    for check in checks {
        hash.update(check.to_be_bytes());
    }
    hash.update(received_ms.to_be_bytes());
    hash.finalize().into()
}

/// One accepted write as its readers get it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LogItem {
    /// Index into the answer's `origins`: whose write it is.
    pub origin: u32,
    /// The generation of its actor.
    pub generation: u32,
    /// The write as its author froze it.
    pub write: Frozen<Write>,
    /// Its changes, one for each document it touches, in the order `document::operations` names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeReference>,
}

/// An item of a page. `seq` and `received_ms` are counted on from the page's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageItem {
    /// The reader's own writes, which it has: only their numbers.
    Own {
        /// The first write.
        n: u64,
        /// How many in a row, each an item with the next `n` and the next seq.
        count: u32,
    },
    /// Somebody else's.
    Item(Box<LogItem>),
    /// Of a write that names two patients, what it does to the one this stream carries.
    Part(Box<PartItem>),
    /// Items about patients who left the stream: nothing of them but where the running hash stands behind them.
    Withheld {
        /// How many in a row.
        count: u32,
        /// The running hash after the last.
        chain: ByteArray<32>,
        /// The shares that ended in these items ([`share_tag`]), and whom the stream's unit gave away with the last of
        /// them ([`moved_tag`]): only who knows a share or a patient reads anything out of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<ByteArray<8>>,
    },
}

/// What stands for a share towards those who may no longer know it: eight bytes of the hash of its id.
pub fn share_tag(share: &WriteId) -> ByteArray<8> {
    let digest: ChainHash = Sha256::digest(share.as_bytes()).into();
    chain_tag(&digest)
}

/// What stands for a patient towards those who may no longer know where they went.
pub fn moved_tag(patient: &PatientId) -> ByteArray<8> {
    let digest: ChainHash = Sha256::digest(patient.as_bytes()).into();
    chain_tag(&digest)
}

/// What a write that names another patient does to the one a stream carries.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PartItem {
    /// Index into the answer's `origins`: whose write it is.
    pub origin: u32,
    /// The generation of its actor.
    pub generation: u32,
    /// The write's number.
    pub n: u64,
    /// The hash of the write, which does not travel.
    pub hash: ByteArray<32>,
    /// Its changes, in the order `document::operations` names them.
    pub changes: Vec<PartChange>,
}

/// A change of a write that does not travel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PartChange {
    /// The first four bytes of its hash, big-endian.
    pub check: u32,
    /// The change, if it is to a document of the patient the stream carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<DocumentChange>,
}

/// A change whole, and the document it goes to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DocumentChange {
    /// Whose document.
    pub patient: PatientId,
    /// Its chapter: the UTC year and the part.
    pub chapter: (i32, u32),
    /// The change's bytes; they pass the gate before they are opened.
    pub raw: ByteBuf,
}

/// A run of a stream's log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Page {
    /// The stream.
    pub stream: Stream,
    /// The seq of the first item: the cursor's + 1. Where it is 1 although the cursor stood further, the server's
    /// log differs there: the reader starts anew from seq 0 and the zero chain.
    pub first: u64,
    /// The items, without a gap.
    pub items: Vec<PageItem>,
    /// When the server received each: (how many items, when), in order.
    pub received_ms: Vec<(u32, EpochMs)>,
    /// Whether the stream goes on after this page.
    pub more: bool,
}

/// What one signature of an answer covers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedHeads {
    /// The server's history.
    pub epoch: u64,
    /// Server time of the answer.
    pub time_ms: EpochMs,
    /// For each stream of the request, in its order: where the reader stands after this answer.
    pub heads: Vec<(u64, ByteArray<8>)>,
}

impl SignedHeads {
    /// The bytes under the signature. The heads themselves do not travel: the reader computes them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"vereda heads v1\0".to_vec();
        bytes.extend(super::encode(self));
        bytes
    }
}
