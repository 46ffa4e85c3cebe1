//! What a module's functions look like to those that call them, as far as inlining asks.

use precast_artifact::index::{DefinedFuncIndex, FuncIndex};
use wasmparser::FunctionBody;

use crate::module::Survey;
use crate::parsed::ParsedModule;

/// Bytes of wasm in a body that is small enough to be inlined wherever it is called: about as much
/// code as the call itself and what the caller has to save around it.
const SMALL: usize = 24;
/// Bytes of wasm in a body that is small enough to be inlined in loops, where a call costs most.
const SMALL_IN_LOOPS: usize = 60;
/// Bytes of wasm in a body that is inlined where its only call is.
const SOLE: usize = 240;
/// Parameters, results and locals together: so few that moving them is no work.
const VARIABLES: u32 = 24;
/// A module with more bytes is not looked at: places in inlined code have numbers behind its last byte,
/// of which [`budget`] needs up to four times as many as the module has bytes.
const LARGEST_MODULE: usize = 512 << 20;

/// Which functions of a module can be inlined.
#[derive(Debug, Default)]
pub(crate) struct Callees(Vec<Inlining>);

/// Where a function is inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inlining {
    /// Nowhere.
    Never,
    /// Wherever it is called.
    Always,
    /// Wherever it is called in a loop.
    InLoops,
    /// Where its only call is, unless that is itself inlined in several places.
    Once,
}

/// How many bytes of other bodies a function with a body of `len` bytes may take in.
pub(crate) fn budget(len: usize) -> usize {
    (len * 3 + 100).min(len + 1500)
}

impl Callees {
    /// Chooses among the functions of a module. They need not be valid.
    pub(crate) fn new(module: &ParsedModule<'_>, survey: &Survey) -> Callees {
        if module.len > LARGEST_MODULE {
            return Callees::default();
        }
        let imported = module.module.imported.functions as usize;
        // Functions that are the same are compiled once.
        let mut calls = vec![0_u32; module.bodies.len()];
        for (&code, &more) in module.representatives.iter().zip(&survey.call_counts[imported..]) {
            let calls = &mut calls[code.as_usize()];
            *calls = calls.saturating_add(more);
        }
        let choice = |(index, body): (usize, &FunctionBody<'_>)| {
            let function = module.function_index(DefinedFuncIndex(index as u32));
            let len = body.range().len();
            if calls[index] == 0
                || survey.apart.contains(&index)
                || len > SOLE
                || variables(module, function, body) > VARIABLES
            {
                Inlining::Never
            } else if len <= SMALL {
                Inlining::Always
            } else if calls[index] == 1 && module.func_refs[function.as_usize()].is_none() {
                Inlining::Once
            } else if len <= SMALL_IN_LOOPS {
                Inlining::InLoops
            } else {
                Inlining::Never
            }
        };
        Callees(module.bodies.iter().enumerate().map(choice).collect())
    }

    /// Where a function is inlined.
    pub(crate) fn get(&self, index: DefinedFuncIndex) -> Inlining {
        self.0.get(index.as_usize()).copied().unwrap_or(Inlining::Never)
    }
}

/// How many parameters, results and locals a function has.
fn variables(module: &ParsedModule<'_>, function: FuncIndex, body: &FunctionBody<'_>) -> u32 {
    let ty = module.function_type(function);
    let Ok(mut reader) = body.get_locals_reader() else { return u32::MAX };
    let mut count = (ty.params.len() + ty.results.len()) as u32;
    for _ in 0..reader.get_count() {
        let Ok((more, _)) = reader.read() else { return u32::MAX };
        count = count.saturating_add(more);
    }
    count
}
