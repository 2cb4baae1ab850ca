//! Forgetting: what a verified copy holds and is a week old; and, past the bound, the oldest.

use super::GivingBack;
use crate::error::Result;
use crate::limits::{TAIL_AGE_MS, TAIL_BYTES_MAX, TAIL_TRIM_ROWS};
use crate::step::Step;
use crate::store::tail::{self, Stretch, TailRow};
use crate::store::{StoreError, cursors, meta, reached};
use rusqlite::Connection;

/// Something was forgotten that no verified copy held yet, and the tail is still near its bound.
const FULL: &str = "tail_full";

/// How the tail stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TailState {
    /// Bytes kept.
    pub bytes: u64,
    /// The bound was reached: what the server loses now may not come back from this device.
    pub is_full: bool,
}

/// How the tail stands.
pub fn state(connection: &Connection) -> std::result::Result<TailState, StoreError> {
    Ok(TailState {
        bytes: tail::bytes(connection)?,
        is_full: meta::get(connection, FULL)?.unwrap_or(false),
    })
}

/// Forgets a bounded number of items; while something is given back, nothing.
pub fn trim(step: &mut Step<'_>) -> Result<()> {
    if GivingBack::streams_left(step.transaction) > 0 {
        return Ok(());
    }
    let server_ms = step.device.server_ms(&step.now).unwrap_or(step.now.wall_ms);
    let old_before_ms = server_ms.saturating_sub(TAIL_AGE_MS);
    let all = tail::list(step.transaction)?;
    let mut left = TAIL_TRIM_ROWS;
    for (index, stretch) in all.iter().enumerate() {
        if left == 0 {
            break;
        }
        let is_last = all
            .get(index + 1)
            .is_none_or(|next| next.stream != stretch.stream);
        // What was read before a restore was given back since, and is durable as what it is read again as.
        let durable_seq = if is_last {
            cursors::get(step.transaction, &stretch.stream)?.durable_seq
        } else if reached::get(step.transaction, &stretch.stream)?.is_some() {
            // It is not all read again yet.
            0
        } else {
            u64::MAX
        };
        let is_old = |row: &TailRow| row.received_ms < old_before_ms && row.seq <= durable_seq;
        let behind = |limit| tail::items(step.transaction, stretch, stretch.base_seq, limit);
        if !behind(1)?.iter().any(is_old) {
            continue;
        }
        if let Some(row) = behind(left)?.into_iter().take_while(is_old).last() {
            left -= forget(step, stretch, row.seq, left, !is_last)?;
        }
    }
    bound(step)
}

fn bound(step: &mut Step<'_>) -> Result<()> {
    let bytes = tail::bytes(step.transaction)?;
    if bytes > TAIL_BYTES_MAX {
        let largest = tail::list(step.transaction)?
            .into_iter()
            .max_by_key(|stretch| stretch.bytes);
        if let Some(stretch) = largest {
            forget(step, &stretch, u64::MAX, TAIL_TRIM_ROWS, false)?;
            meta::set(step.transaction, FULL, &true)?;
        }
    } else if bytes < TAIL_BYTES_MAX / 4 * 3 && meta::get(step.transaction, FULL)?.unwrap_or(false) {
        meta::remove(step.transaction, FULL)?;
    }
    Ok(())
}

fn forget(step: &Step<'_>, stretch: &Stretch, up_to: u64, limit: usize, is_former: bool) -> Result<usize> {
    let Some(gone) = tail::forget_items(step.transaction, stretch, up_to, limit)? else {
        return Ok(0);
    };
    let kept = Stretch {
        base_seq: gone.seq,
        base_chain: gone.chain,
        bytes: stretch.bytes.saturating_sub(gone.bytes),
        ..*stretch
    };
    if is_former && kept.bytes == 0 {
        tail::remove_stretch(step.transaction, stretch)?;
    } else {
        tail::put_stretch(step.transaction, &kept)?;
    }
    Ok(gone.rows)
}
