//! Constant expressions: a small stack machine.

use precast_artifact::module::{ConstExpr, ConstOp};
use precast_artifact::vmcontext::ValRaw;
use smallvec::SmallVec;

use crate::error::{ModuleError, Result};
use crate::store::{InstanceId, StoreOpaque};
use crate::table::Element;
use crate::vm::VmFunc;

type Stack = SmallVec<[ValRaw; 4]>;

/// The value of an expression of an instance whose imports and earlier globals are there.
///
/// # Errors
///
/// When the expression makes no sense, which validation excludes.
pub(super) fn evaluate(
    store: &StoreOpaque,
    instance: InstanceId,
    expression: &ConstExpr,
) -> Result<ValRaw> {
    let instance = &store.instances[instance];
    run(expression, |op| match *op {
        ConstOp::GlobalGet(index) => {
            Some(store.globals[instance.global(index)?].definition().get())
        }
        ConstOp::RefFunc(index) => Some(ValRaw::u64(instance.func_ref(index)?.to_raw())),
        _ => None,
    })
}

/// The value of an expression for a table's element of the same kind as `kind`.
///
/// # Errors
///
/// As [`evaluate`].
pub(crate) fn element(
    store: &StoreOpaque,
    instance: InstanceId,
    expression: &ConstExpr,
    kind: Element,
) -> Result<Element> {
    let value = evaluate(store, instance, expression)?;
    Ok(match kind {
        // SAFETY: expressions for tables of functions have function references of the
        // instance's own store as values.
        #[allow(unsafe_code)]
        Element::Func(_) => Element::Func(unsafe { VmFunc::from_raw(value.get_u64()) }),
        Element::Ref(_) => Element::Ref(value.get_u32()),
    })
}

/// An address or index, which is 32 bits wide unless what it points into is 64-bit.
///
/// # Errors
///
/// As [`evaluate`].
pub(super) fn offset(
    store: &StoreOpaque,
    instance: InstanceId,
    expression: &ConstExpr,
    is_64: bool,
) -> Result<u64> {
    let value = evaluate(store, instance, expression)?;
    Ok(if is_64 { value.get_u64() } else { value.get_u32().into() })
}

fn run(
    expression: &ConstExpr,
    mut outside: impl FnMut(&ConstOp) -> Option<ValRaw>,
) -> Result<ValRaw> {
    let mut stack = Stack::new();
    for op in &expression.0 {
        let value = match *op {
            ConstOp::I32(value) => Some(ValRaw::i32(value)),
            ConstOp::I64(value) => Some(ValRaw::i64(value)),
            ConstOp::F32(bits) => Some(ValRaw::u32(bits)),
            ConstOp::F64(bits) => Some(ValRaw::u64(bits)),
            ConstOp::V128(value) => Some(ValRaw::u128(value)),
            ConstOp::RefNull(_) => Some(ValRaw::default()),
            ConstOp::I32Add => binary_i32(&mut stack, i32::wrapping_add),
            ConstOp::I32Sub => binary_i32(&mut stack, i32::wrapping_sub),
            ConstOp::I32Mul => binary_i32(&mut stack, i32::wrapping_mul),
            ConstOp::I64Add => binary_i64(&mut stack, i64::wrapping_add),
            ConstOp::I64Sub => binary_i64(&mut stack, i64::wrapping_sub),
            ConstOp::I64Mul => binary_i64(&mut stack, i64::wrapping_mul),
            ConstOp::GlobalGet(_) | ConstOp::RefFunc(_) => outside(op),
        };
        stack.push(value.ok_or(NONSENSE)?);
    }
    match stack[..] {
        [value] => Ok(value),
        _ => Err(NONSENSE.into()),
    }
}

const NONSENSE: ModuleError = ModuleError::Damaged("a constant expression makes no sense");

fn binary_i32(stack: &mut Stack, operation: fn(i32, i32) -> i32) -> Option<ValRaw> {
    let (right, left) = (stack.pop()?, stack.pop()?);
    Some(ValRaw::i32(operation(left.get_i32(), right.get_i32())))
}

fn binary_i64(stack: &mut Stack, operation: fn(i64, i64) -> i64) -> Option<ValRaw> {
    let (right, left) = (stack.pop()?, stack.pop()?);
    Some(ValRaw::i64(operation(left.get_i64(), right.get_i64())))
}

#[cfg(test)]
mod tests {
    use precast_artifact::index::GlobalIndex;

    use super::*;

    fn value(ops: &[ConstOp]) -> Result<ValRaw> {
        let global = |op: &ConstOp| match op {
            ConstOp::GlobalGet(GlobalIndex(0)) => Some(ValRaw::i32(7)),
            _ => None,
        };
        run(&ConstExpr(ops.to_vec()), global)
    }

    #[test]
    fn arithmetic_wraps() {
        use ConstOp::*;
        let sum = value(&[I32(i32::MAX), I32(1), I32Add]).unwrap();
        assert_eq!(sum.get_i32(), i32::MIN);
        let mixed = value(&[GlobalGet(GlobalIndex(0)), I32(10), I32Sub, I32(2), I32Mul]).unwrap();
        assert_eq!(mixed.get_i32(), -6);
        let wide = value(&[I64(i64::MIN), I64(1), I64Sub]).unwrap();
        assert_eq!(wide.get_i64(), i64::MAX);
    }

    #[test]
    fn nonsense_is_an_error() {
        use ConstOp::*;
        for ops in
            [&[][..], &[I32Add], &[I32(1), I32Add], &[I32(1), I32(2)], &[GlobalGet(GlobalIndex(1))]]
        {
            assert!(value(ops).is_err());
        }
    }
}
