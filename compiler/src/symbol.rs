//! What code can refer to by name before it is linked.

use cranelift_codegen::ir::UserExternalName;
use precast_artifact::helper::Helper;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex, TableIndex, TypeIndex};

/// A piece of code of the module that is being compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Symbol {
    /// A function of the module.
    Function(DefinedFuncIndex),
    /// The trampoline to a helper of the runtime.
    Helper(Helper),
    /// The trampoline from the host into functions of a type.
    Entry(TypeIndex),
    /// The trampoline from wasm to host functions of a type.
    Exit(TypeIndex),
    /// The trampoline to an imported function, for closed tables.
    Import(FuncIndex),
    /// The contents of a closed table.
    Table(TableIndex),
}

impl Symbol {
    /// The name by which Cranelift knows the symbol.
    pub(crate) fn to_user_name(self) -> UserExternalName {
        let (namespace, index) = match self {
            Symbol::Function(index) => (0, index.0),
            Symbol::Helper(helper) => (1, helper as u32),
            Symbol::Entry(ty) => (2, ty.0),
            Symbol::Exit(ty) => (3, ty.0),
            Symbol::Import(function) => (4, function.0),
            Symbol::Table(table) => (5, table.0),
        };
        UserExternalName { namespace, index }
    }

    /// The symbol behind a name that [`Symbol::to_user_name`] made.
    pub(crate) fn from_user_name(name: &UserExternalName) -> Option<Symbol> {
        Some(match name.namespace {
            0 => Symbol::Function(DefinedFuncIndex(name.index)),
            1 => Symbol::Helper(*Helper::ALL.get(name.index as usize)?),
            2 => Symbol::Entry(TypeIndex(name.index)),
            3 => Symbol::Exit(TypeIndex(name.index)),
            4 => Symbol::Import(FuncIndex(name.index)),
            5 => Symbol::Table(TableIndex(name.index)),
            _ => return None,
        })
    }
}
