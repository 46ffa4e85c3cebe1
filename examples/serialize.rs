//! Compiles in one place and runs in another: the artifact is bytes.
#![allow(unsafe_code)] // Native code that comes from elsewhere.

use precast::{Engine, Instance, Module, Result, Store};

pub(crate) fn main() -> Result<()> {
    let artifact = compile()?;
    run(&artifact)
}

fn compile() -> Result<Vec<u8>> {
    let engine = Engine::default();
    let module =
        Module::new(&engine, r#"(module (func (export "answer") (result i32) (i32.const 42)))"#)?;
    // The same as `engine.precompile_module`, which loads nothing.
    module.serialize()
}

fn run(artifact: &[u8]) -> Result<()> {
    let engine = Engine::default();
    // SAFETY: this program made the artifact itself. From elsewhere it would have to be trusted, as
    // any program that one runs.
    let module = unsafe { Module::deserialize(&engine, artifact)? };
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let answer = instance.get_typed_func::<(), i32>(&mut store, "answer")?;
    assert_eq!(answer.call(&mut store, ())?, 42);

    // In a file, the code is mapped and not read.
    let path = std::env::temp_dir().join(format!("answer-{}.precast", std::process::id()));
    std::fs::write(&path, artifact)?;
    // SAFETY: as above, and nobody changes the file meanwhile.
    let module = unsafe { Module::deserialize_file(&engine, &path)? };
    let instance = Instance::new(&mut store, &module, &[])?;
    let answer = instance.get_typed_func::<(), i32>(&mut store, "answer")?;
    let answer = answer.call(&mut store, ())?;
    std::fs::remove_file(&path)?;
    println!("the answer is {answer}");
    Ok(())
}
