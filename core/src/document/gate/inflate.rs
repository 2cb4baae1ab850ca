//! Raw deflate under a limit on what comes out.

use flate2::{Decompress, FlushDecompress, Status};

use super::GateRefusal;
use super::limits::{INFLATE_RATIO_MAX, RATIO_FREE_BYTES};

const FIRST_CAPACITY_BYTES: usize = 4 * 1024;

/// Inflates `deflated`, which must be one whole stream and nothing else.
///
/// Memory never exceeds twice the allowed output, whatever the stream claims.
/// # Errors
/// `DecompressionBomb` past the ratio, `too_large` past `bytes_max`, `BadCompression` for a damaged stream.
pub(super) fn inflate(
    deflated: &[u8],
    bytes_max: usize,
    too_large: GateRefusal,
) -> Result<Vec<u8>, GateRefusal> {
    let allowed = bytes_max.min(
        deflated
            .len()
            .saturating_mul(INFLATE_RATIO_MAX)
            .max(RATIO_FREE_BYTES),
    );
    let mut stream = Decompress::new(false);
    let mut inflated = Vec::with_capacity(FIRST_CAPACITY_BYTES.min(allowed + 1));
    loop {
        let consumed = usize::try_from(stream.total_in()).map_err(|_| GateRefusal::BadCompression)?;
        let input = deflated.get(consumed..).ok_or(GateRefusal::BadCompression)?;
        let length_before = inflated.len();
        let status = stream
            .decompress_vec(input, &mut inflated, FlushDecompress::None)
            .map_err(|_| GateRefusal::BadCompression)?;
        if inflated.len() > allowed {
            // Judged by what came out so far: the rest of a bomb is never inflated.
            let is_bomb = inflated.len() as u64 > stream.total_in().saturating_mul(INFLATE_RATIO_MAX as u64);
            return Err(if is_bomb {
                GateRefusal::DecompressionBomb
            } else {
                too_large
            });
        }
        if status == Status::StreamEnd {
            break;
        }
        if inflated.len() == inflated.capacity() {
            // One byte more than allowed tells a full output from one that is too long.
            let wanted = (inflated.len() * 2).min(allowed + 1);
            inflated.reserve_exact(wanted - inflated.len());
        } else if inflated.len() == length_before && stream.total_in() == consumed as u64 {
            return Err(GateRefusal::BadCompression);
        }
    }
    if stream.total_in() != deflated.len() as u64 {
        return Err(GateRefusal::TrailingBytes);
    }
    Ok(inflated)
}
