//! The operands of wasm's stack machine, as values of the intermediate representation.

use std::ops::Range;

use cranelift_codegen::ir::Value;

/// The operand stack of the function that is being translated.
///
/// While code is reachable it has exactly the operands that validation has seen, so that
/// nothing here can underflow.
#[derive(Default)]
pub(super) struct ValueStack {
    values: Vec<Value>,
    /// How many operands have been there all the time since someone asked for the new ones.
    old: usize,
}

impl ValueStack {
    /// How many operands there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Pushes an operand.
    pub(super) fn push(&mut self, value: Value) {
        self.values.push(value);
    }

    /// Pushes operands, the last one on top.
    pub(super) fn extend(&mut self, values: &[Value]) {
        self.values.extend_from_slice(values);
    }

    /// Pushes the top `count` operands once more.
    pub(super) fn duplicate(&mut self, count: usize) {
        self.values.extend_from_within(self.values.len() - count..);
    }

    /// Takes the top operand.
    pub(super) fn pop(&mut self) -> Value {
        let value = self.values.pop().expect("validation counts operands");
        self.old = self.old.min(self.values.len());
        value
    }

    /// Takes the two top operands, deeper one first.
    pub(super) fn pop2(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    /// Takes the three top operands, deepest one first.
    pub(super) fn pop3(&mut self) -> (Value, Value, Value) {
        let third = self.pop();
        let (first, second) = self.pop2();
        (first, second, third)
    }

    /// The top `count` operands, deepest one first.
    pub(super) fn top(&self, count: usize) -> &[Value] {
        &self.values[self.values.len() - count..]
    }

    /// Drops operands until `len` remain.
    pub(super) fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.old = self.old.min(self.values.len());
    }

    /// Drops the top `count` operands.
    pub(super) fn drop(&mut self, count: usize) {
        self.truncate(self.len() - count);
    }

    /// The operand at a position, counted from the deepest one.
    pub(super) fn at(&self, position: usize) -> Value {
        self.values[position]
    }

    /// Makes the operands from this position on new ones.
    pub(super) fn renew(&mut self, position: usize) {
        self.old = self.old.min(position);
    }

    /// The positions of the operands that have been pushed since this was last asked for.
    pub(super) fn take_new(&mut self) -> Range<usize> {
        std::mem::replace(&mut self.old, self.values.len())..self.values.len()
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.old = 0;
    }
}
