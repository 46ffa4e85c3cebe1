//! The table of operators: one row each, with the family function that translates it.
//!
//! Operators on objects have their rows in [`gc`], those on vectors in [`simd`]. This is also the one place that knows about code that cannot be reached.

mod gc;
mod simd;

pub(super) use self::gc::Cast;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64};
use cranelift_codegen::ir::{AtomicRmwOp as Rmw, Opcode};
use precast_artifact::helper::Helper;
use wasmparser::Operator;

use super::body::Body;
use super::interrupts;
use super::ops::calls::CallKind;
use super::ops::{
    atomic, bulk, bytes, calls, control, exceptions, memory, numeric, reference, table, variable,
    wide,
};

/// An operator of a proposal that is not translated. Validation refuses those first.
#[derive(Debug, thiserror::Error)]
#[error("the operator {0} is not supported")]
pub(super) struct Unsupported(String);

/// Translates the next operator, or skips it when it cannot be reached: of such code only
/// the nesting of blocks matters, because it says where reachable code begins again.
pub(super) fn step(body: &mut Body<'_>, operator: &Operator<'_>) -> Result<(), Unsupported> {
    if body.control.is_reachable() {
        interrupts::before(body, operator);
        translate(body, operator)?;
        interrupts::after(body, operator);
        return Ok(());
    }
    interrupts::unreachable(body);
    match operator {
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::TryTable { .. }
        | Operator::Try { .. } => body.control.skip_block(),
        Operator::End | Operator::Delegate { .. } if body.control.is_in_skipped() => {
            body.control.end_skipped();
        }
        Operator::End | Operator::Delegate { .. } => control::end(body),
        Operator::Else if !body.control.is_in_skipped() => control::else_(body),
        Operator::Catch { .. } | Operator::CatchAll if !body.control.is_in_skipped() => {
            exceptions::legacy_catch(body);
        }
        _ => {}
    }
    Ok(())
}

fn translate(body: &mut Body<'_>, operator: &Operator<'_>) -> Result<(), Unsupported> {
    use Operator as Op;
    match *operator {
        Op::Nop => {}
        Op::Unreachable => control::unreachable(body),
        Op::Block { blockty } => control::block(body, blockty),
        Op::Loop { blockty } => control::loop_(body, blockty),
        Op::If { blockty } => control::if_(body, blockty),
        Op::Else => control::else_(body),
        Op::End => control::end(body),
        Op::Br { relative_depth } => control::br(body, relative_depth),
        Op::BrIf { relative_depth } => control::br_if(body, relative_depth),
        Op::BrTable { ref targets } => control::br_table(body, targets),
        Op::BrOnNull { relative_depth } => control::br_on_null(body, relative_depth),
        Op::BrOnNonNull { relative_depth } => control::br_on_non_null(body, relative_depth),
        Op::Return => control::return_(body),

        Op::Call { function_index } => calls::direct(body, CallKind::Call, function_index),
        Op::CallIndirect { type_index, table_index } => {
            calls::indirect(body, CallKind::Call, type_index, table_index)
        }
        Op::CallRef { type_index } => calls::reference(body, CallKind::Call, type_index),
        Op::ReturnCall { function_index } => {
            calls::direct(body, CallKind::ReturnCall, function_index)
        }
        Op::ReturnCallIndirect { type_index, table_index } => {
            calls::indirect(body, CallKind::ReturnCall, type_index, table_index)
        }
        Op::ReturnCallRef { type_index } => {
            calls::reference(body, CallKind::ReturnCall, type_index)
        }

        Op::TryTable { ref try_table } => exceptions::try_table(body, try_table),
        Op::Throw { tag_index } => exceptions::throw(body, tag_index),
        Op::ThrowRef => exceptions::throw_ref(body),
        Op::Try { blockty } => exceptions::legacy_try(body, blockty),
        Op::Catch { .. } | Op::CatchAll => exceptions::legacy_catch(body),
        Op::Delegate { .. } => control::end(body),
        Op::Rethrow { relative_depth } => exceptions::rethrow(body, relative_depth),

        Op::Drop => body.values.drop(1),
        Op::Select | Op::TypedSelect { .. } => variable::select(body),
        Op::LocalGet { local_index } => variable::local_get(body, local_index),
        Op::LocalSet { local_index } => variable::local_set(body, local_index),
        Op::LocalTee { local_index } => variable::local_tee(body, local_index),
        Op::GlobalGet { global_index } => variable::global_get(body, global_index),
        Op::GlobalSet { global_index } => variable::global_set(body, global_index),

        Op::I32Load { ref memarg } => memory::load(body, memarg, Opcode::Load, I32),
        Op::I64Load { ref memarg } => memory::load(body, memarg, Opcode::Load, I64),
        Op::F32Load { ref memarg } => memory::load(body, memarg, Opcode::Load, F32),
        Op::F64Load { ref memarg } => memory::load(body, memarg, Opcode::Load, F64),
        Op::I32Load8S { ref memarg } => memory::load(body, memarg, Opcode::Sload8, I32),
        Op::I32Load8U { ref memarg } => memory::load(body, memarg, Opcode::Uload8, I32),
        Op::I32Load16S { ref memarg } => memory::load(body, memarg, Opcode::Sload16, I32),
        Op::I32Load16U { ref memarg } => memory::load(body, memarg, Opcode::Uload16, I32),
        Op::I64Load8S { ref memarg } => memory::load(body, memarg, Opcode::Sload8, I64),
        Op::I64Load8U { ref memarg } => memory::load(body, memarg, Opcode::Uload8, I64),
        Op::I64Load16S { ref memarg } => memory::load(body, memarg, Opcode::Sload16, I64),
        Op::I64Load16U { ref memarg } => memory::load(body, memarg, Opcode::Uload16, I64),
        Op::I64Load32S { ref memarg } => memory::load(body, memarg, Opcode::Sload32, I64),
        Op::I64Load32U { ref memarg } => memory::load(body, memarg, Opcode::Uload32, I64),
        Op::I32Store { ref memarg }
        | Op::I64Store { ref memarg }
        | Op::F32Store { ref memarg }
        | Op::F64Store { ref memarg } => memory::store(body, memarg, Opcode::Store),
        Op::I32Store8 { ref memarg } | Op::I64Store8 { ref memarg } => {
            memory::store(body, memarg, Opcode::Istore8)
        }
        Op::I32Store16 { ref memarg } | Op::I64Store16 { ref memarg } => {
            memory::store(body, memarg, Opcode::Istore16)
        }
        Op::I64Store32 { ref memarg } => memory::store(body, memarg, Opcode::Istore32),
        Op::MemorySize { mem } => memory::size(body, mem),
        Op::MemoryGrow { mem } => memory::grow(body, mem),

        Op::MemoryInit { data_index, mem } => bulk::memory_init(body, data_index, mem),
        Op::DataDrop { data_index } => bulk::data_drop(body, data_index),
        Op::MemoryCopy { dst_mem, src_mem } => bytes::copy(body, dst_mem, src_mem),
        Op::MemoryFill { mem } => bytes::fill(body, mem),
        Op::TableInit { elem_index, table } => bulk::table_init(body, elem_index, table),
        Op::ElemDrop { elem_index } => bulk::elem_drop(body, elem_index),
        Op::TableCopy { dst_table, src_table } => bulk::table_copy(body, dst_table, src_table),
        Op::TableFill { table } => bulk::table_fill(body, table),

        Op::I32AtomicLoad8U { ref memarg } => atomic::load(body, memarg, I8, I32),
        Op::I32AtomicLoad16U { ref memarg } => atomic::load(body, memarg, I16, I32),
        Op::I32AtomicLoad { ref memarg } => atomic::load(body, memarg, I32, I32),
        Op::I64AtomicLoad8U { ref memarg } => atomic::load(body, memarg, I8, I64),
        Op::I64AtomicLoad16U { ref memarg } => atomic::load(body, memarg, I16, I64),
        Op::I64AtomicLoad32U { ref memarg } => atomic::load(body, memarg, I32, I64),
        Op::I64AtomicLoad { ref memarg } => atomic::load(body, memarg, I64, I64),
        Op::I32AtomicStore8 { ref memarg } | Op::I64AtomicStore8 { ref memarg } => {
            atomic::store(body, memarg, I8)
        }
        Op::I32AtomicStore16 { ref memarg } | Op::I64AtomicStore16 { ref memarg } => {
            atomic::store(body, memarg, I16)
        }
        Op::I32AtomicStore { ref memarg } | Op::I64AtomicStore32 { ref memarg } => {
            atomic::store(body, memarg, I32)
        }
        Op::I64AtomicStore { ref memarg } => atomic::store(body, memarg, I64),
        Op::I32AtomicRmw8AddU { ref memarg } | Op::I64AtomicRmw8AddU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Add, I8)
        }
        Op::I32AtomicRmw16AddU { ref memarg } | Op::I64AtomicRmw16AddU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Add, I16)
        }
        Op::I32AtomicRmwAdd { ref memarg } | Op::I64AtomicRmw32AddU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Add, I32)
        }
        Op::I64AtomicRmwAdd { ref memarg } => atomic::rmw(body, memarg, Rmw::Add, I64),
        Op::I32AtomicRmw8SubU { ref memarg } | Op::I64AtomicRmw8SubU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Sub, I8)
        }
        Op::I32AtomicRmw16SubU { ref memarg } | Op::I64AtomicRmw16SubU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Sub, I16)
        }
        Op::I32AtomicRmwSub { ref memarg } | Op::I64AtomicRmw32SubU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Sub, I32)
        }
        Op::I64AtomicRmwSub { ref memarg } => atomic::rmw(body, memarg, Rmw::Sub, I64),
        Op::I32AtomicRmw8AndU { ref memarg } | Op::I64AtomicRmw8AndU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::And, I8)
        }
        Op::I32AtomicRmw16AndU { ref memarg } | Op::I64AtomicRmw16AndU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::And, I16)
        }
        Op::I32AtomicRmwAnd { ref memarg } | Op::I64AtomicRmw32AndU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::And, I32)
        }
        Op::I64AtomicRmwAnd { ref memarg } => atomic::rmw(body, memarg, Rmw::And, I64),
        Op::I32AtomicRmw8OrU { ref memarg } | Op::I64AtomicRmw8OrU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Or, I8)
        }
        Op::I32AtomicRmw16OrU { ref memarg } | Op::I64AtomicRmw16OrU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Or, I16)
        }
        Op::I32AtomicRmwOr { ref memarg } | Op::I64AtomicRmw32OrU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Or, I32)
        }
        Op::I64AtomicRmwOr { ref memarg } => atomic::rmw(body, memarg, Rmw::Or, I64),
        Op::I32AtomicRmw8XorU { ref memarg } | Op::I64AtomicRmw8XorU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Xor, I8)
        }
        Op::I32AtomicRmw16XorU { ref memarg } | Op::I64AtomicRmw16XorU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Xor, I16)
        }
        Op::I32AtomicRmwXor { ref memarg } | Op::I64AtomicRmw32XorU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Xor, I32)
        }
        Op::I64AtomicRmwXor { ref memarg } => atomic::rmw(body, memarg, Rmw::Xor, I64),
        Op::I32AtomicRmw8XchgU { ref memarg } | Op::I64AtomicRmw8XchgU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Xchg, I8)
        }
        Op::I32AtomicRmw16XchgU { ref memarg } | Op::I64AtomicRmw16XchgU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Xchg, I16)
        }
        Op::I32AtomicRmwXchg { ref memarg } | Op::I64AtomicRmw32XchgU { ref memarg } => {
            atomic::rmw(body, memarg, Rmw::Xchg, I32)
        }
        Op::I64AtomicRmwXchg { ref memarg } => atomic::rmw(body, memarg, Rmw::Xchg, I64),
        Op::I32AtomicRmw8CmpxchgU { ref memarg } | Op::I64AtomicRmw8CmpxchgU { ref memarg } => {
            atomic::compare_exchange(body, memarg, I8)
        }
        Op::I32AtomicRmw16CmpxchgU { ref memarg } | Op::I64AtomicRmw16CmpxchgU { ref memarg } => {
            atomic::compare_exchange(body, memarg, I16)
        }
        Op::I32AtomicRmwCmpxchg { ref memarg } | Op::I64AtomicRmw32CmpxchgU { ref memarg } => {
            atomic::compare_exchange(body, memarg, I32)
        }
        Op::I64AtomicRmwCmpxchg { ref memarg } => atomic::compare_exchange(body, memarg, I64),
        Op::AtomicFence => atomic::fence(body),
        Op::MemoryAtomicWait32 { ref memarg } => {
            atomic::wait(body, memarg, Helper::MemoryAtomicWait32)
        }
        Op::MemoryAtomicWait64 { ref memarg } => {
            atomic::wait(body, memarg, Helper::MemoryAtomicWait64)
        }
        Op::MemoryAtomicNotify { ref memarg } => atomic::notify(body, memarg),

        Op::TableGet { table } => table::get(body, table),
        Op::TableSet { table } => table::set(body, table),
        Op::TableSize { table } => table::size(body, table),
        Op::TableGrow { table } => table::grow(body, table),
        Op::RefNull { hty } => reference::null(body, hty),
        Op::RefIsNull => reference::is_null(body),
        Op::RefAsNonNull => reference::as_non_null(body),
        Op::RefFunc { function_index } => reference::func(body, function_index),

        Op::RefEq => reference::eq(body),
        Op::RefI31 => reference::i31(body),
        Op::I31GetS => reference::i31_get(body, Opcode::Sshr),
        Op::I31GetU => reference::i31_get(body, Opcode::Ushr),
        // The same bits are a reference of both kinds.
        Op::AnyConvertExtern | Op::ExternConvertAny => {}

        Op::I32Const { value } => numeric::integer(body, I32, value.cast_unsigned().into()),
        Op::I64Const { value } => numeric::integer(body, I64, value),
        Op::I32Eqz | Op::I64Eqz => numeric::eqz(body),
        Op::I32Eq | Op::I64Eq => numeric::compare_integers(body, IntCC::Equal),
        Op::I32Ne | Op::I64Ne => numeric::compare_integers(body, IntCC::NotEqual),
        Op::I32LtS | Op::I64LtS => numeric::compare_integers(body, IntCC::SignedLessThan),
        Op::I32LtU | Op::I64LtU => numeric::compare_integers(body, IntCC::UnsignedLessThan),
        Op::I32GtS | Op::I64GtS => numeric::compare_integers(body, IntCC::SignedGreaterThan),
        Op::I32GtU | Op::I64GtU => numeric::compare_integers(body, IntCC::UnsignedGreaterThan),
        Op::I32LeS | Op::I64LeS => numeric::compare_integers(body, IntCC::SignedLessThanOrEqual),
        Op::I32LeU | Op::I64LeU => numeric::compare_integers(body, IntCC::UnsignedLessThanOrEqual),
        Op::I32GeS | Op::I64GeS => numeric::compare_integers(body, IntCC::SignedGreaterThanOrEqual),
        Op::I32GeU | Op::I64GeU => {
            numeric::compare_integers(body, IntCC::UnsignedGreaterThanOrEqual)
        }
        Op::I32Clz | Op::I64Clz => numeric::unary(body, Opcode::Clz),
        Op::I32Ctz | Op::I64Ctz => numeric::unary(body, Opcode::Ctz),
        Op::I32Popcnt | Op::I64Popcnt => numeric::unary(body, Opcode::Popcnt),
        Op::I32Add | Op::I64Add => numeric::binary(body, Opcode::Iadd),
        Op::I32Sub | Op::I64Sub => numeric::binary(body, Opcode::Isub),
        Op::I32Mul | Op::I64Mul => numeric::binary(body, Opcode::Imul),
        Op::I32DivS | Op::I64DivS => numeric::binary(body, Opcode::Sdiv),
        Op::I32DivU | Op::I64DivU => numeric::binary(body, Opcode::Udiv),
        Op::I32RemS | Op::I64RemS => numeric::binary(body, Opcode::Srem),
        Op::I32RemU | Op::I64RemU => numeric::binary(body, Opcode::Urem),
        Op::I32And | Op::I64And => numeric::binary(body, Opcode::Band),
        Op::I32Or | Op::I64Or => numeric::binary(body, Opcode::Bor),
        Op::I32Xor | Op::I64Xor => numeric::binary(body, Opcode::Bxor),
        Op::I32Shl | Op::I64Shl => numeric::binary(body, Opcode::Ishl),
        Op::I32ShrS | Op::I64ShrS => numeric::binary(body, Opcode::Sshr),
        Op::I32ShrU | Op::I64ShrU => numeric::binary(body, Opcode::Ushr),
        Op::I32Rotl | Op::I64Rotl => numeric::binary(body, Opcode::Rotl),
        Op::I32Rotr | Op::I64Rotr => numeric::binary(body, Opcode::Rotr),
        Op::I32Extend8S => numeric::sign_extend(body, I8, I32),
        Op::I32Extend16S => numeric::sign_extend(body, I16, I32),
        Op::I64Extend8S => numeric::sign_extend(body, I8, I64),
        Op::I64Extend16S => numeric::sign_extend(body, I16, I64),
        Op::I64Extend32S => numeric::sign_extend(body, I32, I64),

        Op::F32Const { value } => numeric::float32(body, value),
        Op::F64Const { value } => numeric::float64(body, value),
        Op::F32Eq | Op::F64Eq => numeric::compare_floats(body, FloatCC::Equal),
        Op::F32Ne | Op::F64Ne => numeric::compare_floats(body, FloatCC::NotEqual),
        Op::F32Lt | Op::F64Lt => numeric::compare_floats(body, FloatCC::LessThan),
        Op::F32Gt | Op::F64Gt => numeric::compare_floats(body, FloatCC::GreaterThan),
        Op::F32Le | Op::F64Le => numeric::compare_floats(body, FloatCC::LessThanOrEqual),
        Op::F32Ge | Op::F64Ge => numeric::compare_floats(body, FloatCC::GreaterThanOrEqual),
        Op::F32Abs | Op::F64Abs => numeric::unary(body, Opcode::Fabs),
        Op::F32Neg | Op::F64Neg => numeric::unary(body, Opcode::Fneg),
        Op::F32Ceil | Op::F64Ceil => numeric::unary(body, Opcode::Ceil),
        Op::F32Floor | Op::F64Floor => numeric::unary(body, Opcode::Floor),
        Op::F32Trunc | Op::F64Trunc => numeric::unary(body, Opcode::Trunc),
        Op::F32Nearest | Op::F64Nearest => numeric::unary(body, Opcode::Nearest),
        Op::F32Sqrt | Op::F64Sqrt => numeric::unary(body, Opcode::Sqrt),
        Op::F32Add | Op::F64Add => numeric::binary(body, Opcode::Fadd),
        Op::F32Sub | Op::F64Sub => numeric::binary(body, Opcode::Fsub),
        Op::F32Mul | Op::F64Mul => numeric::binary(body, Opcode::Fmul),
        Op::F32Div | Op::F64Div => numeric::binary(body, Opcode::Fdiv),
        Op::F32Min | Op::F64Min => numeric::binary(body, Opcode::Fmin),
        Op::F32Max | Op::F64Max => numeric::binary(body, Opcode::Fmax),
        Op::F32Copysign | Op::F64Copysign => numeric::binary(body, Opcode::Fcopysign),

        Op::I32WrapI64 => numeric::convert(body, Opcode::Ireduce, I32),
        Op::I64ExtendI32S => numeric::convert(body, Opcode::Sextend, I64),
        Op::I64ExtendI32U => numeric::convert(body, Opcode::Uextend, I64),
        Op::I32TruncF32S | Op::I32TruncF64S => numeric::convert(body, Opcode::FcvtToSint, I32),
        Op::I32TruncF32U | Op::I32TruncF64U => numeric::convert(body, Opcode::FcvtToUint, I32),
        Op::I64TruncF32S | Op::I64TruncF64S => numeric::convert(body, Opcode::FcvtToSint, I64),
        Op::I64TruncF32U | Op::I64TruncF64U => numeric::convert(body, Opcode::FcvtToUint, I64),
        Op::I32TruncSatF32S | Op::I32TruncSatF64S => {
            numeric::convert(body, Opcode::FcvtToSintSat, I32)
        }
        Op::I32TruncSatF32U | Op::I32TruncSatF64U => {
            numeric::convert(body, Opcode::FcvtToUintSat, I32)
        }
        Op::I64TruncSatF32S | Op::I64TruncSatF64S => {
            numeric::convert(body, Opcode::FcvtToSintSat, I64)
        }
        Op::I64TruncSatF32U | Op::I64TruncSatF64U => {
            numeric::convert(body, Opcode::FcvtToUintSat, I64)
        }
        Op::F32ConvertI32S | Op::F32ConvertI64S => {
            numeric::convert(body, Opcode::FcvtFromSint, F32)
        }
        Op::F32ConvertI32U | Op::F32ConvertI64U => {
            numeric::convert(body, Opcode::FcvtFromUint, F32)
        }
        Op::F64ConvertI32S | Op::F64ConvertI64S => {
            numeric::convert(body, Opcode::FcvtFromSint, F64)
        }
        Op::F64ConvertI32U | Op::F64ConvertI64U => {
            numeric::convert(body, Opcode::FcvtFromUint, F64)
        }
        Op::F32DemoteF64 => numeric::convert(body, Opcode::Fdemote, F32),
        Op::F64PromoteF32 => numeric::convert(body, Opcode::Fpromote, F64),
        Op::I32ReinterpretF32 => numeric::reinterpret(body, I32),
        Op::I64ReinterpretF64 => numeric::reinterpret(body, I64),
        Op::F32ReinterpretI32 => numeric::reinterpret(body, F32),
        Op::F64ReinterpretI64 => numeric::reinterpret(body, F64),

        Op::I64Add128 => wide::binary(body, Opcode::Iadd),
        Op::I64Sub128 => wide::binary(body, Opcode::Isub),
        Op::I64MulWideS => wide::multiply(body, Opcode::Sextend),
        Op::I64MulWideU => wide::multiply(body, Opcode::Uextend),

        ref other => return gc::translate(body, other),
    }
    Ok(())
}
