//! Translation, checked by the code generator's verifier and by what it makes of it.

mod atomic;
mod bounds;
mod dispatch;
mod exceptions;
mod golden;
mod heap;
mod inlining;
mod interrupts;
mod operators;
mod simd;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_codegen::{Context, verify_function};
use precast_artifact::description::Collector;
use precast_artifact::index::DefinedFuncIndex;
use precast_artifact::vmcontext::VMContextHeader;
use precast_config::{CollectorChoice, CompilerSettings, CpuChoice, OptLevel, WasmFeatures};

use super::{Environment, FunctionTranslator};
use crate::error::CompileError;
use crate::module::parse;
use crate::parsed::ParsedModule;
use crate::target::Target;

/// Settings for one of the targets that are tested.
fn settings(target: &str) -> CompilerSettings {
    let features = WasmFeatures { wide_arithmetic: true, ..WasmFeatures::default() };
    CompilerSettings {
        target: Some(target.to_owned()),
        cpu: CpuChoice::Baseline,
        // Most tests look at one function at a time.
        inlining: false,
        features,
        ..CompilerSettings::default()
    }
}

const X86_64: &str = "x86_64-unknown-linux-gnu";
const AARCH64: &str = "aarch64-unknown-linux-gnu";

/// Translates every function of a module after `change` had its way with it.
fn translate_with(
    wat: &str,
    settings: &CompilerSettings,
    change: impl FnOnce(&mut ParsedModule<'_>),
) -> Result<Vec<Function>, CompileError> {
    let wasm = wat::parse_str(wat).expect("the text of the test");
    translate_wasm(&wasm, settings, change)
}

fn translate_wasm(
    wasm: &[u8],
    settings: &CompilerSettings,
    change: impl FnOnce(&mut ParsedModule<'_>),
) -> Result<Vec<Function>, CompileError> {
    let target = Target::new(settings).expect("the target of the test");
    let mut module = parse(wasm, settings, 1 << 12, 1)?;
    change(&mut module);
    let collector = match settings.collector {
        CollectorChoice::Auto => Collector::Null,
        CollectorChoice::Fixed(collector) => collector,
    };
    let environment = Environment { module: &module, isa: &*target.isa, settings, collector };
    let mut translator = FunctionTranslator::new();
    let mut functions = Vec::new();
    for (index, body) in module.bodies.iter().enumerate() {
        let index = DefinedFuncIndex(index as u32);
        let mut validator = module.validation(index).into_validator(Default::default());
        let mut func = Function::new();
        translator.translate(&environment, index, body, &mut validator, &mut func)?;
        verify_function(&func, &*target.isa).unwrap_or_else(|errors| {
            panic!(
                "{}",
                cranelift_codegen::print_errors::pretty_verifier_error(&func, None, errors)
            )
        });
        functions.push(func);
    }
    Ok(functions)
}

/// Translates the functions of a module, and has machine code made of them.
fn compile(wat: &str, settings: &CompilerSettings) -> Vec<Vec<u8>> {
    let target = Target::new(settings).expect("the target of the test");
    let functions = translate_with(wat, settings, |_| ()).expect("a valid module");
    let code = functions.into_iter().map(|func| {
        let mut context = Context::for_function(func);
        match context.compile(&*target.isa, &mut ControlPlane::default()) {
            Ok(code) => code.code_buffer().to_vec(),
            Err(error) => panic!("{:?}", error.inner),
        }
    });
    code.collect()
}

/// Has machine code made of a module for every target, optimised and not.
fn compile_everywhere(wat: &str) {
    for target in [X86_64, AARCH64] {
        for opt_level in [OptLevel::None, OptLevel::Speed] {
            let code = compile(wat, &CompilerSettings { opt_level, ..settings(target) });
            assert!(code.iter().all(|code| !code.is_empty()));
        }
    }
}

/// Compares the blocks of a function, without source locations and comments. Offsets in the
/// VMContext that are behind its header are given from there.
#[track_caller]
fn assert_code(func: &Function, expected: &str) {
    let mut func = func.clone();
    func.srclocs.clear();
    let text = func.display().to_string();
    let code = text.lines().map(str::trim).skip_while(|line| !line.starts_with("block0"));
    let code: Vec<String> = code
        .filter(|line| !line.is_empty() && *line != "}")
        .map(|line| from_header(line.split("  ;").next().expect("a line")))
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    assert!(
        code == expected,
        "the code is\n{}\nbut should be\n{}",
        code.join("\n"),
        expected.join("\n")
    );
}

fn from_header(line: &str) -> String {
    let header = size_of::<VMContextHeader>();
    match line.split_once("v0+").map(|(head, offset)| (head, offset.parse::<usize>())) {
        Some((head, Ok(offset))) if offset >= header => {
            format!("{head}v0+header+{}", offset - header)
        }
        _ => line.to_owned(),
    }
}
