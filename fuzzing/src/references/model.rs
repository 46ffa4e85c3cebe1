//! What a program does.

use std::collections::{BTreeSet, VecDeque};

use super::cells::{CellLocals, Cells};
use super::program::{ELEMENTS, GLOBALS, LOCALS, Operator, Program, TABLES};

/// How many operators are executed at most.
const MAX_STEPS: usize = 400;

/// A value of the host, by the order in which they are made; `None` for null.
pub(super) type Value = Option<usize>;

/// What the host expects.
#[derive(Debug)]
pub(super) enum Event {
    /// A new value is asked for.
    Make,
    /// This value is shown.
    Check(Value),
    /// Garbage is collected, while tables and globals refer to these, directly or not.
    Collect(BTreeSet<usize>),
}

/// What a program does, and what it leaves behind.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) events: VecDeque<Event>,
    pub(super) tables: Vec<Vec<Value>>,
    pub(super) globals: Vec<Value>,
    pub(super) cells: Cells,
    /// What the program returns, or throws.
    pub(super) result: Result<Value, Value>,
    /// How many values are made.
    pub(super) made: usize,
    steps: usize,
}

impl Model {
    /// The model of a program; `None` when that takes too many steps.
    pub(super) fn of(program: &Program) -> Option<Model> {
        let mut model = Model {
            events: VecDeque::new(),
            tables: vec![vec![None; ELEMENTS]; TABLES],
            globals: vec![None; GLOBALS],
            cells: Cells::default(),
            result: Ok(None),
            made: 0,
            steps: 0,
        };
        model.result = model.call(program, 0, [None, None])?;
        Some(model)
    }

    /// What tables and globals refer to, directly or not.
    pub(super) fn kept(&self) -> BTreeSet<usize> {
        let elements = self.tables.iter().flatten();
        let values = elements.chain(&self.globals).copied().flatten();
        values.chain(self.cells.kept()).collect()
    }

    fn call(
        &mut self,
        program: &Program,
        function: usize,
        [a, b]: [Value; 2],
    ) -> Option<Result<Value, Value>> {
        let mut locals: [Value; LOCALS] = [None; LOCALS];
        [locals[0], locals[1]] = [a, b];
        let mut cells = CellLocals::default();
        for &operator in &program.functions[function] {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return None;
            }
            match operator {
                Operator::Make { to } => {
                    locals[to] = Some(self.made);
                    self.made += 1;
                    self.events.push_back(Event::Make);
                }
                Operator::Check { local } => self.events.push_back(Event::Check(locals[local])),
                Operator::Collect => self.events.push_back(Event::Collect(self.kept())),
                Operator::Copy { to, from } => locals[to] = locals[from],
                Operator::Null { to } => locals[to] = None,
                Operator::TableGet { to, table, index } => locals[to] = self.tables[table][index],
                Operator::TableSet { table, index, from } => {
                    self.tables[table][index] = locals[from];
                }
                Operator::TableFill { table, index, from, len } => {
                    self.tables[table][index..index + len].fill(locals[from]);
                }
                Operator::TableCopy { tables: [to, from], indices: [dst, src], len } => {
                    let copied = self.tables[from][src..src + len].to_vec();
                    self.tables[to][dst..dst + len].copy_from_slice(&copied);
                }
                Operator::TableGrow { table, from } => self.tables[table].push(locals[from]),
                Operator::GlobalGet { to, global } => locals[to] = self.globals[global],
                Operator::GlobalSet { global, from } => self.globals[global] = locals[from],
                Operator::Call { to, function, args } => {
                    match self.call(program, function, args.map(|arg| locals[arg]))? {
                        Ok(value) => locals[to] = value,
                        Err(thrown) => return Some(Err(thrown)),
                    }
                }
                Operator::TryCall { to, function, args } => {
                    let result = self.call(program, function, args.map(|arg| locals[arg]))?;
                    locals[to] = result.unwrap_or_else(|thrown| thrown);
                }
                Operator::ThroughException { to, from } => {
                    self.events.push_back(Event::Collect(self.kept()));
                    locals[to] = locals[from];
                }
                Operator::Throw { from } => return Some(Err(locals[from])),
                Operator::Cell(operator) => self.cells.step(operator, &mut locals, &mut cells),
            }
        }
        Some(Ok(locals[0]))
    }
}
