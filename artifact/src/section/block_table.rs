//! A sorted table of `u32` pairs, compressed in blocks: what stack maps are found by.
//!
//! Layout, all integers little-endian: the number of blocks (`u32`); for each block its first
//! key (`u32`) and where its bytes begin in the payload (`u32`); the payload. A block holds up
//! to [`BLOCK`] entries, each as two LEB128 numbers: the distance from the previous key (from the
//! block's first key for the first entry), and the difference from the previous value (from 0
//! for the first entry), zigzag-encoded.

use super::leb128;

/// Entries per block. Larger ones make the table smaller and look-ups slower.
pub const BLOCK: usize = 64;

/// Bytes per entry of the block index.
const INDEX_ENTRY: usize = 8;

/// A block table in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct BlockTable<'a> {
    index: &'a [u8],
    payload: &'a [u8],
}

/// Encodes `entries`, whose keys must ascend strictly.
///
/// # Panics
///
/// When the keys do not ascend, or the payload exceeds 4 GiB.
pub fn encode(entries: &[(u32, u32)]) -> Vec<u8> {
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys of a block table ascend");
    let blocks = entries.chunks(BLOCK);
    let mut index = Vec::with_capacity(4 + blocks.len() * INDEX_ENTRY);
    index.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
    let mut payload = Vec::new();
    for block in blocks {
        let start = u32::try_from(payload.len()).expect("block table below 4 GiB");
        index.extend_from_slice(&block[0].0.to_le_bytes());
        index.extend_from_slice(&start.to_le_bytes());
        let (mut last_key, mut last_value) = (block[0].0, 0u32);
        for &(key, value) in block {
            leb128::write(&mut payload, key - last_key);
            leb128::write_difference(&mut payload, last_value, value);
            (last_key, last_value) = (key, value);
        }
    }
    index.append(&mut payload);
    index
}

impl<'a> BlockTable<'a> {
    /// The table in `bytes`. Bytes that hold no table make an empty one.
    pub fn new(bytes: &'a [u8]) -> Self {
        let empty = BlockTable { index: &[], payload: &[] };
        let Some((count, rest)) = bytes.split_first_chunk::<4>() else { return empty };
        let length = (u32::from_le_bytes(*count) as usize).saturating_mul(INDEX_ENTRY);
        match rest.split_at_checked(length) {
            Some((index, payload)) => BlockTable { index, payload },
            None => empty,
        }
    }

    /// The entry with the largest key that is not above `key`.
    pub fn find_floor(&self, key: u32) -> Option<(u32, u32)> {
        let (mut low, mut high) = (0, self.block_count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block(middle)?.0 <= key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.entries_of(low.checked_sub(1)?).take_while(|entry| entry.0 <= key).last()
    }

    /// The value of the entry with exactly this key.
    pub fn get(&self, key: u32) -> Option<u32> {
        self.find_floor(key).filter(|entry| entry.0 == key).map(|entry| entry.1)
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let table = *self;
        (0..table.block_count()).flat_map(move |block| table.entries_of(block))
    }

    fn block_count(&self) -> usize {
        self.index.len() / INDEX_ENTRY
    }

    /// The first key of a block and where its payload begins.
    fn block(&self, block: usize) -> Option<(u32, usize)> {
        let entry = self.index.get(block * INDEX_ENTRY..)?.first_chunk::<INDEX_ENTRY>()?;
        let (key, start) = entry.split_first_chunk::<4>()?;
        let start = u32::from_le_bytes(*start.first_chunk::<4>()?);
        Some((u32::from_le_bytes(*key), start as usize))
    }

    fn entries_of(self, block: usize) -> impl Iterator<Item = (u32, u32)> + 'a {
        let (mut key, start) = self.block(block).unwrap_or((0, usize::MAX));
        let end = self.block(block + 1).map_or(self.payload.len(), |(_, start)| start);
        let mut bytes = self.payload.get(start..end).unwrap_or(&[]);
        let mut value = 0u32;
        std::iter::from_fn(move || {
            key = key.checked_add(leb128::read(&mut bytes)?)?;
            value = leb128::read_difference(&mut bytes, value)?;
            Some((key, value))
        })
        .take(BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_round_trip(
            entries in prop::collection::btree_map(any::<u32>(), any::<u32>(), 0..300),
            probe in any::<u32>(),
        ) {
            let list: Vec<_> = entries.iter().map(|(&key, &value)| (key, value)).collect();
            let bytes = encode(&list);
            let table = BlockTable::new(&bytes);
            prop_assert_eq!(table.iter().collect::<Vec<_>>(), list.clone());
            for probe in list.iter().map(|entry| entry.0).chain([probe, 0, u32::MAX]) {
                let expected = entries.range(..=probe).next_back().map(|(&k, &v)| (k, v));
                prop_assert_eq!(table.find_floor(probe), expected);
                prop_assert_eq!(table.get(probe), entries.get(&probe).copied());
            }
        }

        #[test]
        fn any_bytes_can_be_searched(bytes in prop::collection::vec(any::<u8>(), 0..200), key in any::<u32>()) {
            let table = BlockTable::new(&bytes);
            let _ = table.find_floor(key);
            let _ = table.iter().count();
        }

        #[test]
        fn a_damaged_table_can_be_searched(at in 0usize..300, byte in any::<u8>(), key in 0u32..2000) {
            let entries: Vec<_> = (0..200).map(|i| (i * 7, i * 3)).collect();
            let mut bytes = encode(&entries);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = BlockTable::new(&bytes).find_floor(key);
        }
    }
}
