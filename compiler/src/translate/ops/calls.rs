//! Calls of functions and of helpers.

use std::mem::offset_of;

use cranelift_codegen::ir::{
    BlockArg, BlockCall, ExceptionTableData, FuncRef, Inst, InstBuilder, MemFlagsData, SigRef,
    Type, Value, types,
};
use precast_artifact::helper::{Helper, HelperTable};
use precast_artifact::index::{FuncIndex, TableIndex, TypeIndex};
use precast_artifact::routine::Routine;
use precast_artifact::trap::Trap;
use precast_artifact::vmcontext::{FUNC_REF_READ, VMContextHeader, VMFuncRef, VMFunctionImport};
use smallvec::SmallVec;

use crate::signature::{POINTER, needs_caller};
use crate::symbol::Symbol;
use crate::translate::body::Body;
use crate::translate::instance::Location;
use crate::translate::regions::invariant;
use crate::trap::trap_code;

use super::closed_table;
use super::element::Table;
use super::exceptions;
use super::gc::cast::check_signature;

/// What is called.
#[derive(Clone, Copy)]
enum Callee {
    /// A function of this module.
    Own(FuncRef),
    /// The code of a function that may be another module's, and the VMContext that belongs
    /// to it.
    Any { code: Value, vmctx: Value },
}

/// What becomes of the caller's frame.
#[derive(Clone, Copy)]
pub(in crate::translate) enum CallKind {
    /// It is kept: the callee's results become operands.
    Call,
    /// It is given up: the callee's results are the caller's.
    ReturnCall,
}

/// `call` and `return_call`.
pub(in crate::translate) fn direct(body: &mut Body<'_>, kind: CallKind, index: u32) {
    let index = FuncIndex(index);
    let ty = body.instance.module.function_types[index.as_usize()];
    let callee = match body.instance.module.defined(index) {
        Some(defined) => {
            let symbol = Symbol::Function(body.instance.module.representative(defined));
            Callee::Own(body.instance.function(body.builder.func, symbol, ty))
        }
        None => {
            let import =
                body.instance.location(body.instance.module.offsets.imported_function(index));
            let mut load = |offset| {
                let location = import.field(offset);
                body.ins().load(POINTER, invariant(), location.base, location.offset)
            };
            let code = load(offset_of!(VMFunctionImport, code));
            let vmctx = load(offset_of!(VMFunctionImport, vmctx));
            Callee::Any { code, vmctx }
        }
    };
    call(body, kind, callee, ty);
}

/// `call_indirect` and `return_call_indirect`.
pub(in crate::translate) fn indirect(body: &mut Body<'_>, kind: CallKind, ty: u32, table: u32) {
    let ty = TypeIndex(ty);
    let closed = body.instance.module.closed_tables.length(TableIndex(table));
    let position = TableIndex(table);
    let table = Table::new(body, table);
    let index = body.pop_index(table.width());
    if let Some(length) = closed {
        let code = closed_table::code(body, position, length, index, ty);
        let vmctx = body.instance.vmctx();
        return call(body, kind, Callee::Any { code, vmctx }, ty);
    }
    let element = table.func_element(body, index, Trap::UndefinedElement);
    // The mark of elements that were read is taken off by the offsets of the fields.
    let func_ref = Pointer { base: element, offset: -(FUNC_REF_READ as i32) };
    let first_access = may_be_null(Trap::IndirectCallToNull);
    let callee = if table.holds_only(ty) {
        func_ref.callee(body, first_access)
    } else {
        let type_id = offset_of!(VMFuncRef, type_id);
        let type_id = func_ref.load(body, types::I32, first_access, type_id);
        check_signature(body, type_id, ty);
        // Not to be moved before the check: only now is it known that there is code.
        func_ref.callee(body, MemFlagsData::trusted().with_readonly())
    };
    call(body, kind, callee, ty);
}

/// `call_ref` and `return_call_ref`.
pub(in crate::translate) fn reference(body: &mut Body<'_>, kind: CallKind, ty: u32) {
    let func_ref = Pointer { base: body.values.pop(), offset: 0 };
    let callee = func_ref.callee(body, may_be_null(Trap::NullFuncReference));
    call(body, kind, callee, TypeIndex(ty));
}

/// Where a [`VMFuncRef`] is.
#[derive(Clone, Copy)]
struct Pointer {
    base: Value,
    offset: i32,
}

impl Pointer {
    fn load(self, body: &mut Body<'_>, ty: Type, flags: MemFlagsData, field: usize) -> Value {
        body.ins().load(ty, flags, self.base, self.offset + field as i32)
    }

    /// The function; `flags` are those of the access to its code.
    fn callee(self, body: &mut Body<'_>, flags: MemFlagsData) -> Callee {
        let code = self.load(body, POINTER, flags, offset_of!(VMFuncRef, code));
        let flags = MemFlagsData::trusted().with_readonly();
        let vmctx = self.load(body, POINTER, flags, offset_of!(VMFuncRef, vmctx));
        Callee::Any { code, vmctx }
    }
}

/// Flags for the first access to what a reference points to: null faults there.
fn may_be_null(trap: Trap) -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_trap_code(Some(trap_code(trap)))
}

/// Calls a helper that has a result, with `args` after the VMContext.
pub(super) fn call_helper(body: &mut Body<'_>, helper: Helper, args: &[Value]) -> Value {
    let inst = call_helper_inst(body, helper, args);
    body.builder.inst_results(inst)[0]
}

/// Calls a helper without a result, with `args` after the VMContext.
pub(in crate::translate) fn call_helper_for_effect(
    body: &mut Body<'_>,
    helper: Helper,
    args: &[Value],
) {
    call_helper_inst(body, helper, args);
}

fn call_helper_inst(body: &mut Body<'_>, helper: Helper, args: &[Value]) -> Inst {
    let callee = body.instance.helper(body.builder.func, helper);
    let args = helper_args(body, args);
    body.ins().call(callee, &args)
}

fn helper_args(body: &Body<'_>, args: &[Value]) -> SmallVec<[Value; 8]> {
    std::iter::once(body.instance.vmctx()).chain(args.iter().copied()).collect()
}

/// Calls a routine of the C library, with its address from the helpers' table.
pub(super) fn call_routine(body: &mut Body<'_>, routine: Routine, args: &[Value]) {
    let helpers = body.instance.location(offset_of!(VMContextHeader, helpers) as u32);
    let base = body.instance.invariant(&mut body.builder, POINTER, helpers);
    let offset = offset_of!(HelperTable, routines) as i32 + routine.offset() as i32;
    let code = body.instance.invariant(&mut body.builder, POINTER, Location { base, offset });
    let signature = body.instance.routine_signature(body.builder.func, routine);
    body.ins().call_indirect(signature, code, args);
}

/// Calls a helper that throws, with `args` after the VMContext, and nothing after it is reached.
pub(super) fn call_throwing_helper(body: &mut Body<'_>, helper: Helper, args: &[Value]) {
    let callee = body.instance.helper(body.builder.func, helper);
    let args = helper_args(body, args);
    let signature = body.builder.func.dfg.ext_funcs[callee].signature;
    emit(body, Callee::Own(callee), signature, &args);
    body.trap(Trap::Unreachable);
}

fn call(body: &mut Body<'_>, kind: CallKind, callee: Callee, ty: TypeIndex) {
    let args = take_args(body, callee, ty);
    let signature = match callee {
        Callee::Own(function) => body.builder.func.dfg.ext_funcs[function].signature,
        Callee::Any { .. } => body.instance.open_signature(body.builder.func, ty),
    };
    match (kind, callee) {
        (CallKind::Call, _) => {
            let results = emit(body, callee, signature, &args);
            body.values.extend(&results);
            return;
        }
        (CallKind::ReturnCall, Callee::Own(function)) => body.ins().return_call(function, &args),
        (CallKind::ReturnCall, Callee::Any { code, .. }) => {
            body.ins().return_call_indirect(signature, code, &args)
        }
    };
    body.control.set_unreachable();
}

/// Takes the arguments of a call, and puts those around them that wasm does not see.
fn take_args(body: &mut Body<'_>, callee: Callee, ty: TypeIndex) -> SmallVec<[Value; 16]> {
    let ty = body.instance.module.func_type(ty);
    let own = body.instance.vmctx();
    let (vmctx, caller) = match callee {
        Callee::Own(_) => (own, needs_caller(ty).then_some(own)),
        Callee::Any { vmctx, .. } => (vmctx, Some(own)),
    };
    let count = ty.params.len();
    let mut args = SmallVec::from_slice(&[vmctx]);
    args.extend_from_slice(body.values.top(count));
    args.extend(caller);
    body.values.drop(count);
    args
}

/// Calls what can throw: inside of a `try`, with the handlers that are active.
fn emit(
    body: &mut Body<'_>,
    callee: Callee,
    signature: SigRef,
    args: &[Value],
) -> SmallVec<[Value; 4]> {
    let handlers = exceptions::handlers(body);
    if handlers.is_empty() {
        let call = match callee {
            Callee::Own(function) => body.ins().call(function, args),
            Callee::Any { code, .. } => body.ins().call_indirect(signature, code, args),
        };
        return body.builder.inst_results(call).into();
    }
    let dfg = &body.builder.func.dfg;
    let results = dfg.signatures[signature].returns.iter();
    let results: SmallVec<[Type; 4]> = results.map(|result| result.value_type).collect();
    let returned = body.block_with_params(&results);
    let dfg = &mut body.builder.func.dfg;
    let args_back = (0..results.len() as u32).map(BlockArg::TryCallRet);
    let normal = BlockCall::new(returned, args_back, &mut dfg.value_lists);
    let table = ExceptionTableData::new(signature, normal, handlers);
    let table = dfg.exception_tables.push(table);
    match callee {
        Callee::Own(function) => body.ins().try_call(function, args, table),
        Callee::Any { code, .. } => body.ins().try_call_indirect(code, args, table),
    };
    body.continue_in(returned);
    body.builder.block_params(returned).into()
}
