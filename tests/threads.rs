//! Shared memories and atomic operators, used by several threads.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use instances::{instance, module, try_instance};
use precast::{
    Config, Engine, ErrorKind, Instance, LinkError, Memory, MemoryType, Module, SharedMemory,
    Store, StoreLimits, StoreLimitsBuilder, Trap, WaitResult,
};

const THREADS: u64 = 4;
const ROUNDS: u64 = 5_000;

/// Runs the export `run` of a module, with the number of the thread, in as many threads as
/// there are numbers, each with a store of its own.
fn run_in_threads(memory: &SharedMemory, module: &Module, threads: u64) -> Vec<u64> {
    thread::scope(|scope| {
        let runs: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    let mut store = Store::new(module.engine(), ());
                    let imports = [memory.clone().into()];
                    let instance = Instance::new(&mut store, module, &imports).unwrap();
                    let run = instance.get_typed_func::<u64, u64>(&mut store, "run").unwrap();
                    run.call(&mut store, number).unwrap()
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

fn load(memory: &SharedMemory, address: usize) -> u64 {
    let cells = &memory.data()[address..address + 8];
    // No thread runs when this is called.
    #[allow(unsafe_code)]
    // SAFETY: inside, and nobody writes to the memory meanwhile.
    let bytes = std::array::from_fn(|index| unsafe { *cells[index].get() });
    u64::from_le_bytes(bytes)
}

fn engines() -> [Engine; 2] {
    let mut explicit = Config::new();
    // Too little to do without bounds checks.
    explicit.memory_reservation(1 << 16);
    [Config::new(), explicit].map(|config| Engine::new(&config).unwrap())
}

#[test]
fn read_modify_write_loses_nothing() {
    // Each round adds at every width, and changes bits that belong to the thread alone.
    let text = format!(
        r#"(module (memory (import "" "memory") 1 1 shared)
            (func (export "run") (param $thread i64) (result i64)
                (local $rounds i64) (local $old i64) (local $bit i64)
                (local.set $bit (i64.shl (i64.const 1) (local.get $thread)))
                (loop $again
                    (drop (i64.atomic.rmw8.add_u (i32.const 0) (i64.const 1)))
                    (drop (i32.atomic.rmw16.add_u offset=2 (i32.const 8) (i32.const 3)))
                    (drop (i32.atomic.rmw.sub (i32.const 16) (i32.const 1)))
                    (drop (i64.atomic.rmw.add (i32.const 24) (i64.const 0x100000001)))
                    (drop (i64.atomic.rmw.xor (i32.const 32) (local.get $bit)))
                    (drop (i64.atomic.rmw32.or_u (i32.const 40) (local.get $bit)))
                    (drop (i64.atomic.rmw32.and_u (i32.const 40)
                        (i64.xor (local.get $bit) (i64.const -1))))
                    (loop $retry
                        (local.set $old (i64.atomic.load (i32.const 48)))
                        (br_if $retry (i64.ne (local.get $old)
                            (i64.atomic.rmw.cmpxchg (i32.const 48) (local.get $old)
                                (i64.add (local.get $old) (i64.const 5))))))
                    (loop $retry
                        (local.set $old (i64.atomic.load8_u (i32.const 56)))
                        (br_if $retry (i64.ne (local.get $old)
                            (i64.atomic.rmw8.cmpxchg_u (i32.const 56) (local.get $old)
                                (i64.add (local.get $old) (i64.const 1))))))
                    (local.set $rounds (i64.add (local.get $rounds) (i64.const 1)))
                    (br_if $again (i64.lt_u (local.get $rounds) (i64.const {ROUNDS}))))
                (local.get $rounds)))"#
    );
    for engine in engines() {
        let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
        let rounds = run_in_threads(&memory, &module(&engine, &text), THREADS);
        assert_eq!(rounds, [ROUNDS; THREADS as usize]);
        let all = THREADS * ROUNDS;
        assert_eq!(load(&memory, 0), all % 256);
        assert_eq!(load(&memory, 8), (3 * all % 0x1_0000) << 16);
        assert_eq!(load(&memory, 16), u64::from((all as u32).wrapping_neg()));
        assert_eq!(load(&memory, 24), all * 0x1_0000_0001);
        assert_eq!(load(&memory, 32), 0, "every bit changed an even number of times");
        assert_eq!(load(&memory, 40), 0);
        assert_eq!(load(&memory, 48), 5 * all);
        assert_eq!(load(&memory, 56), all % 256);
    }
}

#[test]
fn exchange_makes_a_lock_that_protects_plain_accesses() {
    let text = r#"(module (memory (import "" "memory") 1 1 shared)
            (func (export "run") (param i64) (result i64) (local $rounds i64)
                (loop $again
                    (loop $taken
                        (br_if $taken (i32.atomic.rmw.xchg (i32.const 0) (i32.const 1))))
                    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
                    (i64.store (i32.const 64) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
                    (i32.atomic.store (i32.const 0) (i32.const 0))
                    (local.set $rounds (i64.add (local.get $rounds) (i64.const 1)))
                    (br_if $again (i64.lt_u (local.get $rounds) (i64.const 1000))))
                (local.get $rounds)))"#;
    for engine in engines() {
        let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
        run_in_threads(&memory, &module(&engine, text), THREADS);
        assert_eq!((load(&memory, 8), load(&memory, 64)), (THREADS * 1000, THREADS * 1000 + 1));
    }
}

#[test]
fn threads_wait_for_each_other() {
    // The threads take turns: each waits until the word holds its number.
    let text = r#"(module (memory (import "" "memory") 1 1 shared)
        (func (export "run") (param $thread i64) (result i64)
            (local $turns i64) (local $now i32)
            (loop $again
                (block $mine (loop $wait
                    (local.set $now (i32.atomic.load (i32.const 4)))
                    (br_if $mine (i32.eq (local.get $now) (i32.wrap_i64 (local.get $thread))))
                    (if (i32.gt_u (memory.atomic.wait32 offset=4
                            (i32.const 0) (local.get $now) (i64.const -1)) (i32.const 1))
                        (then unreachable))
                    (br $wait)))
                (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
                (i32.atomic.store (i32.const 4)
                    (i32.rem_u (i32.add (local.get $now) (i32.const 1)) (i32.const 3)))
                (drop (memory.atomic.notify offset=4 (i32.const 0) (i32.const -1)))
                (local.set $turns (i64.add (local.get $turns) (i64.const 1)))
                (br_if $again (i64.lt_u (local.get $turns) (i64.const 300))))
            (local.get $turns)))"#;
    let engine = Engine::default();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    assert_eq!(run_in_threads(&memory, &module(&engine, text), 3), [300; 3]);
    assert_eq!(load(&memory, 8), 900);
}

#[test]
fn the_host_waits_and_wakes_too() {
    let text = r#"(module (memory (import "" "memory") 1 1 shared)
        (func (export "run") (param i64) (result i64)
            (i64.extend_i32_u (memory.atomic.wait64 (i32.const 16) (i64.const 0) (i64.const -1)))))"#;
    let engine = Engine::default();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let module = module(&engine, text);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| run_in_threads(&memory, &module, 2));
        let mut woken = 0;
        while woken < 2 {
            woken += memory.atomic_notify(16, 1).unwrap();
        }
        assert_eq!(waiting.join().unwrap(), [0, 0]);
    });
    let second = Some(Duration::from_secs(1));
    assert_eq!(memory.atomic_wait32(16, 1, second).unwrap(), WaitResult::Mismatch);
    assert_eq!(memory.atomic_wait64(16, 1, second).unwrap(), WaitResult::Mismatch);
    let soon = Some(Duration::from_millis(1));
    assert_eq!(memory.atomic_wait32(16, 0, soon).unwrap(), WaitResult::TimedOut);
    assert_eq!(memory.atomic_wait64(16, 0, soon).unwrap(), WaitResult::TimedOut);
    assert_eq!(memory.atomic_wait64(4, 0, soon), Err(Trap::UnalignedAtomic));
    assert_eq!(memory.atomic_wait32(1 << 16, 0, soon), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_notify(1 << 16, 1), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_notify(u64::MAX - 3, 1), Err(Trap::MemoryOutOfBounds));
}

#[test]
fn closing_a_memory_ends_what_waits_in_wasm() {
    let text = r#"(module (memory (export "memory") 1 1 shared)
        (func (export "wait") (result i32)
            (i32.atomic.store (i32.const 4) (i32.const 1))
            (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))"#;
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, text, &[]);
    let memory = instance.get_shared_memory(&mut store, "memory").unwrap();
    let waiter = thread::spawn(move || {
        let wait = instance.get_typed_func::<(), u32>(&mut store, "wait").unwrap();
        [wait.call(&mut store, ()).unwrap_err(), wait.call(&mut store, ()).unwrap_err()]
    });
    let soon = Some(Duration::from_millis(1));
    while memory.atomic_wait32(4, 0, soon).unwrap() == WaitResult::TimedOut {}
    memory.close();
    for error in waiter.join().unwrap() {
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
        assert!(error.wasm_backtrace().is_some());
    }
}

#[test]
fn a_memory_grows_while_others_use_it() {
    // Even threads grow by one page after the other; odd ones read the last byte that there is,
    // and never see the memory shrink.
    let text = r#"(module (memory (import "" "memory") 1 129 shared)
        (func (export "run") (param $thread i64) (result i64) (local $size i32) (local $grown i64)
            (if (i64.eqz (i64.and (local.get $thread) (i64.const 1)))
                (then
                    (loop $again
                        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1))
                            (then (return (local.get $grown))))
                        (local.set $grown (i64.add (local.get $grown) (i64.const 1)))
                        (br $again))))
            (loop $again
                (if (i32.lt_u (memory.size) (local.get $size)) (then unreachable))
                (local.set $size (memory.size))
                (drop (i32.load8_u (i32.sub (i32.shl (local.get $size) (i32.const 16)) (i32.const 1))))
                (br_if $again (i32.lt_u (local.get $size) (i32.const 129))))
            (i64.const 0)))"#;
    for engine in engines() {
        let memory = SharedMemory::new(&engine, MemoryType::shared(1, 129)).unwrap();
        let base = memory.data().as_ptr();
        let grown = run_in_threads(&memory, &module(&engine, text), 4);
        assert_eq!(grown.iter().sum::<u64>(), 128);
        assert_eq!((memory.size(), memory.data_size()), (129, 129 << 16));
        assert_eq!(memory.data().as_ptr(), base);
        assert_eq!(memory.grow(1).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(memory.grow(0).unwrap(), 129);
    }
}

#[test]
fn the_limiter_of_a_store_counts_for_what_it_grows() {
    let text = r#"(module (memory (import "" "memory") 1 4 shared)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
    let engine = Engine::default();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 4)).unwrap();
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().memory_size(2 << 16).build());
    store.limiter(|limits: &mut StoreLimits| limits);
    let instance = instance(&mut store, text, &[memory.clone().into()]);
    let grow = instance.get_typed_func::<u32, i32>(&mut store, "grow").unwrap();
    assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
    assert_eq!(memory.grow(1).unwrap(), 2);
    let own = module(&engine, "(module (memory 3 4 shared))");
    assert!(Instance::new(&mut store, &own, &[]).is_err());
}

#[test]
fn unaligned_accesses_trap_before_anything_else() {
    let accesses = [
        ("i32.atomic.load", "", 4),
        ("i64.atomic.load16_u", "", 2),
        ("i64.atomic.load32_u", "", 4),
        ("i64.atomic.load", "", 8),
        ("i32.atomic.rmw16.add_u", "(i32.const 1)", 2),
        ("i32.atomic.rmw.xchg", "(i32.const 1)", 4),
        ("i64.atomic.rmw.or", "(i64.const 1)", 8),
        ("i64.atomic.rmw.cmpxchg", "(i64.const 0) (i64.const 1)", 8),
    ];
    let mut store = Store::<()>::default();
    for (name, operands, size) in accesses {
        for offset in [0, 1, 8] {
            let text = format!(
                r#"(module (memory 1 1 shared) (func (export "f") (param i32)
                    (drop ({name} offset={offset} (local.get 0) {operands}))))"#
            );
            let instance = instance(&mut store, &text, &[]);
            let f = instance.get_typed_func::<u32, ()>(&mut store, "f").unwrap();
            for index in [0, 1, 2, 3, 4, 7, 65534, 65535, u32::MAX] {
                let address = u64::from(index) + offset;
                let expected = if address % size != 0 {
                    Err(Trap::UnalignedAtomic)
                } else if address + size > 1 << 16 {
                    Err(Trap::MemoryOutOfBounds)
                } else {
                    Ok(())
                };
                let result = f.call(&mut store, index).map_err(|error| error.downcast().unwrap());
                assert_eq!(result, expected, "{name} offset={offset} at {index}");
            }
        }
    }
}

#[test]
fn what_is_shared_fits_no_other_import() {
    let mut store = Store::<()>::default();
    let shared = SharedMemory::new(store.engine(), MemoryType::shared(1, 2)).unwrap();
    let unshared = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    let import = |limits| format!(r#"(module (memory (import "" "memory") {limits}))"#);
    for (limits, item) in [
        ("1 2", shared.clone().into()),
        ("2 2 shared", shared.clone().into()),
        ("1 1 shared", shared.clone().into()),
        ("1 2 shared", unshared.into()),
    ] {
        let error = try_instance(&mut store, &import(limits), &[item]).unwrap_err();
        assert!(matches!(error.downcast(), Ok(LinkError::Incompatible { .. })), "{limits}");
    }
    shared.grow(1).unwrap();
    try_instance(&mut store, &import("2 3 shared"), &[shared.clone().into()]).unwrap();
    assert!(Memory::new(&mut store, shared.ty()).is_err());
    assert!(SharedMemory::new(store.engine(), MemoryType::new(1, Some(2))).is_err());
    assert!(shared.ty().is_shared() && shared.ty().maximum() == Some(2));
}

#[test]
fn a_memory_outlives_the_store_that_made_it() {
    let text = r#"(module (memory (export "memory") 1 2 shared)
        (data (i32.const 8) "\2a")
        (func (export "run") (memory.fill (i32.const 16) (i32.const 1) (i32.const 8))))"#;
    let mut store = Store::<()>::default();
    let maker = instance(&mut store, text, &[]);
    maker.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
    assert!(maker.get_memory(&mut store, "memory").is_none());
    let memory = maker.get_shared_memory(&mut store, "memory").unwrap();
    let other = maker.get_export(&mut store, "memory").unwrap().into_shared_memory().unwrap();
    assert!(SharedMemory::same(&memory, &other));
    drop(store);
    assert_eq!((load(&memory, 8), load(&memory, 16)), (42, 0x0101_0101_0101_0101));
}

#[test]
fn bulk_operators_work_between_memories_of_both_kinds() {
    let text = r#"(module (memory (import "" "memory") 1 1 shared)
        (data $data "passive")
        (func (export "run") (param i64) (result i64)
            (memory.init $data (i32.const 0) (i32.const 0) (i32.const 7))
            (memory.copy (i32.const 1) (i32.const 0) (i32.const 7))
            (i64.load (i32.const 0))))"#;
    let engine = Engine::default();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let results = run_in_threads(&memory, &module(&engine, text), 1);
    assert_eq!(results, [u64::from_le_bytes(*b"ppassive")]);
}

#[test]
fn fences_order_plain_accesses() {
    // Each thread announces itself and looks whether the other has: not both can miss it.
    let text = r#"(module (memory (import "" "memory") 1 1 shared)
        (func (export "run") (param $thread i64) (result i64)
            (local $me i32) (local $round i32) (local $missed i64) (local $at i32)
            (local.set $me (i32.shl (i32.wrap_i64 (local.get $thread)) (i32.const 2)))
            (loop $again
                ;; Meet the other one.
                (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
                (loop $early (br_if $early (i32.lt_u (i32.atomic.load (i32.const 0))
                    (i32.shl (i32.add (local.get $round) (i32.const 1)) (i32.const 1)))))
                (local.set $at (i32.add (i32.const 64) (i32.shl (local.get $round) (i32.const 3))))
                (i32.store (i32.add (local.get $at) (local.get $me)) (i32.const 1))
                atomic.fence
                (if (i32.eqz (i32.load (i32.add (local.get $at)
                        (i32.sub (i32.const 4) (local.get $me)))))
                    (then (i32.store (i32.add (i32.add (local.get $at) (i32.const 32768))
                        (local.get $me)) (i32.const 1))))
                (local.set $round (i32.add (local.get $round) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $round) (i32.const 1000))))
            (i64.const 0)))"#;
    let engine = Engine::default();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    run_in_threads(&memory, &module(&engine, text), 2);
    for round in 0..1000 {
        let missed = load(&memory, 64 + 32768 + 8 * round);
        assert_ne!(missed, 0x1_0000_0001, "both missed each other in round {round}");
    }
}

#[test]
fn a_trap_in_one_thread_leaves_the_others_alone() {
    let text = r#"(module (memory (import "" "memory") 1 1 shared)
        (func (export "run") (param i64) (result i64)
            (if (i64.eqz (local.get 0)) (then (drop (i64.atomic.load (i32.const 65536)))))
            (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
            (i64.const 1)))"#;
    let engine = Engine::default();
    let memory = SharedMemory::new(&engine, MemoryType::shared(1, 1)).unwrap();
    let module = module(&engine, text);
    let trapped = AtomicU32::new(0);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (memory, module, trapped) = (&memory, &module, &trapped);
            scope.spawn(move || {
                let mut store = Store::new(module.engine(), ());
                let imports = [memory.clone().into()];
                let instance = Instance::new(&mut store, module, &imports).unwrap();
                let run = instance.get_typed_func::<u64, u64>(&mut store, "run").unwrap();
                if let Err(error) = run.call(&mut store, number) {
                    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
                    trapped.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(trapped.into_inner(), 1);
    assert_eq!(load(&memory, 0), THREADS - 1);
}
