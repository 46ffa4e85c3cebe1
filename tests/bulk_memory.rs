//! `memory.copy` and `memory.fill` do what the specification says, at every length and place.
#![cfg(all(feature = "compiler", feature = "wat"))]

use std::fmt::Write as _;

use precast::{Config, Engine, Instance, Memory, Module, Store, Trap, TypedFunc};

/// Lengths that are known at compile time, on both sides of what is done without a call.
const LENGTHS: std::ops::RangeInclusive<u32> = 0..=70;
const SIZE: usize = 65_536;

/// A memory and functions `copy N`, `fill N`, and `copy`, `fill` of any length.
fn module() -> String {
    let mut wat = String::from(
        r#"(module (memory (export "memory") 1 2)
        (func (export "copy") (param i32 i32 i32)
            (memory.copy (local.get 0) (local.get 1) (local.get 2)))
        (func (export "fill") (param i32 i32 i32)
            (memory.fill (local.get 0) (local.get 1) (local.get 2)))"#,
    );
    for len in LENGTHS {
        write!(
            wat,
            r#"(func (export "copy {len}") (param i32 i32)
                (memory.copy (local.get 0) (local.get 1) (i32.const {len})))
            (func (export "fill {len}") (param i32)
                (memory.fill (local.get 0) (i32.const {}) (i32.const {len})))"#,
            byte(len)
        )
        .unwrap();
    }
    wat + ")"
}

/// What `fill N` fills with; only the lowest byte of it counts.
fn byte(len: u32) -> u32 {
    len * 0x0101_0135
}

struct Machine {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Machine {
    fn new(config: &Config) -> Machine {
        let engine = Engine::new(config).unwrap();
        let module = Module::new(&engine, module()).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let bytes: Vec<u8> = (0..SIZE).map(|at| (at * 7 + at / 256) as u8).collect();
        memory.write(&mut store, 0, &bytes).unwrap();
        Machine { store, instance, memory }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        self.memory.read(&self.store, 0, &mut bytes).unwrap();
        bytes
    }

    /// Does something to the memory, which must end like the same done to its bytes; `None` of that is a
    /// trap, with which nothing changes.
    #[track_caller]
    fn check(
        &mut self,
        act: impl FnOnce(&mut Machine) -> precast::Result<()>,
        model: impl FnOnce(&mut [u8]) -> Option<()>,
    ) {
        let mut expected = self.bytes();
        let expected_outcome = model(&mut expected);
        let outcome = act(self);
        match expected_outcome {
            Some(()) => outcome.unwrap(),
            None => {
                let trap = outcome.unwrap_err().downcast_ref::<Trap>().copied();
                assert_eq!(trap, Some(Trap::MemoryOutOfBounds));
            }
        }
        assert!(self.bytes() == expected, "other bytes than the model's");
    }
}

fn copy(bytes: &mut [u8], dst: u32, src: u32, len: u32) -> Option<()> {
    let [dst, src, len] = [dst, src, len].map(|number| number as usize);
    bytes.get(dst..dst.checked_add(len)?)?;
    bytes.get(src..src.checked_add(len)?)?;
    bytes.copy_within(src..src + len, dst);
    Some(())
}

fn fill(bytes: &mut [u8], dst: u32, value: u32, len: u32) -> Option<()> {
    let range = dst as usize..(dst as usize).checked_add(len as usize)?;
    bytes.get_mut(range)?.fill(value as u8);
    Some(())
}

/// Places that overlap in both directions, and those around the end of the memory and of the index.
fn places(len: u32) -> Vec<(u32, u32)> {
    let end = SIZE as u32 - len;
    vec![
        (100, 300),
        (100, 100),
        (100, 101),
        (101, 100),
        (100 + len / 2, 100),
        (100, 100 + len / 2),
        (end, 0),
        (0, end),
        (end + 1, 0),
        (0, end + 1),
        (u32::MAX, 0),
        (0, u32::MAX - len / 2),
    ]
}

fn check_all(config: &Config) {
    let mut machine = Machine::new(config);
    let whole: TypedFunc<(u32, u32, u32), ()> =
        machine.instance.get_typed_func(&mut machine.store, "copy").unwrap();
    let fill_whole: TypedFunc<(u32, u32, u32), ()> =
        machine.instance.get_typed_func(&mut machine.store, "fill").unwrap();
    for len in LENGTHS.chain([4096, SIZE as u32]) {
        for (dst, src) in places(len) {
            machine.check(
                |machine| whole.call(&mut machine.store, (dst, src, len)),
                |bytes| copy(bytes, dst, src, len),
            );
            machine.check(
                |machine| fill_whole.call(&mut machine.store, (dst, src | 0x100, len)),
                |bytes| fill(bytes, dst, src, len),
            );
        }
    }
    for len in LENGTHS {
        let name = |what| format!("{what} {len}");
        let known: TypedFunc<(u32, u32), ()> =
            machine.instance.get_typed_func(&mut machine.store, &name("copy")).unwrap();
        let fill_known: TypedFunc<u32, ()> =
            machine.instance.get_typed_func(&mut machine.store, &name("fill")).unwrap();
        for (dst, src) in places(len) {
            machine.check(
                |machine| known.call(&mut machine.store, (dst, src)),
                |bytes| copy(bytes, dst, src, len),
            );
            machine.check(
                |machine| fill_known.call(&mut machine.store, dst),
                |bytes| fill(bytes, dst, byte(len), len),
            );
        }
    }
}

#[test]
fn ranges_are_copied_and_filled_as_a_model_does() {
    check_all(&Config::new());
}

#[test]
fn so_they_are_with_explicit_bounds() {
    let mut config = Config::new();
    config.memory_reservation(0).memory_guard_size(0);
    check_all(&config);
}
