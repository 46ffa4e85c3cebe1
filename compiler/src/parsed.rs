//! A validated module, taken apart: what translation starts from.

use precast_artifact::index::{DefinedFuncIndex, FuncIndex, FuncRefIndex, TypeIndex};
use precast_artifact::module::Module;
use precast_artifact::types::FuncType;
use precast_artifact::vmcontext::VMOffsets;
use wasmparser::FunctionBody;

/// A module whose sections were read and validated, its function bodies still to be.
pub(crate) struct ParsedModule<'wasm> {
    /// What the runtime will know; without trampolines, which linking adds.
    pub(crate) module: Module,
    /// The layout of the VMContext.
    pub(crate) offsets: VMOffsets,
    /// The type of every function, imports first.
    pub(crate) function_types: Vec<TypeIndex>,
    /// The `VMFuncRef` slot of every function whose address can be taken.
    pub(crate) func_refs: Vec<Option<FuncRefIndex>>,
    /// The bodies of the defined functions.
    pub(crate) bodies: Vec<FunctionBody<'wasm>>,
}

impl ParsedModule<'_> {
    /// The type of a function.
    pub(crate) fn function_type(&self, index: FuncIndex) -> &FuncType {
        self.func_type(self.function_types[index.as_usize()])
    }

    /// The function type at `index`, which validation has shown to be one.
    pub(crate) fn func_type(&self, index: TypeIndex) -> &FuncType {
        self.module.types.func(index).expect("validation checks type indices")
    }

    /// The position of `index` among the defined functions, or `None` for an import.
    pub(crate) fn defined(&self, index: FuncIndex) -> Option<DefinedFuncIndex> {
        index.0.checked_sub(self.module.imported.functions).map(DefinedFuncIndex)
    }
}
