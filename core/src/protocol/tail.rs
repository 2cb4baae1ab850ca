//! `POST /v1/tail`: a device gives a restored server back what it lost. The server believes its own signature over
//! where a log stood, and nothing else.

use super::{ChainHash, Credential, PageItem, Tokens, advance_chain_by_checks};
use crate::bytes::ByteArray;
use crate::id::Incarnation;
use crate::record::Stream;
use crate::time::EpochMs;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Points one request may show.
pub const TAIL_POINTS_MAX: usize = 64;

/// Places before something that a page does not carry whole: so many of them the signed heads name.
pub const BREAKS_MAX: usize = 32;

/// A device asks how far the server holds a log, and gives back a run of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TailRequest {
    /// The stream.
    pub stream: Stream,
    /// Sent when the access token is about to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Credential>,
    /// Places of the log as the device read it: (seq, eight bytes of the running hash there).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<(u64, ByteArray<8>)>,
    /// A run of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<TailRun>,
    /// Where the server's log stood when the device last gave back to it: the epoch, the place, and eight bytes of the
    /// running hash there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<(u64, u64, ByteArray<8>)>,
}

/// A run of a lost log, with the server's signature over its end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TailRun {
    /// The seq of the first item, in the lost log.
    pub first: u64,
    /// The running hash before it.
    pub before: ByteArray<32>,
    /// Whose writes the items are.
    pub origins: Vec<Incarnation>,
    /// The items, without a gap; none is `own`.
    pub items: Vec<PageItem>,
    /// When the server received each: (how many items, when), in order.
    pub received_ms: Vec<(u32, EpochMs)>,
    /// The signed heads of the answer that brought the last item.
    pub heads: WholeHeads,
    /// The server's signature over them.
    pub signature: ByteArray<64>,
}

/// Why a run is not what the server signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TailFlaw {
    /// It has no items, or its first place is 0.
    #[error("the run is empty")]
    Empty,
    /// An item is not whole, has no origin or no time.
    #[error("an item is not whole")]
    NotWhole,
    /// The running hash comes out at a place the signed heads do not name.
    #[error("the running hash does not come out where it was signed")]
    NotCovered,
    /// The heads are not signed by this key.
    #[error("the signature does not fit")]
    NotSigned,
}

impl TailRun {
    /// Checks a run of a stream against the server's own key: the running hash over all of it must come out at a place
    /// the signed heads name.
    ///
    /// # Errors
    /// The first flaw found.
    pub fn check(&self, stream: &Stream, signing_key: &[u8; 32]) -> Result<(), TailFlaw> {
        let key = VerifyingKey::from_bytes(signing_key).map_err(|_| TailFlaw::NotSigned)?;
        key.verify_strict(&self.heads.to_bytes(), &Signature::from_bytes(&self.signature))
            .map_err(|_| TailFlaw::NotSigned)?;
        let mut chain: ChainHash = *self.before;
        let mut count = 0_u64;
        let mut received = self.received();
        for item in &self.items {
            let (origin, hash, checks): (u32, [u8; 32], Vec<u32>) = match item {
                PageItem::Item(item) => {
                    let checks = item.changes.iter().map(|change| change.check).collect();
                    (item.origin, item.write.hash(), checks)
                }
                // About a patient who left the bearer's scope: its hash stands for it.
                PageItem::Part(part) => {
                    let checks = part.changes.iter().map(|change| change.check).collect();
                    (part.origin, *part.hash, checks)
                }
                _ => return Err(TailFlaw::NotWhole),
            };
            let origin = self.origins.get(origin as usize).ok_or(TailFlaw::NotWhole)?;
            let received_ms = received.next().ok_or(TailFlaw::NotWhole)?;
            chain = advance_chain_by_checks(&chain, origin, &hash, &checks, received_ms);
            count += 1;
        }
        let last = self.first.checked_add(count).and_then(|end| end.checked_sub(1));
        match last {
            Some(last) if count > 0 && self.first > 0 => {
                if self.heads.cover(stream, last, &chain) {
                    Ok(())
                } else {
                    Err(TailFlaw::NotCovered)
                }
            }
            _ => Err(TailFlaw::Empty),
        }
    }

    /// When the server received each item, in order.
    pub fn received(&self) -> impl Iterator<Item = EpochMs> {
        self.received_ms
            .iter()
            .flat_map(|(count, at_ms)| std::iter::repeat_n(*at_ms, *count as usize))
    }
}

/// What the server has now.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TailAnswer {
    /// The server's history.
    pub epoch: u64,
    /// The highest of the points shown that the server's log holds; 0 for none.
    pub held: u64,
    /// Items that were put behind the log's end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub appended: u32,
    /// Items that were not taken, each by its seq in the lost log and with a stable code. The others are held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<(u64, String)>,
    /// New tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Where the server's log ends now, and eight bytes of the running hash there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<(u64, ByteArray<8>)>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What the signature of an answer covers for a device that keeps tails: each log's place by a hash that names the
/// stream and holds the whole running hash, so that one stream's place can be shown later without the others'.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WholeHeads {
    /// The server's history.
    pub epoch: u64,
    /// Server time of the answer.
    pub time_ms: EpochMs,
    /// A [`head_leaf`] for each cursor of the request, in its order, without those the answer names as unproven. For a
    /// reader of [`super::MINOR_OF_BREAKS`] behind them those of the last [`BREAKS_MAX`] places before something that a
    /// page does not carry whole.
    pub leaves: Vec<ByteArray<32>>,
}

impl WholeHeads {
    /// The value of `SyncRequest::heads` that asks for this form.
    pub const VERSION: u32 = 2;

    /// The bytes under the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"vereda heads v2\0".to_vec();
        bytes.extend(super::encode(self));
        bytes
    }

    /// Whether they cover this place of a stream's log.
    pub fn cover(&self, stream: &Stream, seq: u64, chain: &ChainHash) -> bool {
        self.leaves.contains(&head_leaf(stream, seq, chain))
    }
}

/// A place in a stream's log as the signed heads name it.
pub fn head_leaf(stream: &Stream, seq: u64, chain: &ChainHash) -> ByteArray<32> {
    let mut hash = Sha256::new();
    hash.update(stream.unit.as_bytes());
    hash.update(stream.compartment.name());
    hash.update(seq.to_be_bytes());
    hash.update(chain);
    ByteArray::new(hash.finalize().into())
}
