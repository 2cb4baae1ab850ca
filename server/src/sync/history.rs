//! Whether a device and this store speak of the same history. A device that saw more of a log than lies here, or
//! something else, shows that the store was restored: another epoch begins. Nothing of a device that still names an
//! earlier epoch is settled: it first gives back what the store lost, and what it writes may rest on that.

use crate::access::Caller;
use crate::refusal::Refusal;
use crate::writer::Session;
use vereda_core::bytes::ByteArray;
use vereda_core::entropy::Entropy;
use vereda_core::id::Incarnation;
use vereda_core::protocol::{ChainHash, SyncRequest, chain_tag};
use vereda_core::record::Stream;

/// For so long after an epoch began, what a write rests on may still come back.
const RECOVERY_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How a request stands to the store's history.
pub(super) struct History {
    /// The epoch, after this request.
    pub(super) epoch: u64,
    /// For each cursor in scope whose place this store holds: the running hash there.
    pub(super) known: Vec<Option<ChainHash>>,
    /// The device names an earlier epoch.
    pub(super) is_behind: bool,
}

/// Compares a request's cursors, the places it had reached before, and a write it was told is accepted, with the store.
pub(super) fn compare(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    request: &SyncRequest,
) -> Result<History, Refusal> {
    let mut epoch = session.store.epoch()?;
    let mut is_lost = false;
    let mut known = Vec::with_capacity(request.cursors.len());
    for cursor in &request.cursors {
        if !caller.may_use(&cursor.stream) {
            known.push(None);
            continue;
        }
        let chain = session
            .store
            .chain_at(&cursor.stream, cursor.seq)?
            .filter(|chain| chain_tag(chain) == cursor.chain);
        is_lost |= chain.is_none();
        known.push(chain);
    }
    for place in request
        .reached
        .iter()
        .filter(|place| caller.may_use(&place.stream))
    {
        let chain = session.store.chain_at(&place.stream, place.seq)?;
        is_lost |= chain.is_none_or(|chain| chain_tag(&chain) != place.chain);
    }
    if let Some(n) = request.accepted {
        is_lost |= session.store.outcome(incarnation, n)?.is_none();
    }
    if is_lost && request.epoch == epoch {
        // The device saw this very history go further, or elsewhere: what stands here was restored.
        epoch = another_epoch(session, epoch)?;
    }
    Ok(History {
        epoch,
        known,
        is_behind: request.epoch != epoch,
    })
}

/// Whether the store was restored so recently that devices may still bring back what a write lacks.
pub(super) fn is_recovering(session: &mut Session<'_>) -> Result<bool, Refusal> {
    let began_ms = session.store.epoch_began_ms()?;
    Ok(began_ms.is_some_and(|began_ms| session.now.ms - began_ms < RECOVERY_MS))
}

/// Compares the place a device saw this log at while it gave back to it.
pub(super) fn compare_place(
    session: &mut Session<'_>,
    stream: &Stream,
    (epoch, seq, tag): (u64, u64, ByteArray<8>),
) -> Result<(), Refusal> {
    let known = session.store.epoch()?;
    let chain = session.store.chain_at(stream, seq)?;
    if epoch == known && chain.is_none_or(|chain| chain_tag(&chain) != tag) {
        another_epoch(session, known)?;
    }
    Ok(())
}

fn another_epoch(session: &mut Session<'_>, epoch: u64) -> Result<u64, Refusal> {
    // 31 bits: it travels in every request and answer.
    let mut next = session.entropy.next_u64() >> 33;
    if next == epoch {
        next += 1;
    }
    session.store.set_epoch(next, session.now.ms)?;
    tracing::warn!("a device holds more of a log than this store: a new epoch begins");
    Ok(next)
}
