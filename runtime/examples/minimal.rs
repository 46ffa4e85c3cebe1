//! The smallest program that runs an artifact: loads one, calls its `add`, prints the answer.
//!
//! Usage: `minimal ARTIFACT`, for an artifact of `tests/fixtures/exports.wat`.

use precast_runtime::{Engine, Error, Instance, Module, Store};

#[allow(unsafe_code)] // Runs native code from a file.
fn main() -> Result<(), Error> {
    let path = std::env::args_os().nth(1).ok_or_else(|| Error::msg("usage: minimal ARTIFACT"))?;
    let engine = Engine::default();
    // SAFETY: whoever runs this program trusts the artifact that they name.
    let module = unsafe { Module::deserialize_file(&engine, path)? };
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
    println!("40 + 2 = {}", add.call(&mut store, (40, 2))?);
    Ok(())
}
