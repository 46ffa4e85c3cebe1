//! Gives wasm an amount of work that it may do, whatever the machine.

use precast::{Config, Engine, Instance, Module, Result, Store, Trap};

pub(crate) fn main() -> Result<()> {
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config)?;
    let mut store = Store::new(&engine, ());
    store.set_fuel(10_000)?;
    let module = Module::new(
        &engine,
        r#"
        (module
            (func $fibonacci (export "fibonacci") (param $n i32) (result i32)
                (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
                    (then (local.get $n))
                    (else
                        (i32.add
                            (call $fibonacci (i32.sub (local.get $n) (i32.const 1)))
                            (call $fibonacci (i32.sub (local.get $n) (i32.const 2))))))))
        "#,
    )?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let fibonacci = instance.get_typed_func::<i32, i32>(&mut store, "fibonacci")?;

    // The same amount each time, until it does not suffice.
    for n in 1.. {
        let before = store.get_fuel()?;
        match fibonacci.call(&mut store, n) {
            Ok(result) => {
                let consumed = before - store.get_fuel()?;
                println!("fibonacci({n}) = {result}, with {consumed} units of fuel");
                store.set_fuel(10_000)?;
            }
            Err(error) => {
                assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::OutOfFuel));
                println!("fibonacci({n}) needs more");
                assert!((10..25).contains(&n), "{n}");
                break;
            }
        }
    }
    Ok(())
}
