//! The one public error type, and the errors of the runtime itself that become its sources.

mod context;

use std::error::Error as StdError;
use std::fmt;

use precast_artifact::trap::Trap;

pub use self::context::Context;
use crate::exception::ThrownException;
use crate::trap::WasmBacktrace;

/// What a fallible operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that went wrong: a refused module, a trap, an error of a host function.
///
/// It is one pointer wide. Like `anyhow::Error` it converts from every
/// [`std::error::Error`], so that host functions can use `?`, and for that reason does not
/// implement that trait itself; it converts into `Box<dyn std::error::Error + Send + Sync>`.
///
/// `{}` prints the outermost message, `{:#}` the whole chain on one line, and `{:?}` the chain
/// and the wasm backtrace.
pub struct Error(Box<Inner>);

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not a valid WebAssembly module, or use what is not supported.
    Compile,
    /// An artifact was refused: damaged, or not made for this machine or engine.
    Load,
    /// The imports of a module were not met.
    Link,
    /// Wasm code trapped.
    Trap,
    /// An exception was thrown, and nothing caught it.
    Exception,
    /// A limit of the store was reached.
    Limit,
    /// A value has not the type that its place asks for.
    Type,
    /// Everything else, errors of host functions first of all.
    Other,
}

/// Why the imports of a module were not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nothing is defined under the name of an import.
    #[error("unknown import: `{module}::{name}` has not been defined (expected {expected})")]
    Unknown {
        /// The module name of the import.
        module: String,
        /// Its field name.
        name: String,
        /// Its type.
        expected: String,
    },
    /// An import was given something of another type.
    #[error("incompatible import type for `{module}::{name}`: expected {expected}, found {found}")]
    Incompatible {
        /// The module name of the import.
        module: String,
        /// Its field name.
        name: String,
        /// The type that the module asks for.
        expected: String,
        /// The type of what it was given.
        found: String,
    },
    /// The list of imports is too short or too long.
    #[error("expected {expected} imports, found {found}")]
    Count {
        /// The number of the module's imports.
        expected: usize,
        /// The length of the list.
        found: usize,
    },
    /// A name was defined a second time.
    #[error("import of `{module}::{name}` defined twice")]
    Duplicate {
        /// The module name.
        module: String,
        /// The field name.
        name: String,
    },
    /// The module was made by another engine than the store.
    #[error("the module belongs to another engine than the store")]
    OtherEngine,
}

/// A limit of a store, or of what the machine can give, was reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The store has as many instances, memories or tables as it may.
    #[error("resource limit exceeded: the store may hold {limit} {what} at most")]
    Count {
        /// What there are too many of.
        what: &'static str,
        /// The most that there may be.
        limit: usize,
    },
    /// The heap is full, even without its garbage.
    #[error(
        "resource limit exceeded: an object of {size} bytes does not fit the heap, which may hold \
         {limit} bytes at most"
    )]
    Heap {
        /// The size of the object, in bytes.
        size: u32,
        /// The most bytes that the heap may hold.
        limit: usize,
    },
    /// The limiter of the store refused a memory of this initial size.
    #[error("memory minimum size of {bytes} bytes exceeds memory limits")]
    Memory {
        /// The initial size in bytes.
        bytes: u64,
    },
    /// The limiter of the store refused a table of this initial size.
    #[error("table minimum size of {elements} elements exceeds table limits")]
    Table {
        /// The initial size in elements.
        elements: u64,
    },
    /// A memory or table cannot grow by as much as the host asked for.
    #[error("failed to grow {what} by {delta}")]
    Grow {
        /// `memory` or `table`.
        what: &'static str,
        /// The number of pages or elements.
        delta: u64,
    },
    /// The engine's pool has no room left: see
    /// [`PoolingAllocationConfig`](crate::PoolingAllocationConfig).
    #[error("resource limit exceeded: the engine's pool allows {limit} {what} at most")]
    Pool {
        /// What there are too many of.
        what: &'static str,
        /// The most that there may be.
        limit: u64,
    },
    /// The system did not give the address space of a memory.
    #[error("cannot reserve {bytes} bytes of address space for a memory")]
    AddressSpace {
        /// The size of the reservation.
        bytes: u64,
    },
}

/// A value, a function or an access does not fit the type of what it is used with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// A list of arguments or results is too short or too long.
    #[error("expected {expected} {what}, found {found}")]
    Count {
        /// `arguments` or `results`.
        what: &'static str,
        /// How many the function has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A value or a function is of another type.
    #[error("type mismatch: expected {expected}, found {found}")]
    Mismatch {
        /// The type of the place.
        expected: String,
        /// The type of what was given.
        found: String,
    },
    /// A global that cannot be assigned was assigned.
    #[error("the global is immutable")]
    Immutable,
    /// A field or an element that cannot be assigned was assigned.
    #[error("the field is immutable")]
    ImmutableField,
    /// A field or an element was asked for that there is not.
    #[error("there is no {what} {index}: there are {len}")]
    Index {
        /// `field` or `element`.
        what: &'static str,
        /// What was asked for.
        index: u64,
        /// How many there are.
        len: u64,
    },
    /// An instance has no export of this name, or one of another kind.
    #[error("no export `{name}` that is a {what}")]
    NoExport {
        /// The name that was asked for.
        name: String,
        /// `function`, `memory`, ...
        what: &'static str,
    },
    /// A type cannot be a subtype of what it was said to be one of.
    #[error("not a subtype: {0}")]
    NoSubtype(&'static str),
    /// A type is not supported where it was used.
    #[error("unsupported: {0}")]
    Unsupported(&'static str),
}

/// A module or artifact that this engine cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// It was compiled for another collector of references.
    #[error(
        "the artifact was compiled for the collector `{artifact}`; this engine uses `{engine}`"
    )]
    Collector {
        /// The artifact's.
        artifact: String,
        /// The engine's.
        engine: String,
    },
    /// It was compiled for another collector than what is in the store already.
    #[error(
        "the module was compiled for the collector `{artifact}`; the references of this store are \
         managed by `{store}`: choose one collector for all modules of the store"
    )]
    StoreCollector {
        /// The module's.
        artifact: String,
        /// The store's.
        store: String,
    },
    /// It was compiled with another choice for a setting that the engine relies on.
    #[error(
        "the artifact was compiled with `{setting}` {artifact}, and this engine has it {engine}"
    )]
    Setting {
        /// The setting.
        setting: &'static str,
        /// `on` or `off`: the artifact's.
        artifact: &'static str,
        /// The engine's.
        engine: &'static str,
    },
    /// The engine holds as many types as it can.
    #[error("the engine holds too many types; make another engine for more modules")]
    TooManyTypes,
    /// A part of it contradicts another.
    #[error("the artifact is damaged: {0}")]
    Damaged(&'static str),
    /// The cache's settings require that modules are in it, and it is not.
    #[error("the module must be in the cache: {0}")]
    NotCached(String),
}

struct Inner {
    kind: ErrorKind,
    source: Box<dyn StdError + Send + Sync>,
    /// What was being done, innermost first.
    contexts: Vec<String>,
    backtrace: Option<WasmBacktrace>,
}

#[derive(Debug)]
struct Message(String);

/// An [`Error`] as a standard error.
struct Boxed(Error);

impl Error {
    /// An error that wraps `error`.
    pub fn new(error: impl StdError + Send + Sync + 'static) -> Error {
        Error::from(error)
    }

    /// An error that only has a message.
    pub fn msg(message: impl fmt::Display) -> Error {
        Error(Box::new(Inner {
            kind: ErrorKind::Other,
            source: Box::new(Message(message.to_string())),
            contexts: Vec::new(),
            backtrace: None,
        }))
    }

    /// Says what was being done when the error occurred; `{}` prints this from now on.
    pub fn context(mut self, context: impl fmt::Display) -> Error {
        self.0.contexts.push(context.to_string());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The error that this one was made from.
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0.source
    }

    /// That error and its sources, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let first: &(dyn StdError + 'static) = &*self.0.source;
        std::iter::successors(Some(first), |&error| error.source())
    }

    /// The first error of type `E` in the chain.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// The error that this one was made from, if it is an `E`.
    ///
    /// # Errors
    ///
    /// The unchanged error when it is not.
    pub fn downcast<E: StdError + Send + Sync + 'static>(self) -> Result<E> {
        let inner = *self.0;
        match inner.source.downcast::<E>() {
            Ok(error) => Ok(*error),
            Err(source) => Err(Error(Box::new(Inner { source, ..inner }))),
        }
    }

    /// The error as a standard one, for code that wants that.
    pub fn into_boxed_dyn_error(self) -> Box<dyn StdError + Send + Sync> {
        self.into()
    }

    /// Whether the chain holds an error of type `E`.
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The wasm functions that were active when the error arose in wasm or a function that
    /// wasm called.
    pub fn wasm_backtrace(&self) -> Option<&WasmBacktrace> {
        self.0.backtrace.as_ref()
    }

    pub(crate) fn set_backtrace(&mut self, backtrace: WasmBacktrace) {
        self.0.backtrace = Some(backtrace);
    }

    fn write_chain(&self, f: &mut fmt::Formatter<'_>, separator: &str) -> fmt::Result {
        let mut first = true;
        let mut write = |f: &mut fmt::Formatter<'_>, message: &dyn fmt::Display| {
            let separator = if std::mem::take(&mut first) { "" } else { separator };
            write!(f, "{separator}{message}")
        };
        for context in self.0.contexts.iter().rev() {
            write(f, context)?;
        }
        self.chain().try_for_each(|error| write(f, &error))
    }
}

fn kind_of(error: &(dyn StdError + 'static)) -> ErrorKind {
    if error.is::<Trap>() {
        ErrorKind::Trap
    } else if error.is::<LinkError>() {
        ErrorKind::Link
    } else if error.is::<LimitError>() {
        ErrorKind::Limit
    } else if error.is::<ThrownException>() {
        ErrorKind::Exception
    } else if error.is::<TypeError>() {
        ErrorKind::Type
    } else if error.is::<ModuleError>() || error.is::<precast_loader::LoadError>() {
        ErrorKind::Load
    } else if crate::module::is_compile_error(error) {
        ErrorKind::Compile
    } else {
        ErrorKind::Other
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        Error(Box::new(Inner {
            kind: kind_of(&error),
            source: Box::new(error),
            contexts: Vec::new(),
            backtrace: None,
        }))
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(Boxed(error))
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        Box::new(Boxed(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.contexts.last() {
            _ if f.alternate() => self.write_chain(f, ": "),
            Some(context) => f.write_str(context),
            None => fmt::Display::fmt(&self.0.source, f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_chain(f, "\n  caused by: ")?;
        match &self.0.backtrace {
            Some(backtrace) => write!(f, "\n{backtrace}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Message {}

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl StdError for Boxed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.0.contexts.is_empty() {
            // Its message is already this error's.
            true => self.0.0.source.source(),
            false => Some(&*self.0.0.source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_source_and_kind() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error = Error::from(Trap::Unreachable).context("calling `f`");
        assert_eq!(error.kind(), ErrorKind::Trap);
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
        assert_eq!(error.to_string(), "calling `f`");
        assert_eq!(format!("{error:#}"), "calling `f`: unreachable");
        let error = error.downcast::<LinkError>().unwrap_err();
        assert_eq!(error.downcast::<Trap>().unwrap(), Trap::Unreachable);
    }

    #[test]
    fn a_standard_error_keeps_the_message() {
        fn host() -> Result<()> {
            Err(std::io::Error::other("disk on fire"))?
        }
        let boxed: Box<dyn StdError + Send + Sync> = host().unwrap_err().into();
        assert_eq!(boxed.to_string(), "disk on fire");
        assert!(host().unwrap_err().is::<std::io::Error>());
    }
}
