//! Translates the bodies of functions to Cranelift's intermediate representation.
//!
//! ```text
//! FunctionBody --read--> Operator --validate--> operator.rs --family--> ops/*.rs --> ir::Function
//! ```
//!
//! Validation and translation are one pass: an operator is translated right after the
//! validator has accepted it, so that families need no checks of their own. The state of a
//! translation is in three parts: the operands ([`values`]), the open blocks ([`control`])
//! and what is known about the instance that the code will run in ([`instance`]). Which values are
//! references is found out in one place ([`references`]).
//! [`operator`] is the table from operators to the families in [`ops`].

mod body;
mod control;
mod extent;
mod handlers;
mod instance;
mod interrupts;
mod legacy_tries;
mod operator;
mod ops;
mod references;
mod regions;
mod values;

#[cfg(test)]
mod tests;

use cranelift_codegen::ir;
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use precast_artifact::description::Collector;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex};
use precast_config::CompilerSettings;
use wasmparser::{
    FuncValidator, FunctionBody, LocalsReader, Operator, OperatorsReader,
    OperatorsReaderAllocations, ValidatorResources,
};

use crate::error::{CompileError, FunctionName};
use crate::parsed::ParsedModule;
use crate::signature::wasm_signature;
use crate::symbol::Symbol;

use self::body::Body;
use self::control::ControlStack;
use self::extent::Extent;
use self::instance::{Instance, Links};
use self::interrupts::Interrupts;
use self::references::References;
use self::values::ValueStack;

/// What every function of a module is translated with.
#[derive(Clone, Copy)]
pub(crate) struct Environment<'a> {
    /// The module.
    pub(crate) module: &'a ParsedModule<'a>,
    /// The target, with its flags.
    pub(crate) isa: &'a dyn TargetIsa,
    /// What else changes the code.
    pub(crate) settings: &'a CompilerSettings,
    /// The collector that manages the references.
    pub(crate) collector: Collector,
}

/// Translates one function after another, and keeps the memory it needs for that.
#[derive(Default)]
pub(crate) struct FunctionTranslator {
    builder: FunctionBuilderContext,
    operators: OperatorsReaderAllocations,
    values: ValueStack,
    control: ControlStack,
    links: Links,
}

impl FunctionTranslator {
    /// A translator that has not translated anything.
    pub(crate) fn new() -> FunctionTranslator {
        FunctionTranslator::default()
    }

    /// Translates the function `index` into `func`, which is empty, and returns whether it handles
    /// references into the heap.
    ///
    /// # Errors
    ///
    /// [`CompileError::Invalid`] when `validator` refuses the body. `func` is of no use then;
    /// the translator is.
    pub(crate) fn translate(
        &mut self,
        environment: &Environment<'_>,
        index: DefinedFuncIndex,
        body: &FunctionBody<'_>,
        validator: &mut FuncValidator<ValidatorResources>,
        func: &mut ir::Function,
    ) -> Result<bool, CompileError> {
        let module = environment.module;
        let function = module.function_index(index);
        func.name = ir::UserFuncName::User(Symbol::Function(index).to_user_name());
        func.signature = wasm_signature(module.function_type(function));

        let result = self.translate_body(environment, function, body, validator, func);
        if result.is_err() {
            // What is left of an unfinished function must not leak into the next one.
            self.builder = FunctionBuilderContext::new();
        }
        result
    }

    fn translate_body(
        &mut self,
        environment: &Environment<'_>,
        function: FuncIndex,
        function_body: &FunctionBody<'_>,
        validator: &mut FuncValidator<ValidatorResources>,
        func: &mut ir::Function,
    ) -> Result<bool, CompileError> {
        self.values.clear();
        self.control.clear(environment.module.function_types[function.as_usize()]);
        let mut builder = FunctionBuilder::new(func, &mut self.builder);
        let instance = Instance::new(environment, &mut builder, &mut self.links);
        let mut body = Body {
            builder,
            values: &mut self.values,
            control: &mut self.control,
            instance,
            interrupts: Interrupts::default(),
            extent: Extent::default(),
            collector: environment.collector,
            references: References {
                handled: false,
                mapped: environment.collector.needs_stack_maps(),
            },
            cast_operand: None,
        };

        body.define_params(&environment.module.function_type(function).params);
        let locals = function_body.get_locals_reader()?;
        let reader = define_locals(&mut body, locals, validator)?;
        interrupts::enter(&mut body, environment.settings);
        let mut reader =
            OperatorsReader::new_with_allocs(reader, std::mem::take(&mut self.operators));
        while !reader.eof() {
            let offset = reader.original_position();
            let operator = reader.read()?;
            if operator::is_cast(&operator) {
                let operand = validator.get_operand_type(0).flatten();
                body.cast_operand = operand.and_then(|ty| ty.as_reference_type());
            }
            validator.op(offset, &operator)?;
            if operator::is_exact_cast(&operator) {
                let what = "casts to exact types, of the `custom-descriptors` proposal,";
                return Err(CompileError::Unsupported { what, offset: Some(offset) });
            }
            body.set_offset(offset);
            if let Operator::Try { .. } = operator
                && body.control.legacy_tries.is_empty()
            {
                body.control.legacy_tries.read(function_body);
            }
            operator::step(&mut body, &operator).map_err(|unsupported| CompileError::Internal {
                function: FunctionName { index: Some(function), name: None },
                message: unsupported.to_string(),
            })?;
            references::declare_operands(&mut body, validator);
            extent::check(&mut body)?;
        }
        reader.finish()?;
        self.operators = reader.into_allocations();
        let handles_references = body.references.handled;
        body.builder.finalize(environment.isa.frontend_config());
        Ok(handles_references)
    }
}

/// Reads and validates the declarations of locals; what remains are the operators.
fn define_locals<'wasm>(
    body: &mut Body<'_>,
    mut locals: LocalsReader<'wasm>,
    validator: &mut FuncValidator<ValidatorResources>,
) -> Result<wasmparser::BinaryReader<'wasm>, CompileError> {
    for _ in 0..locals.get_count() {
        let offset = locals.original_position();
        let (count, ty) = locals.read()?;
        // First, since it is what limits the number of locals.
        validator.define_locals(offset, count, ty)?;
        body.define_locals(count, ty);
    }
    Ok(locals.get_binary_reader())
}
