//! What is known, while a function is translated, about the instance that it will run in.

use std::mem::offset_of;

use cranelift_codegen::FxHashMap;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    self, Block, ExtFuncData, ExternalName, FuncRef, GlobalValueData, Inst, InstBuilder, MemFlags,
    SigRef, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::FunctionBuilder;
use precast_artifact::helper::Helper;
use precast_artifact::index::{MemoryIndex, TagIndex, TypeIndex};
use precast_artifact::routine::Routine;
use precast_artifact::trap::Trap;
use precast_artifact::types::{self as artifact, FuncType};
use precast_artifact::vmcontext::{Place, VMContextHeader, VMStoreContext, ValRaw};
use precast_config::OptLevel;
use wasmparser::{HeapType, ValType};

use crate::parsed::ParsedModule;
use crate::signature::{
    POINTER, VALUE_ALIGN, VECTOR, defined_signature, helper_signature, open_signature,
    routine_signature, value_type,
};
use crate::symbol::Symbol;

use super::Environment;
use super::regions::{Entity, Region, invariant};

/// The instance, seen from the code of one function.
pub(super) struct Instance<'a> {
    /// The module that it is an instance of.
    pub(super) module: &'a ParsedModule<'a>,
    /// Which accesses must not be speculated out of bounds.
    pub(super) spectre: Spectre,
    /// What relaxed operators may do.
    pub(super) relaxed: Relaxed<'a>,
    /// Whether the code goes through the optimiser.
    is_optimised: bool,
    entry: Block,
    vmctx: Value,
    links: &'a mut Links,
}

/// Which accesses must not be speculated out of bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spectre {
    /// Those to memories.
    pub(super) memories: bool,
    /// Those to tables.
    pub(super) tables: bool,
}

/// What the operators of `relaxed-simd` may do, whose results are up to the machine.
#[derive(Clone, Copy)]
pub(super) struct Relaxed<'a> {
    /// The machine.
    pub(super) isa: &'a dyn TargetIsa,
    /// Whether the results have to be those that every machine can give.
    pub(super) deterministic: bool,
}

/// What the function refers to, each declared once.
#[derive(Default)]
pub(super) struct Links {
    functions: FxHashMap<Symbol, FuncRef>,
    signatures: FxHashMap<TypeIndex, SigRef>,
    open_signatures: FxHashMap<TypeIndex, SigRef>,
    routine_signatures: FxHashMap<Routine, SigRef>,
    memory_flags: FxHashMap<MemoryIndex, MemFlags>,
    invariants: FxHashMap<(Value, i32), Value>,
    integers: FxHashMap<(Type, i64), Value>,
    last_hoisted: Option<Inst>,
    values_slot: Option<StackSlot>,
}

/// An address in the VMContext or behind one of its pointers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Location {
    /// The pointer.
    pub(super) base: Value,
    /// What to add to it.
    pub(super) offset: i32,
}

impl Location {
    /// The location of a field of the structure here.
    pub(super) fn field(self, offset: usize) -> Location {
        Location { base: self.base, offset: self.offset + offset as i32 }
    }
}

impl<'a> Instance<'a> {
    /// How many parameters a function has before those of wasm.
    pub(super) const HIDDEN_PARAMS: usize = 1;

    /// Opens the function's entry block, with the check of the stack limit before it.
    pub(super) fn new(
        environment: &Environment<'a>,
        builder: &mut FunctionBuilder<'_>,
        links: &'a mut Links,
    ) -> Instance<'a> {
        let Links {
            functions,
            signatures,
            open_signatures,
            routine_signatures,
            memory_flags,
            invariants,
            integers,
            last_hoisted,
            values_slot,
        } = links;
        functions.clear();
        signatures.clear();
        open_signatures.clear();
        routine_signatures.clear();
        memory_flags.clear();
        invariants.clear();
        integers.clear();
        *last_hoisted = None;
        *values_slot = None;

        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        builder.ensure_inserted_block();
        limit_stack(builder.func);

        let flags = environment.isa.flags();
        Instance {
            module: environment.module,
            spectre: Spectre {
                memories: flags.enable_heap_access_spectre_mitigation(),
                tables: flags.enable_table_access_spectre_mitigation(),
            },
            relaxed: Relaxed {
                isa: environment.isa,
                deterministic: environment.settings.relaxed_simd_deterministic,
            },
            is_optimised: environment.settings.opt_level != OptLevel::None,
            entry,
            vmctx: builder.block_params(entry)[0],
            links,
        }
    }

    /// The first block of the function.
    pub(super) fn entry(&self) -> Block {
        self.entry
    }

    /// The VMContext.
    pub(super) fn vmctx(&self) -> Value {
        self.vmctx
    }

    /// How a value of a type lies in a register.
    pub(super) fn value_type(&self, ty: ValType) -> Type {
        match ty {
            ValType::I32 => types::I32,
            ValType::I64 => types::I64,
            ValType::F32 => types::F32,
            ValType::F64 => types::F64,
            ValType::V128 => VECTOR,
            ValType::Ref(ty) => self.reference_type(ty.heap_type()),
        }
    }

    /// How a reference lies in a register.
    pub(super) fn reference_type(&self, ty: HeapType) -> Type {
        let heap = self.heap_type(ty);
        value_type(artifact::ValType::Ref(artifact::RefType { nullable: true, heap }))
    }

    /// What a reference in a function body points to.
    pub(super) fn heap_type(&self, ty: HeapType) -> artifact::HeapType {
        let ty = crate::module::heap_type(&self.module.type_kinds, ty);
        ty.expect("validation refuses the types that there are not")
    }

    /// A function type of the module.
    pub(super) fn func_type(&self, index: u32) -> &'a FuncType {
        self.module.func_type(TypeIndex(index))
    }

    /// The function type with the parameters of an exception tag.
    pub(super) fn tag_type(&self, index: TagIndex) -> &'a FuncType {
        self.module.func_type(self.module.module.tags[index.as_usize()])
    }

    /// A place on the stack for `count` values that a helper takes, the same each time.
    pub(super) fn values_slot(&mut self, func: &mut ir::Function, count: usize) -> StackSlot {
        let size = (count * size_of::<ValRaw>()) as u32;
        let slot = *self.links.values_slot.get_or_insert_with(|| {
            let kind = StackSlotKind::ExplicitSlot;
            func.create_sized_stack_slot(StackSlotData::new(kind, 0, VALUE_ALIGN))
        });
        let slot_size = &mut func.sized_stack_slots[slot].size;
        *slot_size = size.max(*slot_size);
        slot
    }

    /// What never changes at `offset` from `base`, which is the VMContext or was itself
    /// returned from here.
    ///
    /// Such loads are collected at the start of the function, where they serve all of it;
    /// the optimiser puts them where they are needed.
    pub(super) fn invariant(
        &mut self,
        builder: &mut FunctionBuilder<'_>,
        ty: Type,
        Location { base, offset }: Location,
    ) -> Value {
        if let Some(&value) = self.links.invariants.get(&(base, offset)) {
            return value;
        }
        let value =
            self.hoisted(builder, |cursor| cursor.ins().load(ty, invariant(), base, offset));
        self.links.invariants.insert((base, offset), value);
        value
    }

    /// An integer constant of the type `ty`, whose bits are the low ones of `value`.
    ///
    /// The optimiser makes it anew wherever it is needed. Without it, it is made here.
    pub(super) fn integer(
        &mut self,
        builder: &mut FunctionBuilder<'_>,
        ty: Type,
        value: i64,
    ) -> Value {
        if !self.is_optimised {
            return builder.ins().iconst(ty, value);
        }
        let key = (ty, value);
        if let Some(&constant) = self.links.integers.get(&key) {
            return constant;
        }
        let constant = self.hoisted(builder, |cursor| cursor.ins().iconst(ty, value));
        self.links.integers.insert(key, constant);
        constant
    }

    /// A value that is computed at the start of the function, behind others.
    fn hoisted(
        &mut self,
        builder: &mut FunctionBuilder<'_>,
        compute: impl FnOnce(&mut FuncCursor<'_>) -> Value,
    ) -> Value {
        let mut cursor = FuncCursor::new(builder.func);
        match self.links.last_hoisted {
            Some(inst) => cursor.goto_after_inst(inst),
            None => cursor.goto_first_insertion_point(self.entry),
        }
        let value = compute(&mut cursor);
        self.links.last_hoisted = cursor.func.dfg.value_def(value).inst();
        value
    }

    /// A place in the VMContext, by its offset.
    pub(super) fn location(&self, offset: u32) -> Location {
        // `VMOffsets` keeps them below 2 GiB.
        Location { base: self.vmctx, offset: offset as i32 }
    }

    /// Where the definition of a memory, table or global is.
    pub(super) fn definition(
        &mut self,
        builder: &mut FunctionBuilder<'_>,
        place: Place,
    ) -> Location {
        match place {
            Place::Inline(offset) => self.location(offset),
            Place::Pointer(offset) => {
                let location = self.location(offset);
                Location { base: self.invariant(builder, POINTER, location), offset: 0 }
            }
        }
    }

    /// The flags of accesses to a memory that wasm asks for.
    pub(super) fn memory_flags(&mut self, func: &mut ir::Function, index: MemoryIndex) -> MemFlags {
        let imported = self.module.module.imported.memories;
        *self.links.memory_flags.entry(index).or_insert_with(|| {
            let region = Region::Memory(Entity::new(index.0, imported));
            let flags = region.trapping(func, Trap::MemoryOutOfBounds);
            func.dfg.mem_flags.insert_unchecked(flags)
        })
    }

    /// The engine-wide index of a type.
    pub(super) fn type_id(&mut self, builder: &mut FunctionBuilder<'_>, ty: TypeIndex) -> Value {
        let ids = self.location(offset_of!(VMContextHeader, type_ids) as u32);
        let base = self.invariant(builder, POINTER, ids);
        let offset = i32::try_from(ty.0 * 4).expect("validation limits the number of types");
        self.invariant(builder, types::I32, Location { base, offset })
    }

    /// The signature of functions of a type that may be anybody's.
    pub(super) fn open_signature(&mut self, func: &mut ir::Function, index: TypeIndex) -> SigRef {
        let ty = self.module.func_type(index);
        *self
            .links
            .open_signatures
            .entry(index)
            .or_insert_with(|| func.import_signature(open_signature(ty)))
    }

    /// A function of this module of the type `ty`, to be called directly.
    pub(super) fn function(
        &mut self,
        func: &mut ir::Function,
        symbol: Symbol,
        ty: TypeIndex,
    ) -> FuncRef {
        let func_type = self.module.func_type(ty);
        let signature = *self
            .links
            .signatures
            .entry(ty)
            .or_insert_with(|| func.import_signature(defined_signature(func_type)));
        *self
            .links
            .functions
            .entry(symbol)
            .or_insert_with(|| import_function(func, symbol, signature))
    }

    /// The signature of a routine of the C library.
    pub(super) fn routine_signature(
        &mut self,
        func: &mut ir::Function,
        routine: Routine,
    ) -> SigRef {
        let call_conv = self.relaxed.isa.default_call_conv();
        *self
            .links
            .routine_signatures
            .entry(routine)
            .or_insert_with(|| func.import_signature(routine_signature(routine, call_conv)))
    }

    /// The trampoline to a helper.
    pub(super) fn helper(&mut self, func: &mut ir::Function, helper: Helper) -> FuncRef {
        let symbol = Symbol::Helper(helper);
        *self.links.functions.entry(symbol).or_insert_with(|| {
            let signature = func.import_signature(helper_signature(helper));
            import_function(func, symbol, signature)
        })
    }
}

fn import_function(func: &mut ir::Function, symbol: Symbol, signature: SigRef) -> FuncRef {
    let name = func.declare_imported_user_function(symbol.to_user_name());
    func.import_function(ExtFuncData {
        name: ExternalName::user(name),
        signature,
        colocated: true,
        patchable: false,
    })
}

/// Makes the prologue compare the stack pointer with the store's limit.
fn limit_stack(func: &mut ir::Function) {
    let flags = func.dfg.mem_flags.insert_unchecked(invariant());
    let vmctx = func.create_global_value(GlobalValueData::VMContext);
    let mut load = |base, offset: usize| {
        func.create_global_value(GlobalValueData::Load {
            base,
            offset: (offset as i32).into(),
            global_type: POINTER,
            flags,
        })
    };
    let store = load(vmctx, offset_of!(VMContextHeader, store));
    func.stack_limit = Some(load(store, offset_of!(VMStoreContext, stack_limit)));
}
