//! A cursor over untrusted bytes.

use super::GateRefusal;

/// Reads from the front; every read is bounded by what is there.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], GateRefusal> {
        let (head, tail) = self
            .bytes
            .split_at_checked(length)
            .ok_or(GateRefusal::Truncated)?;
        self.bytes = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GateRefusal> {
        let (head, tail) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or(GateRefusal::Truncated)?;
        self.bytes = tail;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, GateRefusal> {
        Ok(self.array::<1>()?[0])
    }

    /// An unsigned LEB128 number in its shortest form.
    pub(super) fn unsigned(&mut self) -> Result<u64, GateRefusal> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(GateRefusal::Malformed("a number is too large"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(GateRefusal::NotCanonical("a number has leading zeros"));
                }
                return Ok(value);
            }
        }
        Err(GateRefusal::Malformed("a number is too large"))
    }

    /// A signed LEB128 number in its shortest form.
    pub(super) fn signed(&mut self) -> Result<i64, GateRefusal> {
        let mut value = 0_i64;
        let mut previous = 0_u8;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(GateRefusal::Malformed("a number is too large"));
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let repeats_sign =
                    (byte == 0 && previous & 0x40 == 0) || (byte == 0x7f && previous & 0x40 != 0);
                if shift > 0 && repeats_sign {
                    return Err(GateRefusal::NotCanonical("a number repeats its sign"));
                }
                if shift < 57 && byte & 0x40 != 0 {
                    value |= -1_i64 << (shift + 7);
                }
                return Ok(value);
            }
            previous = byte;
        }
        Err(GateRefusal::Malformed("a number is too large"))
    }

    /// An unsigned number that must fit a length in memory.
    pub(super) fn length(&mut self) -> Result<usize, GateRefusal> {
        usize::try_from(self.unsigned()?).map_err(|_| GateRefusal::Truncated)
    }

    /// A length, then that many bytes, at most `bytes_max`; a longer one is refused with `refusal`.
    pub(super) fn prefixed(
        &mut self,
        bytes_max: usize,
        refusal: GateRefusal,
    ) -> Result<&'a [u8], GateRefusal> {
        let length = self.length()?;
        if length > bytes_max {
            return Err(refusal);
        }
        self.take(length)
    }
}
