//! Which addresses hold code of which module, for the whole process.
//!
//! A sorted list that is replaced as a whole when a module comes or goes. Signal handlers
//! read it without locks: they announce themselves in a counter, and whoever replaces the list
//! frees the old one when there is no reader left.
#![allow(unsafe_code)] // The list is behind an atomic pointer.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Weak};

use crate::module::{Module, ModuleInner};

static LIST: AtomicPtr<Vec<CodeRange>> = AtomicPtr::new(ptr::null_mut());
static READERS: AtomicUsize = AtomicUsize::new(0);
static WRITER: Mutex<()> = Mutex::new(());

/// The code of one module.
#[derive(Clone)]
pub(crate) struct CodeRange {
    /// The addresses.
    pub(crate) text: Range<usize>,
    /// Where the whole artifact is mapped.
    pub(crate) mapping: Range<usize>,
    /// The module, which takes itself out of the registry before it goes.
    pub(crate) module: Weak<ModuleInner>,
}

/// Adds the code of a module.
pub(crate) fn register(range: CodeRange) {
    if range.text.is_empty() {
        return;
    }
    replace(|list| {
        let position = list.partition_point(|other| other.text.start < range.text.start);
        list.insert(position, range);
    });
}

/// Takes out the code that begins at `start`.
pub(crate) fn deregister(start: usize) {
    replace(|list| list.retain(|range| range.text.start != start));
}

/// The module that the code at `pc` belongs to. Not for signal handlers.
pub(super) fn module_at(pc: usize) -> Option<Module> {
    let _writer = lock();
    let list = LIST.load(Ordering::Acquire);
    // SAFETY: lists are only replaced under the lock.
    let list = unsafe { list.as_ref() }?;
    find(list, pc)?.module.upgrade().map(Module::from_inner)
}

/// Looks at the module whose code at `pc` this thread is executing, without taking locks.
pub(super) fn with_code_at<R>(pc: usize, look: impl FnOnce(&ModuleInner) -> R) -> Option<R> {
    with_list(|list| find(list, pc), look)
}

/// Looks at a module that is mapped at one of these addresses, which this thread is
/// accessing, without taking locks.
pub(super) fn with_mapping_at<R>(
    addresses: &[usize],
    look: impl FnOnce(&ModuleInner) -> R,
) -> Option<R> {
    let here = |range: &&CodeRange| addresses.iter().any(|at| range.mapping.contains(at));
    with_list(|list| list.iter().find(here), look)
}

fn with_list<R>(
    search: impl FnOnce(&[CodeRange]) -> Option<&CodeRange>,
    look: impl FnOnce(&ModuleInner) -> R,
) -> Option<R> {
    READERS.fetch_add(1, Ordering::SeqCst);
    let list = LIST.load(Ordering::SeqCst);
    // SAFETY: a list that is replaced now is freed only when READERS was 0 afterwards.
    let found = unsafe { list.as_ref() }.and_then(|list| search(list));
    // SAFETY: a module whose memory is in use is kept alive by the store or the handle through
    // which it is used.
    let result = found.map(|range| look(unsafe { &*range.module.as_ptr() }));
    READERS.fetch_sub(1, Ordering::SeqCst);
    result
}

fn find(list: &[CodeRange], pc: usize) -> Option<&CodeRange> {
    let after = list.partition_point(|range| range.text.start <= pc);
    list.get(after.checked_sub(1)?).filter(|range| range.text.contains(&pc))
}

fn replace(change: impl FnOnce(&mut Vec<CodeRange>)) {
    let _writer = lock();
    // SAFETY: lists are only replaced under the lock.
    let old = unsafe { LIST.load(Ordering::Acquire).as_ref() };
    let mut list = old.cloned().unwrap_or_default();
    change(&mut list);
    let old = LIST.swap(Box::into_raw(Box::new(list)), Ordering::SeqCst);
    while READERS.load(Ordering::SeqCst) != 0 {
        std::hint::spin_loop();
    }
    if !old.is_null() {
        // SAFETY: made by `Box::into_raw` above; whoever reads now has read the new pointer.
        drop(unsafe { Box::from_raw(old) });
    }
}

fn lock() -> MutexGuard<'static, ()> {
    WRITER.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_their_range() {
        let range =
            |text: Range<usize>| CodeRange { mapping: text.clone(), text, module: Weak::new() };
        let list = [range(10..20), range(20..25), range(40..41)];
        let found = |pc| find(&list, pc).map(|range| range.text.start);
        assert_eq!(found(9), None);
        assert_eq!(found(19), Some(10));
        assert_eq!(found(20), Some(20));
        assert_eq!(found(30), None);
        assert_eq!(found(40), Some(40));
        assert_eq!(found(41), None);
    }
}
