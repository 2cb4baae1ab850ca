//! Reading on from where the server's log and what was read here still agree. Nothing shown goes meanwhile: documents
//! keep what they hold, and records are laid out anew beside what is shown.

use crate::error::Result;
use crate::record::{Compartment, Stream};
use crate::replica;
use crate::step::Step;
use crate::store::cursors::{self, CursorRow};
use crate::store::tail::{self, Stretch};
use crate::store::{documents, patients, reached};

/// Rows changed in one step.
const ROWS_MAX: usize = 1_000;

/// Puts the cursor back to the last place both know; of a log of records to its beginning, because each follows from
/// all before it. Returns where.
pub(super) fn rewind(step: &mut Step<'_>, cursor: &CursorRow, held: u64) -> Result<u64> {
    let stretches = tail::stretches(step.transaction, &cursor.stream)?;
    let mut place = (0, [0; 32]);
    if cursor.stream.compartment != Compartment::Identity {
        for stretch in stretches.iter().rev() {
            if let Some(chain) = tail::chain_at(step.transaction, stretch, held)? {
                place = (held, chain);
                break;
            }
        }
    }
    if cursor.stream.compartment == Compartment::Identity {
        replica::begin_records_again(step, cursor.stream.unit)?;
    }
    let (seq, chain) = place;
    cursors::put(
        step.transaction,
        &CursorRow {
            seq,
            chain,
            durable_seq: 0,
            caught_up: false,
            ..*cursor
        },
    )?;
    let history = stretches.last().map_or(0, |last| last.history + 1);
    tail::put_stretch(
        step.transaction,
        &Stretch {
            stream: cursor.stream,
            history,
            base_seq: seq,
            base_chain: chain,
            bytes: 0,
            total: 0,
        },
    )?;
    Ok(seq)
}

/// A stream's log is read again from its beginning.
pub fn read_again(step: &mut Step<'_>, stream: &Stream) -> Result<()> {
    let cursor = cursors::get(step.transaction, stream)?;
    if cursor.seq > 0 {
        reached::note(step.transaction, &cursor)?;
        rewind(step, &cursor, 0)?;
    }
    Ok(())
}

/// What a snapshot brought as of a place past `from` may be something else now: the items come again. Says whether
/// there is more to do.
pub(super) fn forget_as_of(step: &mut Step<'_>, stream: &Stream, from: u64) -> Result<bool> {
    let done = documents::cap_as_of(step.transaction, stream, from, ROWS_MAX)?
        + patients::cap_as_of(step.transaction, stream, from, ROWS_MAX)?;
    Ok(done >= ROWS_MAX)
}
