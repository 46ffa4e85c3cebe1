//! The rows of operators on objects.

use precast_artifact::helper::Helper;
use precast_artifact::types::RefType;
use wasmparser::{HeapType, Operator};

use super::{Unsupported, simd};
use crate::translate::body::Body;
use crate::translate::ops::gc::storage::Extension;
use crate::translate::ops::gc::{array, array_bulk, cast, structure};

/// What an operator asks of the type that its operand has at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::translate) enum Cast {
    /// Whether it is a type or one of its subtypes.
    Subtype,
    /// Whether it is that type and none of its subtypes. The validator accepts it without being asked to.
    Exact,
}

impl Cast {
    /// What `operator` asks, if it is a cast.
    pub(in crate::translate) fn of(operator: &Operator<'_>) -> Option<Cast> {
        let is_exact = |ty: HeapType| matches!(ty, HeapType::Exact(_));
        let exact = match *operator {
            Operator::RefTestNonNull { hty }
            | Operator::RefTestNullable { hty }
            | Operator::RefCastNonNull { hty }
            | Operator::RefCastNullable { hty } => is_exact(hty),
            Operator::BrOnCast { from_ref_type, to_ref_type, .. }
            | Operator::BrOnCastFail { from_ref_type, to_ref_type, .. } => {
                is_exact(from_ref_type.heap_type()) || is_exact(to_ref_type.heap_type())
            }
            _ => return None,
        };
        Some(if exact { Cast::Exact } else { Cast::Subtype })
    }
}

pub(super) fn translate(body: &mut Body<'_>, operator: &Operator<'_>) -> Result<(), Unsupported> {
    use Operator as Op;
    match *operator {
        Op::StructNew { struct_type_index } => structure::new(body, struct_type_index),
        Op::StructNewDefault { struct_type_index } => {
            structure::new_default(body, struct_type_index)
        }
        Op::StructGet { struct_type_index, field_index } => {
            structure::get(body, struct_type_index, field_index, Extension::None)
        }
        Op::StructGetS { struct_type_index, field_index } => {
            structure::get(body, struct_type_index, field_index, Extension::Signed)
        }
        Op::StructGetU { struct_type_index, field_index } => {
            structure::get(body, struct_type_index, field_index, Extension::Unsigned)
        }
        Op::StructSet { struct_type_index, field_index } => {
            structure::set(body, struct_type_index, field_index)
        }

        Op::ArrayNew { array_type_index } => array::new(body, array_type_index),
        Op::ArrayNewDefault { array_type_index } => array::new_default(body, array_type_index),
        Op::ArrayNewFixed { array_type_index, array_size } => {
            array::new_fixed(body, array_type_index, array_size)
        }
        Op::ArrayNewData { array_type_index, array_data_index } => {
            array_bulk::new_from(body, Helper::ArrayNewData, array_type_index, array_data_index)
        }
        Op::ArrayNewElem { array_type_index, array_elem_index } => {
            array_bulk::new_from(body, Helper::ArrayNewElem, array_type_index, array_elem_index)
        }
        Op::ArrayGet { array_type_index } => array::get(body, array_type_index, Extension::None),
        Op::ArrayGetS { array_type_index } => array::get(body, array_type_index, Extension::Signed),
        Op::ArrayGetU { array_type_index } => {
            array::get(body, array_type_index, Extension::Unsigned)
        }
        Op::ArraySet { array_type_index } => array::set(body, array_type_index),
        Op::ArrayLen => array::len(body),
        Op::ArrayFill { array_type_index } => array::fill(body, array_type_index),
        Op::ArrayCopy { .. } => array_bulk::copy(body),
        Op::ArrayInitData { array_data_index, .. } => {
            array_bulk::init_from(body, Helper::ArrayInitData, array_data_index)
        }
        Op::ArrayInitElem { array_elem_index, .. } => {
            array_bulk::init_from(body, Helper::ArrayInitElem, array_elem_index)
        }

        Op::RefTestNonNull { hty } => {
            let heap = body.instance.heap_type(hty);
            cast::test(body, RefType { nullable: false, heap })
        }
        Op::RefTestNullable { hty } => {
            let heap = body.instance.heap_type(hty);
            cast::test(body, RefType { nullable: true, heap })
        }
        Op::RefCastNonNull { hty } => {
            let heap = body.instance.heap_type(hty);
            cast::cast(body, RefType { nullable: false, heap })
        }
        Op::RefCastNullable { hty } => {
            let heap = body.instance.heap_type(hty);
            cast::cast(body, RefType { nullable: true, heap })
        }
        Op::BrOnCast { relative_depth, to_ref_type: to, .. } => {
            let heap = body.instance.heap_type(to.heap_type());
            cast::br_on_cast(body, relative_depth, RefType { nullable: to.is_nullable(), heap })
        }
        Op::BrOnCastFail { relative_depth, to_ref_type: to, .. } => {
            let heap = body.instance.heap_type(to.heap_type());
            let to = RefType { nullable: to.is_nullable(), heap };
            cast::br_on_cast_fail(body, relative_depth, to)
        }

        ref other => return simd::translate(body, other),
    }
    Ok(())
}
