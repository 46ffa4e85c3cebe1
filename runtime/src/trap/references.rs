//! The references that wasm code on this thread holds in its frames.
#![allow(unsafe_code)] // Reads and writes the stack.

use std::ptr::NonNull;

use super::{activation, code_registry};
use crate::arch;
use crate::store::{Registers, Shared};

/// A place in the frame of a function that is active and holds a reference across its call.
pub(crate) struct StackReference(NonNull<u32>);

impl StackReference {
    pub(crate) fn get(&self) -> u32 {
        // SAFETY: the compiler put a reference there for as long as the call lasts, and the frame
        // stays for as long as the collection that wants to know.
        unsafe { self.0.read_volatile() }
    }

    /// Lets the function go on with another reference.
    pub(crate) fn set(&self, reference: u32) {
        // SAFETY: as in `get`; the function reads it again when the call has returned.
        unsafe { self.0.write_volatile(reference) }
    }
}

/// All references in frames of a store's code; `None` when a frame was met that is not known, so
/// that there may be others.
pub(crate) fn stack_references(store: Shared) -> Option<Vec<StackReference>> {
    let mut references = Vec::new();
    let mut complete = true;
    let mut last_exit = 0;
    activation::for_each(|shared, registers| {
        // A host function that the host called left wasm where the activation below it did.
        if shared == store && registers.exit_fp != 0 && registers.exit_fp != last_exit {
            last_exit = registers.exit_fp;
            complete &= walk(registers, &mut references).is_some();
        }
    });
    complete.then_some(references)
}

/// Adds the references of an activation.
fn walk(registers: Registers, references: &mut Vec<StackReference>) -> Option<()> {
    let Registers { entry_fp, exit_fp, .. } = registers;
    let mut fp = exit_fp;
    loop {
        // SAFETY: the frame belongs to wasm or a trampoline: those above an entry that has not
        // returned are active.
        let (caller_fp, return_address) = unsafe { arch::caller(fp) };
        // The entry's call of the first wasm function: it holds no references.
        if caller_fp == entry_fp {
            return Some(());
        }
        // Stacks grow downwards.
        if caller_fp <= fp || caller_fp > entry_fp {
            return None;
        }
        fp = caller_fp;
        let map = code_registry::with_code_at(return_address.wrapping_sub(1), |module| {
            let offset = return_address - module.text().start;
            module.sections().stack_maps.find(u32::try_from(offset).ok()?)
        })?;
        let Some(map) = map else { continue };
        let sp = fp.checked_sub(map.frame_size as usize)?;
        references.extend(map.references.iter().filter_map(|&place| {
            let place = std::ptr::with_exposed_provenance_mut(sp + place as usize);
            NonNull::new(place).map(StackReference)
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks frames that are pairs of words: where the caller's frame is, as a position, and a
    /// return address. The first one is the exit, the last position the entry.
    fn walk_frames(frames: &[(usize, usize)]) -> Option<usize> {
        let mut stack = vec![[0usize; 2]; frames.len() + 1];
        let start = stack.as_mut_ptr().expose_provenance();
        let address = |position: usize| start + position * size_of::<[usize; 2]>();
        for (frame, &(caller, return_address)) in stack.iter_mut().zip(frames) {
            *frame = [address(caller), return_address];
        }
        let registers = Registers {
            stack_limit: 0,
            entry_fp: address(frames.len()),
            entry_sp: 0,
            entry_handler: 0,
            exit_fp: address(0),
        };
        let mut references = Vec::new();
        std::hint::black_box(&stack);
        walk(registers, &mut references)?;
        Some(references.len())
    }

    #[test]
    fn a_walk_that_does_not_reach_the_entry_is_noticed() {
        // Straight from the exit to the entry.
        assert_eq!(walk_frames(&[(1, 0x1234)]), Some(0));
        // Through code that nobody knows.
        assert_eq!(walk_frames(&[(1, 0x1234), (2, 0x1234)]), None);
        // In a circle, and beyond the entry.
        assert_eq!(walk_frames(&[(0, 0x1234)]), None);
        assert_eq!(walk_frames(&[(2, 0x1234)]), None);
    }
}
