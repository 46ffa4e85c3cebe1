//! Runs one module on many threads: engines, modules and linkers are shared, each thread has a
//! store of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use precast::{Engine, Linker, Module, Result, Store};

const THREADS: u64 = 8;
const CALLS: u64 = 100;

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"
        (module
            (import "global" "hello" (func $hello (param i64)))
            (func (export "run") (param i64) (call $hello (local.get 0))))
        "#,
    )?;
    let sum = Arc::new(AtomicU64::new(0));
    let mut linker: Linker<()> = Linker::new(&engine);
    let added = Arc::clone(&sum);
    linker.func_wrap("global", "hello", move |number: u64| {
        added.fetch_add(number, Ordering::Relaxed);
    })?;
    // What can be done once for all instances is.
    let ready = linker.instantiate_pre(&module)?;

    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (engine, ready) = (engine.clone(), ready.clone());
            thread::spawn(move || -> Result<()> {
                for number in 0..CALLS {
                    let mut store = Store::new(&engine, ());
                    let instance = ready.instantiate(&mut store)?;
                    let run = instance.get_typed_func::<u64, ()>(&mut store, "run")?;
                    run.call(&mut store, number)?;
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("nothing panics")?;
    }
    let sum = sum.load(Ordering::Relaxed);
    println!("{sum}");
    assert_eq!(sum, THREADS * (0..CALLS).sum::<u64>());
    Ok(())
}
