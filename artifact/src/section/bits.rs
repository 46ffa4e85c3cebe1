//! Numbers that are not made of whole bytes, of which the table of sites consists. The lowest bits of
//! a byte come first.

/// Collects bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The bits behind these bytes, and how many: fewer than 32.
    pending: u64,
    pending_len: u32,
}

/// Takes bits off the front of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next bit.
    position: usize,
}

impl BitWriter {
    /// Appends the lowest `count` bits of a number, which are 32 at most.
    pub(super) fn bits(&mut self, value: u32, count: u32) {
        let value = u64::from(value) & ((1 << count) - 1);
        self.pending |= value << self.pending_len;
        self.pending_len += count;
        if self.pending_len >= u32::BITS {
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= u32::BITS;
            self.pending_len -= u32::BITS;
        }
    }

    /// Appends a number in its Exp-Golomb code of this order, which takes least bits for numbers below
    /// 2^`order`.
    pub(super) fn golomb(&mut self, value: u32, order: u32) {
        let high = u64::from(value >> order) + 1;
        let len = high.ilog2();
        self.bits(0, len);
        self.bits(1, 1);
        // The highest bit is the 1 above.
        self.bits(high as u32, len);
        self.bits(value, order);
    }

    /// Fills the last byte up with zeros, and returns the number of bytes.
    pub(super) fn align(&mut self) -> usize {
        let len = self.pending_len.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..len]);
        (self.pending, self.pending_len) = (0, 0);
        self.bytes.len()
    }

    /// All that was written, the last byte filled up with zeros.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, position: 0 }
    }

    /// The next bit; `None` at the end.
    pub(super) fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.position / 8)?;
        let bit = u32::from(byte) >> (self.position % 8) & 1;
        self.position += 1;
        Some(bit)
    }

    /// A number of `count` bits, which are 32 at most; `None` when there are fewer.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, shift| Some(value | self.bit()?.checked_shl(shift)?))
    }

    /// A number in its Exp-Golomb code of this order; `None` when that ends too soon, or the number has
    /// more than 32 bits.
    pub(super) fn golomb(&mut self, order: u32) -> Option<u32> {
        let mut len = 0;
        while self.bit()? == 0 {
            len += 1;
        }
        let high = u64::from(self.bits(len)?) | 1u64.checked_shl(len)?;
        let value = (high - 1).checked_shl(order)? | u64::from(self.bits(order)?);
        u32::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_round_trip(numbers in prop::collection::vec((any::<u32>(), 0u32..32, 0u32..32), 0..50)) {
            let mut writer = BitWriter::default();
            for &(value, shift, order) in &numbers {
                writer.golomb(value >> shift, order);
                writer.bits(value, 32 - shift);
            }
            let len = writer.align();
            let bytes = writer.into_bytes();
            prop_assert_eq!(bytes.len(), len);
            let mut reader = BitReader::new(&bytes);
            for &(value, shift, order) in &numbers {
                prop_assert_eq!(reader.golomb(order), Some(value >> shift));
                prop_assert_eq!(reader.bits(32 - shift), Some(value & (u32::MAX >> shift)));
            }
        }

        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..40), order in 0u32..40) {
            let mut reader = BitReader::new(&bytes);
            while reader.golomb(order).is_some() {}
            let _ = reader.bits(order);
        }
    }

    #[test]
    fn small_numbers_take_few_bits() {
        let len = |value, order| {
            let mut writer = BitWriter::default();
            writer.golomb(value, order);
            writer.bytes.len() * 8 + writer.pending_len as usize
        };
        assert_eq!([0, 1, 2, 3, 6].map(|value| len(value, 0)), [1, 3, 3, 5, 5]);
        assert_eq!([0, 15, 16].map(|value| len(value, 4)), [5, 5, 7]);
    }
}
