//! What is noted of segments as they come: the list, its bytes, and where a stream that was read from them goes on.

use crate::error::{Code, Result, SyncError};
use crate::protocol::{SEGMENT_FORM, SegmentsAnswer};
use crate::record::Stream;
use crate::step::Step;
use crate::store::first_sync::{self, FirstSyncRow, FirstSyncState, SegmentRow};
use crate::store::{cursors, receipts};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// Keeps bytes of a segment; what the hash does not say is dropped.
pub(crate) fn take_piece(step: &mut Step<'_>, segment: &SegmentRow, body: &[u8]) -> Result<()> {
    let missing = (segment.bytes - segment.got.min(segment.bytes)) as usize;
    let body = &body[..body.len().min(missing)];
    first_sync::add_piece(step.transaction, segment, body)?;
    if body.len() == missing {
        let bytes = first_sync::pieces(step.transaction, &segment.hash)?;
        let hash: [u8; 32] = Sha256::digest(&bytes).into();
        if hash != segment.hash {
            first_sync::drop_pieces(step.transaction, &segment.hash)?;
        }
    }
    Ok(())
}

/// Takes part of a list in. Returns whether segments are offered.
pub(crate) fn take_list(
    step: &mut Step<'_>,
    stream: &Stream,
    known: u32,
    answer: &SegmentsAnswer,
) -> Result<bool> {
    let not_ours = |detail| SyncError::new(Code::NotOurServer, detail);
    let key = step.device.enrolled()?.signing_key;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| not_ours("no key"))?;
    key.verify_strict(
        &answer.signed_bytes(stream),
        &Signature::from_bytes(&answer.signature),
    )
    .map_err(|_| not_ours("the list's signature does not hold"))?;
    if answer.as_of == 0 || answer.form != SEGMENT_FORM {
        decline(step, stream)?;
        return Ok(false);
    }
    let rows = first_sync::list(step.transaction)?;
    let Some(row) = rows.into_iter().find(|row| row.stream == *stream) else {
        return Ok(true);
    };
    if answer.first == 0 && known > 0 {
        first_sync::set_aside(step.transaction, stream)?;
    } else if answer.first != known {
        return Err(not_ours("a list with a gap"));
    }
    first_sync::add(step.transaction, stream, answer.first, &answer.segments)?;
    if !answer.more {
        first_sync::forget_aside(step.transaction, stream)?;
    }
    // What was written from an earlier list is at least as old as that.
    let (seq, chain) = match row.seq {
        0 => (answer.as_of, answer.chain()),
        seq if seq <= answer.as_of => (seq, row.chain),
        _ => (answer.as_of, answer.chain()),
    };
    let row = FirstSyncRow {
        stream: *stream,
        state: FirstSyncState::UnderWay,
        seq,
        chain,
        listed: !answer.more,
        list_seq: answer.as_of,
    };
    first_sync::put(step.transaction, &row)?;
    Ok(true)
}

/// The list is asked for anew.
pub(crate) fn forget_list(step: &mut Step<'_>, stream: &Stream) -> Result<()> {
    first_sync::set_aside(step.transaction, stream)?;
    for row in first_sync::list(step.transaction)? {
        if row.stream == *stream {
            let row = FirstSyncRow {
                listed: false,
                list_seq: 0,
                ..row
            };
            first_sync::put(step.transaction, &row)?;
        }
    }
    Ok(())
}

/// The stream is read from its log.
pub(crate) fn decline(step: &mut Step<'_>, stream: &Stream) -> Result<()> {
    first_sync::forget(step.transaction, stream)?;
    let row = FirstSyncRow {
        stream: *stream,
        state: FirstSyncState::NotOffered,
        seq: 0,
        chain: [0; 32],
        listed: true,
        list_seq: 0,
    };
    Ok(first_sync::put(step.transaction, &row)?)
}

/// Every row is here: the log goes on from there.
pub(crate) fn finish(step: &mut Step<'_>, row: &FirstSyncRow) -> Result<()> {
    let cursor = cursors::CursorRow {
        seq: row.seq,
        chain: row.chain,
        caught_up: false,
        ..cursors::get(step.transaction, &row.stream)?
    };
    cursors::put(step.transaction, &cursor)?;
    let done = FirstSyncRow {
        state: FirstSyncState::Done,
        ..*row
    };
    first_sync::put(step.transaction, &done)?;
    let incarnation = step.device.incarnation;
    receipts::forget_own_up_to(step.transaction, &incarnation, &row.stream, row.seq)?;
    Ok(first_sync::forget(step.transaction, &row.stream)?)
}
