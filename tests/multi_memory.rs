//! Modules with several memories.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::{instance, try_instance};
use precast::{Config, Engine, Memory, MemoryType, Store, StoreLimitsBuilder, Trap};

const THREE: &str = r#"(module
    (import "" "" (memory $imported 1 4))
    (memory $own (export "own") 1)
    (memory $wide (export "wide") i64 1)
    (data (memory $own) (i32.const 2) "own")
    (data (memory $wide) (i64.const 3) "wide")
    (data $passive "passive")
    (func (export "sum") (param i32) (result i32)
        (i32.add (i32.load8_u $imported (local.get 0))
            (i32.add (i32.load8_u $own (local.get 0))
                (i32.load8_u $wide (i64.extend_i32_u (local.get 0))))))
    (func (export "store") (param i32 i32)
        (i32.store8 $imported (local.get 0) (local.get 1))
        (i32.store8 $own (local.get 0) (i32.add (local.get 1) (i32.const 1)))
        (i32.store8 $wide (i64.extend_i32_u (local.get 0)) (i32.add (local.get 1) (i32.const 2))))
    (func (export "sizes") (result i32 i32 i64)
        (memory.size $imported) (memory.size $own) (memory.size $wide))
    (func (export "grow") (result i32 i32 i64)
        (memory.grow $imported (i32.const 1))
        (memory.grow $own (i32.const 2))
        (memory.grow $wide (i64.const 3)))
    (func (export "copy") (param i32 i32 i32)
        (memory.copy $imported $own (local.get 0) (local.get 1) (local.get 2)))
    (func (export "init") (param i32)
        (memory.init $own $passive (local.get 0) (i32.const 0) (i32.const 7)))
    (func (export "fill") (param i64)
        (memory.fill $wide (local.get 0) (i32.const 9) (i64.const 2))))"#;

/// Every way in which the memories can be bounded.
fn engines() -> [Engine; 3] {
    let mut checked = Config::new();
    checked.memory_reservation(0);
    let mut unguarded = Config::new();
    unguarded.memory_reservation(0).memory_guard_size(0);
    [Config::new(), checked, unguarded].map(|config| Engine::new(&config).unwrap())
}

#[test]
fn memories_are_told_apart() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let imported = Memory::new(&mut store, MemoryType::new(1, Some(4))).unwrap();
        let instance = instance(&mut store, THREE, &[imported.into()]);
        let own = instance.get_memory(&mut store, "own").unwrap();
        let wide = instance.get_memory(&mut store, "wide").unwrap();
        assert_eq!(&own.data(&store)[..6], b"\0\0own\0");
        assert_eq!(&wide.data(&store)[..8], b"\0\0\0wide\0");

        let set = instance.get_typed_func::<(i32, i32), ()>(&mut store, "store").unwrap();
        let sum = instance.get_typed_func::<i32, i32>(&mut store, "sum").unwrap();
        set.call(&mut store, (65535, 10)).unwrap();
        assert_eq!(sum.call(&mut store, 65535).unwrap(), 33);
        let last = [imported, own, wide].map(|memory| memory.data(&store)[65535]);
        assert_eq!(last, [10, 11, 12]);
        assert!(sum.call(&mut store, 65536).is_err());

        let sizes = instance.get_typed_func::<(), (i32, i32, i64)>(&mut store, "sizes").unwrap();
        let grow = instance.get_typed_func::<(), (i32, i32, i64)>(&mut store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, ()).unwrap(), (1, 1, 1));
        assert_eq!(sizes.call(&mut store, ()).unwrap(), (2, 3, 4));
        assert_eq!(sum.call(&mut store, 65536).unwrap(), 0);
        // The first memory ends here, the others do not.
        assert!(sum.call(&mut store, 2 << 16).is_err());

        let copy = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "copy").unwrap();
        copy.call(&mut store, ((2 << 16) - 3, 2, 3)).unwrap();
        assert_eq!(&imported.data(&store)[(2 << 16) - 3..], b"own");
        assert!(copy.call(&mut store, ((2 << 16) - 2, 2, 3)).is_err());
        copy.call(&mut store, (0, (3 << 16) - 3, 3)).unwrap();
        assert!(copy.call(&mut store, (0, (3 << 16) - 2, 3)).is_err());

        instance
            .get_typed_func::<i32, ()>(&mut store, "init")
            .unwrap()
            .call(&mut store, 9)
            .unwrap();
        assert_eq!(&own.data(&store)[9..16], b"passive");
        let fill = instance.get_typed_func::<i64, ()>(&mut store, "fill").unwrap();
        fill.call(&mut store, (4 << 16) - 2).unwrap();
        let error = fill.call(&mut store, (4 << 16) - 1).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
        assert_eq!(&wide.data(&store)[(4 << 16) - 3..], b"\0\x09\x09");
    }
}

#[test]
fn two_imports_can_be_the_same_memory() {
    let text = r#"(module (import "" "a" (memory $a 1)) (import "" "b" (memory $b 1))
        (func (export "through") (result i32)
            (i32.store $a (i32.const 8) (i32.const 1))
            (i32.store $b (i32.const 8) (i32.const 2))
            (i32.load $a (i32.const 8)))
        (func (export "copy")
            (memory.copy $a $b (i32.const 9) (i32.const 8) (i32.const 8))))"#;
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let instance = instance(&mut store, text, &[memory.into(), memory.into()]);
    let through = instance.get_typed_func::<(), i32>(&mut store, "through").unwrap();
    assert_eq!(through.call(&mut store, ()).unwrap(), 2);
    memory.write(&mut store, 8, b"12345678").unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "copy").unwrap().call(&mut store, ()).unwrap();
    assert_eq!(&memory.data(&store)[8..17], b"112345678");
}

#[test]
fn the_store_counts_all_of_them() {
    let engine = Engine::default();
    let many = |count| format!("(module {})", "(memory 1) ".repeat(count));
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().memories(3).build());
    store.limiter(|limits| limits);
    instance(&mut store, &many(3), &[]);
    assert!(try_instance(&mut store, &many(1), &[]).is_err());
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().memories(3).build());
    store.limiter(|limits| limits);
    assert!(try_instance(&mut store, &many(4), &[]).is_err());
}
