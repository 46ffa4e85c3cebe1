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
mod computed;
mod control;
mod dispatch;
mod extent;
mod handlers;
pub(crate) mod inlined;
mod instance;
mod interrupts;
mod legacy_tries;
mod operator;
mod ops;
mod references;
mod regions;
mod values;
mod widening;

#[cfg(test)]
mod tests;

use cranelift_codegen::ir;
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use precast_artifact::description::Collector;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex};
use precast_config::CompilerSettings;
use wasmparser::{
    BinaryReader, FuncValidator, FuncValidatorAllocations, FunctionBody, LocalsReader, Operator,
    OperatorsReader, OperatorsReaderAllocations, ValidatorResources,
};

use crate::code::Translated;
use crate::error::{CompileError, FunctionName};
use crate::parsed::ParsedModule;
use crate::signature::defined_signature;
use crate::symbol::Symbol;

pub(crate) use self::inlined::InlinedCalls;

use self::body::Body;
use self::control::ControlStack;
use self::extent::Extent;
use self::inlined::Inlined;
use self::instance::{Instance, Links};
use self::interrupts::Interrupts;
use self::operator::Cast;
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
    scratch: Scratch,
    values: ValueStack,
    control: ControlStack,
    links: Links,
}

/// Memory for reading bodies.
#[derive(Default)]
struct Scratch {
    operators: OperatorsReaderAllocations,
    validators: Vec<FuncValidatorAllocations>,
}

impl FunctionTranslator {
    /// A translator that has not translated anything.
    pub(crate) fn new() -> FunctionTranslator {
        FunctionTranslator::default()
    }

    /// Translates the function `index` into `func`, which is empty, and returns what else is to be known
    /// of it.
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
    ) -> Result<Translated, CompileError> {
        let module = environment.module;
        let function = module.function_index(index);
        func.name = ir::UserFuncName::User(Symbol::Function(index).to_user_name());
        func.signature = defined_signature(module.function_type(function));

        let result = self.translate_body(environment, index, body, validator, func);
        if result.is_err() {
            // What is left of an unfinished function must not leak into the next one.
            self.builder = FunctionBuilderContext::new();
        }
        result
    }

    fn translate_body(
        &mut self,
        environment: &Environment<'_>,
        index: DefinedFuncIndex,
        function_body: &FunctionBody<'_>,
        validator: &mut FuncValidator<ValidatorResources>,
        func: &mut ir::Function,
    ) -> Result<Translated, CompileError> {
        let function = environment.module.function_index(index);
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
            inlined: Inlined::new(environment.module, index),
        };

        body.define_params(&environment.module.function_type(function).params);
        let locals = function_body.get_locals_reader()?;
        let operators = define_locals(&mut body, locals, validator)?;
        interrupts::enter(&mut body, environment.settings);
        let wasm = Wasm { function, body: function_body, operators };
        translate_operators(&mut body, &mut self.scratch, wasm, validator)?;
        let translated = Translated {
            wasm_offset: function_body.range().start as u32,
            handles_references: body.references.handled,
            inlined: body.inlined.finish(environment.module.len),
        };
        body.builder.finalize(environment.isa.frontend_config());
        Ok(translated)
    }
}

/// A function whose operators are to be translated.
struct Wasm<'a, 'wasm> {
    function: FuncIndex,
    body: &'a FunctionBody<'wasm>,
    operators: BinaryReader<'wasm>,
}

fn translate_operators(
    body: &mut Body<'_>,
    scratch: &mut Scratch,
    wasm: Wasm<'_, '_>,
    validator: &mut FuncValidator<ValidatorResources>,
) -> Result<(), CompileError> {
    let Wasm { function, body: function_body, operators } = wasm;
    let mut reader =
        OperatorsReader::new_with_allocs(operators, std::mem::take(&mut scratch.operators));
    while !reader.eof() {
        let offset = reader.original_position();
        let operator = reader.read()?;
        let cast = Cast::of(&operator);
        if cast.is_some() {
            let operand = validator.get_operand_type(0).flatten();
            body.cast_operand = operand.and_then(|ty| ty.as_reference_type());
        }
        validator.op(offset, &operator)?;
        refuse_exact(cast, offset)?;
        body.set_offset(offset);
        if let Operator::Try { .. } = operator
            && body.control.legacy_tries.is_empty()
        {
            body.control.legacy_tries.read(function_body);
        }
        let callee = match operator {
            Operator::Call { function_index } => inlined::callee(body, FuncIndex(function_index)),
            _ => None,
        };
        match callee {
            Some(callee) => {
                translate_in_place(body, scratch, callee)?;
                body.set_offset(offset);
            }
            None => operator::step(body, &operator).map_err(|unsupported| {
                let function = FunctionName { index: Some(function), name: None };
                CompileError::Internal { function, message: unsupported.to_string() }
            })?,
        }
        references::declare_operands(body, validator);
        extent::check(body)?;
    }
    reader.finish()?;
    scratch.operators = reader.into_allocations();
    Ok(())
}

/// Refuses in a valid body what translating it would refuse, for bodies that are not translated.
pub(crate) fn check(function_body: &FunctionBody<'_>) -> Result<(), CompileError> {
    let mut reader = function_body.get_operators_reader()?;
    while !reader.eof() {
        let offset = reader.original_position();
        refuse_exact(Cast::of(&reader.read()?), offset)?;
    }
    Ok(())
}

/// Refuses casts to exact types, which the validator accepts without being asked to.
fn refuse_exact(cast: Option<Cast>, offset: usize) -> Result<(), CompileError> {
    match cast {
        Some(Cast::Exact) => {
            let what = "casts to exact types, of the `custom-descriptors` proposal,";
            Err(CompileError::Unsupported { what, offset: Some(offset) })
        }
        Some(Cast::Subtype) | None => Ok(()),
    }
}

/// Translates a function in place of a call of it.
fn translate_in_place(
    body: &mut Body<'_>,
    scratch: &mut Scratch,
    callee: DefinedFuncIndex,
) -> Result<(), CompileError> {
    let module = body.instance.module;
    let function_body = &module.bodies[callee.as_usize()];
    let allocations = scratch.validators.pop().unwrap_or_default();
    // Perhaps nobody has compiled the callee by itself yet.
    let mut validator = module.validation(callee).into_validator(allocations);
    inlined::enter(body, callee);
    let locals = function_body.get_locals_reader()?;
    let operators = define_locals(body, locals, &mut validator)?;
    let function = module.function_index(callee);
    let wasm = Wasm { function, body: function_body, operators };
    translate_operators(body, scratch, wasm, &mut validator)?;
    inlined::leave(body);
    scratch.validators.push(validator.into_allocations());
    Ok(())
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
