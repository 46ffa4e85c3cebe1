//! Modules from text, and instances of them, for the tests of the runtime.

use precast::{AsContextMut, Engine, Error, Extern, Instance, Module};

/// Compiles a module in the text format.
pub(crate) fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, text).unwrap_or_else(|error| panic!("{error:?}\nin {text}"))
}

/// An instance of a module in the text format.
pub(crate) fn instance(store: impl AsContextMut, text: &str, imports: &[Extern]) -> Instance {
    try_instance(store, text, imports).unwrap_or_else(|error| panic!("{error:?}\nin {text}"))
}

/// An instance of a module in the text format, or why there is none.
pub(crate) fn try_instance(
    mut store: impl AsContextMut,
    text: &str,
    imports: &[Extern],
) -> Result<Instance, Error> {
    let module = module(store.as_context().engine(), text);
    Instance::new(store.as_context_mut(), &module, imports)
}
