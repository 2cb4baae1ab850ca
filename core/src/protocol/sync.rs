//! `POST /v1/sync`: pushes a bounded batch and pulls from the cursors, in one round trip.

use super::{Cursor, Frozen, Page, Scope, Tokens};
use crate::bytes::{ByteArray, ByteBuf};
use crate::id::{Incarnation, PatientId, WriteId};
use crate::record::Write;
use crate::time::EpochMs;
use serde::{Deserialize, Serialize};

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A device asks for an exchange.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The number of the store's incarnation (the store itself is named by the token).
    pub incarnation: u64,
    /// The server's history as the device knows it.
    pub epoch: u64,
    /// The scope the device knows.
    pub scope: u32,
    /// Sent when the access token is about to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<super::Credential>,
    /// Where the device stands, one for each stream in its scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursors: Vec<Cursor>,
    /// Writes, in the order they shall be applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub push: Vec<PushItem>,
    /// The device's audit, from where the server's receipt ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditBatch>,
    /// The device computes other changes than the server: send them whole.
    #[serde(default, skip_serializing_if = "is_false")]
    pub raw: bool,
    /// The version of the reference data the device has, where its scope names another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<u32>,
    /// Writes of this incarnation that the server said it holds in quarantine: what became of them?
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<u64>,
    /// The device takes segments of a stream it has nothing of.
    #[serde(default, skip_serializing_if = "is_false")]
    pub segments: bool,
    /// The minor version of the protocol the device speaks ([`super::MINOR`]); 0: one before they were named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor: u32,
    /// The form of signed heads the device reads: [`super::WholeHeads::VERSION`], or 0 for the first one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub heads: u32,
    /// A write the device was told is accepted, and that no signed head has covered for it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// The device compares what it holds: the answer says the digest of each stream it then has read to its end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub digest: bool,
    /// Places of logs the device reads again that it, or what it gave back, had come to: compared, and not read from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<Cursor>,
}

/// One write on its way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PushItem {
    /// The write as it was frozen.
    pub write: Frozen<Write>,
    /// The generation of the actor it is encoded under.
    #[serde(default)]
    pub generation: u32,
    /// One for each document it touches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeReference>,
}

/// A change that the receiver computes from the write: same write, same actor, same dependencies, same bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeReference {
    /// The first four bytes of its hash, big-endian: tells at once when the two sides compute differently.
    /// The running hash of the log covers the whole hash.
    pub check: u32,
    /// What it builds on. None: the previous change of this document in this message, else the genesis change.
    /// (The reader's own items of a page carry no changes, so they do not count; a page's message is its answer.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<ByteArray<32>>>,
    /// The change itself, only where the receiver computed another one or does not know the intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<ByteBuf>,
}

/// What became of a write. It is stored with the effect and never changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in the stream's log at `seq`.
    Accepted {
        /// Its place.
        seq: u64,
        /// When the server received it.
        received_ms: EpochMs,
        /// The hashes of the changes the server holds, only where they are not the ones just referenced.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<ByteArray<32>>,
    },
    /// The server said no, for ever.
    Refused {
        /// A stable code of the catalogue.
        code: String,
        /// Safe to log.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// No outcome: nothing was stored, send it again (`waiting_for`, `missing_dependency`, `internal` …).
    Retry {
        /// A stable code of the catalogue.
        code: String,
    },
    /// No outcome: a person or an update is needed (`app_too_old`, `too_large`, `out_of_scope`).
    Park {
        /// A stable code of the catalogue.
        code: String,
    },
}

/// The same outcome for `count` writes in a row; of accepted ones `seq` counts on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutcomeRun {
    /// The first write.
    pub n: u64,
    /// How many.
    pub count: u32,
    /// What became of the first.
    pub outcome: Outcome,
}

/// The highest write the server holds for this store and incarnation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Its number.
    pub n: u64,
    /// Four bytes of its canonical bytes' hash: a restored file that wrote another n-th write knows it is a fork.
    pub check: u32,
}

/// Something a person did, in the device's order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditRecord {
    /// Saved the `n`-th write: who, when, whom and what are in the write itself.
    Wrote {
        /// The write.
        n: u64,
        /// SHA-256 of the write's bytes.
        hash: ByteArray<32>,
    },
    /// Opened a patient.
    Opened {
        /// The user.
        user: crate::id::UserId,
        /// The patient.
        patient: PatientId,
        /// Why.
        purpose: String,
        /// When.
        at_ms: EpochMs,
        /// Binds it to what followed.
        correlation: ByteArray<8>,
        /// The records linked with it, which are read with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        linked: Vec<PatientId>,
    },
    /// Saw a list or searched across patients.
    Listed {
        /// The user.
        user: crate::id::UserId,
        /// What kind of list.
        list: String,
        /// How many rows were shown.
        count: u64,
        /// SHA-256 of the words, first eight bytes.
        words: ByteArray<8>,
        /// When.
        at_ms: EpochMs,
    },
    /// Anything else: a discard, an export, a sign-out.
    Did {
        /// The user.
        user: crate::id::UserId,
        /// A word of the audit's vocabulary.
        action: String,
        /// The write or patient it was done to.
        subject: Option<uuid::Uuid>,
        /// Why.
        reason: crate::redact::Sensitive<String>,
        /// When.
        at_ms: EpochMs,
    },
}

/// Records as they travel: those of writes the server has are named, not sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditItem {
    /// `Wrote` records of writes in a row that travel in this request or are at the server: it fills in their hashes.
    Wrote {
        /// The first write.
        n: u64,
        /// How many in a row.
        count: u32,
    },
    /// Any other record.
    Record(AuditRecord),
}

/// A run of a device's audit. Where the server cannot fill in a hash, or the head does not come out, it keeps
/// nothing of the run and its anchor stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditBatch {
    /// The place of the first record in the device's chain, from 1.
    pub first: u64,
    /// The records.
    pub items: Vec<AuditItem>,
    /// The chain's head after the last.
    pub head: ByteArray<32>,
}

impl AuditBatch {
    /// The place of the last record in the chain.
    pub fn last(&self) -> u64 {
        let counts = self.items.iter().map(|item| match item {
            AuditItem::Wrote { count, .. } => u64::from(*count),
            AuditItem::Record(_) => 1,
        });
        self.first.saturating_add(counts.sum::<u64>()).saturating_sub(1)
    }
}

/// How far the server holds a device's audit: up to here the device may purge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditAnchor {
    /// The last record held.
    pub last: u64,
    /// The chain's head there.
    pub head: ByteArray<32>,
    /// Records that lie in a verified copy of the server; none without one. Behind a server that was restored a
    /// device sends again what this did not cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<u64>,
}

/// The answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// The server's history.
    pub epoch: u64,
    /// Server time.
    pub time_ms: EpochMs,
    /// The highest write the server holds of this incarnation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What became of the writes pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeRun>,
    /// Whose writes the pages hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Incarnation>,
    /// What is new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// A new scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// New tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// The receipt of the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditAnchor>,
    /// Log items that lie in a verified copy, as (stream index in the request, seq); empty without a backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub durable: Vec<(u32, u64)>,
    /// Reference data behind the version the request named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<super::ReferencePage>,
    /// What became of writes in quarantine, of those the request asks for; one that still waits is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<(u64, QuarantineAnswer)>,
    /// Streams, by their index among the request's cursors, that are to be read from segments first: no page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<u32>,
    /// Cursors of the request, by index, that the signature says nothing of: streams out of scope, and logs that
    /// do not stand here as the cursor has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<u32>,
    /// Of each stream that the request's `digest` asks for and this answer reads to its end: the index of its cursor and
    /// the digest's root there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<(u32, ByteArray<8>)>,
    /// Ed25519 over [`super::SignedHeads`], or over [`super::WholeHeads`] where the request asks for it.
    pub signature: ByteArray<64>,
}

/// What a supervisor decided of a write in quarantine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineAnswer {
    /// It is in the log, as if it had been accepted.
    Released,
    /// It did not go in.
    Discarded,
}

impl PushItem {
    /// The write's id.
    pub fn id(&self, incarnation: &Incarnation) -> Option<WriteId> {
        self.write.value().map(|write| write.id(incarnation))
    }
}
