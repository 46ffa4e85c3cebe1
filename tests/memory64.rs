//! Memories with 64-bit addresses, and those with pages of one byte.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::instance;
use precast::{Config, Engine, Memory, MemoryType, Store, Trap, TypedFunc};

const GIB: u64 = 1 << 30;

/// A memory with these limits, and functions that take an address: loads of 1 and 8 bytes without
/// an offset, with a small one, and with the largest.
fn accesses(limits: &str) -> String {
    format!(
        r#"(module (memory (export "memory") {limits})
            (func (export "load8") (param i64) (result i64) (i64.load8_u (local.get 0)))
            (func (export "load64") (param i64) (result i64) (i64.load (local.get 0)))
            (func (export "offset") (param i64) (result i64) (i64.load offset=16 (local.get 0)))
            (func (export "far") (param i64) (result i64)
                (i64.load8_u offset=0x1_0000_0000 (local.get 0)))
            (func (export "last") (param i64) (result i64)
                (i64.load8_u offset=0xffff_ffff_ffff_fffe (local.get 0)))
            (func (export "beyond") (param i64) (result i64)
                (i64.load offset=0xffff_ffff_ffff_fffe (local.get 0)))
            (func (export "store64") (param i64 i64) (i64.store (local.get 0) (local.get 1)))
            (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
            (func (export "size") (result i64) (memory.size))
            (func (export "around") (param i64 i64) (result i64)
                (i64.store (i64.const 8) (i64.const 5))
                (drop (memory.grow (local.get 0)))
                (i64.store (local.get 1) (i64.const 7))
                (i64.add (i64.load (i64.const 8)) (i64.load (local.get 1)))))"#
    )
}

/// Settings under which the memories of the tests are bounded: with a guard region, and without.
fn engines() -> [Engine; 2] {
    let mut unguarded = Config::new();
    unguarded.memory_guard_size(0);
    [Config::new(), unguarded].map(|config| Engine::new(&config).unwrap())
}

struct Guest {
    store: Store<()>,
    instance: precast::Instance,
}

impl Guest {
    fn new(engine: &Engine, text: &str) -> Guest {
        let mut store = Store::new(engine, ());
        let instance = instance(&mut store, text, &[]);
        Guest { store, instance }
    }

    fn memory(&mut self) -> Memory {
        self.instance.get_memory(&mut self.store, "memory").unwrap()
    }

    /// Calls a function with an address; `None` when that is out of bounds.
    fn at(&mut self, name: &str, address: u64) -> Option<u64> {
        let func: TypedFunc<i64, i64> =
            self.instance.get_typed_func(&mut self.store, name).unwrap();
        match func.call(&mut self.store, address.cast_signed()) {
            Ok(value) => Some(value.cast_unsigned()),
            Err(error) => {
                assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
                None
            }
        }
    }

    fn store64(&mut self, address: u64, value: i64) -> Option<()> {
        let func = self.instance.get_typed_func(&mut self.store, "store64").unwrap();
        let func: TypedFunc<(i64, i64), ()> = func;
        func.call(&mut self.store, (address.cast_signed(), value)).ok()
    }
}

#[test]
fn accesses_end_with_the_memory() {
    for engine in engines() {
        for limits in ["i64 1", "i64 1 1", "i64 1 0x1_0000_0000_0000"] {
            let mut guest = Guest::new(&engine, &accesses(limits));
            guest.store64(65528, -2).unwrap();
            assert_eq!(guest.at("load8", 65535), Some(255));
            assert_eq!(guest.at("load64", 65528), Some(u64::MAX - 1));
            assert_eq!(guest.at("offset", 65512), Some(u64::MAX - 1));
            for (name, address) in [
                ("load8", 65536),
                ("load64", 65529),
                ("offset", 65513),
                ("load8", 1 << 32),
                ("load8", 1 << 63),
                ("load64", u64::MAX),
                ("far", 0),
                ("far", u64::MAX - (1 << 32)),
            ] {
                assert_eq!(guest.at(name, address), None, "{name} {address:#x} {limits}");
            }
            assert!(guest.store64(65529, 1).is_none());
        }
    }
}

#[test]
fn sums_that_overflow_are_outside() {
    for engine in engines() {
        let mut guest = Guest::new(&engine, &accesses("i64 1"));
        // 2^64 + 1 must not count as 1.
        for (name, address) in [
            ("offset", u64::MAX),
            ("offset", u64::MAX - 15),
            ("offset", u64::MAX - 23),
            ("far", u64::MAX),
            ("far", 0xffff_ffff_0000_0000),
            ("last", 0),
            ("last", 2),
            ("last", 3),
            ("last", u64::MAX),
            ("beyond", 0),
            ("beyond", 10),
        ] {
            assert_eq!(guest.at(name, address), None, "{name} {address:#x}");
        }
    }
}

#[test]
fn addresses_beyond_4_gib_are_their_own() {
    for engine in engines() {
        let mut guest = Guest::new(&engine, &accesses("i64 0x1_0001"));
        assert_eq!(guest.memory().data_size(&guest.store) as u64, 4 * GIB + 65536);
        guest.store64(4 * GIB + 8, 9).unwrap();
        assert_eq!(guest.at("load64", 4 * GIB + 8), Some(9));
        assert_eq!(guest.at("load64", 8), Some(0));
        assert_eq!(guest.at("far", 8), Some(9));
        assert_eq!(guest.at("load64", 4 * GIB + 65528), Some(0));
        assert_eq!(guest.at("load64", 4 * GIB + 65529), None);
        assert_eq!(guest.at("far", 65536), None);
    }
}

#[test]
fn a_memory_that_outgrows_its_reservation_moves() {
    for engine in engines() {
        let mut guest = Guest::new(&engine, &accesses("i64 1"));
        let (memory, pages) = (guest.memory(), 3 * GIB / 65536);
        guest.store64(65528, 77).unwrap();
        let before = memory.data_ptr(&guest.store);
        let func = guest.instance.get_typed_func(&mut guest.store, "around").unwrap();
        let func: TypedFunc<(i64, i64), i64> = func;
        let sum = func.call(&mut guest.store, (pages as i64, 3 * GIB as i64)).unwrap();
        // The code around the growth saw both the old bytes and the new place.
        assert_eq!(sum, 12);
        assert_ne!(memory.data_ptr(&guest.store), before);
        assert_eq!(memory.size(&guest.store), pages + 1);
        assert_eq!(guest.at("load64", 65528), Some(77));
        assert_eq!(guest.at("load64", 3 * GIB + 65536 - 8), Some(0));
        assert_eq!(guest.at("load64", 3 * GIB + 65536 - 7), None);
        // More than the address space, and more than 64 bits can count.
        for delta in [1 << 47, (1 << 48) - 1, u64::MAX, 1 << 63] {
            assert_eq!(guest.at("grow", delta), Some(u64::MAX));
        }
        assert_eq!(guest.at("load64", 65528), Some(77));
    }
}

#[test]
fn memories_of_the_host_can_have_64_bits() {
    let mut store = Store::<()>::default();
    let memory = Memory::new(&mut store, MemoryType::new64(1, None)).unwrap();
    let text = r#"(module (import "" "" (memory i64 1))
        (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0))))"#;
    let instance = instance(&mut store, text, &[memory.into()]);
    let load = instance.get_typed_func::<i64, i32>(&mut store, "load").unwrap();
    memory.write(&mut store, 65535, b"h").unwrap();
    assert_eq!(load.call(&mut store, 65535).unwrap(), i32::from(b'h'));
    assert!(load.call(&mut store, 65536).is_err());
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert_eq!(load.call(&mut store, 65536).unwrap(), 0);

    let narrow = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    assert!(instances::try_instance(&mut store, text, &[narrow.into()]).is_err());
}

/// A memory with pages of one byte, whose end is not where the system's pages end.
fn bytes(limits: &str, address: &str) -> String {
    format!(
        r#"(module (memory (export "memory") {limits} (pagesize 1))
            (func (export "load8") (param {address}) (result i32) (i32.load8_u (local.get 0)))
            (func (export "load32") (param {address}) (result i32) (i32.load (local.get 0)))
            (func (export "offset") (param {address}) (result i32)
                (i32.load offset=3 (local.get 0)))
            (func (export "store32") (param {address} i32) (i32.store (local.get 0) (local.get 1)))
            (func (export "fill") (param {address} {address})
                (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
            (func (export "grow") (param {address}) (result {address})
                (memory.grow (local.get 0)))
            (func (export "size") (result {address}) (memory.size)))"#
    )
}

fn with_pages_of_bytes() -> Engine {
    let mut config = Config::new();
    config.wasm_feature("custom-page-sizes", true).unwrap();
    Engine::new(&config).unwrap()
}

#[test]
fn pages_of_one_byte_end_anywhere() {
    let mut guest = Guest::new(&with_pages_of_bytes(), &bytes("5", "i32"));
    let Guest { store, instance } = &mut guest;
    let func = |store: &mut Store<()>, name| {
        instance.get_typed_func::<i32, i32>(&mut *store, name).unwrap()
    };
    let [load8, load32, offset, grow] =
        ["load8", "load32", "offset", "grow"].map(|name| func(store, name));
    let fill = instance.get_typed_func::<(i32, i32), ()>(&mut *store, "fill").unwrap();
    let set = instance.get_typed_func::<(i32, i32), ()>(&mut *store, "store32").unwrap();
    let memory = instance.get_memory(&mut *store, "memory").unwrap();

    fill.call(&mut *store, (0, 5)).unwrap();
    assert!(fill.call(&mut *store, (0, 6)).is_err());
    assert_eq!(load8.call(&mut *store, 4).unwrap(), 1);
    assert!(load8.call(&mut *store, 5).is_err());
    assert_eq!(load32.call(&mut *store, 1).unwrap(), 0x0101_0101);
    assert!(load32.call(&mut *store, 2).is_err() && set.call(&mut *store, (2, 0)).is_err());
    assert!(offset.call(&mut *store, 0).is_err());
    assert!(load8.call(&mut *store, -1).is_err() && offset.call(&mut *store, -3).is_err());
    assert_eq!((memory.size(&*store), memory.page_size(&*store)), (5, 1));

    assert_eq!(grow.call(&mut *store, 2).unwrap(), 5);
    assert_eq!(offset.call(&mut *store, 0).unwrap(), 0x0000_0101);
    assert!(offset.call(&mut *store, 1).is_err());
    assert_eq!(grow.call(&mut *store, 70_000).unwrap(), 7);
    assert_eq!(load8.call(&mut *store, 70_006).unwrap(), 0);
    assert!(load8.call(&mut *store, 70_007).is_err());
    // 2^32 bytes are one more than `memory.size` could tell.
    assert_eq!(grow.call(&mut *store, -70_007).unwrap(), -1);
    assert_eq!(memory.data_size(&*store), 70_007);
    assert_eq!(&memory.data(&*store)[..6], b"\x01\x01\x01\x01\x01\0");
}

#[test]
fn pages_of_one_byte_have_64_bits_too() {
    let engine = with_pages_of_bytes();
    for limits in ["i64 5", "i64 5 5", "i64 5 9"] {
        let mut guest = Guest::new(&engine, &bytes(limits, "i64"));
        let Guest { store, instance } = &mut guest;
        let load = instance.get_typed_func::<i64, i32>(&mut *store, "load32").unwrap();
        assert_eq!(load.call(&mut *store, 1).unwrap(), 0);
        assert!(load.call(&mut *store, 2).is_err());
        assert!(load.call(&mut *store, -1).is_err() && load.call(&mut *store, -4).is_err());
        let grow = instance.get_typed_func::<i64, i64>(&mut *store, "grow").unwrap();
        let grows = limits != "i64 5 5";
        assert_eq!(grow.call(&mut *store, 4).unwrap(), if grows { 5 } else { -1 });
        assert_eq!(load.call(&mut *store, 5).is_ok(), grows);
        assert!(load.call(&mut *store, 6).is_err());
    }
}
