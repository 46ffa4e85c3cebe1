//! Stops wasm that does not end by itself: another thread begins a new epoch.

use std::thread;
use std::time::Duration;

use precast::{Config, Engine, Instance, Module, Result, Store, Trap};

pub(crate) fn main() -> Result<()> {
    let engine = Engine::new(Config::new().epoch_interruption(true))?;
    let mut store = Store::new(&engine, ());
    // The store's code stops when the engine's epoch is one higher than now.
    store.set_epoch_deadline(1);
    let module = Module::new(&engine, r#"(module (func (export "run") (loop (br 0))))"#)?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;

    let clock = {
        let engine = engine.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            engine.increment_epoch();
        })
    };
    let trap = run.call(&mut store, ()).unwrap_err();
    println!("{trap:?}");
    assert_eq!(trap.downcast::<Trap>()?, Trap::Interrupt);
    clock.join().expect("the thread only sleeps");
    Ok(())
}
