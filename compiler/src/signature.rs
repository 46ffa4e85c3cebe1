//! The calling conventions of wasm functions and of helpers, as Cranelift signatures.

use cranelift_codegen::ir::{self, AbiParam, MemFlagsData, types};
use cranelift_codegen::isa::CallConv;
use precast_artifact::helper::{Helper, HelperParam, HelperResult};
use precast_artifact::routine::Routine;
use precast_artifact::types::{FuncType, ValType};
use precast_artifact::vmcontext::ValRaw;

/// Pointers of the supported targets.
pub(crate) const POINTER: ir::Type = types::I64;
/// Vectors wherever their lanes are not looked at.
pub(crate) const VECTOR: ir::Type = types::I8X16;

/// The alignment of a [`ValRaw`], as a binary logarithm.
pub(crate) const VALUE_ALIGN: u8 = align_of::<ValRaw>().trailing_zeros() as u8;

/// How [`ValRaw`]s are accessed: values lie in their low bytes on every target.
pub(crate) fn value_flags() -> MemFlagsData {
    MemFlagsData::trusted().with_endianness(ir::Endianness::Little)
}

/// How a value lies in a register.
///
/// References to functions are pointers to `VMFuncRef`s, all others are offsets into the
/// store's heap.
pub(crate) fn value_type(ty: ValType) -> ir::Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => VECTOR,
        ValType::Ref(ty) if ty.is_func() => POINTER,
        ValType::Ref(_) => types::I32,
    }
}

/// The signature of wasm functions that a module defines: the VMContext, the parameters, and the caller's VMContext
/// where [`needs_caller`] says so.
pub(crate) fn defined_signature(ty: &FuncType) -> ir::Signature {
    let mut signature = open_signature(ty);
    if !needs_caller(ty) {
        signature.params.pop();
    }
    signature
}

/// The signature of wasm functions that may be anybody's: the callee's VMContext, the parameters, the caller's
/// VMContext, which the exits to the host want.
pub(crate) fn open_signature(ty: &FuncType) -> ir::Signature {
    let value = |&ty: &ValType| AbiParam::new(value_type(ty));
    let mut signature = ir::Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::special(POINTER, ir::ArgumentPurpose::VMContext));
    signature.params.extend(ty.params.iter().map(value));
    signature.params.push(AbiParam::new(POINTER));
    signature.returns.extend(ty.results.iter().map(value));
    signature
}

/// Whether functions that a module defines have the caller's VMContext as their last parameter although they make no
/// use of it.
///
/// In a register of its own it is of no concern to a callee that does not know of it. It has one on each target when
/// there are at most six integers with both VMContexts, at most eight other values, and no address for results: Cranelift's
/// convention for tail calls passes six integers on x86-64, six on AArch64 (`x2` to `x7`) and eight on RISC-V.
pub(crate) fn needs_caller(ty: &FuncType) -> bool {
    let integers = ty.params.iter().filter(|&&param| value_type(param).is_int()).count();
    let others = ty.params.len() - integers;
    integers + 2 > 6 || others > 8 || ty.results.len() > 1
}

/// The signature of the trampoline to a helper: the VMContext and the helper's parameters;
/// only what is left of the result after the trampoline has dealt with failure.
pub(crate) fn helper_signature(helper: Helper) -> ir::Signature {
    let mut signature = ir::Signature::new(CallConv::Tail);
    signature.params = helper_params(helper);
    signature.returns = match helper.result() {
        HelperResult::FuncRef => vec![AbiParam::new(POINTER)],
        HelperResult::ValueOrFailed => vec![AbiParam::new(types::I64)],
        HelperResult::Nothing
        | HelperResult::Success
        | HelperResult::Failure
        | HelperResult::Never => vec![],
    };
    signature
}

/// The signature of a helper itself, in the C convention `call_conv` of the target.
pub(crate) fn helper_host_signature(helper: Helper, call_conv: CallConv) -> ir::Signature {
    let mut signature = ir::Signature::new(call_conv);
    signature.params = helper_params(helper);
    signature.returns = match helper.result() {
        HelperResult::FuncRef => vec![AbiParam::new(POINTER)],
        HelperResult::ValueOrFailed => vec![AbiParam::new(types::I64)],
        HelperResult::Success => vec![AbiParam::new(types::I8)],
        HelperResult::Nothing | HelperResult::Failure | HelperResult::Never => vec![],
    };
    signature
}

fn helper_params(helper: Helper) -> Vec<AbiParam> {
    let param = |&param: &HelperParam| {
        AbiParam::new(match param {
            HelperParam::U32 => types::I32,
            HelperParam::U64 => types::I64,
            HelperParam::FuncRef | HelperParam::Values => POINTER,
        })
    };
    std::iter::once(AbiParam::special(POINTER, ir::ArgumentPurpose::VMContext))
        .chain(helper.params().iter().map(param))
        .collect()
}

/// The signature of a routine of the C library, in the C convention `call_conv` of the target. What it
/// returns, the first parameter, is of no use.
pub(crate) fn routine_signature(routine: Routine, call_conv: CallConv) -> ir::Signature {
    let mut signature = ir::Signature::new(call_conv);
    let params = match routine {
        Routine::Move => [POINTER, POINTER, types::I64],
        Routine::Set => [POINTER, types::I32, types::I64],
    };
    signature.params = params.map(AbiParam::new).to_vec();
    signature
}
