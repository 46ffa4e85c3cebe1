//! Where the code of functions can be found to be, and what it is doing there: the instructions that
//! can trap, and the calls.
//!
//! Backtraces need no other places: a frame is at a call, or at the instruction that trapped.
//!
//! Layout, all integers little-endian: the number of blocks (`u32`); for each block the code offset
//! of its first site (`u32`) and where its bytes begin in the payload (`u32`); the payload. A
//! block holds up to `BLOCK` sites. Each is two LEB128 numbers: the distance from the previous site
//! (from the block's first for the first one) times 2, plus 1 unless it is an access to memory; and
//! the difference from the previous wasm offset (from 0 for the first one), zigzag-encoded. If it is
//! no access to memory, a byte follows: the number of the trap, or 0 for a call.

use super::leb128;
use crate::trap::Trap;

/// Sites per block. Larger ones make the table smaller and look-ups slower.
const BLOCK: usize = 64;

/// Bytes per entry of the block index.
const INDEX_ENTRY: usize = 8;

/// The trap of most sites.
const COMMON: Option<Trap> = Some(Trap::MemoryOutOfBounds);

/// A place in the code of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it is in the text section, in bytes: where an instruction that can trap begins, or the
    /// last byte of a call, which is right before the return address.
    pub code: u32,
    /// Where in the wasm file the operator is that it comes from, in bytes.
    pub wasm: u32,
    /// Why it can trap; `None` for a call.
    pub trap: Option<Trap>,
}

/// A table of sites in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct SiteTable<'a> {
    index: &'a [u8],
    payload: &'a [u8],
}

/// Encodes `sites`, which must ascend strictly.
///
/// # Panics
///
/// When they do not ascend, lie beyond 2 GiB, or the payload exceeds 4 GiB.
pub fn encode(sites: &[Site]) -> Vec<u8> {
    assert!(sites.is_sorted_by(|a, b| a.code < b.code), "sites ascend");
    let blocks = sites.chunks(BLOCK);
    let mut index = Vec::with_capacity(4 + blocks.len() * INDEX_ENTRY);
    index.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
    let mut payload = Vec::new();
    for block in blocks {
        let start = u32::try_from(payload.len()).expect("a table of sites below 4 GiB");
        index.extend_from_slice(&block[0].code.to_le_bytes());
        index.extend_from_slice(&start.to_le_bytes());
        let (mut last_code, mut last_wasm) = (block[0].code, 0u32);
        for &Site { code, wasm, trap } in block {
            let other = u32::from(trap != COMMON);
            let distance = (code - last_code).checked_mul(2).expect("text below 2 GiB");
            leb128::write(&mut payload, distance + other);
            leb128::write_difference(&mut payload, last_wasm, wasm);
            if trap != COMMON {
                payload.push(trap.map_or(0, Trap::code));
            }
            (last_code, last_wasm) = (code, wasm);
        }
    }
    index.append(&mut payload);
    index
}

impl<'a> SiteTable<'a> {
    /// The table in `bytes`. Bytes that hold no table make an empty one.
    pub fn new(bytes: &'a [u8]) -> Self {
        let empty = SiteTable { index: &[], payload: &[] };
        let Some((count, rest)) = bytes.split_first_chunk::<4>() else { return empty };
        let length = (u32::from_le_bytes(*count) as usize).saturating_mul(INDEX_ENTRY);
        match rest.split_at_checked(length) {
            Some((index, payload)) => SiteTable { index, payload },
            None => empty,
        }
    }

    /// The site at this offset of the text section.
    pub fn get(&self, code: u32) -> Option<Site> {
        let (mut low, mut high) = (0, self.block_count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block(middle)?.0 <= code {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut sites = self.sites_of(low.checked_sub(1)?);
        sites.find(|site| site.code >= code).filter(|site| site.code == code)
    }

    /// All sites, in order.
    pub fn iter(&self) -> impl Iterator<Item = Site> + 'a {
        let table = *self;
        (0..table.block_count()).flat_map(move |block| table.sites_of(block))
    }

    fn block_count(&self) -> usize {
        self.index.len() / INDEX_ENTRY
    }

    /// The first site of a block and where its payload begins.
    fn block(&self, block: usize) -> Option<(u32, usize)> {
        let entry = self.index.get(block * INDEX_ENTRY..)?.first_chunk::<INDEX_ENTRY>()?;
        let (code, start) = entry.split_first_chunk::<4>()?;
        let start = u32::from_le_bytes(*start.first_chunk::<4>()?);
        Some((u32::from_le_bytes(*code), start as usize))
    }

    fn sites_of(self, block: usize) -> impl Iterator<Item = Site> + 'a {
        let (mut code, start) = self.block(block).unwrap_or((0, usize::MAX));
        let end = self.block(block + 1).map_or(self.payload.len(), |(_, start)| start);
        let mut bytes = self.payload.get(start..end).unwrap_or(&[]);
        let mut wasm = 0u32;
        std::iter::from_fn(move || {
            let distance = leb128::read(&mut bytes)?;
            code = code.checked_add(distance >> 1)?;
            wasm = leb128::read_difference(&mut bytes, wasm)?;
            let trap = match distance & 1 {
                0 => COMMON,
                _ => {
                    let (&number, rest) = bytes.split_first()?;
                    bytes = rest;
                    Trap::from_code(number)
                }
            };
            Some(Site { code, wasm, trap })
        })
        .take(BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trap() -> impl Strategy<Value = Option<Trap>> {
        prop_oneof![Just(COMMON), Just(None), prop::sample::select(Trap::ALL).prop_map(Some)]
    }

    proptest! {
        #[test]
        fn sites_round_trip(
            sites in prop::collection::btree_map(0u32..1 << 31, (any::<u32>(), trap()), 0..300),
            probe in any::<u32>(),
        ) {
            let list: Vec<Site> =
                sites.iter().map(|(&code, &(wasm, trap))| Site { code, wasm, trap }).collect();
            let bytes = encode(&list);
            let table = SiteTable::new(&bytes);
            prop_assert_eq!(table.iter().collect::<Vec<_>>(), list.clone());
            for probe in list.iter().map(|site| site.code).chain([probe, 0, u32::MAX]) {
                let expected = sites.get(&probe).map(|&(wasm, trap)| Site { code: probe, wasm, trap });
                prop_assert_eq!(table.get(probe), expected);
            }
        }

        #[test]
        fn any_bytes_can_be_searched(bytes in prop::collection::vec(any::<u8>(), 0..200), code in any::<u32>()) {
            let table = SiteTable::new(&bytes);
            let _ = table.get(code);
            let _ = table.iter().count();
        }

        #[test]
        fn a_damaged_table_can_be_searched(at in 0usize..300, byte in any::<u8>(), code in 0u32..2000) {
            let sites: Vec<_> =
                (0..200).map(|i| Site { code: i * 7, wasm: i * 3, trap: COMMON }).collect();
            let mut bytes = encode(&sites);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = SiteTable::new(&bytes).get(code);
        }
    }
}
