//! Constant expressions: a small stack machine.

use precast_artifact::index::TypeIndex;
use precast_artifact::module::{ConstExpr, ConstOp};
use precast_artifact::object::I31_BIT;
use precast_artifact::vmcontext::ValRaw;
use smallvec::SmallVec;

use crate::error::{ModuleError, Result};
use crate::gc::{self, Place};
use crate::heap::{self, Root};
use crate::store::{InstanceId, StoreOpaque, VmStore};
use crate::table::Element;
use crate::vm::VmFunc;

/// The operands.
type Stack = SmallVec<[Operand; 4]>;

#[derive(Clone, Copy)]
enum Operand {
    /// A number, a function, or null.
    Value(ValRaw),
    /// A reference to an object, which moves when others are made.
    Object(Root),
}

/// The value of an expression of an instance whose imports and earlier globals are there. If
/// it is a reference, it must be stored before anything else is allocated.
///
/// # Errors
///
/// When the heap is full, or the expression makes no sense, which validation excludes.
pub(super) fn evaluate(
    store: &mut dyn VmStore,
    instance: InstanceId,
    expression: &ConstExpr,
) -> Result<ValRaw> {
    let height = store.opaque_mut().roots.height();
    let value = run(expression, |stack, op| of_instance(store, instance, stack, op));
    let store = store.opaque_mut();
    let value = value.map(|operand| operand.get(store));
    store.end_scope(height);
    value
}

/// The value of an expression for a table's element of the same kind as `kind`.
///
/// # Errors
///
/// As [`evaluate`].
pub(super) fn element(
    store: &mut dyn VmStore,
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
    store: &mut dyn VmStore,
    instance: InstanceId,
    expression: &ConstExpr,
    is_64: bool,
) -> Result<u64> {
    let value = evaluate(store, instance, expression)?;
    Ok(if is_64 { value.get_u64() } else { value.get_u32().into() })
}

/// Runs an expression; what is not a matter of numbers alone is done by `outside`, which finds
/// its operands on the stack.
fn run(
    expression: &ConstExpr,
    mut outside: impl FnMut(&mut Stack, &ConstOp) -> Result<Operand>,
) -> Result<Operand> {
    let mut stack = Stack::new();
    for op in &expression.0 {
        let value = match *op {
            ConstOp::I32(value) => Some(ValRaw::i32(value)),
            ConstOp::I64(value) => Some(ValRaw::i64(value)),
            ConstOp::F32(bits) => Some(ValRaw::u32(bits)),
            ConstOp::F64(bits) => Some(ValRaw::u64(bits)),
            ConstOp::V128(value) => Some(ValRaw::u128(value)),
            ConstOp::RefNull(_) => Some(ValRaw::default()),
            ConstOp::RefI31 => {
                pop_value(&mut stack).map(|value| ValRaw::u32(value.get_u32() << 1 | I31_BIT))
            }
            ConstOp::I32Add => binary_i32(&mut stack, i32::wrapping_add),
            ConstOp::I32Sub => binary_i32(&mut stack, i32::wrapping_sub),
            ConstOp::I32Mul => binary_i32(&mut stack, i32::wrapping_mul),
            ConstOp::I64Add => binary_i64(&mut stack, i64::wrapping_add),
            ConstOp::I64Sub => binary_i64(&mut stack, i64::wrapping_sub),
            ConstOp::I64Mul => binary_i64(&mut stack, i64::wrapping_mul),
            ConstOp::GlobalGet(_)
            | ConstOp::RefFunc(_)
            | ConstOp::StructNew(_)
            | ConstOp::StructNewDefault(_)
            | ConstOp::ArrayNew(_)
            | ConstOp::ArrayNewDefault(_)
            | ConstOp::ArrayNewFixed(..) => {
                let operand = outside(&mut stack, op)?;
                stack.push(operand);
                continue;
            }
        };
        stack.push(Operand::Value(value.ok_or(NO_SENSE)?));
    }
    match stack[..] {
        [value] => Ok(value),
        _ => Err(NO_SENSE.into()),
    }
}

/// What an instruction gives that depends on the instance.
fn of_instance(
    store: &mut dyn VmStore,
    instance: InstanceId,
    stack: &mut Stack,
    op: &ConstOp,
) -> Result<Operand> {
    let opaque = store.opaque_mut();
    match *op {
        ConstOp::RefFunc(index) => {
            let func = opaque.instances[instance].func_ref(index).ok_or(NO_SENSE)?;
            Ok(Operand::Value(ValRaw::u64(func.to_raw())))
        }
        ConstOp::GlobalGet(index) => {
            let global = opaque.instances[instance].global(index).ok_or(NO_SENSE)?;
            let global = &opaque.globals[global];
            let (ty, value) = (global.ref_type(), global.definition().get());
            Ok(match ty.is_some_and(|ty| !ty.is_func()) && heap::is_object(value.get_u32()) {
                true => Operand::Object(Root::new(opaque, value.get_u32())),
                false => Operand::Value(value),
            })
        }
        _ => {
            let object = allocate(store, instance, stack, op)?;
            Ok(Operand::Object(Root::new(store.opaque_mut(), object)))
        }
    }
}

const NO_SENSE: ModuleError = ModuleError::Damaged("a constant expression makes no sense");

/// Makes the object that an instruction asks for, of operands.
fn allocate(
    store: &mut dyn VmStore,
    instance: InstanceId,
    stack: &mut Stack,
    op: &ConstOp,
) -> Result<u32> {
    let type_id = |store: &mut dyn VmStore, ty: TypeIndex| {
        let module = store.opaque_mut().instances[instance].module().inner();
        module.type_ids().get(ty.as_usize()).copied().ok_or(NO_SENSE)
    };
    match *op {
        ConstOp::StructNew(ty) | ConstOp::StructNewDefault(ty) => {
            let id = type_id(store, ty)?;
            let object = gc::new_struct(store, id).ok_or(NO_SENSE)??;
            if let ConstOp::StructNew(_) = op {
                let store = store.opaque_mut();
                let ty = store.engine().types().get(id);
                let count = ty.composite.as_struct().map_or(0, |ty| ty.fields.len());
                for (index, value) in take(stack, count)?.into_iter().enumerate() {
                    let place = Place::field(&ty, object, index).ok_or(NO_SENSE)?;
                    initialize(store, place, value);
                }
            }
            Ok(object)
        }
        ConstOp::ArrayNew(ty) | ConstOp::ArrayNewDefault(ty) => {
            let len = pop_value(stack).ok_or(NO_SENSE)?.get_u32();
            let id = type_id(store, ty)?;
            let object = gc::new_array(store, id, len).ok_or(NO_SENSE)??;
            if let ConstOp::ArrayNew(_) = op {
                let store = store.opaque_mut();
                let (array, _) = store.array(object)?;
                let values = take(stack, 1)?;
                for index in 0..len {
                    initialize(store, array.element(object, index), values[0]);
                }
            }
            Ok(object)
        }
        ConstOp::ArrayNewFixed(ty, len) => {
            let id = type_id(store, ty)?;
            let object = gc::new_array(store, id, len).ok_or(NO_SENSE)??;
            let store = store.opaque_mut();
            let (array, _) = store.array(object)?;
            for (value, index) in take(stack, len as usize)?.into_iter().zip(0..) {
                initialize(store, array.element(object, index), value);
            }
            Ok(object)
        }
        _ => Err(NO_SENSE.into()),
    }
}

/// Writes the first value of a part of a new object. What is no reference into the heap by its
/// type is none by its value: nothing that was damaged leads to one.
fn initialize(store: &mut StoreOpaque, place: Place, value: Operand) {
    let value = match (value, gc::is_reference(place.storage)) {
        (Operand::Object(root), true) => ValRaw::u32(root.reference(store)),
        (Operand::Object(_), false) => ValRaw::default(),
        (Operand::Value(value), true) if heap::is_object(value.get_u32()) => ValRaw::default(),
        (Operand::Value(value), _) => value,
    };
    store.initialize_place(place, value);
}

impl Operand {
    fn get(self, store: &StoreOpaque) -> ValRaw {
        match self {
            Operand::Value(value) => value,
            Operand::Object(root) => ValRaw::u32(root.reference(store)),
        }
    }
}

/// The last `count` operands, in order.
fn take(stack: &mut Stack, count: usize) -> Result<Stack, ModuleError> {
    let first = stack.len().checked_sub(count).ok_or(NO_SENSE)?;
    Ok(stack.drain(first..).collect())
}

fn pop_value(stack: &mut Stack) -> Option<ValRaw> {
    match stack.pop()? {
        Operand::Value(value) => Some(value),
        Operand::Object(_) => None,
    }
}

fn binary_i32(stack: &mut Stack, op: fn(i32, i32) -> i32) -> Option<ValRaw> {
    let right = pop_value(stack)?.get_i32();
    let left = pop_value(stack)?.get_i32();
    Some(ValRaw::i32(op(left, right)))
}

fn binary_i64(stack: &mut Stack, op: fn(i64, i64) -> i64) -> Option<ValRaw> {
    let right = pop_value(stack)?.get_i64();
    let left = pop_value(stack)?.get_i64();
    Some(ValRaw::i64(op(left, right)))
}

#[cfg(test)]
mod tests {
    use precast_artifact::index::GlobalIndex;

    use super::*;

    fn value(ops: &[ConstOp]) -> Result<ValRaw> {
        let operand = run(&ConstExpr(ops.to_vec()), |_, op| match op {
            ConstOp::GlobalGet(GlobalIndex(0)) => Ok(Operand::Value(ValRaw::i32(7))),
            _ => Err(NO_SENSE.into()),
        });
        operand.map(|operand| match operand {
            Operand::Value(value) => value,
            Operand::Object(_) => panic!("nothing makes objects"),
        })
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
        assert_eq!(value(&[I32(-1), RefI31]).unwrap().get_u32(), u32::MAX);
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
