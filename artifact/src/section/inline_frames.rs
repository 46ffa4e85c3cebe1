//! Calls whose callee became a part of the caller's code, so that backtraces show them as calls.
//!
//! Code that comes from such a call stands for the callee's wasm, but of one call among several. So
//! it has offsets of its own: each call has a range of them as long as the callee's body, behind the
//! last byte of the wasm file. The table says of each range which call it is.
//!
//! Calls whose code can neither trap nor call need no entry.
//!
//! Layout, all integers little-endian: the number of blocks and the number of callees (`u32` each); for each
//! block the start of its first range and where its bytes begin in the payload (`u32` each); for each callee its
//! function and where its body begins (`u32` each); the payload. A block holds up to `BLOCK` calls. Each is three
//! LEB128 numbers: the distance from the start before (from the block's first for the first one); the callee's
//! position times 2, plus 1 if the call is itself in an inlined one; and where the call is: for an inlined one, how
//! far before the start, for others the difference from the one before (from 0 for the first), zigzag-encoded.

use std::collections::BTreeMap;

use super::leb128;
use crate::index::DefinedFuncIndex;

/// Calls per block. Larger ones make the table smaller and look-ups slower.
const BLOCK: usize = 128;
/// Bytes of the two numbers at the front, and of each entry of the two tables behind them.
const PAIR: usize = 8;

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
#[derive(Clone, Copy, Debug, Default)]
pub struct InlineFrames<'a> {
    blocks: &'a [u8],
    callees: &'a [u8],
    payload: &'a [u8],
}

/// Encodes `frames`, whose ranges must ascend strictly.
///
/// # Panics
///
/// When they do not ascend, or a call is in the range of a later one.
pub fn encode(frames: &[InlineFrame]) -> Vec<u8> {
    assert!(frames.is_sorted_by(|a, b| a.start < b.start), "ranges ascend");
    let callee = |frame: &InlineFrame| (frame.function.0, frame.body);
    let callees: BTreeMap<(u32, u32), u32> = {
        let all: BTreeMap<_, _> = frames.iter().map(|frame| (callee(frame), ())).collect();
        all.into_keys().zip(0..).collect()
    };
    let first = frames.first().map_or(0, |frame| frame.start);
    let blocks = frames.chunks(BLOCK);
    let mut bytes = Vec::with_capacity(PAIR * (1 + blocks.len() + callees.len()));
    push_pair(&mut bytes, blocks.len() as u32, callees.len() as u32);
    let mut payload = Vec::new();
    for block in blocks {
        push_pair(&mut bytes, block[0].start, payload.len() as u32);
        let (mut last_start, mut last_call) = (block[0].start, 0);
        for frame in block {
            let is_inlined = frame.call >= first;
            leb128::write(&mut payload, frame.start - last_start);
            leb128::write(&mut payload, callees[&callee(frame)] << 1 | u32::from(is_inlined));
            if is_inlined {
                let distance = frame.start.checked_sub(frame.call).expect("calls come first");
                leb128::write(&mut payload, distance);
            } else {
                leb128::write_difference(&mut payload, last_call, frame.call);
                last_call = frame.call;
            }
            last_start = frame.start;
        }
    }
    for &(function, body) in callees.keys() {
        push_pair(&mut bytes, function, body);
    }
    bytes.append(&mut payload);
    bytes
}

fn push_pair(bytes: &mut Vec<u8>, a: u32, b: u32) {
    bytes.extend_from_slice(&a.to_le_bytes());
    bytes.extend_from_slice(&b.to_le_bytes());
}

/// The pair at a position of a table.
fn pair(table: &[u8], position: usize) -> Option<(u32, u32)> {
    let bytes = table.get(position.checked_mul(PAIR)?..)?.first_chunk::<PAIR>()?;
    let (a, b) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*a), u32::from_le_bytes(*b.first_chunk()?)))
}

impl<'a> InlineFrames<'a> {
    /// The table in `bytes`. Bytes that hold no table make an empty one.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::split(bytes).unwrap_or_default()
    }

    fn split(bytes: &'a [u8]) -> Option<Self> {
        let (blocks, callees) = pair(bytes, 0)?;
        let bytes = &bytes[PAIR..];
        let (blocks, bytes) = bytes.split_at_checked((blocks as usize).checked_mul(PAIR)?)?;
        let (callees, payload) = bytes.split_at_checked((callees as usize).checked_mul(PAIR)?)?;
        Some(InlineFrames { blocks, callees, payload })
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

    /// The call in whose range an offset is.
    fn find(&self, offset: u32) -> Option<InlineFrame> {
        let (mut low, mut high) = (0, self.blocks.len() / PAIR);
        while low < high {
            let middle = low + (high - low) / 2;
            if pair(self.blocks, middle)?.0 <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let frames = self.block(low.checked_sub(1)?);
        frames.take_while(|frame| frame.start <= offset).last()
    }

    /// The calls of a block.
    fn block(self, block: usize) -> impl Iterator<Item = InlineFrame> + 'a {
        let first = pair(self.blocks, 0).map_or(0, |(start, _)| start);
        let (mut start, begin) = pair(self.blocks, block).unwrap_or((0, u32::MAX));
        let mut bytes = self.payload.get(begin as usize..).unwrap_or(&[]);
        let mut last_call = 0;
        std::iter::from_fn(move || {
            start = start.checked_add(leb128::read(&mut bytes)?)?;
            let callee = leb128::read(&mut bytes)?;
            let (function, body) = pair(self.callees, (callee >> 1) as usize)?;
            let call = if callee & 1 == 1 {
                start.checked_sub(leb128::read(&mut bytes)?).filter(|&call| call >= first)?
            } else {
                last_call = leb128::read_difference(&mut bytes, last_call)?;
                last_call
            };
            Some(InlineFrame { start, function: DefinedFuncIndex(function), body, call })
        })
        .take(BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(start: u32, function: u32, body: u32, call: u32) -> InlineFrame {
        InlineFrame { start, function: DefinedFuncIndex(function), body, call }
    }

    fn resolved(frames: &InlineFrames<'_>, offset: u32) -> Vec<(Option<u32>, u32)> {
        let found = frames.resolve(offset).map(|(function, at)| (function.map(|it| it.0), at));
        found.collect()
    }

    #[test]
    fn calls_are_found_from_the_inside_out() {
        let bytes = encode(&[frame(1000, 7, 50, 210), frame(1020, 8, 90, 1004)]);
        let frames = InlineFrames::new(&bytes);
        assert_eq!(resolved(&frames, 999), [(None, 999)]);
        assert_eq!(resolved(&frames, 1003), [(Some(7), 53), (None, 210)]);
        assert_eq!(resolved(&frames, 1025), [(Some(8), 95), (Some(7), 54), (None, 210)]);
        assert_eq!(resolved(&InlineFrames::new(&encode(&[])), 5), [(None, 5)]);
    }

    #[test]
    fn calls_of_all_blocks_are_found() {
        let call = |i: u32| if i % 3 == 1 { 10_000 + i * 9 - 9 } else { 9_000 - i * 7 };
        let all: Vec<_> =
            (0..400).map(|i| frame(10_000 + i * 9, i % 5, i % 5 * 40, call(i))).collect();
        let bytes = encode(&all);
        let frames = InlineFrames::new(&bytes);
        for frame in &all {
            let found = resolved(&frames, frame.start + 3);
            assert_eq!(found[0], (Some(frame.function.0), frame.body + 3));
            assert_eq!(found[1..], resolved(&frames, frame.call));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_searched(bytes in prop::collection::vec(any::<u8>(), 0..200), offset in any::<u32>()) {
            let frames = InlineFrames::new(&bytes);
            prop_assert!(frames.resolve(offset).count() <= bytes.len() + 1);
        }
    }
}
