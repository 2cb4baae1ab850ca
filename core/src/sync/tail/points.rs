//! Places of the log as it was read here, close together at the end: the server says which is the last it holds.

use crate::bytes::ByteArray;
use crate::error::Result;
use crate::protocol::{TAIL_POINTS_MAX, chain_tag};
use crate::step::Step;
use crate::store::cursors::CursorRow;
use crate::store::tail::{self, Stretch};

/// The points of a stretch, or of a cursor with nothing behind it.
pub(super) fn points(
    step: &Step<'_>,
    stretch: Option<&Stretch>,
    cursor: &CursorRow,
) -> Result<Vec<(u64, ByteArray<8>)>> {
    let mut points = vec![(cursor.seq, chain_tag(&cursor.chain))];
    if let Some(stretch) = stretch {
        let end = tail::last_seq(step.transaction, stretch)?;
        let mut back = 0;
        while points.len() + 1 < TAIL_POINTS_MAX {
            let seq = end.saturating_sub(back);
            if seq <= stretch.base_seq {
                break;
            }
            if let Some(chain) = tail::chain_at(step.transaction, stretch, seq)? {
                points.push((seq, chain_tag(&chain)));
            }
            // The first sixteen one by one, then ever further apart.
            back += if back < 16 { 1 } else { back / 4 };
        }
        points.push((stretch.base_seq, chain_tag(&stretch.base_chain)));
    }
    points.retain(|(seq, _)| *seq > 0);
    points.dedup();
    Ok(points)
}
