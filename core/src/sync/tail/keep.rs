//! Keeping items as they are read.

use crate::bytes::ByteArray;
use crate::error::Result;
use crate::limits::{TAIL_AGE_MS, TAIL_RUN_BYTES, TAIL_RUN_ITEMS};
use crate::protocol::{ChangeReference, Frozen, LogItem, PageItem, encode, head_leaf};
use crate::record::{Stream, Write};
use crate::step::Step;
use crate::store::cursors::CursorRow;
use crate::store::outbox::{self, OutboxRow};
use crate::store::tail::{self, ProofRow, Stretch, TailRow};
use serde::Serialize;

/// The signed heads of an answer, and the server's signature over them.
#[derive(Clone, PartialEq, Debug)]
pub struct Proof {
    /// The heads, encoded.
    pub heads: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
    /// Places inside of pages that it covers, too.
    pub breaks: Vec<ByteArray<32>>,
}

/// Keeps the items of one page, in their order.
#[derive(Debug)]
pub struct Keeper {
    stretch: Stretch,
    durable_seq: u64,
    /// What came before is old enough to be forgotten once it is durable.
    old_before_ms: i64,
}

impl Keeper {
    /// Goes on where the cursor stands.
    pub fn open(step: &Step<'_>, cursor: &CursorRow) -> Result<Self> {
        let server_ms = step.device.server_ms(&step.now).unwrap_or(step.now.wall_ms);
        Ok(Self {
            stretch: stretch_at(step, &cursor.stream, cursor.seq, &cursor.chain)?,
            durable_seq: cursor.durable_seq,
            old_before_ms: server_ms.saturating_sub(TAIL_AGE_MS),
        })
    }

    /// Keeps an item. One that is durable and old already is passed over, while nothing before it is kept. Behind one
    /// that is not known whole a new stretch begins.
    pub fn keep(&mut self, step: &Step<'_>, seq: u64, chain: &[u8; 32], row: Option<TailRow>) -> Result<()> {
        let Some(row) = row else {
            tail::put_stretch(step.transaction, &self.stretch)?;
            let has_items = self.stretch.bytes > 0;
            self.stretch = Stretch {
                history: self.stretch.history + u32::from(has_items),
                base_seq: seq,
                base_chain: *chain,
                bytes: 0,
                total: 0,
                ..self.stretch
            };
            return Ok(());
        };
        let is_needed = row.seq > self.durable_seq || row.received_ms >= self.old_before_ms;
        if self.stretch.bytes == 0 && !is_needed {
            self.stretch.base_seq = row.seq;
            self.stretch.base_chain = row.chain;
            return Ok(());
        }
        tail::put_item(step.transaction, &self.stretch, &row)?;
        self.stretch.bytes += row.bytes();
        self.stretch.total += row.bytes();
        Ok(())
    }

    /// The same of a place inside of a page, where the signature covers it.
    pub fn prove_break(&self, step: &Step<'_>, cursor: &CursorRow, proof: &Proof) -> Result<()> {
        let place = head_leaf(&cursor.stream, cursor.seq, &cursor.chain);
        if proof.breaks.contains(&place) {
            self.prove(step, cursor.seq, proof)?;
        }
        Ok(())
    }

    /// Everything up to here is under a signature. Of signatures close to one another the last is enough.
    pub fn prove(&self, step: &Step<'_>, seq: u64, proof: &Proof) -> Result<()> {
        if self.stretch.bytes == 0 {
            return Ok(());
        }
        let last = tail::last_places(step.transaction, &self.stretch)?;
        let base = (self.stretch.base_seq, self.stretch.total - self.stretch.bytes);
        if let Some((newest, _)) = last.first() {
            let (before, total) = last.get(1).copied().unwrap_or(base);
            let is_close =
                self.stretch.total - total <= TAIL_RUN_BYTES && seq.saturating_sub(before) <= TAIL_RUN_ITEMS;
            if is_close {
                tail::forget_proof(step.transaction, &self.stretch, *newest)?;
            }
        }
        let row = ProofRow {
            seq,
            total: self.stretch.total,
            heads: proof.heads.clone(),
            signature: proof.signature,
        };
        Ok(tail::put_proof(step.transaction, &self.stretch, &row)?)
    }

    /// Notes how far it came.
    pub fn close(self, step: &Step<'_>) -> Result<()> {
        Ok(tail::put_stretch(step.transaction, &self.stretch)?)
    }
}

/// The stretch that goes on at a place: the last one, or a new one where that ends elsewhere.
pub(super) fn stretch_at(step: &Step<'_>, stream: &Stream, seq: u64, chain: &[u8; 32]) -> Result<Stretch> {
    let last = tail::stretches(step.transaction, stream)?.pop();
    let new = Stretch {
        stream: *stream,
        history: last.map_or(0, |last| last.history + 1),
        base_seq: seq,
        base_chain: *chain,
        bytes: 0,
        total: 0,
    };
    let Some(last) = last else { return Ok(new) };
    if last.bytes == 0 {
        return Ok(Stretch {
            history: last.history,
            ..new
        });
    }
    let goes_on = tail::last_seq(step.transaction, &last)? == seq
        && tail::chain_at(step.transaction, &last, seq)?.as_ref() == Some(chain);
    Ok(if goes_on { last } else { new })
}

/// A page's item with what its changes build on, as the tail keeps it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Kept<'a> {
    Item(KeptItem<'a>),
}

#[derive(Serialize)]
struct KeptItem<'a> {
    origin: u32,
    generation: u32,
    write: &'a Frozen<Write>,
    #[serde(skip_serializing_if = "<[ChangeReference]>::is_empty")]
    changes: &'a [ChangeReference],
}

/// An item of a page as the tail keeps it.
pub(crate) fn kept_item(item: &LogItem, changes: &[ChangeReference]) -> Vec<u8> {
    encode(&Kept::Item(KeptItem {
        origin: 0,
        generation: item.generation,
        write: &item.write,
        changes,
    }))
}

/// A write of this device's as an item of the log, as it is encoded here.
pub(crate) fn own_item(step: &Step<'_>, row: &OutboxRow) -> Result<Vec<u8>> {
    let mut changes = Vec::new();
    for encoding in outbox::encodings(step.transaction, row.n)? {
        let raw = if row.raw {
            crate::store::documents::pending_chunk(step.transaction, &encoding.document, row.n)?
        } else {
            None
        };
        changes.push(ChangeReference {
            check: crate::protocol::change_check(&encoding.hash),
            dependencies: Some(encoding.dependencies.into_iter().map(ByteArray::new).collect()),
            raw: raw.map(Into::into),
        });
    }
    Ok(encode(&PageItem::Item(Box::new(LogItem {
        origin: 0,
        generation: row.generation,
        write: Frozen::from_bytes(row.bytes.clone()),
        changes,
    }))))
}
