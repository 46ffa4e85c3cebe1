//! A validated module, taken apart: what translation starts from.

use precast_artifact::index::{DefinedFuncIndex, FuncIndex, FuncRefIndex, TypeIndex};
use precast_artifact::module::Module;
use precast_artifact::object::{ArrayLayout, ObjectLayout, StructLayout};
use precast_artifact::types::{ArrayType, FuncType, StructType};
use precast_artifact::vmcontext::VMOffsets;
use wasmparser::{FuncToValidate, FunctionBody, ValidatorResources, WasmFeatures};

use crate::callees::Callees;
use crate::module::{BranchHints, ClosedTables, TypeKinds};

/// A module whose sections were read and validated, its function bodies still to be.
pub(crate) struct ParsedModule<'wasm> {
    /// What the runtime will know; without trampolines, which linking adds.
    pub(crate) module: Module,
    /// What its types are.
    pub(crate) type_kinds: TypeKinds,
    /// How objects of its types lie in memory, by type; `None` for functions.
    pub(crate) layouts: Vec<Option<ObjectLayout>>,
    /// The layout of the VMContext.
    pub(crate) offsets: VMOffsets,
    /// The type of every function, imports first.
    pub(crate) function_types: Vec<TypeIndex>,
    /// The `VMFuncRef` slot of every function whose address can be taken.
    pub(crate) func_refs: Vec<Option<FuncRefIndex>>,
    /// For each defined function, the one whose code it shares: the first with the same body and
    /// type, most often itself.
    pub(crate) representatives: Vec<DefinedFuncIndex>,
    /// The tables whose contents are in the code section.
    pub(crate) closed_tables: ClosedTables,
    /// The bodies of the defined functions.
    pub(crate) bodies: Vec<FunctionBody<'wasm>>,
    /// What the validation of bodies needs to know of the module; `None` without bodies.
    pub(crate) resources: Option<ValidatorResources>,
    /// What the validator accepts.
    pub(crate) accepted: WasmFeatures,
    /// The names of functions, from the name section, imports first. May be shorter than
    /// there are functions.
    pub(crate) function_names: Vec<Option<String>>,
    /// Which way branches usually go.
    pub(crate) branch_hints: BranchHints,
    /// Which functions can become a part of their callers.
    pub(crate) callees: Callees,
    /// The size of the module, in bytes.
    pub(crate) len: usize,
    /// What the artifact carries besides code and [`Module`].
    pub(crate) bulk: BulkData,
}

/// The contents of the artifact's data sections.
#[derive(Debug, Default)]
pub(crate) struct BulkData {
    /// Functions of element segments and table images.
    pub(crate) elements: Vec<Option<FuncIndex>>,
    /// The bytes of data segments.
    pub(crate) data: Vec<u8>,
    /// The pages of memory images.
    pub(crate) images: Vec<u8>,
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

    /// The structure type at `index`, which validation has shown to be one.
    pub(crate) fn struct_type(&self, index: TypeIndex) -> (&StructType, &StructLayout) {
        let ty = self.module.types.types[index.as_usize()].composite.as_struct();
        match (ty, &self.layouts[index.as_usize()]) {
            (Some(ty), Some(ObjectLayout::Struct(layout))) => (ty, layout),
            _ => unreachable!("validation checks type indices"),
        }
    }

    /// The array type at `index`, which validation has shown to be one.
    pub(crate) fn array_type(&self, index: TypeIndex) -> (ArrayType, ArrayLayout) {
        let ty = self.module.types.types[index.as_usize()].composite.as_array();
        match (ty, &self.layouts[index.as_usize()]) {
            (Some(&ty), &Some(ObjectLayout::Array(layout))) => (ty, layout),
            _ => unreachable!("validation checks type indices"),
        }
    }

    /// How many supertypes the type at `index` has.
    pub(crate) fn depth(&self, index: TypeIndex) -> usize {
        let supertype = |index: &TypeIndex| self.module.types.types[index.as_usize()].supertype;
        std::iter::successors(supertype(&index), supertype).count()
    }

    /// The position of `index` among the defined functions, or `None` for an import.
    pub(crate) fn defined(&self, index: FuncIndex) -> Option<DefinedFuncIndex> {
        index.0.checked_sub(self.module.imported.functions).map(DefinedFuncIndex)
    }

    /// The position of a defined function among all functions.
    pub(crate) fn function_index(&self, index: DefinedFuncIndex) -> FuncIndex {
        FuncIndex(self.module.imported.functions + index.0)
    }

    /// The function whose code a defined function shares, most often itself.
    pub(crate) fn representative(&self, index: DefinedFuncIndex) -> DefinedFuncIndex {
        self.representatives[index.as_usize()]
    }

    /// What validates the body of a defined function.
    pub(crate) fn validation(&self, index: DefinedFuncIndex) -> FuncToValidate<ValidatorResources> {
        let function = self.function_index(index);
        FuncToValidate {
            resources: self.resources.clone().expect("a module with functions has bodies"),
            index: function.0,
            ty: self.function_types[function.as_usize()].0,
            features: self.accepted,
        }
    }

    /// The defined function whose body holds the offset `at` of the module.
    pub(crate) fn function_at(&self, at: usize) -> Option<FuncIndex> {
        let position = self.bodies.partition_point(|body| body.range().end <= at);
        let found = self.bodies.get(position).is_some_and(|body| body.range().start <= at);
        found.then(|| self.function_index(DefinedFuncIndex(position as u32)))
    }

    /// The name of a function, if the module has one for it.
    pub(crate) fn function_name(&self, index: FuncIndex) -> Option<&str> {
        self.function_names.get(index.as_usize())?.as_deref()
    }
}
