//! Where the code of functions can be found to be, and what it is doing there: the instructions that
//! can trap, and the calls.
//!
//! Backtraces need no other places: a frame is at a call, or at the instruction that trapped.
//!
//! Layout, all integers little-endian: the number of blocks (`u32`); for each block the code offset
//! of its first site (`u32`) and where its bytes begin in the payload (`u32`); the payload. A
//! block holds up to `BLOCK` sites, as bits, the lowest of a byte first:
//!
//! - the kind: `0` for an access to memory, `1 0` for a call, `1 1` and the number of the trap in 5 bits
//!   for others;
//! - of all but the block's first site the distance in code from the previous one, minus 1, in an
//!   Exp-Golomb code whose order depends on the kind;
//! - the wasm offset: 32 bits of the first site, of others how much more the difference from the
//!   previous one is than `USUAL_DIFFERENCE`. With an order that grows with the distance in code:
//!   `1` and as many bits as the order says if that holds it, otherwise `0`, where it is counted from
//!   (`0` for the previous site, `1` for the one before the last site that had such a `0`, at first the
//!   block's first), `0` and its Exp-Golomb code, or if it is negative `1` and that of its complement.
//!
//! So a site takes 13 bits on average, where two LEB128 numbers take 18. Inlined code has offsets far behind
//! others; it is entered and left with few bits because they are counted from where that happened last.

use super::bits::{BitReader, BitWriter};
use crate::trap::Trap;

/// Sites per block. Larger ones make the table smaller and look-ups slower.
const BLOCK: usize = 512;

/// Bytes per entry of the block index.
const INDEX_ENTRY: usize = 8;

/// The trap of most sites.
const COMMON: Option<Trap> = Some(Trap::MemoryOutOfBounds);

/// Bits of the number of a trap.
const TRAP_BITS: u32 = 5;

/// How far the operators of neighbours most often are from each other in wasm, in bytes.
const USUAL_DIFFERENCE: u32 = 7;

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
    let mut payload = BitWriter::default();
    for block in blocks {
        let start = u32::try_from(payload.align()).expect("a table of sites below 4 GiB");
        index.extend_from_slice(&block[0].code.to_le_bytes());
        index.extend_from_slice(&start.to_le_bytes());
        let mut last: Option<(u32, Places)> = None;
        for &site in block {
            write_kind(&mut payload, site.trap);
            let places = match last {
                None => {
                    payload.bits(site.wasm, 32);
                    Places { last: site.wasm, other: site.wasm }
                }
                Some((code, places)) => {
                    let distance = site.code - code;
                    payload.golomb(distance - 1, distance_order(site.trap));
                    places.write(&mut payload, site.wasm, difference_order(distance))
                }
            };
            last = Some((site.code, places));
        }
    }
    index.append(&mut payload.into_bytes());
    index
}

fn write_kind(payload: &mut BitWriter, trap: Option<Trap>) {
    match trap {
        COMMON => payload.bits(0b0, 1),
        None => payload.bits(0b01, 2),
        Some(trap) => {
            payload.bits(0b11, 2);
            payload.bits(trap.code().into(), TRAP_BITS);
        }
    }
}

fn read_kind(payload: &mut BitReader<'_>) -> Option<Option<Trap>> {
    if payload.bit()? == 0 {
        return Some(COMMON);
    }
    match payload.bit()? {
        0 => Some(None),
        _ => Trap::from_code(payload.bits(TRAP_BITS)? as u8).map(Some),
    }
}

/// The order for the distance from the previous site: what takes least bits for Rust and C programs.
fn distance_order(trap: Option<Trap>) -> u32 {
    match trap {
        COMMON => 4,
        None => 5,
        Some(_) => 1,
    }
}

/// The order for the difference in wasm of sites that are so far from each other in code.
fn difference_order(distance: u32) -> u32 {
    match u32::BITS - distance.leading_zeros() {
        ..=3 => 1,
        bits @ 4..=5 => bits - 2,
        bits => bits - 1,
    }
}

/// The wasm offsets that the next one is counted from.
#[derive(Clone, Copy)]
struct Places {
    last: u32,
    /// That of the site before the last one that was far from it.
    other: u32,
}

impl Places {
    fn write(self, payload: &mut BitWriter, wasm: u32, order: u32) -> Places {
        let [near, other] = [self.last, self.other].map(|from| more_than_usual(from, wasm));
        if (0..1 << order.min(30)).contains(&near) {
            payload.bits(1, 1);
            payload.bits(near as u32, order);
            return Places { last: wasm, ..self };
        }
        let magnitude = |more: i32| if more < 0 { !more as u32 } else { more as u32 };
        let from_other = magnitude(other) < magnitude(near);
        let more = if from_other { other } else { near };
        payload.bits(u32::from(from_other) << 1 | u32::from(more < 0) << 2, 3);
        payload.golomb(magnitude(more), order);
        Places { last: wasm, other: self.last }
    }

    fn read(self, payload: &mut BitReader<'_>, order: u32) -> Option<Places> {
        if payload.bit()? == 1 {
            let wasm = self.last.wrapping_add(payload.bits(order)?);
            return Some(Places { last: wasm.wrapping_add(USUAL_DIFFERENCE), ..self });
        }
        let from = if payload.bit()? == 0 { self.last } else { self.other };
        let is_negative = payload.bit()? == 1;
        let magnitude = payload.golomb(order)?;
        let more = if is_negative { !magnitude } else { magnitude };
        let wasm = from.wrapping_add(more).wrapping_add(USUAL_DIFFERENCE);
        Some(Places { last: wasm, other: self.last })
    }
}

fn more_than_usual(from: u32, wasm: u32) -> i32 {
    wasm.wrapping_sub(from).wrapping_sub(USUAL_DIFFERENCE) as i32
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
        let mut payload = BitReader::new(self.payload.get(start..end).unwrap_or(&[]));
        let mut places: Option<Places> = None;
        std::iter::from_fn(move || {
            let trap = read_kind(&mut payload)?;
            let next = match places {
                None => {
                    let wasm = payload.bits(32)?;
                    Places { last: wasm, other: wasm }
                }
                Some(places) => {
                    let distance = payload.golomb(distance_order(trap))?.checked_add(1)?;
                    code = code.checked_add(distance)?;
                    places.read(&mut payload, difference_order(distance))?
                }
            };
            places = Some(next);
            Some(Site { code, wasm: next.last, trap })
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
            sites in prop::collection::btree_map(0u32..1 << 31, (any::<u32>(), trap()), 0..700),
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
