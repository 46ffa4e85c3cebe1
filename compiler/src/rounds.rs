//! What of a module is compiled: not the functions that became a part of all of their callers.
//!
//! Whether a call is inlined depends on the caller alone, but which calls are left is known only when all callers
//! are compiled. So functions that nothing but calls can reach wait for the first round, and each later one
//! compiles those that the code of the rounds before still calls. Most often, one or two rounds are enough.

use std::collections::{BTreeMap, BTreeSet};

use precast_artifact::index::DefinedFuncIndex;

use crate::callees::Inlining;
use crate::code::{CompiledFunction, ReferenceTarget};
use crate::parsed::ParsedModule;
use crate::symbol::Symbol;
use crate::translate::Environment;
use crate::work::{Progress, Schedule, compile_all};
use crate::{CompileError, work};

/// Compiles those of `pieces` that are needed. Returns them in the same order, with their code.
pub(crate) fn compile_needed(
    environment: Environment<'_>,
    pieces: &[Symbol],
    schedule: &Schedule<'_>,
) -> Result<(Vec<Symbol>, Vec<CompiledFunction>), CompileError> {
    let module = environment.module;
    let position: BTreeMap<Symbol, usize> = pieces.iter().copied().zip(0..).collect();
    let mut waiting: BTreeSet<usize> = only_called(module)
        .into_iter()
        .filter_map(|function| position.get(&Symbol::Function(function)).copied())
        .collect();
    let mut round: Vec<usize> = (0..pieces.len()).filter(|at| !waiting.contains(at)).collect();
    let mut done = BTreeMap::new();
    let mut functions = 0;
    while !round.is_empty() {
        let symbols: Vec<Symbol> = round.iter().map(|&at| pieces[at]).collect();
        let progress = schedule.progress.map(|progress| Continued { progress, before: functions });
        let progress = progress.as_ref().map(|progress| progress as &dyn Progress);
        let code = compile_all(environment, &symbols, &Schedule { progress, ..*schedule })?;
        functions += symbols.iter().filter(|symbol| matches!(symbol, Symbol::Function(_))).count();
        let mut next = BTreeSet::new();
        for reference in code.iter().flat_map(|code| &code.references) {
            if let ReferenceTarget::Symbol(symbol) = reference.target
                && let Some(at) = position.get(&symbol).and_then(|at| waiting.take(at))
            {
                next.insert(at);
            }
        }
        done.extend(round.into_iter().zip(code));
        round = next.into_iter().collect();
    }
    // What is not compiled has to be valid all the same.
    work::validate(module, waiting.iter().map(|&at| pieces[at]))?;
    Ok(done.into_iter().map(|(at, code)| (pieces[at], code)).unzip())
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

/// Goes on counting after earlier rounds.
struct Continued<'a> {
    progress: &'a dyn Progress,
    before: usize,
}

impl Progress for Continued<'_> {
    fn functions(&self, done: usize, total: usize) {
        self.progress.functions(self.before + done, self.before + total);
    }
}
