//! Calls every function that an artifact exports, and prints what they return: those whose names begin with
//! `race` on several threads, with one shared memory.
//!
//! Usage: `atomics ARTIFACT`. scripts/check-aarch64 compares what it prints on two architectures.

use precast_runtime::{Engine, Error, Instance, MemoryType, Module, SharedMemory, Store, Val};

/// How many threads call a function at the same time.
const THREADS: i32 = 4;

#[allow(unsafe_code)] // Runs native code from a file.
fn main() -> Result<(), Error> {
    let path = std::env::args_os().nth(1).ok_or_else(|| Error::msg("usage: atomics ARTIFACT"))?;
    let engine = Engine::default();
    // SAFETY: whoever runs this program trusts the artifact that they name.
    let module = unsafe { Module::deserialize_file(&engine, path)? };
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1))?;
    let call = |name: &str, arguments: &[Val]| -> Result<Vec<Val>, Error> {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[memory.clone().into()])?;
        let func = instance
            .get_func(&mut store, name)
            .ok_or_else(|| Error::msg(format!("`{name}` is no function")))?;
        let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
        func.call(&mut store, arguments, &mut results)?;
        Ok(results)
    };
    for export in module.exports() {
        let name = export.name();
        if name.starts_with("race") {
            std::thread::scope(|scope| {
                let start = |thread| scope.spawn(move || call(name, &[Val::I32(thread)]).map(drop));
                let threads: Vec<_> = (0..THREADS).map(start).collect();
                threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
            })?;
            println!("{name}");
        } else {
            println!("{name} {:?}", call(name, &[])?);
        }
    }
    Ok(())
}
