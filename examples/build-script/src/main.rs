//! Runs a plug-in whose native code is a part of this program: it lies in the program's own pages, and
//! no compiler is linked.
#![allow(unsafe_code)] // Runs the plug-in.

use precast_runtime::{Engine, Instance, Module, Result, Store, include_artifact};

fn main() -> Result<()> {
    let engine = Engine::default();
    let plugin = include_artifact!(env!("PRECAST_GREET"));
    // SAFETY: this program's own build script made the artifact.
    let module = unsafe { Module::from_static(&engine, plugin)? };
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let greet = instance.get_typed_func::<(), (u32, u32)>(&mut store, "greet")?;
    let (at, len) = greet.call(&mut store, ())?;
    let memory = instance.get_memory(&mut store, "memory").expect("the plug-in exports it");
    let mut text = vec![0; len as usize];
    memory.read(&store, at as usize, &mut text)?;
    println!("{}", String::from_utf8(text)?);
    Ok(())
}
