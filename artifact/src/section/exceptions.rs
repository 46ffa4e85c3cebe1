//! Which calls have exception handlers, and where those are.
//!
//! Most calls in a function, and many in a module, have the same kinds of handlers in frames
//! that are laid out alike: this is their *shape*. Each shape is stored once; a call has the
//! number of its shape and the offsets of its handlers' code, which tend to be close to each
//! other.
//!
//! Layout, all integers little-endian: the number of blocks, the number of shapes and the
//! length of their bytes (`u32` each); for each block its first return address (`u32`) and
//! where its bytes begin in the payload (`u32`); for each shape where its bytes begin (`u32`);
//! the bytes of the shapes; the payload. A shape is the frame's size, the place of the
//! VMContext plus 1 or 0 for none, the number of handlers, and the [`Catch`] of each. A block
//! holds up to [`BLOCK`] calls, each as the distance of its return address from the one before
//! (from the block's first for the first call), the difference of its shape's number from the
//! one before (from 0), and the difference of each handler's offset from the one before (from
//! the block's first return address). All of these are LEB128, differences zigzag-encoded.

use std::collections::HashMap;

use super::leb128;
use crate::index::TagIndex;

/// Calls per block. Larger ones make the table smaller and look-ups slower.
pub const BLOCK: usize = 64;

/// Bytes of the numbers in front.
const HEADER: usize = 12;
/// Bytes per entry of the block index.
const BLOCK_ENTRY: usize = 8;
/// Bytes per entry of the shape index.
const SHAPE_ENTRY: usize = 4;

/// Which exceptions a handler takes, and what it wants of them. Stored as the tag's index plus 1,
/// or 0 for every tag, shifted left by one, and in the low bit whether it wants a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Catch {
    /// Those with this tag of the module; `None` for all.
    pub tag: Option<TagIndex>,
    /// Whether it wants a reference to the exception, which otherwise ends with being caught.
    pub reference: bool,
}

/// A handler of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Which exceptions it takes.
    pub catch: Catch,
    /// Where its code begins in the text section, in bytes.
    pub offset: u32,
}

/// The frame of a function, as its calls see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The distance from the stack pointer up to the frame pointer, in bytes.
    pub size: u32,
    /// Where the frame holds the VMContext whose tags the handlers mean, in bytes above the
    /// stack pointer. Only where a handler has a tag.
    pub vmctx: Option<u32>,
}

/// A call that has handlers.
#[derive(Clone, Copy, Debug)]
pub struct CallSite<'a> {
    /// The frame of the function that calls.
    pub frame: Frame,
    catches: &'a [u8],
    offsets: &'a [u8],
    count: u32,
    /// What the first handler's offset is the difference from.
    offset: u32,
}

/// The exception table in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct ExceptionTable<'a> {
    blocks: &'a [u8],
    shapes: &'a [u8],
    shape_bytes: &'a [u8],
    payload: &'a [u8],
}

/// Makes an exception table from calls in the order of their return addresses.
#[derive(Debug, Default)]
pub struct ExceptionTableBuilder {
    blocks: Vec<u8>,
    shapes: Vec<u8>,
    shape_bytes: Vec<u8>,
    shape_numbers: HashMap<Vec<u8>, u32>,
    payload: Vec<u8>,
    calls: usize,
    last_return_address: u32,
    last_shape: u32,
    last_offset: u32,
}

impl Catch {
    /// The number that stands for it.
    pub fn code(self) -> u32 {
        self.tag.map_or(0, |tag| tag.0 + 1) << 1 | u32::from(self.reference)
    }

    /// What the number stands for.
    pub fn from_code(code: u32) -> Catch {
        let tag = (code >> 1).checked_sub(1).map(TagIndex);
        Catch { tag, reference: code & 1 != 0 }
    }
}

impl ExceptionTableBuilder {
    /// Adds the call that returns to the offset `return_address` of the text section. Of the
    /// handlers, the first that takes an exception gets it.
    ///
    /// # Panics
    ///
    /// When return addresses do not ascend strictly, or the table exceeds 4 GiB.
    pub fn push(
        &mut self,
        return_address: u32,
        frame: Frame,
        handlers: impl ExactSizeIterator<Item = Handler> + Clone,
    ) {
        let ascends = self.calls == 0 || self.last_return_address < return_address;
        assert!(ascends, "calls of an exception table ascend");
        if self.calls.is_multiple_of(BLOCK) {
            self.blocks.extend_from_slice(&return_address.to_le_bytes());
            self.blocks.extend_from_slice(&length(&self.payload).to_le_bytes());
            self.last_return_address = return_address;
            self.last_shape = 0;
            self.last_offset = return_address;
        }
        self.calls += 1;
        let shape = self.shape(frame, handlers.clone());
        leb128::write(&mut self.payload, return_address - self.last_return_address);
        leb128::write_difference(&mut self.payload, self.last_shape, shape);
        for handler in handlers {
            leb128::write_difference(&mut self.payload, self.last_offset, handler.offset);
            self.last_offset = handler.offset;
        }
        self.last_return_address = return_address;
        self.last_shape = shape;
    }

    /// The number of a shape.
    fn shape(&mut self, frame: Frame, handlers: impl ExactSizeIterator<Item = Handler>) -> u32 {
        let mut shape = Vec::new();
        leb128::write(&mut shape, frame.size);
        leb128::write(&mut shape, frame.vmctx.map_or(0, |offset| offset + 1));
        leb128::write(&mut shape, handlers.len() as u32);
        for handler in handlers {
            leb128::write(&mut shape, handler.catch.code());
        }
        if let Some(&number) = self.shape_numbers.get(&shape) {
            return number;
        }
        let number = (self.shapes.len() / SHAPE_ENTRY) as u32;
        self.shapes.extend_from_slice(&length(&self.shape_bytes).to_le_bytes());
        self.shape_bytes.extend_from_slice(&shape);
        self.shape_numbers.insert(shape, number);
        number
    }

    /// The encoded table.
    pub fn finish(self) -> Vec<u8> {
        let ExceptionTableBuilder { blocks, shapes, shape_bytes, payload, .. } = self;
        let numbers = [
            (blocks.len() / BLOCK_ENTRY) as u32,
            (shapes.len() / SHAPE_ENTRY) as u32,
            length(&shape_bytes),
        ];
        let numbers = numbers.map(u32::to_le_bytes).concat();
        [numbers, blocks, shapes, shape_bytes, payload].concat()
    }
}

impl<'a> ExceptionTable<'a> {
    /// The table in `bytes`. Bytes that hold no table make an empty one.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::parse(bytes).unwrap_or(ExceptionTable {
            blocks: &[],
            shapes: &[],
            shape_bytes: &[],
            payload: &[],
        })
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        let length = |at, entry| (word(header, at).unwrap_or(0) as usize).checked_mul(entry);
        let (blocks, rest) = rest.split_at_checked(length(0, BLOCK_ENTRY)?)?;
        let (shapes, rest) = rest.split_at_checked(length(1, SHAPE_ENTRY)?)?;
        let (shape_bytes, payload) = rest.split_at_checked(length(2, 1)?)?;
        Some(ExceptionTable { blocks, shapes, shape_bytes, payload })
    }

    /// The call that returns to the offset `return_address` of the text section, if it has
    /// handlers.
    pub fn find(&self, return_address: u32) -> Option<CallSite<'a>> {
        let (mut low, mut high) = (0, self.blocks.len() / BLOCK_ENTRY);
        while low < high {
            let middle = low + (high - low) / 2;
            if word(self.blocks, middle * 2)? <= return_address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let calls = self.calls_of(low.checked_sub(1)?);
        { calls }
            .take_while(|&(address, _)| address <= return_address)
            .find_map(|(address, call)| (address == return_address).then_some(call))
    }

    /// All calls that have handlers, by their return addresses.
    pub fn iter(&self) -> impl Iterator<Item = (u32, CallSite<'a>)> + 'a {
        let table = *self;
        (0..table.blocks.len() / BLOCK_ENTRY).flat_map(move |block| table.calls_of(block))
    }

    fn calls_of(self, block: usize) -> impl Iterator<Item = (u32, CallSite<'a>)> + 'a {
        let start = |block: usize| word(self.blocks, block * 2 + 1).map(|start| start as usize);
        let end = start(block + 1).unwrap_or(self.payload.len());
        let bytes = start(block).and_then(|start| self.payload.get(start..end));
        let mut bytes = bytes.unwrap_or(&[]);
        let mut return_address = word(self.blocks, block * 2).unwrap_or(0);
        let mut offset = return_address;
        let mut shape = 0;
        std::iter::from_fn(move || {
            return_address = return_address.checked_add(leb128::read(&mut bytes)?)?;
            shape = leb128::read_difference(&mut bytes, shape)?;
            let call = self.call(shape, bytes, offset)?;
            for _ in 0..call.count {
                offset = leb128::read_difference(&mut bytes, offset)?;
            }
            Some((return_address, call))
        })
        .take(BLOCK)
    }

    fn call(self, shape: u32, offsets: &'a [u8], offset: u32) -> Option<CallSite<'a>> {
        let mut catches = self.shape_bytes.get(word(self.shapes, shape as usize)? as usize..)?;
        let size = leb128::read(&mut catches)?;
        let vmctx = leb128::read(&mut catches)?.checked_sub(1);
        let count = leb128::read(&mut catches)?;
        Some(CallSite { frame: Frame { size, vmctx }, catches, offsets, count, offset })
    }
}

impl<'a> CallSite<'a> {
    /// The handlers. The first that takes an exception gets it.
    pub fn handlers(&self) -> impl Iterator<Item = Handler> + 'a {
        let CallSite { mut catches, mut offsets, count, mut offset, .. } = *self;
        (0..count).map_while(move |_| {
            let catch = Catch::from_code(leb128::read(&mut catches)?);
            offset = leb128::read_difference(&mut offsets, offset)?;
            Some(Handler { catch, offset })
        })
    }
}

/// The `u32` at a position of an array.
fn word(bytes: &[u8], position: usize) -> Option<u32> {
    let bytes = bytes.get(position.checked_mul(4)?..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("exception table below 4 GiB")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Call = (u32, Option<u32>, Vec<(Option<u32>, bool, u32)>);

    fn calls() -> impl Strategy<Value = std::collections::BTreeMap<u32, Call>> {
        let tag = prop::option::of(0..1_000_000u32);
        let handlers = prop::collection::vec((tag, any::<bool>(), any::<u32>()), 1..4);
        let vmctx = prop::option::of(0..200u32);
        prop::collection::btree_map(any::<u32>(), (0..5u32, vmctx, handlers), 0..200)
    }

    fn handlers(call: &Call) -> impl ExactSizeIterator<Item = Handler> + Clone {
        call.2.iter().map(|&(tag, reference, offset)| Handler {
            catch: Catch { tag: tag.map(TagIndex), reference },
            offset,
        })
    }

    fn encode(calls: &std::collections::BTreeMap<u32, Call>) -> Vec<u8> {
        let mut builder = ExceptionTableBuilder::default();
        for (&address, call) in calls {
            builder.push(address, Frame { size: call.0, vmctx: call.1 }, handlers(call));
        }
        builder.finish()
    }

    fn search(bytes: &[u8], address: u32) {
        let table = ExceptionTable::new(bytes);
        if let Some(call) = table.find(address) {
            let _ = call.handlers().count();
        }
        let _ = table.iter().count();
    }

    proptest! {
        #[test]
        fn calls_round_trip(calls in calls(), probe in any::<u32>()) {
            let bytes = encode(&calls);
            let table = ExceptionTable::new(&bytes);
            prop_assert!(table.iter().map(|(address, _)| address).eq(calls.keys().copied()));
            prop_assert_eq!(table.find(probe).is_some(), calls.contains_key(&probe));
            for (&address, call) in &calls {
                let found = table.find(address).unwrap();
                prop_assert_eq!(found.frame, Frame { size: call.0, vmctx: call.1 });
                prop_assert!(found.handlers().eq(handlers(call)));
            }
        }

        #[test]
        fn any_bytes_can_be_searched(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            address in any::<u32>(),
        ) {
            search(&bytes, address);
        }

        #[test]
        fn a_damaged_table_can_be_searched(at in any::<prop::sample::Index>(), byte in any::<u8>(), address in 0u32..2000) {
            let call = |i: u32| (i % 3 * 16, Some(8), vec![(Some(i % 2), i.is_multiple_of(5), i * 9), (None, true, i)]);
            let mut bytes = encode(&(0..150).map(|i| (i * 13, call(i))).collect());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            search(&bytes, address);
        }
    }

    #[test]
    fn alike_calls_take_few_bytes() {
        let catch = Catch { tag: None, reference: true };
        let call = |i: u32| (16, None, vec![(None, true, 9000 + i * 12)]);
        let bytes = encode(&(0..640).map(|i| (i * 20, call(i))).collect());
        assert_eq!(Catch::from_code(catch.code()), catch);
        assert!(bytes.len() < 640 * 4, "{} bytes", bytes.len());
    }
}
