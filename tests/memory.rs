//! Linear memories.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::{instance, module, try_instance};
use precast::{
    Config, Engine, ErrorKind, Instance, Memory, MemoryType, Module, Store, StoreLimits,
    StoreLimitsBuilder, Trap,
};

const GROW: &str = r#"(module (memory (export "memory") 1 4)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))"#;

#[test]
fn memories_grow_from_both_sides() {
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, GROW, &[]);
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
    let size = instance.get_typed_func::<(), i32>(&mut store, "size").unwrap();
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load").unwrap();
    assert!(load.call(&mut store, 65536).is_err());
    assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    assert_eq!(load.call(&mut store, 65536).unwrap(), 0);
    assert_eq!(memory.grow(&mut store, 2).unwrap(), 2);
    assert_eq!(size.call(&mut store, ()).unwrap(), 4);
    assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
    assert_eq!(grow.call(&mut store, -1).unwrap(), -1);
    assert_eq!(grow.call(&mut store, 0).unwrap(), 4);
    assert_eq!(memory.grow(&mut store, 1).unwrap_err().kind(), ErrorKind::Limit);
    assert_eq!((memory.size(&store), memory.data_size(&store)), (4, 4 << 16));
    assert_eq!((memory.ty(&store).minimum(), memory.ty(&store).maximum()), (1, Some(4)));
}

#[test]
fn the_host_reads_and_writes() {
    let mut store = Store::new(&Engine::default(), 5u8);
    let instance = instance(&mut store, GROW, &[]);
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load").unwrap();
    memory.write(&mut store, 10, b"abc").unwrap();
    assert_eq!(load.call(&mut store, 11).unwrap(), i32::from(b'b'));
    let mut bytes = [0; 4];
    memory.read(&store, 9, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0abc");
    assert!(memory.read(&store, 65533, &mut bytes).is_err());
    assert!(memory.write(&mut store, 65533, &bytes).is_err());
    assert!(memory.write(&mut store, usize::MAX, &bytes).is_err());
    assert_eq!(&memory.data(&store)[10..13], b"abc");
    let (data, five) = memory.data_and_store_mut(&mut store);
    data[0] = *five;
    assert_eq!(memory.data_mut(&mut store)[0], 5);
    assert_eq!(memory.view(&mut store).read_array::<1>(0), Ok([5]));
}

#[test]
fn limiters_decide_about_growth() {
    let engine = Engine::default();
    let grow = |limits: StoreLimitsBuilder| {
        let mut store = Store::new(&engine, limits.build());
        store.limiter(|limits: &mut StoreLimits| limits);
        let instance = instance(&mut store, GROW, &[]);
        let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
        [1, 1, 1].map(|delta| grow.call(&mut store, delta).map_err(|error| error.to_string()))
    };
    let limits = StoreLimitsBuilder::new().memory_size(3 << 16);
    assert_eq!(grow(limits.clone()), [Ok(1), Ok(2), Ok(-1)]);
    let error = "forcing trap when growing memory to 262144".to_owned();
    assert_eq!(grow(limits.trap_on_grow_failure(true)), [Ok(1), Ok(2), Err(error)]);
}

#[test]
fn memories_and_tables_can_share_a_limit() {
    let engine = Engine::default();
    let limits = StoreLimitsBuilder::new().total_size(4 << 16).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits: &mut StoreLimits| limits);
    let instance = instance(&mut store, GROW, &[]);
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
    // The type allows no more than four pages, and what fails is not counted.
    assert_eq!(grow.call(&mut store, 4).unwrap(), -1);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(1))).unwrap();
    assert!(memory.grow(&mut store, 1).is_err());
    assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    assert!(Memory::new(&mut store, MemoryType::new(2, None)).is_err());
    let elements = (1 << 16) / 8;
    let table = format!("(module (table {elements} funcref))");
    instances::instance(&mut store, &table, &[]);
    assert!(try_instance(&mut store, "(module (table 1 externref))", &[]).is_err());
    assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
}

const IMAGE: &str = r#"(module (memory (export "memory") 4)
    (data (i32.const 0) "first") (data (i32.const 70000) "second")
    (data $passive "passive")
    (func (export "init") (param i32 i32 i32)
        (memory.init $passive (local.get 0) (local.get 1) (local.get 2)))
    (func (export "drop") (data.drop $passive)))"#;

#[test]
fn instances_do_not_see_each_others_writes() {
    let engine = Engine::default();
    let artifact = engine.precompile_module(IMAGE.as_bytes()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.precast");
    std::fs::write(&path, &artifact).unwrap();
    // SAFETY: our own artifact, which nobody changes.
    #[allow(unsafe_code)]
    let from_file = unsafe { Module::deserialize_file(&engine, &path) }.unwrap();
    for module in [module(&engine, IMAGE), from_file] {
        for _ in 0..2 {
            let mut store = Store::new(&engine, ());
            let [one, other] = [(); 2].map(|()| {
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                instance.get_memory(&mut store, "memory").unwrap()
            });
            one.write(&mut store, 0, b"FIRST").unwrap();
            assert_eq!(&other.data(&store)[..6], b"first\0");
            assert_eq!(&one.data(&store)[70000..70006], b"second");
            assert_eq!(one.data(&store)[3 << 16..], [0; 1 << 16]);
        }
    }
    assert_eq!(std::fs::read(&path).unwrap(), artifact);
}

#[test]
fn passive_segments_are_copied_until_they_are_dropped() {
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, IMAGE, &[]);
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let init = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "init").unwrap();
    let drop = instance.get_typed_func::<(), ()>(&mut store, "drop").unwrap();
    init.call(&mut store, (100, 1, 3)).unwrap();
    assert_eq!(&memory.data(&store)[99..104], b"\0ass\0");
    assert!(init.call(&mut store, (100, 5, 3)).is_err());
    drop.call(&mut store, ()).unwrap();
    let error = init.call(&mut store, (0, 0, 1)).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
    init.call(&mut store, (0, 0, 0)).unwrap();
}

#[test]
fn segments_apply_in_order_until_one_fails() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let text = r#"(module (import "" "" (memory 1))
        (data (i32.const 1) "ok") (data (i32.const 65535) "no") (data (i32.const 5) "never"))"#;
    let error = try_instance(&mut store, text, &[memory.into()]).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
    assert_eq!(&memory.data(&store)[..6], b"\0ok\0\0\0");
    assert_eq!(memory.data(&store)[65535], 0);
}

#[test]
fn small_reservations_check_every_access() {
    let mut config = Config::new();
    config.memory_reservation(0).memory_guard_size(0);
    let engine = Engine::new(&config).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = instance(&mut store, GROW, &[]);
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load").unwrap();
    let set = instance.get_typed_func::<(i32, i32), ()>(&mut store, "store").unwrap();
    let grow = instance.get_typed_func::<i32, i32>(&mut store, "grow").unwrap();
    set.call(&mut store, (65535, 9)).unwrap();
    assert!(set.call(&mut store, (65536, 9)).is_err());
    assert_eq!(grow.call(&mut store, 3).unwrap(), 1);
    assert_eq!(load.call(&mut store, 65535).unwrap(), 9);
    assert_eq!(load.call(&mut store, (4 << 16) - 1).unwrap(), 0);
    assert!(load.call(&mut store, 4 << 16).is_err());
    assert!(load.call(&mut store, -1).is_err());
    // A memory of the host can be imported as well.
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    instances::instance(&mut store, r#"(module (import "" "" (memory 1)))"#, &[memory.into()]);
}

/// Lengths that code gives are moved and set by code, others by the C library.
#[test]
fn bytes_of_any_length_are_moved_and_set() {
    for len in (0..=66).chain([127, 128, 1000]) {
        let mut store = Store::<()>::default();
        let text = format!(
            r#"(module (memory (export "memory") 1)
                (func (export "copy") (param i32 i32)
                    (memory.copy (local.get 0) (local.get 1) (i32.const {len})))
                (func (export "copy_any") (param i32 i32 i32)
                    (memory.copy (local.get 0) (local.get 1) (local.get 2)))
                (func (export "fill") (param i32 i32)
                    (memory.fill (local.get 0) (local.get 1) (i32.const {len})))
                (func (export "fill_any") (param i32 i32 i32)
                    (memory.fill (local.get 0) (local.get 1) (local.get 2))))"#
        );
        let instance = instance(&mut store, &text, &[]);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let copy = instance.get_typed_func::<(i32, i32), ()>(&mut store, "copy").unwrap();
        let copy_any =
            instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "copy_any").unwrap();
        let fill = instance.get_typed_func::<(i32, i32), ()>(&mut store, "fill").unwrap();
        let fill_any =
            instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "fill_any").unwrap();
        let original: Vec<u8> = (0..4096_u32).map(|n| (n * 7 % 251) as u8).collect();
        let end = 65536 - len;
        for (dst, src) in [(100, 2000), (100, 101), (101, 100), (100, 109), (130, 100), (0, end)] {
            let mut expected = original.clone();
            expected.resize(65536, 0);
            expected.copy_within(src as usize..(src + len) as usize, dst as usize);
            for any in [false, true] {
                let data = memory.data_mut(&mut store);
                data.fill(0);
                data[..4096].copy_from_slice(&original);
                if any {
                    copy_any.call(&mut store, (dst, src, len)).unwrap();
                } else {
                    copy.call(&mut store, (dst, src)).unwrap();
                }
                assert!(memory.data(&store) == expected, "{len} bytes from {src} to {dst}");
            }
        }
        for dst in [64, 4000, end] {
            let mut expected = memory.data(&store).to_vec();
            expected[dst as usize..(dst + len) as usize].fill(0xa5);
            fill.call(&mut store, (dst, 0x1a5)).unwrap();
            assert!(memory.data(&store) == expected, "{len} bytes at {dst}");
            expected[dst as usize..(dst + len) as usize].fill(0x5a);
            fill_any.call(&mut store, (dst, -0xa6, len)).unwrap();
            assert!(memory.data(&store) == expected, "{len} bytes at {dst}");
        }
        // One byte too far: a trap, and nothing is written.
        let before = memory.data(&store).to_vec();
        let out = |result: Result<(), precast::Error>| {
            let error = result.unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds), "{len}");
        };
        out(copy.call(&mut store, (end + 1, 0)));
        out(copy.call(&mut store, (0, end + 1)));
        out(copy.call(&mut store, (0, -1)));
        out(copy_any.call(&mut store, (end + 1, 0, len)));
        out(copy_any.call(&mut store, (0, end + 1, len)));
        out(copy_any.call(&mut store, (0, 0, -1)));
        out(fill.call(&mut store, (end + 1, 1)));
        out(fill_any.call(&mut store, (end + 1, 1, len)));
        out(fill_any.call(&mut store, (1, 1, -1)));
        assert!(memory.data(&store) == before, "{len}");
    }
}
