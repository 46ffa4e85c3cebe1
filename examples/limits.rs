//! Bounds what a guest may use: memory, tables, instances.

use precast::{Engine, Instance, Module, Result, Store, StoreLimits, StoreLimitsBuilder};

struct Host {
    limits: StoreLimits,
}

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"
        (module
            (memory (export "memory") 1)
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
        "#,
    )?;
    let limits = StoreLimitsBuilder::new().memory_size(1 << 20).instances(2).build();
    let mut store = Store::new(&engine, Host { limits });
    store.limiter(|host| &mut host.limits);
    let instance = Instance::new(&mut store, &module, &[])?;
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow")?;

    // 1 MiB is 16 pages. Wasm is told that there is no more, and goes on.
    assert_eq!(grow.call(&mut store, 15)?, 1);
    assert_eq!(grow.call(&mut store, 1)?, -1);
    // The host gets an error.
    Instance::new(&mut store, &module, &[])?;
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    println!("{error}");
    Ok(())
}
