//! Programs of operators on references, and their text.

use std::fmt::Write;

use super::cells::{self, CellOperator};
use crate::bytes::Bytes;

/// How many locals a function has that hold references; the first ones are its parameters.
pub(super) const LOCALS: usize = 4;
/// How many of them are parameters.
pub(super) const PARAMS: usize = 2;
/// How many tables there are.
pub(super) const TABLES: usize = 2;
/// How many elements a table has at first.
pub(super) const ELEMENTS: usize = 5;
/// How many globals there are.
pub(super) const GLOBALS: usize = 3;
/// How many functions a program has. Each calls only later ones.
const FUNCTIONS: usize = 4;
/// How many operators a function has at most.
const OPERATORS: usize = 24;

/// Functions; the first one is called by the host.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) functions: Vec<Vec<Operator>>,
}

/// What a function does. Numbers of locals, tables, elements and globals are always valid.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operator {
    /// Lets the host make a new value.
    Make {
        to: usize,
    },
    /// Lets the host look at a local.
    Check {
        local: usize,
    },
    /// Lets the host collect garbage.
    Collect,
    Copy {
        to: usize,
        from: usize,
    },
    Null {
        to: usize,
    },
    TableGet {
        to: usize,
        table: usize,
        index: usize,
    },
    TableSet {
        table: usize,
        index: usize,
        from: usize,
    },
    TableFill {
        table: usize,
        index: usize,
        from: usize,
        len: usize,
    },
    TableCopy {
        tables: [usize; 2],
        indices: [usize; 2],
        len: usize,
    },
    TableGrow {
        table: usize,
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
    /// Calls a later function; its exceptions go on.
    Call {
        to: usize,
        function: usize,
        args: [usize; PARAMS],
    },
    /// Calls a later function, and takes the value of an exception as its result.
    TryCall {
        to: usize,
        function: usize,
        args: [usize; PARAMS],
    },
    /// Throws a value, catches the exception by reference, collects, throws that again and takes
    /// the value out of it.
    ThroughException {
        to: usize,
        from: usize,
    },
    /// Leaves the function with an exception.
    Throw {
        from: usize,
    },
    /// Works with cells.
    Cell(CellOperator),
}

impl Program {
    pub(super) fn new(bytes: &mut Bytes<'_>) -> Program {
        let function = |number| {
            let mut operators = Vec::new();
            let len = bytes.below(OPERATORS + 1);
            while operators.len() < len && !bytes.is_empty() {
                operators.push(Operator::new(bytes, number));
            }
            operators
        };
        Program { functions: (0..FUNCTIONS).map(function).collect() }
    }

    /// The module, as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            r#"(module
            (import "" "make" (func $make (result externref)))
            (import "" "check" (func $check (param externref)))
            (import "" "collect" (func $collect))
            (tag $tag (param externref))
            "#,
        );
        for table in 0..TABLES {
            text += &format!("(table (export \"t{table}\") {ELEMENTS} externref)\n");
        }
        for global in 0..GLOBALS {
            text += &format!("(global (export \"g{global}\") (mut externref) (ref.null extern))\n");
        }
        text += &cells::definitions();
        text += "(export \"run\" (func $f0))\n";
        for (number, operators) in self.functions.iter().enumerate() {
            let more = "externref ".repeat(LOCALS - PARAMS) + &cells::locals();
            text += &format!(
                "(func $f{number} (param externref externref) (result externref) (local {more})\n"
            );
            for operator in operators {
                operator.write(&mut text);
            }
            text += "(local.get 0))\n";
        }
        text + ")"
    }
}

impl Operator {
    /// An operator of the function with this number.
    fn new(bytes: &mut Bytes<'_>, number: usize) -> Operator {
        let kind = bytes.below(27);
        let mut local = || bytes.below(LOCALS);
        let [to, from, other] = [local(), local(), local()];
        let mut table = || bytes.below(TABLES);
        let tables = [table(), table()];
        // Room for a whole range behind it.
        let mut index = || bytes.below(ELEMENTS - 2);
        let indices = [index(), index()];
        let len = bytes.below(3);
        let ([table, _], [index, _]) = (tables, indices);
        let global = bytes.below(GLOBALS);
        let function = number + 1 + bytes.below(FUNCTIONS);
        let can_call = function < FUNCTIONS;
        match kind {
            0 | 1 => Operator::Make { to },
            2 | 3 => Operator::Check { local: from },
            4 => Operator::Copy { to, from },
            5 => Operator::Null { to },
            6 => Operator::TableGet { to, table, index },
            7 => Operator::TableSet { table, index, from },
            8 => Operator::TableFill { table, index, from, len },
            9 => Operator::TableCopy { tables, indices, len },
            10 => Operator::TableGrow { table, from },
            11 => Operator::GlobalGet { to, global },
            12 => Operator::GlobalSet { global, from },
            13 if can_call => Operator::Call { to, function, args: [from, other] },
            14 if can_call => Operator::TryCall { to, function, args: [from, other] },
            15 => Operator::ThroughException { to, from },
            16 => Operator::Throw { from },
            17.. => Operator::Cell(CellOperator::new(bytes, from)),
            _ => Operator::Collect,
        }
    }

    fn write(self, text: &mut String) {
        let written = match self {
            Operator::Make { to } => writeln!(text, "(local.set {to} (call $make))"),
            Operator::Check { local } => writeln!(text, "(call $check (local.get {local}))"),
            Operator::Collect => writeln!(text, "(call $collect)"),
            Operator::Copy { to, from } => writeln!(text, "(local.set {to} (local.get {from}))"),
            Operator::Null { to } => writeln!(text, "(local.set {to} (ref.null extern))"),
            Operator::TableGet { to, table, index } => {
                writeln!(text, "(local.set {to} (table.get {table} (i32.const {index})))")
            }
            Operator::TableSet { table, index, from } => {
                writeln!(text, "(table.set {table} (i32.const {index}) (local.get {from}))")
            }
            Operator::TableFill { table, index, from, len } => writeln!(
                text,
                "(table.fill {table} (i32.const {index}) (local.get {from}) (i32.const {len}))"
            ),
            Operator::TableCopy { tables: [to, from], indices: [dst, src], len } => writeln!(
                text,
                "(table.copy {to} {from} (i32.const {dst}) (i32.const {src}) (i32.const {len}))"
            ),
            Operator::TableGrow { table, from } => {
                writeln!(text, "(drop (table.grow {table} (local.get {from}) (i32.const 1)))")
            }
            Operator::GlobalGet { to, global } => {
                writeln!(text, "(local.set {to} (global.get {global}))")
            }
            Operator::GlobalSet { global, from } => {
                writeln!(text, "(global.set {global} (local.get {from}))")
            }
            Operator::Call { to, function, args: [a, b] } => writeln!(
                text,
                "(local.set {to} (call $f{function} (local.get {a}) (local.get {b})))"
            ),
            Operator::TryCall { to, function, args: [a, b] } => writeln!(
                text,
                "(block $caught (result externref)
                    (try_table (result externref) (catch $tag $caught)
                        (call $f{function} (local.get {a}) (local.get {b}))))
                (local.set {to})"
            ),
            Operator::ThroughException { to, from } => writeln!(
                text,
                "(block $value (result externref)
                    (try_table (catch $tag $value)
                        (block $caught (result exnref)
                            (try_table (catch_all_ref $caught) (throw $tag (local.get {from})))
                            unreachable)
                        (call $collect)
                        throw_ref)
                    unreachable)
                (local.set {to})"
            ),
            Operator::Throw { from } => writeln!(text, "(throw $tag (local.get {from}))"),
            Operator::Cell(operator) => operator.write(text),
        };
        written.expect("texts can be written to");
    }
}
