//! Calls wasm, and has wasm call a function of the host that keeps state in the store.

use precast::{Caller, Engine, Func, Instance, Module, Result, Store};

struct State {
    name: String,
    calls: usize,
}

pub(crate) fn main() -> Result<()> {
    // An engine holds settings; modules are compiled with it.
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"
        (module
            (import "" "hello" (func $hello))
            (func (export "run") (call $hello) (call $hello)))
        "#,
    )?;

    // A store owns instances, and a value of the host that its functions can reach.
    let mut store = Store::new(&engine, State { name: "hello, world!".to_string(), calls: 0 });
    let hello = Func::wrap(&mut store, |mut caller: Caller<'_, State>| {
        println!("> {}", caller.data().name);
        caller.data_mut().calls += 1;
    });

    // Imports are matched by position; a `Linker` does it by name.
    let instance = Instance::new(&mut store, &module, &[hello.into()])?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    run.call(&mut store, ())?;
    assert_eq!(store.data().calls, 2);
    Ok(())
}
