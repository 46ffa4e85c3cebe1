//! Where the frames of functions hold references while they call.
//!
//! Few calls of a module differ in what their frames look like, so each layout, a [`StackMap`], is
//! stored once. A call without references in its frame has no entry.
//!
//! Layout, all integers little-endian: the length of the block table in bytes (`u32`); a
//! [block table](super::block_table) from the return address of each call, as an offset in the text
//! section, to where its map begins; the maps. A map is the frame's size and the number of
//! references, and for each the distance of its place from the one before (from the stack pointer
//! for the first), all LEB128 and in units of 4 bytes.

use std::collections::HashMap;

use super::block_table::{self, BlockTable};
use super::leb128;

/// The size of a reference, and what all numbers of a map are multiples of.
const UNIT: u32 = 4;

/// The frame of a function during one of its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StackMap {
    /// The distance from the stack pointer up to the frame pointer, in bytes.
    pub frame_size: u32,
    /// Where the frame holds references, in bytes above the stack pointer, ascending strictly.
    pub references: Vec<u32>,
}

/// The stack maps in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct StackMaps<'a> {
    calls: BlockTable<'a>,
    maps: &'a [u8],
}

/// Makes the table from calls in the order of their return addresses.
#[derive(Debug, Default)]
pub struct StackMapsBuilder {
    calls: Vec<(u32, u32)>,
    maps: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl StackMapsBuilder {
    /// Adds the call that returns to the offset `return_address` of the text section.
    ///
    /// # Panics
    ///
    /// When the numbers of the map are no multiples of 4 or its references do not ascend.
    pub fn push(&mut self, return_address: u32, map: &StackMap) {
        let mut bytes = Vec::new();
        let mut write = |bytes_count: u32| {
            assert!(bytes_count.is_multiple_of(UNIT), "frames consist of words");
            leb128::write(&mut bytes, bytes_count / UNIT);
        };
        write(map.frame_size);
        write(map.references.len() as u32 * UNIT);
        let mut last = 0;
        for (position, &reference) in map.references.iter().enumerate() {
            assert!(position == 0 || reference > last, "the places of a stack map ascend");
            write(reference - last);
            last = reference;
        }
        let start = match self.known.get(&bytes) {
            Some(&start) => start,
            None => {
                let start = u32::try_from(self.maps.len()).expect("stack maps below 4 GiB");
                self.maps.extend_from_slice(&bytes);
                self.known.insert(bytes, start);
                start
            }
        };
        self.calls.push((return_address, start));
    }

    /// The bytes of the table.
    ///
    /// # Panics
    ///
    /// When return addresses did not ascend strictly, or the table exceeds 4 GiB.
    pub fn finish(self) -> Vec<u8> {
        let calls = block_table::encode(&self.calls);
        let length = u32::try_from(calls.len()).expect("stack maps below 4 GiB");
        [&length.to_le_bytes(), &*calls, &*self.maps].concat()
    }
}

impl<'a> StackMaps<'a> {
    /// The table in `bytes`. Bytes that hold no table make an empty one.
    pub fn new(bytes: &'a [u8]) -> Self {
        let parts = bytes
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize));
        let (calls, maps) = parts.unwrap_or_default();
        StackMaps { calls: BlockTable::new(calls), maps }
    }

    /// The frame of the function that calls and is returned to at this offset of the text section;
    /// `None` when it holds no references.
    ///
    /// All references of the result lie within the frame.
    pub fn find(&self, return_address: u32) -> Option<StackMap> {
        let start = self.calls.get(return_address)?;
        let mut bytes = self.maps.get(start as usize..)?;
        let mut read = || leb128::read(&mut bytes)?.checked_mul(UNIT);
        let frame_size = read()?;
        let count = read()? / UNIT;
        // No frame has room for more.
        let mut references = Vec::with_capacity(count.min(frame_size / UNIT) as usize);
        let mut place = 0u32;
        for _ in 0..count {
            place = place.checked_add(read()?)?;
            if place >= frame_size {
                return None;
            }
            references.push(place);
        }
        Some(StackMap { frame_size, references })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map() -> impl Strategy<Value = StackMap> {
        let places = prop::collection::btree_set(0u32..100, 0..8);
        (places, 0u32..50).prop_map(|(places, more)| {
            let references: Vec<u32> = places.into_iter().map(|place| place * UNIT).collect();
            let end = references.last().map_or(0, |last| last + UNIT);
            StackMap { frame_size: end + more * UNIT, references }
        })
    }

    proptest! {
        #[test]
        fn maps_round_trip(
            calls in prop::collection::btree_map(any::<u32>(), map(), 0..200),
            probe in any::<u32>(),
        ) {
            let mut builder = StackMapsBuilder::default();
            for (&return_address, map) in &calls {
                builder.push(return_address, map);
            }
            let bytes = builder.finish();
            let table = StackMaps::new(&bytes);
            for probe in calls.keys().copied().chain([probe]) {
                prop_assert_eq!(table.find(probe), calls.get(&probe).cloned());
            }
        }

        #[test]
        fn any_bytes_can_be_searched(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            key in any::<u32>(),
        ) {
            let _ = StackMaps::new(&bytes).find(key);
        }

        #[test]
        fn a_damaged_table_names_no_place_outside_of_the_frame(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            key in 0u32..600,
        ) {
            let mut builder = StackMapsBuilder::default();
            for i in 0..200 {
                let references = vec![i % 5 * UNIT, (i % 5 + 3) * UNIT];
                builder.push(i * 3, &StackMap { frame_size: 64, references });
            }
            let mut bytes = builder.finish();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some(map) = StackMaps::new(&bytes).find(key) {
                prop_assert!(map.references.iter().all(|&place| place < map.frame_size));
            }
        }
    }
}
