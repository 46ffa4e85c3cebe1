//! Cells: structures that refer to a value of the host and to another cell, so that they can form
//! lists and circles; and arrays of them.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::model::Value;
use super::program::LOCALS;
use crate::bytes::Bytes;

/// How many more locals a function has, behind the others, which hold cells.
const CELL_LOCALS: usize = 3;
/// How many globals hold cells.
const GLOBALS: usize = 2;
/// How many cells an array holds. There is one array at a time, in a global.
const ARRAY: usize = 3;

/// What a function does with cells. Where there is no cell or array, it reads null and writes
/// nothing. Numbers of cells are those of locals from [`LOCALS`] on.
#[derive(Clone, Copy, Debug)]
pub(super) enum CellOperator {
    New {
        to: usize,
        value: usize,
        next: usize,
    },
    Value {
        to: usize,
        cell: usize,
    },
    Next {
        to: usize,
        cell: usize,
    },
    SetValue {
        cell: usize,
        from: usize,
    },
    SetNext {
        cell: usize,
        from: usize,
    },
    GlobalGet {
        to: usize,
        global: usize,
    },
    GlobalSet {
        global: usize,
        from: usize,
    },
    /// Makes an array that has the same cell everywhere.
    NewArray {
        from: usize,
    },
    ArrayGet {
        to: usize,
        index: usize,
    },
    ArraySet {
        index: usize,
        from: usize,
    },
}

/// All cells that a program has made.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: Vec<Cell>,
    globals: [CellRef; GLOBALS],
    array: Option<[CellRef; ARRAY]>,
}

/// The cells that the locals of a function hold.
pub(super) type CellLocals = [CellRef; CELL_LOCALS];

/// A cell, by the order in which they are made; `None` for null.
type CellRef = Option<usize>;

#[derive(Clone, Copy, Debug)]
struct Cell {
    value: Value,
    next: CellRef,
}

/// The types and globals that the operators need, as text.
pub(super) fn definitions() -> String {
    let mut text = String::from(
        "(type $cell (struct (field (mut externref)) (field (mut (ref null $cell)))))
        (type $cells (array (mut (ref null $cell))))
        (global $array (mut (ref null $cells)) (ref.null $cells))\n",
    );
    for global in 0..GLOBALS {
        text += &format!("(global $c{global} (mut (ref null $cell)) (ref.null $cell))\n");
    }
    text
}

/// The types of the locals, as text.
pub(super) fn locals() -> String {
    "(ref null $cell) ".repeat(CELL_LOCALS)
}

impl CellOperator {
    /// An operator; `value` is the local of a value.
    pub(super) fn new(bytes: &mut Bytes<'_>, value: usize) -> CellOperator {
        let kind = bytes.below(10);
        let [to, other] = [(); 2].map(|()| LOCALS + bytes.below(CELL_LOCALS));
        let global = bytes.below(GLOBALS);
        let index = bytes.below(ARRAY);
        match kind {
            0 => CellOperator::New { to, value, next: other },
            1 => CellOperator::Value { to: value, cell: to },
            2 => CellOperator::Next { to, cell: other },
            3 => CellOperator::SetValue { cell: to, from: value },
            4 => CellOperator::SetNext { cell: to, from: other },
            5 => CellOperator::GlobalGet { to, global },
            6 => CellOperator::GlobalSet { global, from: to },
            7 => CellOperator::NewArray { from: to },
            8 => CellOperator::ArrayGet { to, index },
            _ => CellOperator::ArraySet { index, from: to },
        }
    }

    pub(super) fn write(self, text: &mut String) -> fmt::Result {
        match self {
            CellOperator::New { to, value, next } => writeln!(
                text,
                "(local.set {to} (struct.new $cell (local.get {value}) (local.get {next})))"
            ),
            CellOperator::Value { to, cell } => writeln!(
                text,
                "(if (result externref) (ref.is_null (local.get {cell}))
                    (then (ref.null extern))
                    (else (struct.get $cell 0 (local.get {cell}))))
                (local.set {to})"
            ),
            CellOperator::Next { to, cell } => writeln!(
                text,
                "(if (result (ref null $cell)) (ref.is_null (local.get {cell}))
                    (then (ref.null $cell))
                    (else (struct.get $cell 1 (local.get {cell}))))
                (local.set {to})"
            ),
            CellOperator::SetValue { cell, from } => writeln!(
                text,
                "(if (i32.eqz (ref.is_null (local.get {cell})))
                    (then (struct.set $cell 0 (local.get {cell}) (local.get {from}))))"
            ),
            CellOperator::SetNext { cell, from } => writeln!(
                text,
                "(if (i32.eqz (ref.is_null (local.get {cell})))
                    (then (struct.set $cell 1 (local.get {cell}) (local.get {from}))))"
            ),
            CellOperator::GlobalGet { to, global } => {
                writeln!(text, "(local.set {to} (global.get $c{global}))")
            }
            CellOperator::GlobalSet { global, from } => {
                writeln!(text, "(global.set $c{global} (local.get {from}))")
            }
            CellOperator::NewArray { from } => writeln!(
                text,
                "(global.set $array (array.new $cells (local.get {from}) (i32.const {ARRAY})))"
            ),
            CellOperator::ArrayGet { to, index } => writeln!(
                text,
                "(if (result (ref null $cell)) (ref.is_null (global.get $array))
                    (then (ref.null $cell))
                    (else (array.get $cells (global.get $array) (i32.const {index}))))
                (local.set {to})"
            ),
            CellOperator::ArraySet { index, from } => writeln!(
                text,
                "(if (i32.eqz (ref.is_null (global.get $array)))
                    (then (array.set $cells
                        (global.get $array) (i32.const {index}) (local.get {from}))))"
            ),
        }
    }
}

impl Cells {
    /// Does what an operator does.
    pub(super) fn step(
        &mut self,
        operator: CellOperator,
        values: &mut [Value; LOCALS],
        cells: &mut CellLocals,
    ) {
        let local = |number: usize| number - LOCALS;
        match operator {
            CellOperator::New { to, value, next } => {
                let cell = Cell { value: values[value], next: cells[local(next)] };
                cells[local(to)] = Some(self.cells.len());
                self.cells.push(cell);
            }
            CellOperator::Value { to, cell } => {
                values[to] = cells[local(cell)].and_then(|cell| self.cells[cell].value);
            }
            CellOperator::Next { to, cell } => {
                cells[local(to)] = cells[local(cell)].and_then(|cell| self.cells[cell].next);
            }
            CellOperator::SetValue { cell, from } => {
                if let Some(cell) = cells[local(cell)] {
                    self.cells[cell].value = values[from];
                }
            }
            CellOperator::SetNext { cell, from } => {
                if let Some(cell) = cells[local(cell)] {
                    self.cells[cell].next = cells[local(from)];
                }
            }
            CellOperator::GlobalGet { to, global } => cells[local(to)] = self.globals[global],
            CellOperator::GlobalSet { global, from } => self.globals[global] = cells[local(from)],
            CellOperator::NewArray { from } => self.array = Some([cells[local(from)]; ARRAY]),
            CellOperator::ArrayGet { to, index } => {
                cells[local(to)] = self.array.and_then(|array| array[index]);
            }
            CellOperator::ArraySet { index, from } => {
                if let Some(array) = &mut self.array {
                    array[index] = cells[local(from)];
                }
            }
        }
    }

    /// The values of cells that globals and the array refer to, directly or not.
    pub(super) fn kept(&self) -> BTreeSet<usize> {
        self.values_of(&self.reachable())
    }

    /// The values of other cells that refer to themselves, directly or not, or that such cells
    /// refer to.
    pub(super) fn held_by_circles(&self) -> BTreeSet<usize> {
        let reachable = self.reachable();
        let mut garbage: BTreeSet<usize> =
            (0..self.cells.len()).filter(|cell| !reachable.contains(cell)).collect();
        // Those that no garbage refers to are freed, again and again.
        loop {
            let referred: BTreeSet<usize> =
                garbage.iter().filter_map(|&cell| self.cells[cell].next).collect();
            let before = garbage.len();
            garbage.retain(|cell| referred.contains(cell));
            if garbage.len() == before {
                return self.values_of(&garbage);
            }
        }
    }

    fn reachable(&self) -> BTreeSet<usize> {
        let mut reachable = BTreeSet::new();
        for root in self.globals.iter().chain(self.array.iter().flatten()) {
            let mut next = *root;
            while let Some(cell) = next
                && reachable.insert(cell)
            {
                next = self.cells[cell].next;
            }
        }
        reachable
    }

    fn values_of(&self, cells: &BTreeSet<usize>) -> BTreeSet<usize> {
        cells.iter().filter_map(|&cell| self.cells[cell].value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_hold_what_their_cells_refer_to() {
        let mut cells = Cells::default();
        let (mut values, mut locals) = ([None; LOCALS], CellLocals::default());
        let mut step = |value, operator| {
            values[0] = Some(value);
            cells.step(operator, &mut values, &mut locals);
        };
        let [a, b, c] = [LOCALS, LOCALS + 1, LOCALS + 2];
        step(0, CellOperator::New { to: a, value: 0, next: c });
        step(1, CellOperator::New { to: b, value: 0, next: a });
        step(2, CellOperator::New { to: c, value: 0, next: b });
        // Now 0 and 1 refer to each other, and 2 to them; 3 is another one.
        step(9, CellOperator::SetNext { cell: a, from: b });
        step(3, CellOperator::New { to: a, value: 0, next: a });
        step(9, CellOperator::GlobalSet { global: 1, from: a });
        assert_eq!(cells.kept(), [0, 1, 3].into());
        assert_eq!(cells.held_by_circles(), [].into());
        cells.globals = [None; GLOBALS];
        assert_eq!(cells.held_by_circles(), [0, 1].into());
    }
}
