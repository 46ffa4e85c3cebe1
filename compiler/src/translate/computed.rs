//! Addresses that the code has computed already.
//!
//! Wasm computes the address of every access anew. The optimiser would find what is the same, but takes longer
//! to remove an instruction than it takes not to make it: a fifth of all instructions are such ones.

use cranelift_codegen::FxHashMap;
use cranelift_codegen::ir::Value;

/// What an address is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Expression {
    /// A value of 32 bits with zeros above them.
    Widened(Value),
    /// The sum of two values.
    Sum(Value, Value),
}

/// The expressions that have been computed wherever the code is that comes next.
#[derive(Default)]
pub(super) struct Computed {
    values: FxHashMap<Expression, Value>,
    /// The expressions in the order in which they were computed.
    order: Vec<Expression>,
}

impl Computed {
    /// What an expression is, if it has been computed.
    pub(super) fn get(&self, expression: Expression) -> Option<Value> {
        self.values.get(&expression).copied()
    }

    /// Notes what an expression is that had not been computed.
    pub(super) fn insert(&mut self, expression: Expression, value: Value) {
        self.values.insert(expression, value);
        self.order.push(expression);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Forgets all but the first `len`: the code goes on where the others may not have been computed.
    pub(super) fn truncate(&mut self, len: usize) {
        for expression in self.order.drain(len.min(self.order.len())..) {
            self.values.remove(&expression);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_what_came_last() {
        let value = Value::from_u32;
        let mut computed = Computed::default();
        let (widened, sum) = (Expression::Widened(value(1)), Expression::Sum(value(0), value(2)));
        computed.insert(widened, value(2));
        let len = computed.len();
        computed.insert(sum, value(3));
        assert_eq!((computed.get(widened), computed.get(sum)), (Some(value(2)), Some(value(3))));
        computed.truncate(len);
        assert_eq!((computed.get(widened), computed.get(sum)), (Some(value(2)), None));
        computed.truncate(0);
        assert_eq!((computed.get(widened), computed.len()), (None, 0));
    }
}
