//! Which values are references into the heap, for the collectors that look for those.
//!
//! The code generator keeps each declared value in the frame during calls, and says where. Every
//! operand is looked at here, once, whichever operator it comes from: only what an operator
//! keeps for itself across a call must be declared by its family.

use cranelift_codegen::ir::{Value, types};
use wasmparser::{FuncValidator, ValType, ValidatorResources};

use super::body::Body;

/// What is known about the references of a function.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct References {
    /// Whether there are any.
    pub(super) handled: bool,
    /// Whether the collector must find them.
    pub(super) mapped: bool,
}

/// Declares the operands that the last operator left, if they are references.
pub(super) fn declare_operands(body: &mut Body<'_>, validator: &FuncValidator<ValidatorResources>) {
    let new = body.values.take_new();
    if !body.control.is_reachable() {
        return;
    }
    let len = body.values.len();
    for position in new {
        let value = body.values.at(position);
        // References to functions are wider; in what validation knows, types may have other
        // numbers than those of the module.
        if body.builder.func.dfg.value_type(value) == types::I32
            && let Some(Some(ValType::Ref(_))) = validator.get_operand_type(len - 1 - position)
        {
            declare(body, value);
        }
    }
}

/// Whether values of a type are references into the heap.
pub(super) fn is_heap_reference(body: &Body<'_>, ty: ValType) -> bool {
    matches!(ty, ValType::Ref(_)) && body.instance.value_type(ty) == types::I32
}

/// Declares a value to be a reference into the heap, so that it is found, and changed where the
/// object is moved, during all calls across which it is alive.
pub(super) fn declare(body: &mut Body<'_>, value: Value) {
    body.references.handled = true;
    if body.references.mapped {
        body.builder.declare_value_needs_stack_map(value);
    }
}
