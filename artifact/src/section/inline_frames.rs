//! Calls whose callee became a part of the caller's code, so that backtraces show them as calls.
//!
//! Code that comes from such a call stands for the callee's wasm, but of one call among several. So
//! it has offsets of its own: each call has a range of them as long as the callee's body, behind the
//! last byte of the wasm file. The table says of each range which call it is.
//!
//! Layout: for each call, four little-endian `u32`, the fields of an [`InlineFrame`] in their order.

use crate::index::DefinedFuncIndex;

/// Bytes per call.
const ENTRY: usize = 16;

/// A call whose callee became a part of the caller's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlineFrame {
    /// The first offset of its range, which reaches up to the next one's.
    pub start: u32,
    /// The function that is called.
    pub function: DefinedFuncIndex,
    /// Where the function's body begins in the wasm file, in bytes.
    pub body: u32,
    /// Where the call is: in the wasm file, or, when it is itself in such a function, in the range of an
    /// earlier call.
    pub call: u32,
}

/// The table of such calls in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct InlineFrames<'a>(&'a [u8]);

/// Encodes `frames`, whose ranges must ascend.
pub fn encode(frames: &[InlineFrame]) -> Vec<u8> {
    debug_assert!(frames.is_sorted_by_key(|frame| frame.start), "ranges ascend");
    let mut bytes = Vec::with_capacity(frames.len() * ENTRY);
    for &InlineFrame { start, function, body, call } in frames {
        for word in [start, function.0, body, call] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}

impl<'a> InlineFrames<'a> {
    /// The table in `bytes`; what exceeds a whole number of entries is ignored.
    pub fn new(bytes: &'a [u8]) -> Self {
        InlineFrames(bytes)
    }

    /// The number of calls.
    pub fn len(&self) -> usize {
        self.0.len() / ENTRY
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What an offset of code stands for, innermost first: for each call that became a part of the
    /// code, the callee and the offset in the wasm file, and last, without a function, the offset in
    /// the function whose code it is.
    pub fn resolve(
        &self,
        offset: u32,
    ) -> impl Iterator<Item = (Option<DefinedFuncIndex>, u32)> + 'a {
        let table = *self;
        let mut next = Some(offset);
        std::iter::from_fn(move || {
            let offset = next.take()?;
            let Some(frame) = table.find(offset) else { return Some((None, offset)) };
            // Whatever the bytes are, the walk goes down and so comes to an end.
            next = Some(frame.call).filter(|&call| call < frame.start);
            Some((Some(frame.function), frame.body.wrapping_add(offset - frame.start)))
        })
    }

    fn get(&self, index: usize) -> Option<InlineFrame> {
        let bytes = self.0.get(index.checked_mul(ENTRY)?..)?.first_chunk::<ENTRY>()?;
        let [start, function, body, call] = [0, 4, 8, 12]
            .map(|i| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]));
        Some(InlineFrame { start, function: DefinedFuncIndex(function), body, call })
    }

    /// The call in whose range an offset is.
    fn find(&self, offset: u32) -> Option<InlineFrame> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle)?.start <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.get(low.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(start: u32, function: u32, body: u32, call: u32) -> InlineFrame {
        InlineFrame { start, function: DefinedFuncIndex(function), body, call }
    }

    #[test]
    fn calls_are_found_from_the_inside_out() {
        let bytes = encode(&[frame(1000, 7, 50, 210), frame(1020, 8, 90, 1004)]);
        let frames = InlineFrames::new(&bytes);
        let resolve = |offset| {
            let found = frames.resolve(offset).map(|(function, at)| (function.map(|it| it.0), at));
            found.collect::<Vec<_>>()
        };
        assert_eq!(resolve(999), [(None, 999)]);
        assert_eq!(resolve(1003), [(Some(7), 53), (None, 210)]);
        assert_eq!(resolve(1025), [(Some(8), 95), (Some(7), 54), (None, 210)]);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_searched(bytes in prop::collection::vec(any::<u8>(), 0..200), offset in any::<u32>()) {
            let frames = InlineFrames::new(&bytes);
            prop_assert!(frames.resolve(offset).count() <= frames.len() + 1);
        }
    }
}
