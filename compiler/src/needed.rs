//! What of a module is compiled: not the functions that became a part of all of their callers.
//!
//! Whether a call is inlined depends on the caller alone, but which calls are left is known only when all callers
//! are compiled. So functions that nothing but calls can reach wait until code still calls them.

use std::collections::BTreeSet;

use precast_artifact::index::DefinedFuncIndex;

use crate::CompileError;
use crate::callees::Inlining;
use crate::code::CompiledFunction;
use crate::parsed::ParsedModule;
use crate::symbol::Symbol;
use crate::translate::Environment;
use crate::work::{self, Schedule};

/// Compiles those of `pieces` that are needed. Returns them in the same order, with their code.
pub(crate) fn compile_needed(
    environment: Environment<'_>,
    pieces: &[Symbol],
    schedule: &Schedule<'_>,
) -> Result<(Vec<Symbol>, Vec<CompiledFunction>), CompileError> {
    let module = environment.module;
    let waiting = only_called(module);
    let waits = |symbol| matches!(symbol, Symbol::Function(index) if waiting.contains(&index));
    let code = work::compile_called(environment, pieces, waits, schedule)?;
    // What is not compiled has to be valid all the same.
    let left = pieces.iter().zip(&code).filter(|(_, code)| code.is_none());
    work::validate(module, left.map(|(&piece, _)| piece))?;
    Ok(pieces.iter().zip(code).filter_map(|(&piece, code)| Some((piece, code?))).unzip())
}

/// The functions that can be inlined and are reached by nothing but calls.
fn only_called(module: &ParsedModule<'_>) -> BTreeSet<DefinedFuncIndex> {
    let all = (0..module.bodies.len() as u32).map(DefinedFuncIndex);
    let mut only_called: BTreeSet<DefinedFuncIndex> =
        all.clone().filter(|&function| module.callees.get(function) != Inlining::Never).collect();
    let referred = all
        .filter(|&function| module.func_refs[module.function_index(function).as_usize()].is_some());
    let listed = module.closed_tables.iter().flat_map(|(_, functions)| functions).flatten();
    let start = module.module.start.iter();
    let named = listed.chain(start).filter_map(|&function| module.defined(function));
    for function in referred.chain(named) {
        only_called.remove(&module.representative(function));
    }
    only_called
}
