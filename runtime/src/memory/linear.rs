//! The bytes of a memory: where they are, how they grow, and their initial contents.

use precast_artifact::index::MemoryIndex;
use precast_artifact::module::{Bounds, PageRun};
use precast_loader::ImageSource;

use super::reservation::{Reservation, page_size};
use crate::error::{LimitError, ModuleError, Result};
use crate::pool::{Slot, WarmMemory};

/// Address space that a memory which may move gets beyond its size, so that it rarely does.
const HEADROOM: usize = 1 << 30;

/// Bytes that can grow, with inaccessible address space behind them.
#[derive(Debug)]
pub(crate) struct LinearMemory {
    reservation: Reservation,
    bounds: Bounds,
    len: usize,
    max: Option<usize>,
    contents: Contents,
    /// Whether the address space goes back to a pool.
    slot: Option<Slot>,
}

/// What a memory holds as long as nobody writes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    Zeros,
    /// An image, and zeros around it.
    Image(ImageKey),
    /// A part of an image.
    Unknown,
}

/// The initial contents of a memory of a module, while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageKey {
    /// The module's number, unique in the process.
    pub(crate) module: u64,
    /// Which of its memories.
    pub(crate) memory: MemoryIndex,
}

impl LinearMemory {
    /// `len` bytes of zeros that can grow up to `max`.
    pub(crate) fn new(bounds: Bounds, len: usize, max: Option<usize>) -> Result<LinearMemory> {
        let reservation = match bounds {
            Bounds::Guard { reservation, guard } => {
                let total = reservation.saturating_add(guard);
                if len as u64 > reservation {
                    return Err(LimitError::Memory { bytes: len as u64 }.into());
                }
                reserve(total, len)?
            }
            Bounds::Explicit { guard } => reserve_movable(len, max, guard)?,
        };
        Ok(LinearMemory { reservation, bounds, len, max, contents: Contents::Zeros, slot: None })
    }

    /// As [`new`](Self::new), from a pool: perhaps with the image `image` already mapped. Only
    /// memories that never move are kept there.
    pub(crate) fn pooled(
        slot: Slot,
        bounds: Bounds,
        len: usize,
        max: Option<usize>,
        image: Option<ImageKey>,
    ) -> Result<LinearMemory> {
        let largest = slot.pool().max_memory_size();
        if len > largest {
            return Err(LimitError::Memory { bytes: len as u64 }.into());
        }
        let max = Some(max.map_or(largest, |max| max.min(largest)));
        let warm = match bounds {
            Bounds::Guard { reservation, guard } if len as u64 <= reservation => {
                let total = usize::try_from(reservation.saturating_add(guard));
                total.ok().and_then(|total| slot.pool().take_memory(total, image))
            }
            _ => None,
        };
        let memory = warm.and_then(|mut warm| {
            if warm.image.is_some() && warm.image != image {
                warm.reservation.clear().ok()?;
                warm.image = None;
            }
            let WarmMemory { mut reservation, image } = warm;
            reservation
                .limit_accessible(len)
                .and_then(|()| reservation.make_accessible(len))
                .ok()?;
            let contents = image.map_or(Contents::Zeros, Contents::Image);
            Some(LinearMemory { reservation, bounds, len, max, contents, slot: None })
        });
        let mut memory = match memory {
            Some(memory) => memory,
            None => LinearMemory::new(bounds, len, max)?,
        };
        memory.slot = Some(slot);
        Ok(memory)
    }

    /// As [`new`](Self::new), and it never moves: all that it can grow into is reserved now.
    pub(crate) fn new_in_place(bounds: Bounds, len: usize, max: usize) -> Result<LinearMemory> {
        let Bounds::Explicit { guard } = bounds else {
            return LinearMemory::new(bounds, len, Some(max));
        };
        let reservation = reserve(with_guard(max.max(len), guard), len)?;
        Ok(LinearMemory {
            reservation,
            bounds,
            len,
            max: Some(max),
            contents: Contents::Zeros,
            slot: None,
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.reservation.start()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes it `len` bytes long, which is more than before.
    pub(crate) fn grow(&mut self, len: usize) -> Result<()> {
        let no_space = LimitError::AddressSpace { bytes: len as u64 };
        if self.max.is_some_and(|max| len > max) {
            return Err(LimitError::Memory { bytes: len as u64 }.into());
        }
        match self.bounds {
            Bounds::Guard { reservation, .. } => {
                if len as u64 > reservation {
                    return Err(no_space.into());
                }
                self.reservation.make_accessible(len).map_err(|_| no_space)?;
            }
            Bounds::Explicit { guard } => {
                let fits = usize::try_from(guard)
                    .ok()
                    .and_then(|guard| len.checked_add(guard))
                    .is_some_and(|end| end <= self.reservation.len());
                if fits {
                    self.reservation.make_accessible(len).map_err(|_| no_space)?;
                } else {
                    let mut larger = reserve_movable(len, self.max, guard)?;
                    larger.copy_from(&self.reservation, self.len);
                    self.reservation = larger;
                }
            }
        }
        self.len = len;
        Ok(())
    }

    /// Gives a memory that was just made its initial contents: pages of the artifact's image
    /// section, mapped where they can be and copied where not. They are known as `key`.
    pub(crate) fn apply_image(
        &mut self,
        key: ImageKey,
        runs: &[PageRun],
        images: &[u8],
        source: Option<ImageSource<'_>>,
    ) -> Result<()> {
        let damaged =
            || ModuleError::Damaged("a memory image lies outside of its memory or section");
        let mapped = self.contents == Contents::Image(key);
        self.contents = Contents::Unknown;
        let mut all_mapped = true;
        for run in runs {
            let start = usize::try_from(run.start).map_err(|_| damaged())?;
            let at = usize::try_from(run.address).map_err(|_| damaged())?;
            let len = usize::try_from(run.len).map_err(|_| damaged())?;
            let bytes = images.get(start..).and_then(|rest| rest.get(..len)).ok_or_else(damaged)?;
            if at.checked_add(len).is_none_or(|end| end > self.len) {
                return Err(damaged().into());
            }
            let aligned = at.is_multiple_of(page_size()) && start.is_multiple_of(page_size());
            let mut copied_from = 0;
            if aligned && let Some(source) = source {
                // The last page may end with the memory; what is behind it in the file must
                // not show when the memory grows.
                let whole = len - len % page_size();
                let offset = source.offset + run.start;
                let mut map = || self.reservation.map_file(at, whole, source.file, offset).is_ok();
                if mapped || map() {
                    copied_from = whole;
                }
            }
            all_mapped &= copied_from == len - len % page_size();
            self.reservation.write(at + copied_from, &bytes[copied_from..]);
        }
        if all_mapped {
            self.contents = Contents::Image(key);
        }
        Ok(())
    }
}

impl Drop for LinearMemory {
    fn drop(&mut self) {
        let Some(slot) = &self.slot else { return };
        let image = match self.contents {
            Contents::Zeros => None,
            Contents::Image(key) => Some(key),
            Contents::Unknown => return,
        };
        let mut reservation = std::mem::replace(&mut self.reservation, Reservation::none());
        if matches!(self.bounds, Bounds::Guard { .. }) && reservation.reset().is_ok() {
            slot.pool().give_memory(WarmMemory { reservation, image });
        }
    }
}

/// Reserves `total` bytes with `len` usable ones.
fn reserve(total: u64, len: usize) -> Result<Reservation> {
    let no_space = LimitError::AddressSpace { bytes: total };
    let total = usize::try_from(total).map_err(|_| no_space.clone())?;
    Reservation::new(total, len).map_err(|_| no_space.into())
}

/// Reserves space for `len` bytes and some to grow into.
fn reserve_movable(len: usize, max: Option<usize>, guard: u64) -> Result<Reservation> {
    let roomy = len.saturating_add(HEADROOM.max(len / 2)).min(max.unwrap_or(usize::MAX)).max(len);
    reserve(with_guard(roomy, guard), len).or_else(|_| reserve(with_guard(len, guard), len))
}

/// The size of whole pages for `len` bytes, and the guard behind them.
fn with_guard(len: usize, guard: u64) -> u64 {
    let pages = (len as u64).checked_next_multiple_of(page_size() as u64);
    pages.unwrap_or(u64::MAX).saturating_add(guard)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    const KEY: ImageKey = ImageKey { module: 0, memory: MemoryIndex(0) };
    const EXPLICIT: Bounds = Bounds::Explicit { guard: 1 << 16 };

    fn byte(memory: &LinearMemory, at: usize) -> u8 {
        assert!(at < memory.len());
        // SAFETY: inside of the memory, which is mapped.
        #[allow(unsafe_code)]
        unsafe {
            memory.base().add(at).read()
        }
    }

    #[test]
    fn guarded_memories_grow_in_place() {
        let bounds = Bounds::Guard { reservation: 1 << 20, guard: 1 << 16 };
        let mut memory = LinearMemory::new(bounds, 1 << 16, None).unwrap();
        let base = memory.base();
        memory.reservation.write(5, b"x");
        memory.grow(1 << 20).unwrap();
        assert_eq!((memory.base(), memory.len()), (base, 1 << 20));
        assert_eq!(byte(&memory, 5), b'x');
        assert_eq!(byte(&memory, (1 << 20) - 1), 0);
        assert!(memory.grow((1 << 20) + 1).is_err());
        assert!(LinearMemory::new(bounds, 2 << 20, None).is_err());
    }

    #[test]
    fn explicit_memories_keep_their_bytes_when_they_move() {
        let mut memory = LinearMemory::new(EXPLICIT, 3, Some(5)).unwrap();
        memory.reservation.write(2, b"y");
        memory.max = Some(usize::MAX);
        let far = memory.reservation.len() + 1;
        memory.grow(far).unwrap();
        assert_eq!(byte(&memory, 2), b'y');
        assert_eq!(byte(&memory, far - 1), 0);
    }

    #[test]
    fn memories_in_place_have_room_for_all_they_can_become() {
        let mut memory = LinearMemory::new_in_place(EXPLICIT, 1 << 16, 4 << 30).unwrap();
        let base = memory.base();
        memory.grow(4 << 30).unwrap();
        assert_eq!((memory.base(), byte(&memory, (4 << 30) - 1)), (base, 0));
        assert!(LinearMemory::new_in_place(EXPLICIT, 1, usize::MAX).is_err());
    }

    #[test]
    fn images_are_private_and_end_with_the_memory() {
        let page = page_size();
        let mut image = vec![b'i'; 2 * page];
        image[0] = b'f';
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&image).unwrap();
        let source = ImageSource { file: file.as_fd(), offset: 0 };
        let runs = [PageRun { address: page as u64, start: 0, len: page as u64 + 10 }];
        let make = |source| {
            let mut memory = LinearMemory::new(EXPLICIT, 2 * page + 10, None).unwrap();
            memory.apply_image(KEY, &runs, &image, source).unwrap();
            memory
        };
        let (mut one, other, copied) = (make(Some(source)), make(Some(source)), make(None));
        one.reservation.write(page, b"1");
        for memory in [&other, &copied] {
            assert_eq!(byte(memory, page - 1), 0);
            assert_eq!(byte(memory, page), b'f');
            assert_eq!(byte(memory, 2 * page + 9), b'i');
        }
        assert_eq!(byte(&one, page), b'1');
        one.grow(3 * page).unwrap();
        assert_eq!(byte(&one, 2 * page + 10), 0);
    }

    #[test]
    fn images_outside_of_the_memory_are_refused() {
        let mut memory = LinearMemory::new(EXPLICIT, 10, None).unwrap();
        for (address, start, len) in [(0, 0, 11), (u64::MAX, 0, 1), (0, u64::MAX, 1), (5, 0, 6)] {
            let run = PageRun { address, start, len };
            assert!(memory.apply_image(KEY, &[run], &[0; 64], None).is_err());
        }
    }
}
