//! Which exceptions a store still needs.
//!
//! Globals and tables say exactly what they refer to. What wasm code holds is found by looking at
//! the stack: every number there that looks like a reference counts as one. That can keep an
//! exception longer than needed, and never frees one too early: a value that is alive during a
//! call is in the frame of a function, or in a register that calls preserve and that is either
//! saved in a frame further down, or still in place here.
#![allow(unsafe_code)] // Reads the stack.

use precast_artifact::types::{HeapType, RefType};
use precast_artifact::vmcontext::ValRaw;

use super::objects::Marks;
use crate::arch;
use crate::store::StoreOpaque;
use crate::table::{Element, Stored};
use crate::trap::outermost_entry;

/// Frees the exceptions that nothing refers to: neither the store, nor these values, nor code that
/// is running on this thread.
///
/// Code of a store only runs on the thread that has borrowed it.
pub(super) fn collect(store: &mut StoreOpaque, values: &[ValRaw]) {
    let mut marks = Marks::default();
    store.exceptions.mark_own(&mut marks);
    for value in values {
        store.exceptions.mark(&mut marks, value.get_u32());
    }
    mark_globals_and_tables(store, &mut marks);
    if let Some(entry_fp) = outermost_entry(store.shared()) {
        arch::with_saved_registers(|sp| mark_stack(store, &mut marks, sp, entry_fp));
    }
    store.exceptions.sweep(marks);
}

fn mark_globals_and_tables(store: &mut StoreOpaque, marks: &mut Marks) {
    let is_exception = |ty: RefType| matches!(ty.heap, HeapType::Exn | HeapType::NoExn);
    for global in store.globals.iter() {
        if global.ref_type().is_some_and(is_exception) {
            store.exceptions.mark(marks, global.definition().get().get_u32());
        }
    }
    for table in store.tables.iter().filter(|table| is_exception(table.ty().element)) {
        for index in 0..table.len() as usize {
            if let Stored::Value(Element::Ref(reference)) = table.stored(index) {
                store.exceptions.mark(marks, reference);
            }
        }
    }
}

/// Marks what the stack between two addresses refers to.
fn mark_stack(store: &mut StoreOpaque, marks: &mut Marks, start: usize, end: usize) {
    for address in (start.next_multiple_of(align_of::<u32>())..end).step_by(size_of::<u32>()) {
        let word = std::ptr::with_exposed_provenance::<u32>(address);
        // SAFETY: the caller gives two addresses of this thread's stack, the first of which is
        // below this function's callers and the second in a frame that has not returned.
        // Others' variables may lie between them, which is why the access is volatile.
        let word = unsafe { word.read_volatile() };
        store.exceptions.mark(marks, word);
    }
}
