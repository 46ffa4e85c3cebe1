//! Runs a WASI program with arguments, an input and an output in memory, and without any files.

use precast::wasi::{I32Exit, MemoryInput, MemoryOutput, WasiCtx};
use precast::{Engine, Linker, Module, Result, Store};

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lua.wasm");
    let module = Module::from_file(&engine, program)?;
    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    precast::wasi::add_to_linker(&mut linker, |wasi| wasi)?;

    let output = MemoryOutput::new(1 << 20);
    let wasi = WasiCtx::builder()
        .args(["lua", "-"])
        .env("NAME", "value")
        .stdin(MemoryInput::new("print(6 * 7)"))
        .stdout(output.clone())
        .build();
    let mut store = Store::new(&engine, wasi);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    // A program ends by returning or by `exit`, which comes out as an error.
    match start.call(&mut store, ()) {
        Err(error) if error.downcast_ref() == Some(&I32Exit(0)) => {}
        ended => ended?,
    }
    let output = output.contents();
    println!("the program wrote {:?}", String::from_utf8_lossy(&output));
    assert_eq!(output, b"42\n");
    Ok(())
}
