//! Memory images: initial contents of memories, known at compile time, as pages to map.

use std::collections::BTreeMap;
use std::ops::Range;

use precast_artifact::index::MemoryIndex;
use precast_artifact::module::{MemoryImage, PageRun};

/// Runs of pages that are closer than this, in bytes, become one: a few pages of zeros cost
/// less than another mapping.
const MERGE_GAP: u64 = 64 << 10;
/// More runs than this are not mapped; each is a system call at instantiation.
const MAX_RUNS: usize = 256;
/// An image may be this many times larger than the data in it: bytes that are scattered thinly
/// over a memory are cheaper to copy.
const MAX_SPREAD: u64 = 16;
/// Images up to this size may be as sparse as they like.
const SPREAD_FREE: u64 = 1 << 20;

/// Collects data segments until one does not fit.
pub(crate) struct MemoryImages<'wasm> {
    page_size: u64,
    limit: u64,
    memories: BTreeMap<u32, Pages<'wasm>>,
    /// The bytes of all runs.
    size: u64,
    /// The number of all runs.
    runs: usize,
    /// The bytes of all segments.
    data: u64,
}

#[derive(Default)]
struct Pages<'wasm> {
    /// Where a byte other than zero lies somewhere: start to end, in bytes, multiples of the
    /// page size, no two closer than [`MERGE_GAP`].
    runs: BTreeMap<u64, u64>,
    segments: Vec<(u64, &'wasm [u8])>,
}

impl<'wasm> MemoryImages<'wasm> {
    /// For a target with pages of `page_size` bytes and at most `limit` bytes of images.
    pub(crate) fn new(page_size: u64, limit: u64) -> Self {
        MemoryImages { page_size, limit, memories: BTreeMap::new(), size: 0, runs: 0, data: 0 }
    }

    /// Takes a segment in that lies inside its memory. `false` when it would make the images
    /// too large; then nothing changes.
    pub(crate) fn add(&mut self, memory: MemoryIndex, address: u64, bytes: &'wasm [u8]) -> bool {
        let pages = self.memories.entry(memory.0).or_default();
        let data = self.data + bytes.len() as u64;
        let limit = self.limit.min(data.saturating_mul(MAX_SPREAD).max(SPREAD_FREE));
        let mut undo = Vec::new();
        let (mut size, mut runs) = (self.size, self.runs);
        for new in pages_with_contents(address, bytes, self.page_size) {
            let (merged, replaced) = merge(&pages.runs, new);
            size += merged.end - merged.start;
            size -= replaced.iter().map(|run| run.end - run.start).sum::<u64>();
            runs = runs + 1 - replaced.len();
            for run in &replaced {
                pages.runs.remove(&run.start);
            }
            pages.runs.insert(merged.start, merged.end);
            undo.push((merged, replaced));
            if size > limit || runs > MAX_RUNS {
                for (merged, replaced) in undo.into_iter().rev() {
                    pages.runs.remove(&merged.start);
                    pages.runs.extend(replaced.into_iter().map(|run| (run.start, run.end)));
                }
                return false;
            }
        }
        pages.segments.push((address, bytes));
        (self.size, self.runs, self.data) = (size, runs, data);
        true
    }

    /// The images and the contents of the image section. `memory_size` is the declared minimum
    /// of each memory, in bytes.
    pub(crate) fn finish(
        self,
        memory_size: impl Fn(MemoryIndex) -> u64,
    ) -> (Vec<MemoryImage>, Vec<u8>) {
        let mut section = Vec::with_capacity(self.size as usize);
        let mut images = Vec::new();
        for (memory, pages) in self.memories {
            let memory = MemoryIndex(memory);
            let runs: Vec<PageRun> = pages
                .runs
                .iter()
                .map(|(&address, &end)| {
                    let len = end.min(memory_size(memory)) - address;
                    let start = section.len() as u64;
                    section.resize((start + len.next_multiple_of(self.page_size)) as usize, 0);
                    PageRun { address, start, len }
                })
                .collect();
            for (address, bytes) in pages.segments {
                write(&mut section, &runs, address, bytes);
            }
            if !runs.is_empty() {
                images.push(MemoryImage { memory, runs });
            }
        }
        (images, section)
    }
}

/// Copies a segment into the runs. What lies in no run is zero, and stays so.
fn write(section: &mut [u8], runs: &[PageRun], address: u64, bytes: &[u8]) {
    let end = address + bytes.len() as u64;
    let first = runs.partition_point(|run| run.address + run.len <= address);
    for run in runs[first..].iter().take_while(|run| run.address < end) {
        let from = run.address.max(address);
        let to = (run.address + run.len).min(end);
        let target = (run.start + (from - run.address)) as usize;
        let source = &bytes[(from - address) as usize..(to - address) as usize];
        section[target..target + source.len()].copy_from_slice(source);
    }
}

/// The ranges of pages in which `bytes` at `address` has something other than zero.
fn pages_with_contents(
    address: u64,
    bytes: &[u8],
    page_size: u64,
) -> impl Iterator<Item = Range<u64>> {
    let end = address + bytes.len() as u64;
    let mut page = address - address % page_size;
    std::iter::from_fn(move || {
        let mut found: Option<Range<u64>> = None;
        while page < end {
            let next = page + page_size;
            let from = (page.max(address) - address) as usize;
            let to = (next.min(end) - address) as usize;
            let filled = bytes[from..to].iter().any(|&byte| byte != 0);
            match &mut found {
                Some(run) if filled => run.end = next,
                None if filled => found = Some(page..next),
                Some(_) => break,
                None => {}
            }
            page = next;
        }
        found
    })
}

/// `new` joined with the runs that it touches or comes close to, and these runs.
fn merge(runs: &BTreeMap<u64, u64>, new: Range<u64>) -> (Range<u64>, Vec<Range<u64>>) {
    let mut merged = new.clone();
    let mut replaced = Vec::new();
    if let Some((&start, &end)) = runs.range(..new.start).next_back()
        && end.saturating_add(MERGE_GAP) >= new.start
    {
        replaced.push(start..end);
    }
    let upto = new.end.saturating_add(MERGE_GAP);
    replaced.extend(runs.range(new.start..=upto).map(|(&start, &end)| start..end));
    for run in &replaced {
        merged = merged.start.min(run.start)..merged.end.max(run.end);
    }
    (merged, replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;
    const MEMORY: MemoryIndex = MemoryIndex(0);

    fn finish(images: MemoryImages<'_>) -> (Vec<PageRun>, Vec<u8>) {
        let (images, section) = images.finish(|_| 4 << 30);
        assert!(images.len() <= 1);
        (images.into_iter().flat_map(|image| image.runs).collect(), section)
    }

    #[test]
    fn near_runs_merge_and_far_ones_do_not() {
        let mut images = MemoryImages::new(PAGE, 256 << 20);
        assert!(images.add(MEMORY, 10, b"abc"));
        assert!(images.add(MEMORY, 5 * PAGE - 1, b"de"));
        assert!(images.add(MEMORY, 1 << 30, b"far"));
        assert!(images.add(MEMORY, 11, b"B"));
        let (runs, section) = finish(images);
        assert_eq!(
            runs,
            [
                PageRun { address: 0, start: 0, len: 6 * PAGE },
                PageRun { address: 1 << 30, start: 6 * PAGE, len: PAGE },
            ]
        );
        assert_eq!(&section[10..13], b"aBc");
        assert_eq!(&section[5 * PAGE as usize - 1..][..2], b"de");
        assert_eq!(&section[6 * PAGE as usize..][..3], b"far");
        assert_eq!(section.len() as u64, 7 * PAGE);
    }

    #[test]
    fn zeros_take_no_pages_but_overwrite() {
        let mut images = MemoryImages::new(PAGE, 256 << 20);
        let zeros = vec![0; 1 << 20];
        assert!(images.add(MEMORY, PAGE, b"xy"));
        assert!(images.add(MEMORY, PAGE + 1, &zeros));
        let (runs, section) = finish(images);
        assert_eq!(runs, [PageRun { address: PAGE, start: 0, len: PAGE }]);
        assert_eq!(&section[..3], b"x\0\0");
    }

    #[test]
    fn what_is_too_large_changes_nothing() {
        let mut images = MemoryImages::new(PAGE, 3 * PAGE);
        assert!(images.add(MEMORY, 0, b"x"));
        let large = vec![1; 4 * PAGE as usize];
        assert!(!images.add(MEMORY, 1 << 20, &large));
        assert!(!images.add(MEMORY, PAGE, &large));
        assert!(images.add(MEMORY, 1 << 20, b"y"));
        let (runs, section) = finish(images);
        assert_eq!(runs.len(), 2);
        assert_eq!(section.len() as u64, 2 * PAGE);
    }

    #[test]
    fn scattered_bytes_are_left_to_be_copied() {
        let mut images = MemoryImages::new(64 << 10, 256 << 20);
        let taken = (0..1000u64).take_while(|i| images.add(MEMORY, i << 20, b"x")).count();
        assert_eq!(taken as u64, SPREAD_FREE / (64 << 10));
    }

    #[test]
    fn a_run_ends_with_the_memory() {
        let mut images = MemoryImages::new(64 << 10, 1 << 20);
        assert!(images.add(MEMORY, 65536, b"x"));
        let (images, section) = images.finish(|_| 65536 + 100);
        assert_eq!(images[0].runs, [PageRun { address: 65536, start: 0, len: 100 }]);
        assert_eq!(section.len(), 65536);
    }

    /// The images and a plain replay of the segments must agree.
    #[test]
    fn images_equal_copies() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |bound: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % bound
        };
        for _ in 0..200 {
            let segments: Vec<(u64, Vec<u8>)> = (0..next(12))
                .map(|_| {
                    let len = next(9000);
                    let fill = next(3) as u8;
                    (next((1 << 20) - len), vec![fill; len as usize])
                })
                .collect();
            let mut images = MemoryImages::new(PAGE, 256 << 20);
            let mut expected = vec![0; 1 << 20];
            for (address, bytes) in &segments {
                assert!(images.add(MEMORY, *address, bytes));
                expected[*address as usize..][..bytes.len()].copy_from_slice(bytes);
            }
            let (runs, section) = finish(images);
            let mut actual = vec![0; 1 << 20];
            for run in runs {
                let bytes = &section[run.start as usize..][..run.len as usize];
                actual[run.address as usize..][..run.len as usize].copy_from_slice(bytes);
            }
            assert!(actual == expected);
        }
    }
}
