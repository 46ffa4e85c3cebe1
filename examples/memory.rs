//! Reads, writes and grows a memory, from both sides.

use precast::error::Context as _;
use precast::{Instance, Memory, MemoryType, Module, Result, Store};

pub(crate) fn main() -> Result<()> {
    let mut store: Store<()> = Store::default();
    let module = Module::new(
        store.engine(),
        r#"
        (module
            (memory (export "memory") 2 3)
            (func (export "size") (result i32) (memory.size))
            (func (export "load") (param i32) (result i32) (i32.load8_s (local.get 0)))
            (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
            (data (i32.const 0x1000) "\01\02\03\04"))
        "#,
    )?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let memory = instance.get_memory(&mut store, "memory").context("no such export")?;
    let size = instance.get_typed_func::<(), i32>(&mut store, "size")?;
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load")?;
    let store_byte = instance.get_typed_func::<(i32, i32), ()>(&mut store, "store")?;

    // Two pages of 64 KiB, and the data of the module in them.
    assert_eq!(memory.size(&store), 2);
    assert_eq!(memory.data_size(&store), 0x20000);
    assert_eq!(memory.data_mut(&mut store)[0x1000..0x1004], [1, 2, 3, 4]);
    assert_eq!(size.call(&mut store, ())?, 2);
    assert_eq!(load.call(&mut store, 0x1003)?, 4);
    assert_eq!(load.call(&mut store, 0x1ffff)?, 0);
    assert!(load.call(&mut store, 0x20000).is_err(), "out of bounds");

    // Each side sees what the other has written.
    memory.data_mut(&mut store)[0x1003] = 5;
    store_byte.call(&mut store, (0x1002, 6))?;
    assert_eq!(memory.data(&store)[0x1002..0x1004], [6, 5]);
    assert_eq!(load.call(&mut store, 0x1003)?, 5);
    memory.write(&mut store, 0, b"text")?;
    let mut text = [0; 4];
    memory.read(&store, 0, &mut text)?;
    assert_eq!(&text, b"text");

    // It grows up to its maximum.
    assert_eq!(memory.grow(&mut store, 1)?, 2);
    assert_eq!(memory.size(&store), 3);
    assert_eq!(load.call(&mut store, 0x20000)?, 0);
    assert!(memory.grow(&mut store, 1).is_err());

    // A memory that the host makes can be given to a module as an import.
    let ty = MemoryType::new(5, Some(5));
    let own = Memory::new(&mut store, ty)?;
    assert_eq!(own.size(&store), 5);
    assert!(own.grow(&mut store, 1).is_err());
    assert_eq!(own.grow(&mut store, 0)?, 5);
    println!("memories of {} and {} pages", memory.size(&store), own.size(&store));
    Ok(())
}
