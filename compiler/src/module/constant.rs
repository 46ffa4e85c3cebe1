//! Constant expressions.

use precast_artifact::index::{FuncIndex, GlobalIndex, TypeIndex};
use precast_artifact::module::{ConstExpr, ConstOp};
use wasmparser::Operator;

use super::types::{self, TypeKinds};
use crate::CompileError;

/// Takes a constant expression over. Validation has accepted it.
pub(crate) fn read(
    kinds: &TypeKinds,
    expression: &wasmparser::ConstExpr<'_>,
) -> Result<ConstExpr, CompileError> {
    let mut ops = Vec::new();
    let mut reader = expression.get_operators_reader();
    while !reader.eof() {
        let (operator, offset) = reader.read_with_offset()?;
        ops.push(match operator {
            Operator::I32Const { value } => ConstOp::I32(value),
            Operator::I64Const { value } => ConstOp::I64(value),
            Operator::F32Const { value } => ConstOp::F32(value.bits()),
            Operator::F64Const { value } => ConstOp::F64(value.bits()),
            Operator::V128Const { value } => ConstOp::V128(value.i128() as u128),
            Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIndex(global_index)),
            Operator::RefNull { hty } => ConstOp::RefNull(types::heap_type(kinds, hty)?),
            Operator::RefFunc { function_index } => ConstOp::RefFunc(FuncIndex(function_index)),
            Operator::I32Add => ConstOp::I32Add,
            Operator::I32Sub => ConstOp::I32Sub,
            Operator::I32Mul => ConstOp::I32Mul,
            Operator::I64Add => ConstOp::I64Add,
            Operator::I64Sub => ConstOp::I64Sub,
            Operator::I64Mul => ConstOp::I64Mul,
            Operator::RefI31 => ConstOp::RefI31,
            Operator::StructNew { struct_type_index } => {
                ConstOp::StructNew(TypeIndex(struct_type_index))
            }
            Operator::StructNewDefault { struct_type_index } => {
                ConstOp::StructNewDefault(TypeIndex(struct_type_index))
            }
            Operator::ArrayNew { array_type_index } => {
                ConstOp::ArrayNew(TypeIndex(array_type_index))
            }
            Operator::ArrayNewDefault { array_type_index } => {
                ConstOp::ArrayNewDefault(TypeIndex(array_type_index))
            }
            Operator::ArrayNewFixed { array_type_index, array_size } => {
                ConstOp::ArrayNewFixed(TypeIndex(array_type_index), array_size)
            }
            // They change what the validator knows of a reference, and nothing else.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => continue,
            Operator::End => break,
            _ => {
                let what = "constant expressions with this instruction";
                return Err(CompileError::Unsupported { what, offset: Some(offset) });
            }
        });
    }
    Ok(ConstExpr(ops))
}

/// The value of an integer expression that does not depend on the instance. 32-bit values are
/// taken as unsigned, as addresses and table indices are.
pub(crate) fn evaluate(expression: &ConstExpr) -> Option<u64> {
    let mut stack = Vec::new();
    for op in &expression.0 {
        let value = match *op {
            ConstOp::I32(value) => u64::from(value as u32),
            ConstOp::I64(value) => value as u64,
            ConstOp::I32Add | ConstOp::I32Sub | ConstOp::I32Mul => {
                let (right, left) = (stack.pop()? as u32, stack.pop()? as u32);
                u64::from(match op {
                    ConstOp::I32Add => left.wrapping_add(right),
                    ConstOp::I32Sub => left.wrapping_sub(right),
                    _ => left.wrapping_mul(right),
                })
            }
            ConstOp::I64Add | ConstOp::I64Sub | ConstOp::I64Mul => {
                let (right, left) = (stack.pop()?, stack.pop()?);
                match op {
                    ConstOp::I64Add => u64::wrapping_add(left, right),
                    ConstOp::I64Sub => u64::wrapping_sub(left, right),
                    _ => u64::wrapping_mul(left, right),
                }
            }
            ConstOp::F32(_)
            | ConstOp::F64(_)
            | ConstOp::V128(_)
            | ConstOp::GlobalGet(_)
            | ConstOp::RefNull(_)
            | ConstOp::RefFunc(_)
            | ConstOp::RefI31
            | ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..) => return None,
        };
        stack.push(value);
    }
    stack.pop()
}

/// The functions that an expression refers to.
pub(crate) fn functions(expression: &ConstExpr) -> impl Iterator<Item = FuncIndex> {
    expression.0.iter().filter_map(|op| match op {
        ConstOp::RefFunc(index) => Some(*index),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_evaluated_and_the_rest_is_left() {
        use ConstOp::*;
        let value = |ops: &[ConstOp]| evaluate(&ConstExpr(ops.to_vec()));
        assert_eq!(value(&[I32(-1)]), Some(0xffff_ffff));
        assert_eq!(value(&[I32(6), I32(7), I32Mul, I32(-2), I32Add]), Some(40));
        assert_eq!(value(&[I32(0), I32(1), I32Sub]), Some(0xffff_ffff));
        assert_eq!(value(&[I64(5), I64(7), I64Sub]), Some(u64::MAX - 1));
        assert_eq!(value(&[GlobalGet(GlobalIndex(0))]), None);
        assert_eq!(value(&[I32(1), GlobalGet(GlobalIndex(0)), I32Add]), None);
        assert_eq!(value(&[I32Add]), None);
    }
}
