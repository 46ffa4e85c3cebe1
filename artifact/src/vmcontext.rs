//! What generated code finds in memory: the VMContext of an instance and the structures
//! that it points to.
//!
//! A VMContext is a [`VMContextHeader`] followed by arrays whose lengths depend on the
//! module; [`VMOffsets`] computes where they begin. The compiler writes the offsets into
//! code and the runtime lays out instances by them, so this file is the only place that
//! knows them. Only 64-bit targets are supported.

use std::ffi::c_void;
use std::sync::atomic::AtomicU64;

use crate::helper::HelperTable;
use crate::index::{FuncIndex, FuncRefIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex};
use crate::module::Module;

/// The first word of the VMContext of an instance.
pub const VMCONTEXT_MAGIC: u32 = u32::from_le_bytes(*b"inst");
/// The first word of the VMContext of a host function.
pub const VMHOST_MAGIC: u32 = u32::from_le_bytes(*b"host");

/// The fixed part of an instance's VMContext.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct VMContextHeader {
    /// [`VMCONTEXT_MAGIC`].
    pub magic: u32,
    /// The store's state that generated code reads and writes.
    pub store: *mut VMStoreContext,
    /// The addresses of the helpers.
    pub helpers: *const HelperTable,
    /// The engine-wide index of each of the module's types, by type index.
    pub type_ids: *const u32,
    /// What is known of the engine's types, by engine-wide index, those that are reserved for
    /// objects without a type included.
    pub types: *const *const VMTypeInfo,
    /// The runtime's side of the instance. Generated code never touches it.
    pub instance: *mut c_void,
}

/// The VMContext of a function that the host defines.
#[derive(Debug)]
#[repr(C)]
pub struct VMHostContext {
    /// [`VMHOST_MAGIC`].
    pub magic: u32,
    /// What an exit trampoline calls, with this structure as the callee.
    pub function: VMHostFunction,
}

/// The host convention: `(callee, caller VMContext, values, length of values)`.
///
/// The values hold the parameters on the way in and the results on the way out; their
/// length is the larger of both counts. `false` means that the host recorded an error,
/// which the exit trampoline raises.
pub type VMHostFunction =
    unsafe extern "C" fn(*mut c_void, *mut c_void, *mut ValRaw, usize) -> bool;

/// An entry trampoline: `(code, callee VMContext, caller VMContext, values, length of
/// values)`.
///
/// `code` is a wasm function of the entry's signature. `false` means that the call ended in
/// a trap, a host error or an exception, and nothing was written to the values.
pub type VMEntry =
    unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_void, *mut ValRaw, usize) -> bool;

/// The state of a store that generated code reads and writes.
#[derive(Debug)]
#[repr(C)]
pub struct VMStoreContext {
    /// Wasm functions trap when their frame would reach below this address.
    pub stack_limit: usize,
    /// The frame pointer of the newest entry trampoline: where a walk over the newest
    /// activation ends.
    pub entry_fp: usize,
    /// The stack pointer of the newest entry trampoline while it calls wasm.
    pub entry_sp: usize,
    /// The code address at which the newest entry continues after a failure.
    pub entry_handler: usize,
    /// The frame pointer of the trampoline through which wasm was last left: its saved frame
    /// pointer and return address are where a walk over the newest activation begins.
    pub exit_fp: usize,
    /// The start of the store's heap, to which references are offsets.
    pub heap_base: *mut u8,
    /// Where the next object goes that code allocates by itself, as an offset into the heap.
    pub heap_next: usize,
    /// Where the room for such objects ends, as an offset into the heap.
    pub heap_end: usize,
    /// The end of the list of objects that code holds references to, where the next one goes.
    /// For the collector that counts references.
    pub listed_next: *mut u32,
    /// Where the room for that list ends.
    pub listed_end: *mut u32,
    /// The fuel consumed, counted up from the negative of what there was: code that counts
    /// fuel asks for more from 0 on.
    pub fuel: i64,
    /// Code that looks at epochs asks what to do from this one on.
    pub epoch_deadline: u64,
    /// The engine's epoch, which other threads raise.
    pub epoch: *const AtomicU64,
}

/// The collector that counts references keeps in an object how many there are from globals,
/// tables, objects and the host, in the bits below this one. A count that reaches it stays what
/// it is.
pub const COUNT_SATURATED: u32 = 1 << 30;
/// Set beside the count of an object that is on the list of those that code holds references to,
/// which counts as one more reference.
pub const LISTED: u32 = 1 << 31;

/// A function that can be called from anywhere: what a function reference points to.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMFuncRef {
    /// The code, in the wasm calling convention. Null for a host function that has not
    /// entered wasm through a module that knows its signature.
    pub code: *const c_void,
    /// The entry trampoline of its signature; null for a host function, which the host
    /// calls without one.
    pub entry: *const c_void,
    /// Its VMContext: of its instance, or a [`VMHostContext`].
    pub vmctx: *mut c_void,
    /// The engine-wide index of its type.
    pub type_id: u32,
}

/// What code has to know of the type of an object or a function that it meets, so that it can
/// tell in constant time whether that is a subtype of another.
#[derive(Debug)]
#[repr(C)]
pub struct VMTypeInfo {
    /// What the type is one of.
    pub kind: VMTypeKind,
    /// How many supertypes it has.
    pub depth: u32,
    /// Its supertypes, the one without a supertype first, and then itself; as engine-wide indices.
    /// At deeper places is 0, which is no type's index. There are more of them than these when
    /// `depth` is not smaller.
    pub supertypes: [u32; SUPERTYPES_ALWAYS_THERE],
}

/// How many entries [`VMTypeInfo::supertypes`] has at least.
pub const SUPERTYPES_ALWAYS_THERE: usize = 8;
/// How many supertypes a type may have.
pub const MAX_SUPERTYPES: usize = 63;

/// What a type is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum VMTypeKind {
    /// Not a type of wasm.
    None = 0,
    /// A function.
    Func = 1,
    /// A structure.
    Struct = 2,
    /// An array.
    Array = 3,
}

/// An imported function.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMFunctionImport {
    /// The code, in the wasm calling convention; never null.
    pub code: *const c_void,
    /// Its VMContext.
    pub vmctx: *mut c_void,
    /// The function as a reference.
    pub func_ref: *mut VMFuncRef,
}

/// A linear memory.
#[derive(Debug)]
#[repr(C)]
pub struct VMMemoryDefinition {
    /// The first byte.
    pub base: *mut u8,
    /// The current size in bytes. Other threads may raise that of a shared memory; it
    /// never shrinks.
    pub length: usize,
}

/// A table.
///
/// Elements of tables of functions are pointers to `VMFuncRef`s with [`FUNC_REF_READ`]
/// added, or 0 where no one has looked yet and the initial contents apply. Elements of
/// other tables are 32-bit heap references.
#[derive(Debug)]
#[repr(C)]
pub struct VMTableDefinition {
    /// The first element.
    pub base: *mut c_void,
    /// The current number of elements.
    pub length: u64,
}

/// Set in an element of a table of functions that holds its value.
pub const FUNC_REF_READ: usize = 1;

/// The value of a global, as its type lies in memory.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct VMGlobalDefinition {
    /// The value, in the low bytes.
    pub value: ValRaw,
}

/// An exception tag. Its address is its identity.
#[derive(Debug)]
#[repr(C)]
pub struct VMTagDefinition {
    /// The engine-wide index of the tag's function type.
    pub type_id: u32,
}

/// One value of the host convention: little-endian, in the low bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct ValRaw(pub [u8; 16]);

macro_rules! val_raw {
    ($($from:ident $to:ident $ty:ident $what:literal)*) => {
        impl ValRaw {
            $(
                #[doc = concat!("Holds ", $what, ".")]
                #[inline]
                pub fn $from(value: $ty) -> ValRaw {
                    let mut raw = [0; 16];
                    raw[..size_of::<$ty>()].copy_from_slice(&value.to_le_bytes());
                    ValRaw(raw)
                }

                #[doc = concat!("Reads ", $what, ".")]
                #[inline]
                pub fn $to(self) -> $ty {
                    let mut bytes = [0; size_of::<$ty>()];
                    bytes.copy_from_slice(&self.0[..size_of::<$ty>()]);
                    $ty::from_le_bytes(bytes)
                }
            )*
        }
    };
}

val_raw! {
    i32 get_i32 i32 "an `i32`"
    u32 get_u32 u32 "a heap reference"
    i64 get_i64 i64 "an `i64`"
    u64 get_u64 u64 "a pointer"
    u128 get_u128 u128 "a `v128`"
    f32 get_f32 f32 "an `f32`"
    f64 get_f64 f64 "an `f64`"
}

/// Where generated code finds the definition of a memory, table, global or tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the VMContext, at this offset.
    Inline(u32),
    /// Behind a pointer that is in the VMContext, at this offset.
    Pointer(u32),
}

/// The offsets of the arrays of a module's VMContext, in bytes from its start.
///
/// They stand in the order of the fields. What code uses most comes first: instructions have shorter
/// forms for offsets below 128. Imported entities are pointers to the exporter's definitions; own
/// ones are definitions in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VMOffsets {
    memories: u32,
    globals: u32,
    tables: u32,
    memory_pointers: u32,
    imported_globals: u32,
    imported_tables: u32,
    imported_tags: u32,
    tags: u32,
    imported_functions: u32,
    func_refs: u32,
    size: u32,
    num_imported_memories: u32,
    num_imported_tables: u32,
    num_imported_globals: u32,
    num_imported_tags: u32,
}

/// A module has more entities than a VMContext of 2 GiB can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the module declares more functions, tables, memories or globals than fit one instance")]
pub struct VMContextTooLarge;

impl VMOffsets {
    /// The layout for `module`.
    ///
    /// # Errors
    ///
    /// [`VMContextTooLarge`] when an offset would not fit a signed 32-bit displacement.
    pub fn new(module: &Module) -> Result<VMOffsets, VMContextTooLarge> {
        let imported = module.imported;
        let own = |all: usize, imported: u32| all as u64 - u64::from(imported).min(all as u64);
        let mut next = size_of::<VMContextHeader>() as u64;
        let mut array = |count: u64, element: usize| {
            let start = next.next_multiple_of(element.min(16) as u64);
            next = start
                .checked_add(count.checked_mul(element as u64).ok_or(VMContextTooLarge)?)
                .filter(|&end| end <= i32::MAX as u64)
                .ok_or(VMContextTooLarge)?;
            Ok(start as u32)
        };
        const POINTER: usize = size_of::<*const c_void>();
        Ok(VMOffsets {
            memories: array(
                own(module.memories.len(), imported.memories),
                size_of::<VMMemoryDefinition>(),
            )?,
            globals: array(
                own(module.globals.len(), imported.globals),
                size_of::<VMGlobalDefinition>(),
            )?,
            tables: array(
                own(module.tables.len(), imported.tables),
                size_of::<VMTableDefinition>(),
            )?,
            memory_pointers: array(module.memories.len() as u64, POINTER)?,
            imported_globals: array(imported.globals.into(), POINTER)?,
            imported_tables: array(imported.tables.into(), POINTER)?,
            imported_tags: array(imported.tags.into(), POINTER)?,
            tags: array(own(module.tags.len(), imported.tags), POINTER)?,
            imported_functions: array(imported.functions.into(), size_of::<VMFunctionImport>())?,
            func_refs: array(module.func_refs.into(), size_of::<VMFuncRef>())?,
            size: array(0, 16)?,
            num_imported_memories: imported.memories,
            num_imported_tables: imported.tables,
            num_imported_globals: imported.globals,
            num_imported_tags: imported.tags,
        })
    }

    /// The size of the whole VMContext; its alignment is 16.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// A [`VMFunctionImport`], by imported function.
    pub fn imported_function(&self, index: FuncIndex) -> u32 {
        self.imported_functions + index.0 * size_of::<VMFunctionImport>() as u32
    }

    /// A pointer to the [`VMMemoryDefinition`] of any memory, imported or own.
    pub fn memory_pointer(&self, index: MemoryIndex) -> u32 {
        self.memory_pointers + index.0 * 8
    }

    /// The [`VMMemoryDefinition`] of a memory: in place when the memory is the instance's
    /// own and not shared.
    pub fn memory(&self, index: MemoryIndex, shared: bool) -> Place {
        match index.0.checked_sub(self.num_imported_memories) {
            Some(own) if !shared => {
                Place::Inline(self.memories + own * size_of::<VMMemoryDefinition>() as u32)
            }
            _ => Place::Pointer(self.memory_pointer(index)),
        }
    }

    /// The [`VMTableDefinition`] of a table.
    pub fn table(&self, index: TableIndex) -> Place {
        self.place(
            index.0,
            self.num_imported_tables,
            self.imported_tables,
            self.tables,
            size_of::<VMTableDefinition>(),
        )
    }

    /// The [`VMGlobalDefinition`] of a global.
    pub fn global(&self, index: GlobalIndex) -> Place {
        self.place(
            index.0,
            self.num_imported_globals,
            self.imported_globals,
            self.globals,
            size_of::<VMGlobalDefinition>(),
        )
    }

    /// The [`VMTagDefinition`] of a tag.
    pub fn tag(&self, index: TagIndex) -> Place {
        self.place(index.0, self.num_imported_tags, self.imported_tags, self.tags, 8)
    }

    /// A [`VMFuncRef`] of a function of this instance whose address can be taken. Its bytes
    /// are zero until the runtime fills it on first use.
    pub fn func_ref(&self, index: FuncRefIndex) -> u32 {
        self.func_refs + index.0 * size_of::<VMFuncRef>() as u32
    }

    fn place(&self, index: u32, imported: u32, pointers: u32, own: u32, size: usize) -> Place {
        match index.checked_sub(imported) {
            Some(own_index) => Place::Inline(own + own_index * size as u32),
            None => Place::Pointer(pointers + index * 8),
        }
    }
}
