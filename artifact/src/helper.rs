//! The runtime's helpers: what generated code asks the host to do.
//!
//! One table, from which the enum, the layout of the table of pointers and the
//! signatures derive. Generated code never calls a helper directly: it calls a trampoline
//! of its own artifact, which notes where wasm was left (`VMStoreContext::exit_fp`), loads
//! the pointer from the [`HelperTable`] and raises when the helper reports a failure.

use std::ffi::c_void;

use crate::routine::RoutineTable;

/// What a helper takes besides the VMContext, which always comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperParam {
    /// 32-bit integer or heap reference.
    U32,
    /// 64-bit integer.
    U64,
    /// Pointer to a `VMFuncRef`, null allowed.
    FuncRef,
    /// Pointer to `ValRaw`s on the caller's stack.
    Values,
}

/// What a helper returns, and how it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperResult {
    /// Nothing; it cannot fail.
    Nothing,
    /// A pointer to a `VMFuncRef`, null allowed; it cannot fail.
    FuncRef,
    /// Whether it succeeded; `false` (0, one byte) makes the trampoline raise.
    Success,
    /// A 64-bit value, where [`FAILED`] makes the trampoline raise.
    ValueOrFailed,
    /// Nothing; it always records a failure, which the trampoline raises.
    Failure,
    /// It never returns.
    Never,
}

/// What a [`HelperResult::ValueOrFailed`] helper returns after it recorded an error. No
/// count of pages, elements or threads and no "cannot grow" (-1) has this value.
pub const FAILED: u64 = -2_i64 as u64;

/// Calls `$callback!` with the table of helpers, one entry as
/// `name Variant (param: Type, ...) -> Result`, so that the runtime declares its
/// functions from the same source.
#[macro_export]
macro_rules! for_each_helper {
    ($callback:ident) => {
        $callback! {
            /// Stops with the error that the host recorded for this activation.
            raise Raise () -> Never
            /// `memory.grow`: the old size in pages, or -1.
            memory_grow MemoryGrow (memory: U32, delta: U64) -> ValueOrFailed
            /// `memory.copy`.
            memory_copy MemoryCopy (dst_memory: U32, dst: U64, src_memory: U32, src: U64, len: U64) -> Success
            /// `memory.fill`.
            memory_fill MemoryFill (memory: U32, dst: U64, value: U32, len: U64) -> Success
            /// `memory.init`.
            memory_init MemoryInit (memory: U32, data: U32, dst: U64, src: U32, len: U32) -> Success
            /// `data.drop`.
            data_drop DataDrop (data: U32) -> Nothing
            /// `memory.atomic.wait32`: 0 when it was woken, 1 when the value was another, 2 when the
            /// time was up.
            memory_atomic_wait32 MemoryAtomicWait32 (memory: U32, address: U64, expected: U32, timeout: U64) -> ValueOrFailed
            /// `memory.atomic.wait64`: as `memory.atomic.wait32`.
            memory_atomic_wait64 MemoryAtomicWait64 (memory: U32, address: U64, expected: U64, timeout: U64) -> ValueOrFailed
            /// `memory.atomic.notify`: how many were woken.
            memory_atomic_notify MemoryAtomicNotify (memory: U32, address: U64, count: U32) -> ValueOrFailed
            /// An element of a table of functions that has not been read before. The index is in
            /// bounds. The result is untagged.
            table_func_ref TableFuncRef (table: U32, index: U64) -> FuncRef
            /// `table.grow` of a table of functions: the old size, or -1.
            table_grow_func TableGrowFunc (table: U32, delta: U64, init: FuncRef) -> ValueOrFailed
            /// `table.grow` of a table of heap references: the old size, or -1.
            table_grow_ref TableGrowRef (table: U32, delta: U64, init: U32) -> ValueOrFailed
            /// `table.fill` of a table of functions.
            table_fill_func TableFillFunc (table: U32, dst: U64, value: FuncRef, len: U64) -> Success
            /// `table.fill` of a table of heap references.
            table_fill_ref TableFillRef (table: U32, dst: U64, value: U32, len: U64) -> Success
            /// `table.copy`.
            table_copy TableCopy (dst_table: U32, dst: U64, src_table: U32, src: U64, len: U64) -> Success
            /// `table.init`.
            table_init TableInit (table: U32, elem: U32, dst: U64, src: U32, len: U32) -> Success
            /// `elem.drop`.
            elem_drop ElemDrop (elem: U32) -> Nothing
            /// `ref.func`: the reference to a function of this instance.
            ref_func RefFunc (func: U32) -> FuncRef
            /// `throw`: an exception with a tag of this instance. The values are those of the tag's
            /// parameters.
            throw Throw (tag: U32, values: Values) -> Failure
            /// `throw_ref`: the exception of a reference that is not null.
            throw_ref ThrowRef (exception: U32) -> Failure
            /// Allocates an object of a type, of which the header is set, when there is no room for it
            /// or the collector wants to know: the reference.
            gc_allocate GcAllocate (type_id: U32, size: U32) -> ValueOrFailed
            /// Puts an object on the list of those that code holds references to, which is full.
            gc_list GcList (reference: U32) -> Nothing
            /// Frees an object that nothing refers to any more.
            gc_release GcRelease (reference: U32) -> Nothing
            /// `array.new_data`: the reference. The type is one of the module.
            array_new_data ArrayNewData (ty: U32, data: U32, start: U32, len: U32) -> ValueOrFailed
            /// `array.new_elem`: the reference. The type is one of the module.
            array_new_elem ArrayNewElem (ty: U32, elem: U32, start: U32, len: U32) -> ValueOrFailed
            /// `array.init_data`.
            array_init_data ArrayInitData (array: U32, index: U32, data: U32, start: U32, len: U32) -> Success
            /// `array.init_elem`.
            array_init_elem ArrayInitElem (array: U32, index: U32, elem: U32, start: U32, len: U32) -> Success
            /// `array.copy`.
            array_copy ArrayCopy (dst_array: U32, dst: U32, src_array: U32, src: U32, len: U32) -> Success
            /// `VMStoreContext::fuel` has reached 0. It is negative afterwards.
            out_of_fuel OutOfFuel () -> Success
            /// The epoch has reached `VMStoreContext::epoch_deadline`, or had when code last looked
            /// at that.
            new_epoch NewEpoch () -> Success
        }
    };
}

macro_rules! helpers {
    ($($(#[$doc:meta])* $name:ident $variant:ident ($($param:ident: $param_ty:ident),*) -> $result:ident)*) => {
        /// A helper, by its position in the [`HelperTable`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Helper {
            $($(#[$doc])* $variant,)*
        }

        /// The addresses of the helpers, all of the C calling convention of the target.
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        pub struct HelperTable {
            $($(#[$doc])* pub $name: *const c_void,)*
            /// What code calls without a trampoline.
            pub routines: RoutineTable,
        }

        impl Helper {
            /// Every helper, in table order.
            pub const ALL: &[Helper] = &[$(Helper::$variant),*];

            /// The name, as it stands in symbol tables.
            pub fn name(self) -> &'static str {
                match self { $(Helper::$variant => stringify!($name),)* }
            }

            /// The parameters after the VMContext.
            pub fn params(self) -> &'static [HelperParam] {
                match self { $(Helper::$variant => &[$(HelperParam::$param_ty),*],)* }
            }

            /// The result.
            pub fn result(self) -> HelperResult {
                match self { $(Helper::$variant => HelperResult::$result,)* }
            }
        }
    };
}

for_each_helper!(helpers);

impl Helper {
    /// The offset of the helper's address in the [`HelperTable`], in bytes.
    pub fn offset(self) -> u32 {
        self as u32 * size_of::<*const c_void>() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_pointer_per_helper() {
        assert_eq!(std::mem::offset_of!(HelperTable, routines), Helper::ALL.len() * 8);
        assert_eq!(std::mem::offset_of!(HelperTable, raise), Helper::Raise.offset() as usize);
        let last = Helper::NewEpoch;
        assert_eq!(std::mem::offset_of!(HelperTable, new_epoch), last.offset() as usize);
    }
}
