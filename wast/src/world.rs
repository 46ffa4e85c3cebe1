//! The engine as a session sees it: everything goes through [`Value`] and [`Problem`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use precast::{
    AnyRef, Engine, Error, ErrorKind, Extern, ExternRef, Linker, Module, Store, Trap, Val,
};

use crate::setup::Setup;
use crate::spectest::{self, Print};
use crate::value::{Family, Value};

/// A store, and what modules that are instantiated in it can import.
pub(crate) struct World {
    engine: Engine,
    setup: Setup,
    print: Print,
    store: Store<()>,
    linker: Linker<()>,
}

/// What a script can register, call and read: the exports of an instance.
#[derive(Clone)]
pub(crate) struct Exports(Arc<HashMap<String, Extern>>);

/// Why the engine did not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: ProblemKind,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// A module could not be read, or is not valid.
    Refused,
    /// An import was not met.
    Link,
    /// Wasm code trapped, unless the stack is used up.
    Trap,
    /// The stack is used up.
    Exhaustion,
    /// An exception that nothing caught.
    Exception,
    /// All else, the runner's own problems among them.
    Other,
}

impl World {
    pub(crate) fn new(engine: &Engine, setup: Setup, print: Print) -> Result<World, Problem> {
        let mut store = setup.store(engine)?;
        let mut linker = Linker::new(engine);
        // The last instance that is registered under a name wins.
        linker.allow_shadowing(true);
        spectest::define(&mut linker, &mut store, print)?;
        Ok(World { engine: engine.clone(), setup, print, store, linker })
    }

    /// A world with the same settings and nothing else in common, for another thread.
    pub(crate) fn sibling(&self) -> Result<World, Problem> {
        World::new(&self.engine, self.setup, self.print)
    }

    /// The exports that another world can use: the shared memories.
    pub(crate) fn share(&self, exports: &Exports) -> Exports {
        let shared = exports.0.iter().filter(|(_, item)| matches!(item, Extern::SharedMemory(_)));
        Exports(Arc::new(shared.map(|(name, item)| (name.clone(), item.clone())).collect()))
    }

    pub(crate) fn compile(&self, wasm: &[u8]) -> Result<Module, Problem> {
        Ok(self.setup.load(&self.engine, wasm)?)
    }

    pub(crate) fn instantiate(&mut self, module: &Module) -> Result<Exports, Problem> {
        let instance = self.linker.instantiate(&mut self.store, module)?;
        let exports = instance.exports(&mut self.store);
        let items = exports.map(|export| (export.name().to_owned(), export.into_extern()));
        Ok(Exports(Arc::new(items.collect())))
    }

    pub(crate) fn register(&mut self, name: &str, exports: &Exports) -> Result<(), Problem> {
        for (field, item) in &*exports.0 {
            self.linker.define(&self.store, name, field, item.clone())?;
        }
        Ok(())
    }

    pub(crate) fn invoke(
        &mut self,
        exports: &Exports,
        name: &str,
        arguments: &[Value],
    ) -> Result<Vec<Value>, Problem> {
        let func = exports
            .0
            .get(name)
            .and_then(|item| item.clone().into_func())
            .ok_or_else(|| Problem::other(format!("there is no exported function {name:?}")))?;
        let arguments: Vec<Val> =
            arguments.iter().map(|value| self.lower(value)).collect::<Result<_, _>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &arguments, &mut results)?;
        results.iter().map(|value| self.lift(value)).collect()
    }

    pub(crate) fn get(&mut self, exports: &Exports, name: &str) -> Result<Value, Problem> {
        let global = exports
            .0
            .get(name)
            .and_then(|item| item.clone().into_global())
            .ok_or_else(|| Problem::other(format!("there is no exported global {name:?}")))?;
        let value = global.get(&mut self.store);
        self.lift(&value)
    }

    fn lower(&mut self, value: &Value) -> Result<Val, Problem> {
        Ok(match value {
            Value::I32(value) => Val::I32(*value),
            Value::I64(value) => Val::I64(*value),
            Value::F32(bits) => Val::F32(*bits),
            Value::F64(bits) => Val::F64(*bits),
            Value::V128(bits) => Val::V128(*bits),
            Value::Null(Family::Func) => Val::FuncRef(None),
            Value::Null(Family::Extern) => Val::ExternRef(None),
            Value::Null(Family::Any) => Val::AnyRef(None),
            Value::Null(Family::Exn) => Val::ExnRef(None),
            Value::Extern(Some(number)) => {
                Val::ExternRef(Some(ExternRef::new(&mut self.store, *number)?))
            }
            Value::Host(Some(number)) => {
                let host = ExternRef::new(&mut self.store, *number)?;
                AnyRef::convert_extern(&mut self.store, host).into()
            }
            value => return Err(Problem::other(format!("{value} cannot be passed"))),
        })
    }

    fn lift(&mut self, value: &Val) -> Result<Value, Problem> {
        Ok(match value {
            Val::I32(value) => Value::I32(*value),
            Val::I64(value) => Value::I64(*value),
            Val::F32(bits) => Value::F32(*bits),
            Val::F64(bits) => Value::F64(*bits),
            Val::V128(bits) => Value::V128(*bits),
            Val::FuncRef(None) => Value::Null(Family::Func),
            Val::FuncRef(Some(_)) => Value::Func,
            Val::ExternRef(None) => Value::Null(Family::Extern),
            Val::ExternRef(Some(reference)) => Value::Extern(self.number(reference)),
            Val::AnyRef(None) => Value::Null(Family::Any),
            Val::AnyRef(Some(reference)) if reference.is_i31(&self.store) => Value::I31,
            Val::AnyRef(Some(reference)) if reference.is_struct(&self.store) => Value::Struct,
            Val::AnyRef(Some(reference)) if reference.is_array(&self.store) => Value::Array,
            Val::AnyRef(Some(reference)) => {
                let host = ExternRef::convert_any(&mut self.store, *reference);
                Value::Host(self.number(&host))
            }
            Val::ExnRef(None) => Value::Null(Family::Exn),
            value => return Err(Problem::other(format!("unknown kind of value: {value:?}"))),
        })
    }
}

impl World {
    /// The number that a script gave to a value of the host.
    fn number(&self, reference: &ExternRef) -> Option<u32> {
        reference.data(&self.store).and_then(|value| value.downcast_ref()).copied()
    }
}

impl Problem {
    fn other(message: impl Into<String>) -> Problem {
        Problem { kind: ProblemKind::Other, message: message.into() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let kind = match error.kind() {
            ErrorKind::Compile => ProblemKind::Refused,
            ErrorKind::Exception => ProblemKind::Exception,
            ErrorKind::Link => ProblemKind::Link,
            ErrorKind::Trap => match error.downcast_ref() {
                Some(Trap::StackOverflow) => ProblemKind::Exhaustion,
                _ => ProblemKind::Trap,
            },
            _ => ProblemKind::Other,
        };
        Problem { kind, message: format!("{error:#}") }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProblemKind::Refused => "refused module",
            ProblemKind::Link => "link error",
            ProblemKind::Trap => "trap",
            ProblemKind::Exhaustion => "exhaustion",
            ProblemKind::Exception => "exception",
            ProblemKind::Other => "error",
        })
    }
}
