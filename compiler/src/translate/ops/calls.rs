//! Calls of functions and of helpers.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Inst, InstBuilder, MemFlagsData, Value, types};
use precast_artifact::helper::Helper;
use precast_artifact::index::{FuncIndex, TypeIndex};
use precast_artifact::trap::Trap;
use precast_artifact::vmcontext::{FUNC_REF_READ, VMFuncRef, VMFunctionImport};
use smallvec::SmallVec;

use crate::signature::POINTER;
use crate::symbol::Symbol;
use crate::translate::body::Body;
use crate::translate::regions::invariant;
use crate::trap::trap_code;

use super::element::Table;

/// The code of a function that is not of this module, and the VMContext that belongs to it.
struct Callee {
    code: Value,
    vmctx: Value,
}

/// `call`.
pub(in crate::translate) fn call(body: &mut Body<'_>, index: u32) {
    let index = FuncIndex(index);
    let ty = body.instance.module.function_types[index.as_usize()];
    match body.instance.module.defined(index) {
        Some(defined) => {
            let callee = body.instance.function(body.builder.func, Symbol::Function(defined), ty);
            let vmctx = body.instance.vmctx();
            let args = take_args(body, vmctx, ty);
            let inst = body.ins().call(callee, &args);
            push_results(body, inst);
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
            call_callee(body, Callee { code, vmctx }, ty);
        }
    }
}

/// `call_indirect`.
pub(in crate::translate) fn call_indirect(body: &mut Body<'_>, ty: u32, table: u32) {
    let ty = TypeIndex(ty);
    let table = Table::new(body, table);
    let index = body.pop_index(table.width());
    let element = table.func_element(body, index, Trap::UndefinedElement);
    // The mark of elements that were read is taken off by the offsets of the fields, and
    // null faults at the first of them.
    let field = |offset: usize| offset as i32 - FUNC_REF_READ as i32;

    let expected = body.instance.type_id(&mut body.builder, ty);
    let flags = MemFlagsData::trusted()
        .with_readonly()
        .with_trap_code(Some(trap_code(Trap::IndirectCallToNull)));
    let actual = body.ins().load(types::I32, flags, element, field(offset_of!(VMFuncRef, type_id)));
    let matches = body.ins().icmp(IntCC::Equal, actual, expected);
    body.ins().trapz(matches, trap_code(Trap::BadSignature));

    // Not to be moved before the check: only now is it known that there is code.
    let flags = MemFlagsData::trusted().with_readonly();
    let code = body.ins().load(POINTER, flags, element, field(offset_of!(VMFuncRef, code)));
    let vmctx = body.ins().load(POINTER, flags, element, field(offset_of!(VMFuncRef, vmctx)));
    call_callee(body, Callee { code, vmctx }, ty);
}

/// Calls a helper that has a result, with `args` after the VMContext.
pub(super) fn call_helper(body: &mut Body<'_>, helper: Helper, args: &[Value]) -> Value {
    let inst = call_helper_inst(body, helper, args);
    body.builder.inst_results(inst)[0]
}

/// Calls a helper without a result, with `args` after the VMContext.
pub(super) fn call_helper_for_effect(body: &mut Body<'_>, helper: Helper, args: &[Value]) {
    call_helper_inst(body, helper, args);
}

fn call_helper_inst(body: &mut Body<'_>, helper: Helper, args: &[Value]) -> Inst {
    let callee = body.instance.helper(body.builder.func, helper);
    let args: SmallVec<[Value; 8]> =
        std::iter::once(body.instance.vmctx()).chain(args.iter().copied()).collect();
    body.ins().call(callee, &args)
}

fn call_callee(body: &mut Body<'_>, callee: Callee, ty: TypeIndex) {
    let signature = body.instance.signature(body.builder.func, ty);
    let args = take_args(body, callee.vmctx, ty);
    let inst = body.ins().call_indirect(signature, callee.code, &args);
    push_results(body, inst);
}

/// Takes the arguments of a call, and puts those before them that wasm does not see.
fn take_args(body: &mut Body<'_>, callee_vmctx: Value, ty: TypeIndex) -> SmallVec<[Value; 16]> {
    let count = body.instance.module.func_type(ty).params.len();
    let mut args = SmallVec::from_slice(&[callee_vmctx, body.instance.vmctx()]);
    args.extend_from_slice(body.values.top(count));
    body.values.drop(count);
    args
}

fn push_results(body: &mut Body<'_>, call: Inst) {
    body.values.extend(body.builder.func.dfg.inst_results(call));
}
