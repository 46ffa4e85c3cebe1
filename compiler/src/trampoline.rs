//! Trampolines: where host code and wasm code call each other.
//!
//! An *entry* takes the host into wasm functions of a signature, an *exit* takes wasm into host
//! functions of a signature, and a *helper trampoline* takes wasm into a helper of the
//! runtime. Exits and helper trampolines note where wasm was left; entries note where it was
//! entered, and where to go on when a trap, a host error or an exception ends it.
//!
//! Only how values lie in registers matters to entries and exits, so types that are alike
//! there share them: see [`Shape`].

use std::collections::{BTreeMap, HashMap};
use std::mem::offset_of;

use cranelift_codegen::ir::{
    self, AbiParam, BlockArg, BlockCall, ExceptionTableData, ExceptionTableItem, InstBuilder,
    MemFlagsData, SigRef, StackSlotData, StackSlotKind, UserFuncName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use precast_artifact::helper::{FAILED, Helper, HelperResult};
use precast_artifact::index::TypeIndex;
use precast_artifact::trap::Trap;
use precast_artifact::types::{FuncType, TypeSection};
use precast_artifact::vmcontext::{
    VMContextHeader, VMFunctionImport, VMHostContext, VMStoreContext, ValRaw,
};

use crate::signature::{
    POINTER, VALUE_ALIGN, helper_host_signature, helper_signature, open_signature, value_flags,
    value_type,
};
use crate::symbol::Symbol;
use crate::trap::trap_code;

/// Longer lists of types are not spelled out in names.
const MAX_NAMED: usize = 16;

/// How the parameters and results of a function lie in registers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    params: Vec<ir::Type>,
    results: Vec<ir::Type>,
}

/// The first function type of each shape, by function type: the one that the trampolines of
/// all types of the shape are named after.
pub(crate) fn representatives(types: &TypeSection) -> BTreeMap<TypeIndex, TypeIndex> {
    let mut first = HashMap::new();
    let functions = types.types.iter().enumerate().filter_map(|(index, ty)| {
        ty.composite.as_func().map(|func| (TypeIndex(index as u32), func))
    });
    functions.map(|(index, ty)| (index, *first.entry(Shape::of(ty)).or_insert(index))).collect()
}

impl Shape {
    fn of(ty: &FuncType) -> Shape {
        let list = |types: &[_]| types.iter().map(|&ty| value_type(ty)).collect();
        Shape { params: list(&ty.params), results: list(&ty.results) }
    }
}

/// The name of a trampoline in symbol tables.
pub(crate) fn name(symbol: Symbol, types: &TypeSection) -> String {
    let signature = |ty: TypeIndex| match types.func(ty) {
        Some(func) if func.params.len() + func.results.len() <= MAX_NAMED => func.to_string(),
        _ => format!("type {}", ty.0),
    };
    match symbol {
        Symbol::Entry(ty) => format!("wasm entry {}", signature(ty)),
        Symbol::Exit(ty) => format!("wasm exit {}", signature(ty)),
        Symbol::Helper(helper) => format!("wasm helper {}", helper.name()),
        Symbol::Import(index) => format!("wasm import {}", index.0),
        Symbol::Table(index) => format!("wasm table {}", index.0),
        Symbol::Function(index) => format!("wasm function {}", index.0),
    }
}

/// Builds the entry for functions of type `ty` into the empty `func`.
pub(crate) fn entry(
    name: Symbol,
    ty: &FuncType,
    isa: &dyn TargetIsa,
    context: &mut FunctionBuilderContext,
    func: &mut ir::Function,
) {
    let mut signature = ir::Signature::new(isa.default_call_conv());
    signature.params = vec![AbiParam::new(POINTER); 5];
    signature.returns = vec![AbiParam::new(types::I8)];
    let (mut trampoline, block) = Trampoline::new(name, signature, context, func);
    let &[code, callee, caller, values, _len] = trampoline.builder.block_params(block) else {
        unreachable!("the signature has five parameters");
    };

    let store = trampoline.load(callee, offset_of!(VMContextHeader, store));
    let frame = trampoline.builder.ins().get_frame_pointer(POINTER);
    trampoline.store(frame, store, offset_of!(VMStoreContext, entry_fp));
    let stack = trampoline.builder.ins().get_stack_pointer(POINTER);
    trampoline.store(stack, store, offset_of!(VMStoreContext, entry_sp));
    // A block whose exceptional edge is asked for cannot be the function's first.
    let calling = trampoline.builder.create_block();
    trampoline.builder.ins().jump(calling, &[]);
    trampoline.builder.switch_to_block(calling);
    // The first edge of the exception table built below.
    let handler = trampoline.builder.ins().get_exception_handler_address(POINTER, calling, 0);
    trampoline.store(handler, store, offset_of!(VMStoreContext, entry_handler));

    let mut args = vec![callee];
    args.extend(trampoline.load_values(values, &ty.params));
    args.push(caller);
    let builder = &mut trampoline.builder;
    let returned = builder.create_block();
    let failed = builder.create_block();
    for &ty in &ty.results {
        builder.append_block_param(returned, value_type(ty));
    }
    let signature = builder.import_signature(open_signature(ty));
    let pool = &mut builder.func.dfg.value_lists;
    let results = (0..ty.results.len() as u32).map(BlockArg::TryCallRet);
    let normal = BlockCall::new(returned, results, pool);
    let handler = ExceptionTableItem::Default(BlockCall::new(failed, [], pool));
    let table = ExceptionTableData::new(signature, normal, [handler]);
    let table = builder.func.dfg.exception_tables.push(table);
    builder.ins().try_call_indirect(code, &args, table);

    builder.switch_to_block(returned);
    let results = builder.block_params(returned).to_vec();
    trampoline.store_values(values, &results);
    let yes = trampoline.builder.ins().iconst(types::I8, 1);
    trampoline.builder.ins().return_(&[yes]);

    trampoline.builder.switch_to_block(failed);
    let no = trampoline.builder.ins().iconst(types::I8, 0);
    trampoline.builder.ins().return_(&[no]);
    trampoline.finish(isa);
}

/// Builds the exit to host functions of type `ty` into the empty `func`.
pub(crate) fn exit(
    name: Symbol,
    ty: &FuncType,
    isa: &dyn TargetIsa,
    context: &mut FunctionBuilderContext,
    func: &mut ir::Function,
) {
    let (mut trampoline, block) = Trampoline::new(name, open_signature(ty), context, func);
    let params = trampoline.builder.block_params(block).to_vec();
    let [callee, args @ .., caller] = &*params else {
        unreachable!("the signature has both VMContexts");
    };
    let (callee, caller) = (*callee, *caller);
    trampoline.note_exit(caller);

    let len = ty.params.len().max(ty.results.len());
    // The caller is only needed again after a failure, so it is no use to save a register for it.
    let place_of_caller = len * size_of::<ValRaw>();
    let slot = trampoline.builder.create_sized_stack_slot(StackSlotData::new(
        StackSlotKind::ExplicitSlot,
        (place_of_caller + size_of::<ValRaw>()) as u32,
        VALUE_ALIGN,
    ));
    let values = trampoline.builder.ins().stack_addr(POINTER, slot, 0);
    trampoline.store_values(values, args);
    trampoline.store(caller, values, place_of_caller);

    let mut signature = ir::Signature::new(isa.default_call_conv());
    signature.params = vec![AbiParam::new(POINTER); 4];
    signature.returns = vec![AbiParam::new(types::I8)];
    let signature = trampoline.builder.import_signature(signature);
    let function = trampoline.load(callee, offset_of!(VMHostContext, function));
    let len = trampoline.builder.ins().iconst(POINTER, len as i64);
    let succeeded = trampoline.call(signature, function, &[callee, caller, values, len]);
    let caller = |trampoline: &mut Trampoline<'_>| {
        let values = trampoline.builder.ins().stack_addr(POINTER, slot, 0);
        trampoline.load(values, place_of_caller)
    };
    trampoline.raise_unless(succeeded[0], caller, isa.default_call_conv());

    let values = trampoline.builder.ins().stack_addr(POINTER, slot, 0);
    let results = trampoline.load_values(values, &ty.results);
    trampoline.builder.ins().return_(&results);
    trampoline.finish(isa);
}

/// Builds the trampoline to the imported function of type `ty` whose [`VMFunctionImport`] is at
/// `offset` of the VMContext into the empty `func`.
pub(crate) fn import(
    name: Symbol,
    ty: &FuncType,
    offset: u32,
    isa: &dyn TargetIsa,
    context: &mut FunctionBuilderContext,
    func: &mut ir::Function,
) {
    let (mut trampoline, block) = Trampoline::new(name, open_signature(ty), context, func);
    let params = trampoline.builder.block_params(block).to_vec();
    let (vmctx, others) = (params[0], &params[1..]);
    let offset = offset as usize;
    let code = trampoline.load(vmctx, offset + offset_of!(VMFunctionImport, code));
    let callee = trampoline.load(vmctx, offset + offset_of!(VMFunctionImport, vmctx));
    let args: Vec<Value> = [callee].iter().chain(others).copied().collect();
    let signature = trampoline.builder.import_signature(open_signature(ty));
    trampoline.builder.ins().return_call_indirect(signature, code, &args);
    trampoline.finish(isa);
}

/// Builds the trampoline to `helper` into the empty `func`.
pub(crate) fn helper(
    helper: Helper,
    isa: &dyn TargetIsa,
    context: &mut FunctionBuilderContext,
    func: &mut ir::Function,
) {
    let call_conv = isa.default_call_conv();
    let name = Symbol::Helper(helper);
    let (mut trampoline, block) = Trampoline::new(name, helper_signature(helper), context, func);
    let args = trampoline.builder.block_params(block).to_vec();
    let vmctx = args[0];
    trampoline.note_exit(vmctx);
    let signature = helper_host_signature(helper, call_conv);
    let signature = trampoline.builder.import_signature(signature);
    let function = trampoline.load_helper(helper, vmctx);
    let results = trampoline.call(signature, function, &args);
    match helper.result() {
        HelperResult::Nothing | HelperResult::FuncRef => {
            trampoline.builder.ins().return_(&results);
        }
        HelperResult::Success => {
            trampoline.raise_unless(results[0], |_| vmctx, call_conv);
            trampoline.builder.ins().return_(&[]);
        }
        HelperResult::ValueOrFailed => {
            let failed = trampoline.builder.ins().iconst(types::I64, FAILED as i64);
            let compare = ir::condcodes::IntCC::NotEqual;
            let succeeded = trampoline.builder.ins().icmp(compare, results[0], failed);
            trampoline.raise_unless(succeeded, |_| vmctx, call_conv);
            trampoline.builder.ins().return_(&results);
        }
        HelperResult::Failure => trampoline.raise(vmctx, call_conv),
        HelperResult::Never => trampoline.stop(),
    }
    trampoline.finish(isa);
}

/// A trampoline that is being built.
struct Trampoline<'a> {
    builder: FunctionBuilder<'a>,
}

impl<'a> Trampoline<'a> {
    /// Begins a function; its first block is the current one.
    fn new(
        name: Symbol,
        signature: ir::Signature,
        context: &'a mut FunctionBuilderContext,
        func: &'a mut ir::Function,
    ) -> (Self, ir::Block) {
        func.name = UserFuncName::User(name.to_user_name());
        func.signature = signature;
        let mut builder = FunctionBuilder::new(func, context);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        (Trampoline { builder }, block)
    }

    fn finish(mut self, isa: &dyn TargetIsa) {
        self.builder.seal_all_blocks();
        self.builder.finalize(isa.frontend_config());
    }

    /// Loads a pointer.
    fn load(&mut self, base: Value, offset: usize) -> Value {
        self.builder.ins().load(POINTER, MemFlagsData::trusted(), base, offset as i32)
    }

    /// Stores a pointer.
    fn store(&mut self, value: Value, base: Value, offset: usize) {
        self.builder.ins().store(MemFlagsData::trusted(), value, base, offset as i32);
    }

    /// Tells the store of the instance `vmctx` that wasm is left through this frame.
    fn note_exit(&mut self, vmctx: Value) {
        let store = self.load(vmctx, offset_of!(VMContextHeader, store));
        let frame = self.builder.ins().get_frame_pointer(POINTER);
        self.store(frame, store, offset_of!(VMStoreContext, exit_fp));
    }

    fn load_helper(&mut self, helper: Helper, vmctx: Value) -> Value {
        let helpers = self.load(vmctx, offset_of!(VMContextHeader, helpers));
        self.load(helpers, helper.offset() as usize)
    }

    fn call(&mut self, signature: SigRef, function: Value, args: &[Value]) -> Vec<Value> {
        let call = self.builder.ins().call_indirect(signature, function, args);
        self.builder.inst_results(call).to_vec()
    }

    /// Goes on in a new block when `succeeded` is not zero, and otherwise has the runtime raise
    /// what it recorded, with the VMContext that `vmctx` finds then.
    fn raise_unless(
        &mut self,
        succeeded: Value,
        vmctx: impl FnOnce(&mut Self) -> Value,
        call_conv: CallConv,
    ) {
        let failed = self.builder.create_block();
        let go_on = self.builder.create_block();
        self.builder.set_cold_block(failed);
        self.builder.ins().brif(succeeded, go_on, &[], failed, &[]);

        self.builder.switch_to_block(failed);
        let vmctx = vmctx(self);
        self.raise(vmctx, call_conv);

        self.builder.switch_to_block(go_on);
    }

    /// Has the runtime raise what it recorded, and ends the block.
    fn raise(&mut self, vmctx: Value, call_conv: CallConv) {
        let signature = helper_host_signature(Helper::Raise, call_conv);
        let signature = self.builder.import_signature(signature);
        let raise = self.load_helper(Helper::Raise, vmctx);
        self.call(signature, raise, &[vmctx]);
        self.stop();
    }

    /// Ends the block after a call that does not return.
    fn stop(&mut self) {
        self.builder.ins().trap(trap_code(Trap::Unreachable));
    }

    /// Loads values from an array of [`ValRaw`].
    fn load_values(
        &mut self,
        values: Value,
        types: &[precast_artifact::types::ValType],
    ) -> Vec<Value> {
        let load = |(index, &ty)| {
            let offset = (index * size_of::<ValRaw>()) as i32;
            self.builder.ins().load(value_type(ty), value_flags(), values, offset)
        };
        types.iter().enumerate().map(load).collect()
    }

    /// Stores values to an array of [`ValRaw`].
    fn store_values(&mut self, values: Value, from: &[Value]) {
        for (index, &value) in from.iter().enumerate() {
            let offset = (index * size_of::<ValRaw>()) as i32;
            self.builder.ins().store(value_flags(), value, values, offset);
        }
    }
}
