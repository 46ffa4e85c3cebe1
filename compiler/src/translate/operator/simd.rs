//! The rows of the table for operators on vectors.

use cranelift_codegen::ir::Opcode;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2};
use wasmparser::Operator;

use super::Unsupported;
use crate::translate::body::Body;
use crate::translate::ops::memory as scalar_memory;
use crate::translate::ops::simd::{self, lanes, memory, relaxed, width};

pub(super) fn translate(body: &mut Body<'_>, operator: &Operator<'_>) -> Result<(), Unsupported> {
    use Operator as Op;
    match *operator {
        Op::V128Load { ref memarg } => scalar_memory::load(body, memarg, Opcode::Load, I8X16),
        Op::V128Store { ref memarg } => scalar_memory::store(body, memarg, Opcode::Store),
        Op::V128Load8x8S { ref memarg } => {
            memory::load_extended(body, memarg, Opcode::Sload8x8, I16X8)
        }
        Op::V128Load8x8U { ref memarg } => {
            memory::load_extended(body, memarg, Opcode::Uload8x8, I16X8)
        }
        Op::V128Load16x4S { ref memarg } => {
            memory::load_extended(body, memarg, Opcode::Sload16x4, I32X4)
        }
        Op::V128Load16x4U { ref memarg } => {
            memory::load_extended(body, memarg, Opcode::Uload16x4, I32X4)
        }
        Op::V128Load32x2S { ref memarg } => {
            memory::load_extended(body, memarg, Opcode::Sload32x2, I64X2)
        }
        Op::V128Load32x2U { ref memarg } => {
            memory::load_extended(body, memarg, Opcode::Uload32x2, I64X2)
        }
        Op::V128Load8Splat { ref memarg } => memory::load_splat(body, memarg, I8X16),
        Op::V128Load16Splat { ref memarg } => memory::load_splat(body, memarg, I16X8),
        Op::V128Load32Splat { ref memarg } => memory::load_splat(body, memarg, I32X4),
        Op::V128Load64Splat { ref memarg } => memory::load_splat(body, memarg, I64X2),
        Op::V128Load32Zero { ref memarg } => memory::load_zero(body, memarg, I32X4),
        Op::V128Load64Zero { ref memarg } => memory::load_zero(body, memarg, I64X2),
        Op::V128Load8Lane { ref memarg, lane } => memory::load_lane(body, memarg, I8X16, lane),
        Op::V128Load16Lane { ref memarg, lane } => memory::load_lane(body, memarg, I16X8, lane),
        Op::V128Load32Lane { ref memarg, lane } => memory::load_lane(body, memarg, I32X4, lane),
        Op::V128Load64Lane { ref memarg, lane } => memory::load_lane(body, memarg, I64X2, lane),
        Op::V128Store8Lane { ref memarg, lane } => memory::store_lane(body, memarg, I8X16, lane),
        Op::V128Store16Lane { ref memarg, lane } => memory::store_lane(body, memarg, I16X8, lane),
        Op::V128Store32Lane { ref memarg, lane } => memory::store_lane(body, memarg, I32X4, lane),
        Op::V128Store64Lane { ref memarg, lane } => memory::store_lane(body, memarg, I64X2, lane),

        Op::V128Const { value } => simd::constant(body, value),
        Op::I8x16Shuffle { ref lanes } => lanes::shuffle(body, lanes),
        Op::I8x16Swizzle => lanes::swizzle(body),
        Op::I8x16Splat => lanes::splat(body, I8X16),
        Op::I16x8Splat => lanes::splat(body, I16X8),
        Op::I32x4Splat => lanes::splat(body, I32X4),
        Op::I64x2Splat => lanes::splat(body, I64X2),
        Op::F32x4Splat => lanes::splat(body, F32X4),
        Op::F64x2Splat => lanes::splat(body, F64X2),
        Op::I8x16ExtractLaneS { lane } => lanes::extract_small(body, Opcode::Sextend, I8X16, lane),
        Op::I8x16ExtractLaneU { lane } => lanes::extract_small(body, Opcode::Uextend, I8X16, lane),
        Op::I16x8ExtractLaneS { lane } => lanes::extract_small(body, Opcode::Sextend, I16X8, lane),
        Op::I16x8ExtractLaneU { lane } => lanes::extract_small(body, Opcode::Uextend, I16X8, lane),
        Op::I32x4ExtractLane { lane } => lanes::extract(body, I32X4, lane),
        Op::I64x2ExtractLane { lane } => lanes::extract(body, I64X2, lane),
        Op::F32x4ExtractLane { lane } => lanes::extract(body, F32X4, lane),
        Op::F64x2ExtractLane { lane } => lanes::extract(body, F64X2, lane),
        Op::I8x16ReplaceLane { lane } => lanes::replace(body, I8X16, lane),
        Op::I16x8ReplaceLane { lane } => lanes::replace(body, I16X8, lane),
        Op::I32x4ReplaceLane { lane } => lanes::replace(body, I32X4, lane),
        Op::I64x2ReplaceLane { lane } => lanes::replace(body, I64X2, lane),
        Op::F32x4ReplaceLane { lane } => lanes::replace(body, F32X4, lane),
        Op::F64x2ReplaceLane { lane } => lanes::replace(body, F64X2, lane),

        Op::V128Not => simd::unary(body, Opcode::Bnot, I8X16),
        Op::V128And => simd::binary(body, Opcode::Band, I8X16),
        Op::V128AndNot => simd::and_not(body),
        Op::V128Or => simd::binary(body, Opcode::Bor, I8X16),
        Op::V128Xor => simd::binary(body, Opcode::Bxor, I8X16),
        Op::V128Bitselect => simd::bitselect(body),
        Op::V128AnyTrue => simd::test(body, Opcode::VanyTrue, I8X16),
        Op::I8x16AllTrue => simd::test(body, Opcode::VallTrue, I8X16),
        Op::I16x8AllTrue => simd::test(body, Opcode::VallTrue, I16X8),
        Op::I32x4AllTrue => simd::test(body, Opcode::VallTrue, I32X4),
        Op::I64x2AllTrue => simd::test(body, Opcode::VallTrue, I64X2),
        Op::I8x16Bitmask => simd::bitmask(body, I8X16),
        Op::I16x8Bitmask => simd::bitmask(body, I16X8),
        Op::I32x4Bitmask => simd::bitmask(body, I32X4),
        Op::I64x2Bitmask => simd::bitmask(body, I64X2),

        Op::I8x16Eq => simd::compare_integers(body, IntCC::Equal, I8X16),
        Op::I8x16Ne => simd::compare_integers(body, IntCC::NotEqual, I8X16),
        Op::I8x16LtS => simd::compare_integers(body, IntCC::SignedLessThan, I8X16),
        Op::I8x16LtU => simd::compare_integers(body, IntCC::UnsignedLessThan, I8X16),
        Op::I8x16GtS => simd::compare_integers(body, IntCC::SignedGreaterThan, I8X16),
        Op::I8x16GtU => simd::compare_integers(body, IntCC::UnsignedGreaterThan, I8X16),
        Op::I8x16LeS => simd::compare_integers(body, IntCC::SignedLessThanOrEqual, I8X16),
        Op::I8x16LeU => simd::compare_integers(body, IntCC::UnsignedLessThanOrEqual, I8X16),
        Op::I8x16GeS => simd::compare_integers(body, IntCC::SignedGreaterThanOrEqual, I8X16),
        Op::I8x16GeU => simd::compare_integers(body, IntCC::UnsignedGreaterThanOrEqual, I8X16),
        Op::I16x8Eq => simd::compare_integers(body, IntCC::Equal, I16X8),
        Op::I16x8Ne => simd::compare_integers(body, IntCC::NotEqual, I16X8),
        Op::I16x8LtS => simd::compare_integers(body, IntCC::SignedLessThan, I16X8),
        Op::I16x8LtU => simd::compare_integers(body, IntCC::UnsignedLessThan, I16X8),
        Op::I16x8GtS => simd::compare_integers(body, IntCC::SignedGreaterThan, I16X8),
        Op::I16x8GtU => simd::compare_integers(body, IntCC::UnsignedGreaterThan, I16X8),
        Op::I16x8LeS => simd::compare_integers(body, IntCC::SignedLessThanOrEqual, I16X8),
        Op::I16x8LeU => simd::compare_integers(body, IntCC::UnsignedLessThanOrEqual, I16X8),
        Op::I16x8GeS => simd::compare_integers(body, IntCC::SignedGreaterThanOrEqual, I16X8),
        Op::I16x8GeU => simd::compare_integers(body, IntCC::UnsignedGreaterThanOrEqual, I16X8),
        Op::I32x4Eq => simd::compare_integers(body, IntCC::Equal, I32X4),
        Op::I32x4Ne => simd::compare_integers(body, IntCC::NotEqual, I32X4),
        Op::I32x4LtS => simd::compare_integers(body, IntCC::SignedLessThan, I32X4),
        Op::I32x4LtU => simd::compare_integers(body, IntCC::UnsignedLessThan, I32X4),
        Op::I32x4GtS => simd::compare_integers(body, IntCC::SignedGreaterThan, I32X4),
        Op::I32x4GtU => simd::compare_integers(body, IntCC::UnsignedGreaterThan, I32X4),
        Op::I32x4LeS => simd::compare_integers(body, IntCC::SignedLessThanOrEqual, I32X4),
        Op::I32x4LeU => simd::compare_integers(body, IntCC::UnsignedLessThanOrEqual, I32X4),
        Op::I32x4GeS => simd::compare_integers(body, IntCC::SignedGreaterThanOrEqual, I32X4),
        Op::I32x4GeU => simd::compare_integers(body, IntCC::UnsignedGreaterThanOrEqual, I32X4),
        Op::I64x2Eq => simd::compare_integers(body, IntCC::Equal, I64X2),
        Op::I64x2Ne => simd::compare_integers(body, IntCC::NotEqual, I64X2),
        Op::I64x2LtS => simd::compare_integers(body, IntCC::SignedLessThan, I64X2),
        Op::I64x2GtS => simd::compare_integers(body, IntCC::SignedGreaterThan, I64X2),
        Op::I64x2LeS => simd::compare_integers(body, IntCC::SignedLessThanOrEqual, I64X2),
        Op::I64x2GeS => simd::compare_integers(body, IntCC::SignedGreaterThanOrEqual, I64X2),
        Op::F32x4Eq => simd::compare_floats(body, FloatCC::Equal, F32X4),
        Op::F32x4Ne => simd::compare_floats(body, FloatCC::NotEqual, F32X4),
        Op::F32x4Lt => simd::compare_floats(body, FloatCC::LessThan, F32X4),
        Op::F32x4Gt => simd::compare_floats(body, FloatCC::GreaterThan, F32X4),
        Op::F32x4Le => simd::compare_floats(body, FloatCC::LessThanOrEqual, F32X4),
        Op::F32x4Ge => simd::compare_floats(body, FloatCC::GreaterThanOrEqual, F32X4),
        Op::F64x2Eq => simd::compare_floats(body, FloatCC::Equal, F64X2),
        Op::F64x2Ne => simd::compare_floats(body, FloatCC::NotEqual, F64X2),
        Op::F64x2Lt => simd::compare_floats(body, FloatCC::LessThan, F64X2),
        Op::F64x2Gt => simd::compare_floats(body, FloatCC::GreaterThan, F64X2),
        Op::F64x2Le => simd::compare_floats(body, FloatCC::LessThanOrEqual, F64X2),
        Op::F64x2Ge => simd::compare_floats(body, FloatCC::GreaterThanOrEqual, F64X2),

        Op::I8x16Abs => simd::unary(body, Opcode::Iabs, I8X16),
        Op::I16x8Abs => simd::unary(body, Opcode::Iabs, I16X8),
        Op::I32x4Abs => simd::unary(body, Opcode::Iabs, I32X4),
        Op::I64x2Abs => simd::unary(body, Opcode::Iabs, I64X2),
        Op::I8x16Neg => simd::unary(body, Opcode::Ineg, I8X16),
        Op::I16x8Neg => simd::unary(body, Opcode::Ineg, I16X8),
        Op::I32x4Neg => simd::unary(body, Opcode::Ineg, I32X4),
        Op::I64x2Neg => simd::unary(body, Opcode::Ineg, I64X2),
        Op::I8x16Popcnt => simd::unary(body, Opcode::Popcnt, I8X16),
        Op::I8x16Shl => simd::shift(body, Opcode::Ishl, I8X16),
        Op::I16x8Shl => simd::shift(body, Opcode::Ishl, I16X8),
        Op::I32x4Shl => simd::shift(body, Opcode::Ishl, I32X4),
        Op::I64x2Shl => simd::shift(body, Opcode::Ishl, I64X2),
        Op::I8x16ShrS => simd::shift(body, Opcode::Sshr, I8X16),
        Op::I16x8ShrS => simd::shift(body, Opcode::Sshr, I16X8),
        Op::I32x4ShrS => simd::shift(body, Opcode::Sshr, I32X4),
        Op::I64x2ShrS => simd::shift(body, Opcode::Sshr, I64X2),
        Op::I8x16ShrU => simd::shift(body, Opcode::Ushr, I8X16),
        Op::I16x8ShrU => simd::shift(body, Opcode::Ushr, I16X8),
        Op::I32x4ShrU => simd::shift(body, Opcode::Ushr, I32X4),
        Op::I64x2ShrU => simd::shift(body, Opcode::Ushr, I64X2),
        Op::I8x16Add => simd::binary(body, Opcode::Iadd, I8X16),
        Op::I16x8Add => simd::binary(body, Opcode::Iadd, I16X8),
        Op::I32x4Add => simd::binary(body, Opcode::Iadd, I32X4),
        Op::I64x2Add => simd::binary(body, Opcode::Iadd, I64X2),
        Op::I8x16Sub => simd::binary(body, Opcode::Isub, I8X16),
        Op::I16x8Sub => simd::binary(body, Opcode::Isub, I16X8),
        Op::I32x4Sub => simd::binary(body, Opcode::Isub, I32X4),
        Op::I64x2Sub => simd::binary(body, Opcode::Isub, I64X2),
        Op::I16x8Mul => simd::binary(body, Opcode::Imul, I16X8),
        Op::I32x4Mul => simd::binary(body, Opcode::Imul, I32X4),
        Op::I64x2Mul => simd::binary(body, Opcode::Imul, I64X2),
        Op::I8x16AddSatS => simd::binary(body, Opcode::SaddSat, I8X16),
        Op::I16x8AddSatS => simd::binary(body, Opcode::SaddSat, I16X8),
        Op::I8x16AddSatU => simd::binary(body, Opcode::UaddSat, I8X16),
        Op::I16x8AddSatU => simd::binary(body, Opcode::UaddSat, I16X8),
        Op::I8x16SubSatS => simd::binary(body, Opcode::SsubSat, I8X16),
        Op::I16x8SubSatS => simd::binary(body, Opcode::SsubSat, I16X8),
        Op::I8x16SubSatU => simd::binary(body, Opcode::UsubSat, I8X16),
        Op::I16x8SubSatU => simd::binary(body, Opcode::UsubSat, I16X8),
        Op::I8x16MinS => simd::binary(body, Opcode::Smin, I8X16),
        Op::I16x8MinS => simd::binary(body, Opcode::Smin, I16X8),
        Op::I32x4MinS => simd::binary(body, Opcode::Smin, I32X4),
        Op::I8x16MinU => simd::binary(body, Opcode::Umin, I8X16),
        Op::I16x8MinU => simd::binary(body, Opcode::Umin, I16X8),
        Op::I32x4MinU => simd::binary(body, Opcode::Umin, I32X4),
        Op::I8x16MaxS => simd::binary(body, Opcode::Smax, I8X16),
        Op::I16x8MaxS => simd::binary(body, Opcode::Smax, I16X8),
        Op::I32x4MaxS => simd::binary(body, Opcode::Smax, I32X4),
        Op::I8x16MaxU => simd::binary(body, Opcode::Umax, I8X16),
        Op::I16x8MaxU => simd::binary(body, Opcode::Umax, I16X8),
        Op::I32x4MaxU => simd::binary(body, Opcode::Umax, I32X4),
        Op::I8x16AvgrU => simd::binary(body, Opcode::AvgRound, I8X16),
        Op::I16x8AvgrU => simd::binary(body, Opcode::AvgRound, I16X8),
        Op::I16x8Q15MulrSatS => simd::binary(body, Opcode::SqmulRoundSat, I16X8),

        Op::F32x4Ceil => simd::unary(body, Opcode::Ceil, F32X4),
        Op::F64x2Ceil => simd::unary(body, Opcode::Ceil, F64X2),
        Op::F32x4Floor => simd::unary(body, Opcode::Floor, F32X4),
        Op::F64x2Floor => simd::unary(body, Opcode::Floor, F64X2),
        Op::F32x4Trunc => simd::unary(body, Opcode::Trunc, F32X4),
        Op::F64x2Trunc => simd::unary(body, Opcode::Trunc, F64X2),
        Op::F32x4Nearest => simd::unary(body, Opcode::Nearest, F32X4),
        Op::F64x2Nearest => simd::unary(body, Opcode::Nearest, F64X2),
        Op::F32x4Abs => simd::unary(body, Opcode::Fabs, F32X4),
        Op::F64x2Abs => simd::unary(body, Opcode::Fabs, F64X2),
        Op::F32x4Neg => simd::unary(body, Opcode::Fneg, F32X4),
        Op::F64x2Neg => simd::unary(body, Opcode::Fneg, F64X2),
        Op::F32x4Sqrt => simd::unary(body, Opcode::Sqrt, F32X4),
        Op::F64x2Sqrt => simd::unary(body, Opcode::Sqrt, F64X2),
        Op::F32x4Add => simd::binary(body, Opcode::Fadd, F32X4),
        Op::F64x2Add => simd::binary(body, Opcode::Fadd, F64X2),
        Op::F32x4Sub => simd::binary(body, Opcode::Fsub, F32X4),
        Op::F64x2Sub => simd::binary(body, Opcode::Fsub, F64X2),
        Op::F32x4Mul => simd::binary(body, Opcode::Fmul, F32X4),
        Op::F64x2Mul => simd::binary(body, Opcode::Fmul, F64X2),
        Op::F32x4Div => simd::binary(body, Opcode::Fdiv, F32X4),
        Op::F64x2Div => simd::binary(body, Opcode::Fdiv, F64X2),
        Op::F32x4Min => simd::binary(body, Opcode::Fmin, F32X4),
        Op::F64x2Min => simd::binary(body, Opcode::Fmin, F64X2),
        Op::F32x4Max => simd::binary(body, Opcode::Fmax, F32X4),
        Op::F64x2Max => simd::binary(body, Opcode::Fmax, F64X2),
        Op::F32x4PMin => simd::pseudo_min(body, F32X4),
        Op::F64x2PMin => simd::pseudo_min(body, F64X2),
        Op::F32x4PMax => simd::pseudo_max(body, F32X4),
        Op::F64x2PMax => simd::pseudo_max(body, F64X2),

        Op::I16x8ExtendLowI8x16S => simd::widen(body, Opcode::SwidenLow, I8X16),
        Op::I16x8ExtendLowI8x16U => simd::widen(body, Opcode::UwidenLow, I8X16),
        Op::I16x8ExtendHighI8x16S => simd::widen(body, Opcode::SwidenHigh, I8X16),
        Op::I16x8ExtendHighI8x16U => simd::widen(body, Opcode::UwidenHigh, I8X16),
        Op::I16x8ExtMulLowI8x16S => width::extended_multiply(body, Opcode::SwidenLow, I8X16),
        Op::I16x8ExtMulLowI8x16U => width::extended_multiply(body, Opcode::UwidenLow, I8X16),
        Op::I16x8ExtMulHighI8x16S => width::extended_multiply(body, Opcode::SwidenHigh, I8X16),
        Op::I16x8ExtMulHighI8x16U => width::extended_multiply(body, Opcode::UwidenHigh, I8X16),
        Op::I16x8ExtAddPairwiseI8x16S => width::extended_add(body, width::SIGNED, I8X16),
        Op::I16x8ExtAddPairwiseI8x16U => width::extended_add(body, width::UNSIGNED, I8X16),
        Op::I32x4ExtendLowI16x8S => simd::widen(body, Opcode::SwidenLow, I16X8),
        Op::I32x4ExtendLowI16x8U => simd::widen(body, Opcode::UwidenLow, I16X8),
        Op::I32x4ExtendHighI16x8S => simd::widen(body, Opcode::SwidenHigh, I16X8),
        Op::I32x4ExtendHighI16x8U => simd::widen(body, Opcode::UwidenHigh, I16X8),
        Op::I32x4ExtMulLowI16x8S => width::extended_multiply(body, Opcode::SwidenLow, I16X8),
        Op::I32x4ExtMulLowI16x8U => width::extended_multiply(body, Opcode::UwidenLow, I16X8),
        Op::I32x4ExtMulHighI16x8S => width::extended_multiply(body, Opcode::SwidenHigh, I16X8),
        Op::I32x4ExtMulHighI16x8U => width::extended_multiply(body, Opcode::UwidenHigh, I16X8),
        Op::I32x4ExtAddPairwiseI16x8S => width::extended_add(body, width::SIGNED, I16X8),
        Op::I32x4ExtAddPairwiseI16x8U => width::extended_add(body, width::UNSIGNED, I16X8),
        Op::I64x2ExtendLowI32x4S => simd::widen(body, Opcode::SwidenLow, I32X4),
        Op::I64x2ExtendLowI32x4U => simd::widen(body, Opcode::UwidenLow, I32X4),
        Op::I64x2ExtendHighI32x4S => simd::widen(body, Opcode::SwidenHigh, I32X4),
        Op::I64x2ExtendHighI32x4U => simd::widen(body, Opcode::UwidenHigh, I32X4),
        Op::I64x2ExtMulLowI32x4S => width::extended_multiply(body, Opcode::SwidenLow, I32X4),
        Op::I64x2ExtMulLowI32x4U => width::extended_multiply(body, Opcode::UwidenLow, I32X4),
        Op::I64x2ExtMulHighI32x4S => width::extended_multiply(body, Opcode::SwidenHigh, I32X4),
        Op::I64x2ExtMulHighI32x4U => width::extended_multiply(body, Opcode::UwidenHigh, I32X4),
        Op::I32x4DotI16x8S => width::dot(body),
        Op::I8x16NarrowI16x8S => simd::binary(body, Opcode::Snarrow, I16X8),
        Op::I8x16NarrowI16x8U => simd::binary(body, Opcode::Unarrow, I16X8),
        Op::I16x8NarrowI32x4S => simd::binary(body, Opcode::Snarrow, I32X4),
        Op::I16x8NarrowI32x4U => simd::binary(body, Opcode::Unarrow, I32X4),

        Op::I32x4TruncSatF32x4S => simd::convert(body, Opcode::FcvtToSintSat, F32X4, I32X4),
        Op::I32x4TruncSatF32x4U | Op::I32x4RelaxedTruncF32x4U => {
            simd::convert(body, Opcode::FcvtToUintSat, F32X4, I32X4)
        }
        Op::F32x4ConvertI32x4S => simd::convert(body, Opcode::FcvtFromSint, I32X4, F32X4),
        Op::F32x4ConvertI32x4U => simd::convert(body, Opcode::FcvtFromUint, I32X4, F32X4),
        Op::I32x4TruncSatF64x2SZero => {
            width::truncate_doubles(body, Opcode::FcvtToSintSat, Opcode::Snarrow)
        }
        Op::I32x4TruncSatF64x2UZero | Op::I32x4RelaxedTruncF64x2UZero => {
            width::truncate_doubles(body, Opcode::FcvtToUintSat, Opcode::Uunarrow)
        }
        Op::F64x2ConvertLowI32x4S => {
            width::convert_to_doubles(body, Opcode::SwidenLow, Opcode::FcvtFromSint)
        }
        Op::F64x2ConvertLowI32x4U => {
            width::convert_to_doubles(body, Opcode::UwidenLow, Opcode::FcvtFromUint)
        }
        Op::F32x4DemoteF64x2Zero => simd::convert(body, Opcode::Fvdemote, F64X2, F32X4),
        Op::F64x2PromoteLowF32x4 => simd::convert(body, Opcode::FvpromoteLow, F32X4, F64X2),

        Op::I8x16RelaxedSwizzle => relaxed::swizzle(body),
        Op::I32x4RelaxedTruncF32x4S => relaxed::truncate_floats(body),
        Op::I32x4RelaxedTruncF64x2SZero => relaxed::truncate_doubles(body),
        Op::F32x4RelaxedMadd => relaxed::multiply_add(body, F32X4),
        Op::F64x2RelaxedMadd => relaxed::multiply_add(body, F64X2),
        Op::F32x4RelaxedNmadd => relaxed::negative_multiply_add(body, F32X4),
        Op::F64x2RelaxedNmadd => relaxed::negative_multiply_add(body, F64X2),
        Op::I8x16RelaxedLaneselect => relaxed::laneselect(body, I8X16),
        Op::I16x8RelaxedLaneselect => relaxed::laneselect(body, I16X8),
        Op::I32x4RelaxedLaneselect => relaxed::laneselect(body, I32X4),
        Op::I64x2RelaxedLaneselect => relaxed::laneselect(body, I64X2),
        Op::F32x4RelaxedMin => relaxed::min(body, F32X4),
        Op::F64x2RelaxedMin => relaxed::min(body, F64X2),
        Op::F32x4RelaxedMax => relaxed::max(body, F32X4),
        Op::F64x2RelaxedMax => relaxed::max(body, F64X2),
        Op::I16x8RelaxedQ15mulrS => relaxed::q15_multiply(body),
        Op::I16x8RelaxedDotI8x16I7x16S => relaxed::dot(body),
        Op::I32x4RelaxedDotI8x16I7x16AddS => relaxed::dot_add(body),

        ref other => return Err(Unsupported(format!("{other:?}"))),
    }
    Ok(())
}
