//! References to values of the host, and to structures that hold them, moved around by wasm in all
//! ways there are, with collections in between.
//!
//! ```text
//! bytes --program--> functions of a few operators --text--> module --precast--> calls of the host
//!                                  '----------------model--> events that the host expects
//! ```
//!
//! The model knows which value every check must see, and what tables and globals refer to at any
//! time. A value that is dropped while something refers to it, one that is dropped twice, and one
//! that is still there after a collection although nothing refers to it, are failures.

mod cells;
mod host;
mod model;
mod program;

use precast::{Collector, Config, Engine, Module};

use crate::bytes::Bytes;
use host::Run;
use model::Model;
use program::Program;

/// Makes a program of the bytes, and checks that it does what its model does.
///
/// # Panics
///
/// When it does not.
pub fn check(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let collector = Collector::ALL[bytes.below(Collector::ALL.len())];
    let stress = bytes.below(2) == 1;
    let program = Program::new(&mut bytes);
    let Some(model) = Model::of(&program) else {
        // It would take too long.
        return;
    };
    let mut config = Config::new();
    config.collector(collector).collect_at_every_safe_point(stress).jobs(Some(1));
    config.cranelift_debug_verifier(true);
    let engine = Engine::new(&config).expect("the engine can be made");
    let text = program.text();
    let module = Module::new(&engine, &text).expect("the program is valid");
    Run::new(&engine, &module, model, collector).finish();
}
