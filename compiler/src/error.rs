//! Why a module cannot be compiled.

use std::fmt;

use cranelift_codegen::CodegenError;
use precast_artifact::index::FuncIndex;
use precast_artifact::vmcontext::VMContextTooLarge;

/// Why a module cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The caller has cancelled the compilation.
    #[error("the compilation was cancelled")]
    Cancelled,
    /// The input is a component, not a core module.
    #[error(
        "this is a WebAssembly component, and only core modules can be compiled; take its \
         modules out with `wasm-tools component unbundle`, or build the program for a target \
         that makes core modules, such as wasm32-wasip1"
    )]
    Component,
    /// The input does not begin like a WebAssembly binary.
    #[error("this is not a WebAssembly binary: it does not begin with `\\0asm`")]
    NotWasm,
    /// The module uses a proposal that is not accepted.
    #[error("this module needs the `{proposal}` proposal (at offset {offset:#x}), {}",
        if *.known { "which is switched off" } else { "which this version does not support" })]
    Proposal {
        /// The proposal's name, as its authors spell it.
        proposal: &'static str,
        /// Whether a setting can switch it on.
        known: bool,
        /// Where in the module it is used first.
        offset: usize,
        /// What the validator says.
        #[source]
        source: wasmparser::Error,
    },
    /// The module is not valid.
    #[error("invalid module{}", .function.as_ref().map_or(String::new(), |f| format!(", {f}")))]
    Invalid {
        /// The function that is not valid, when it is in a function.
        function: Option<FunctionName>,
        /// What is wrong, and where.
        #[source]
        source: wasmparser::Error,
    },
    /// The module uses something that has no translation yet.
    #[error("{what} are not supported")]
    Unsupported {
        /// What it uses.
        what: &'static str,
        /// Where in the module, when that is known.
        offset: Option<usize>,
    },
    /// The module is larger than this compiler takes; see [`limits`](crate::limits).
    #[error("the module is too large: {what}, and the limit is {limit}{}",
        .offset.map_or(String::new(), |offset| format!(" (at offset {offset:#x})")))]
    TooLarge {
        /// What there is too much of, as a clause.
        what: &'static str,
        /// How much there may be.
        limit: u64,
        /// Where in the module that is exceeded, when it is in one place.
        offset: Option<usize>,
    },
    /// The module has more entities than a VMContext can hold.
    #[error(transparent)]
    Layout(#[from] VMContextTooLarge),
    /// The code generator could not compile a function.
    #[error("cannot compile {function}")]
    Codegen {
        /// The function.
        function: FunctionName,
        /// Why.
        #[source]
        source: CodegenError,
    },
    /// The code generator failed in a way it should not.
    #[error("the code generator failed in {function}: {message}")]
    Internal {
        /// The function, or the trampoline.
        function: FunctionName,
        /// What it said.
        message: String,
    },
    /// Code refers to something that the linker cannot reach.
    #[error("cannot link {function}: {message}")]
    Link {
        /// The function, or the trampoline.
        function: FunctionName,
        /// What is wrong with the reference.
        message: String,
    },
    /// The target is not one that code can be generated for.
    #[error("cannot compile for `{triple}`: {reason}; the targets are {}", .known.join(", "))]
    Target {
        /// The triple that was asked for.
        triple: String,
        /// What is wrong with it.
        reason: String,
        /// Targets that work.
        known: Vec<String>,
    },
    /// The target has no processor of that name.
    #[error("`{architecture}` has no processor `{name}`{}", did_you_mean(.nearest))]
    Cpu {
        /// The architecture.
        architecture: String,
        /// The name that was asked for.
        name: String,
        /// A name that is spelled alike.
        nearest: Option<&'static str>,
    },
    /// The code generator has no flag of that name.
    #[error("the code generator has no flag `{name}`{}", did_you_mean(.nearest))]
    UnknownFlag {
        /// The name that was asked for.
        name: String,
        /// A name that is spelled alike.
        nearest: Option<&'static str>,
    },
    /// The flag is not the user's to set: generated code and runtime rely on its value.
    #[error("the flag `{name}` cannot be set: {reason}")]
    FixedFlag {
        /// The flag.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The flag does not take that value.
    #[error("the flag `{name}` cannot be `{value}`: {reason}")]
    FlagValue {
        /// The flag.
        name: String,
        /// The value that was asked for.
        value: String,
        /// What it takes.
        reason: String,
    },
    /// The flags, together, are not something that code can be generated with.
    #[error("the code generator refuses the settings")]
    Flags(#[source] CodegenError),
    /// The module has no function of that name or index.
    #[error(
        "the module has no function `{function}`: it has {count}, which are named by index, by name \
         or by that of an export"
    )]
    NoFunction {
        /// What was asked for.
        function: String,
        /// How many functions there are, imported ones included.
        count: u32,
    },
    /// The function is another module's or the host's.
    #[error("the function `{function}` is imported: this module has no code for it")]
    ImportedFunction {
        /// What was asked for.
        function: String,
    },
    /// No thread could be started.
    #[error("cannot start a compiler thread")]
    Thread(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A function, the way messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Its index among all functions; none for a trampoline.
    pub index: Option<FuncIndex>,
    /// Its name, from the module's name section.
    pub name: Option<String>,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index, &self.name) {
            (Some(index), Some(name)) => write!(f, "function {} `{name}`", index.0),
            (Some(index), None) => write!(f, "function {}", index.0),
            (None, Some(name)) => write!(f, "trampoline `{name}`"),
            (None, None) => f.write_str("a trampoline"),
        }
    }
}

impl From<wasmparser::Error> for CompileError {
    fn from(source: wasmparser::Error) -> Self {
        CompileError::Invalid { function: None, source }
    }
}

impl CompileError {
    /// Refuses what exceeds a limit, at `offset`.
    pub(crate) fn too_large(what: &'static str, limit: impl TryInto<u64>, offset: usize) -> Self {
        let limit = limit.try_into().unwrap_or(u64::MAX);
        CompileError::TooLarge { what, limit, offset: Some(offset) }
    }

    /// Where in the module the reason lies, in bytes from its start, when that is known.
    pub fn offset(&self) -> Option<usize> {
        match self {
            CompileError::Proposal { offset, .. } => Some(*offset),
            CompileError::Invalid { source, .. } => Some(source.offset()),
            CompileError::Unsupported { offset, .. } | CompileError::TooLarge { offset, .. } => {
                *offset
            }
            _ => None,
        }
    }

    /// The function in which the reason lies, when that is known.
    pub fn function(&self) -> Option<&FunctionName> {
        match self {
            CompileError::Invalid { function, .. } => function.as_ref(),
            CompileError::Codegen { function, .. }
            | CompileError::Internal { function, .. }
            | CompileError::Link { function, .. } => Some(function),
            _ => None,
        }
    }
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}
