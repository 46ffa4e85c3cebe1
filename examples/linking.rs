//! Gives the exports of one instance to another module as its imports, by name.

use precast::{Caller, Engine, Linker, Module, Result, Store};

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let logger = Module::new(
        &engine,
        r#"
        (module
            (import "host" "print" (func $print (param i32 i32)))
            (memory (export "memory") 1)
            (global (export "offset") i32 (i32.const 16))
            (func (export "log") (param i32) (call $print (i32.const 16) (local.get 0))))
        "#,
    )?;
    let user = Module::new(
        &engine,
        r#"
        (module
            (import "logger" "memory" (memory 1))
            (import "logger" "offset" (global $offset i32))
            (import "logger" "log" (func $log (param i32)))
            (data (global.get $offset) "Hello from another module")
            (func (export "run") (call $log (i32.const 25))))
        "#,
    )?;

    let mut linker: Linker<Vec<String>> = Linker::new(&engine);
    linker.func_wrap(
        "host",
        "print",
        |mut caller: Caller<'_, Vec<String>>, at: u32, len: u32| -> Result<()> {
            let memory = caller.get_export("memory").and_then(|export| export.into_memory());
            let memory = memory.expect("the module above exports it");
            let mut text = vec![0; len as usize];
            memory.read(&caller, at as usize, &mut text)?;
            caller.data_mut().push(String::from_utf8(text)?);
            Ok(())
        },
    )?;

    let mut store = Store::new(&engine, Vec::new());
    let logger = linker.instantiate(&mut store, &logger)?;
    linker.instance(&mut store, "logger", logger)?;
    let user = linker.instantiate(&mut store, &user)?;
    let run = user.get_typed_func::<(), ()>(&mut store, "run")?;
    run.call(&mut store, ())?;
    println!("{:?}", store.data());
    assert_eq!(*store.data(), ["Hello from another module"]);
    Ok(())
}
