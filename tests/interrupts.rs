//! Wasm that is stopped from outside: by fuel, and by epochs.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use instances::instance;
use precast::{
    Caller, Config, Engine, Error, ErrorKind, Func, Instance, Module, Result, Store, Trap,
    UpdateDeadline,
};

fn engine(set: impl FnOnce(&mut Config) -> &mut Config) -> Engine {
    let mut config = Config::new();
    set(&mut config);
    Engine::new(&config).unwrap()
}

fn with_fuel() -> Engine {
    engine(|config| config.consume_fuel(true))
}

fn with_epochs() -> Engine {
    engine(|config| config.epoch_interruption(true))
}

fn trap(error: &Error) -> Trap {
    *error.downcast_ref().unwrap_or_else(|| panic!("{error:?}"))
}

/// Functions that never end by themselves, each in another way.
const ENDLESS: &str = r#"(module
    (import "" "host" (func $host))
    (type $f (func))
    (table 2 funcref)
    (tag $tag)
    (elem (i32.const 0) func $indirect $tail)
    (func (export "empty_loop") (loop (br 0)))
    (func (export "loop") (param i32)
        (loop $again
            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            (br $again)))
    (func (export "nested") (loop (loop (br 1)) (unreachable)))
    (func (export "br_if") (loop (br_if 0 (i32.const 1))))
    (func (export "br_table") (loop (br_table 0 0 (i32.const 1))))
    (func (export "work") (param i64) (result i64)
        (loop $again
            (local.set 0 (i64.mul (local.get 0) (i64.const 3)))
            (if (i64.eqz (local.get 0)) (then (return (i64.const 7))))
            (br $again))
        (unreachable))
    (func $recursion (export "recursion") (call $recursion) (call $recursion))
    (func $indirect (export "indirect") (call_indirect (type $f) (i32.const 0)))
    (func $tail (export "tail") (return_call $tail))
    (func (export "tail_indirect") (return_call_indirect (type $f) (i32.const 1)))
    (func (export "host") (loop (call $host) (br 0)))
    (func (export "catch")
        (loop $again
            (block $caught (try_table (catch $tag $caught) (throw $tag)))
            (br $again)))
    (func $burn (local i32)
        (loop $again
            (br_if $again (i32.ne (i32.const 1000)
                (local.tee 0 (i32.add (local.get 0) (i32.const 1))))))
        (throw $tag))
    (func (export "catch_call")
        (loop $again
            (block $caught (try_table (catch_all $caught) (call $burn)))
            (br $again))))"#;

/// The names of the functions that do not need a large stack, with their arguments.
const NAMES: &[&str] = &[
    "empty_loop",
    "nested",
    "br_if",
    "br_table",
    "tail",
    "tail_indirect",
    "host",
    "catch",
    "catch_call",
];

fn endless(store: &mut Store<()>) -> Instance {
    let host = Func::wrap(&mut *store, || {});
    instance(store, ENDLESS, &[host.into()])
}

fn call(store: &mut Store<()>, instance: Instance, name: &str) -> Result<()> {
    instance.get_typed_func::<(), ()>(&mut *store, name)?.call(store, ())
}

#[test]
fn fuel_stops_what_never_ends() {
    let mut store = Store::new(&with_fuel(), ());
    store.set_fuel(1_000).unwrap();
    let instance = endless(&mut store);
    for name in NAMES {
        store.set_fuel(100_000).unwrap();
        let error = call(&mut store, instance, name).unwrap_err();
        assert_eq!(trap(&error), Trap::OutOfFuel, "{name}");
        assert_eq!(error.kind(), ErrorKind::Trap);
        assert!(error.wasm_backtrace().is_some_and(|trace| !trace.frames().is_empty()));
        assert_eq!(store.get_fuel().unwrap(), 0);
        // There is none for anything else, either.
        let error = call(&mut store, instance, "host").unwrap_err();
        assert_eq!(trap(&error), Trap::OutOfFuel);
    }
    store.set_fuel(100_000).unwrap();
    let func = instance.get_typed_func::<i32, ()>(&mut store, "loop").unwrap();
    assert_eq!(trap(&func.call(&mut store, 0).unwrap_err()), Trap::OutOfFuel);
    store.set_fuel(100_000).unwrap();
    let func = instance.get_typed_func::<i64, i64>(&mut store, "work").unwrap();
    assert_eq!(trap(&func.call(&mut store, 1).unwrap_err()), Trap::OutOfFuel);
    for name in ["recursion", "indirect"] {
        store.set_fuel(1_000).unwrap();
        assert_eq!(trap(&call(&mut store, instance, name).unwrap_err()), Trap::OutOfFuel);
        // With enough fuel the stack ends first.
        store.set_fuel(1 << 40).unwrap();
        assert_eq!(trap(&call(&mut store, instance, name).unwrap_err()), Trap::StackOverflow);
    }
}

#[test]
fn long_stretches_are_stopped_on_the_way() {
    let count = 20_000;
    let text = format!(
        r#"(module (global $g (export "g") (mut i32) (i32.const 0)) (func (export "run") {}))"#,
        "(global.set $g (i32.add (global.get $g) (i32.const 1)))".repeat(count)
    );
    let mut store = Store::new(&with_fuel(), ());
    let instance = instance(&mut store, &text, &[]);
    store.set_fuel(10_000).unwrap();
    assert_eq!(trap(&call(&mut store, instance, "run").unwrap_err()), Trap::OutOfFuel);
    let global = instance.get_global(&mut store, "g").unwrap();
    let done = global.get(&mut store).i32().unwrap() as usize;
    // The fuel was for a quarter as many additions.
    assert!((2_500..5_000).contains(&done), "{done}");
    store.set_fuel(4 * count as u64 + 1).unwrap();
    call(&mut store, instance, "run").unwrap();
    assert_eq!(store.get_fuel().unwrap(), 1);
}

#[test]
fn fuel_is_counted_exactly() {
    let text = r#"(module
        (import "" "left" (func $left))
        (type $f (func (param i32)))
        (table 1 funcref) (elem (i32.const 0) func $if)
        (tag $tag)
        (func (export "nothing"))
        (func (export "shape") (block (nop) (drop (i32.const 1))) (return))
        (func (export "add") (drop (i32.add (i32.const 1) (i32.const 2))))
        (func $if (export "if") (param i32)
            (if (local.get 0) (then (drop (i32.const 1))) (else (nop))))
        (func (export "loop") (param i32)
            (loop $again
                (br_if $again
                    (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "calls") (param i32)
            (call $if (local.get 0)) (call_indirect (type $f) (local.get 0) (i32.const 0))
            (call $left))
        (func (export "dead") (br 0) (drop (i32.const 1)))
        (func (export "tail") (param i32) (return_call $if (local.get 0)))
        (func $throw (drop (i32.const 1)) (throw $tag))
        (func (export "catch")
            (block $caught (try_table (catch $tag $caught) (call $throw)))
            (drop (i32.const 1)))
        (func (export "branches") (param i32)
            (block (block (br_table 0 1 (local.get 0))) (drop (i32.const 1)))
            (drop (i32.const 1))))"#;
    let mut store = Store::new(&with_fuel(), 0);
    let left = Func::wrap(&mut store, |mut caller: Caller<'_, u64>| {
        *caller.data_mut() = caller.get_fuel().unwrap();
    });
    let instance = instance(&mut store, text, &[left.into()]);
    let mut cost = |name: &str, argument: Option<i32>| {
        store.set_fuel(1_000).unwrap();
        match argument {
            None => {
                let func = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
                func.call(&mut store, ()).unwrap();
            }
            Some(argument) => {
                let func = instance.get_typed_func::<i32, ()>(&mut store, name).unwrap();
                func.call(&mut store, argument).unwrap();
            }
        }
        1_000 - store.get_fuel().unwrap()
    };
    assert_eq!(cost("nothing", None), 0);
    assert_eq!(cost("shape", None), 1);
    assert_eq!(cost("add", None), 3);
    assert_eq!(cost("if", Some(1)), 3);
    assert_eq!(cost("if", Some(0)), 2);
    assert_eq!(cost("loop", Some(1)), 5);
    assert_eq!(cost("loop", Some(10)), 50);
    assert_eq!(cost("calls", Some(1)), 12);
    assert_eq!(cost("dead", None), 1);
    assert_eq!(cost("tail", Some(1)), 5);
    assert_eq!(cost("catch", None), 4);
    assert_eq!(cost("branches", Some(0)), 4);
    assert_eq!(cost("branches", Some(1)), 3);
    // What the host saw: everything but what followed.
    assert_eq!(*store.data(), 988);
}

#[test]
fn all_fuel_that_there_can_be_is_usable() {
    let mut store = Store::new(&with_fuel(), ());
    let instance = endless(&mut store);
    for fuel in [u64::MAX, u64::MAX - 1, i64::MAX as u64 + 1, i64::MAX as u64] {
        store.set_fuel(fuel).unwrap();
        assert_eq!(store.get_fuel().unwrap(), fuel);
        let func = instance.get_typed_func::<i64, i64>(&mut store, "work").unwrap();
        assert_eq!(func.call(&mut store, 0).unwrap(), 7);
        assert_eq!(store.get_fuel().unwrap(), fuel - 8);
    }
}

#[test]
fn hosts_can_refuel() {
    let text = r#"(module (import "" "more" (func $more (result i32)))
        (func (export "run") (loop (br_if 0 (call $more)))))"#;
    let mut store = Store::new(&with_fuel(), 0);
    let more = Func::wrap(&mut store, |mut caller: Caller<'_, u32>| -> Result<i32> {
        *caller.data_mut() += 1;
        caller.set_fuel(10)?;
        Ok(i32::from(*caller.data() < 1_000))
    });
    let instance = instance(&mut store, text, &[more.into()]);
    store.set_fuel(10).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    run.call(&mut store, ()).unwrap();
    assert_eq!((*store.data(), store.get_fuel().unwrap()), (1_000, 9));
}

#[test]
fn fuel_is_an_error_where_nobody_counts_it() {
    let mut store = Store::<()>::default();
    assert!(store.get_fuel().is_err());
    assert_eq!(
        store.set_fuel(1).unwrap_err().to_string(),
        "the engine does not count fuel (`consume_fuel` is off)"
    );
}

#[test]
fn stores_are_empty_and_due_at_first() {
    for (engine, expected) in [(with_fuel(), Trap::OutOfFuel), (with_epochs(), Trap::Interrupt)] {
        let mut store = Store::new(&engine, ());
        let instance = endless(&mut store);
        assert_eq!(trap(&call(&mut store, instance, "tail").unwrap_err()), expected);
    }
}

#[test]
fn epochs_stop_what_never_ends() {
    let engine = with_epochs();
    for name in NAMES {
        let mut store = Store::new(&engine, ());
        let instance = endless(&mut store);
        store.set_epoch_deadline(2);
        let running = Arc::new(AtomicBool::new(true));
        let ticker = std::thread::spawn({
            let (engine, running) = (engine.clone(), Arc::clone(&running));
            move || {
                while running.load(Ordering::Relaxed) {
                    engine.increment_epoch();
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let error = call(&mut store, instance, name).unwrap_err();
        assert_eq!(trap(&error), Trap::Interrupt, "{name}");
        assert!(error.to_string().starts_with("interrupt"));
        running.store(false, Ordering::Relaxed);
        ticker.join().unwrap();
    }
}

#[test]
fn recursion_notices_epochs() {
    let engine = with_epochs();
    let text = r#"(module (import "" "tick" (func $tick))
        (func $f (export "run") (param i32)
            (if (local.get 0)
                (then (call $tick) (call $f (i32.sub (local.get 0) (i32.const 1)))))))"#;
    let mut store = Store::new(&engine, 0);
    let tick = Func::wrap(&mut store, |mut caller: Caller<'_, u32>| {
        *caller.data_mut() += 1;
        caller.engine().increment_epoch();
    });
    let instance = instance(&mut store, text, &[tick.into()]);
    let run = instance.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
    store.set_epoch_deadline(10);
    run.call(&mut store, 9).unwrap();
    store.set_epoch_deadline(10);
    assert_eq!(trap(&run.call(&mut store, 100).unwrap_err()), Trap::Interrupt);
    assert_eq!(*store.data(), 19);
}

#[test]
fn deadlines_can_be_moved() {
    let engine = with_epochs();
    let mut store = Store::new(&engine, 0);
    let text = r#"(module (import "" "tick" (func $tick))
        (func (export "run") (loop (call $tick) (br 0))))"#;
    let tick = Func::wrap(&mut store, |caller: Caller<'_, u32>| caller.engine().increment_epoch());
    let instance = instance(&mut store, text, &[tick.into()]);
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();

    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        *context.data_mut() += 1;
        Ok(match context.data() {
            0..5 => UpdateDeadline::Continue(2),
            _ => UpdateDeadline::Interrupt,
        })
    });
    assert_eq!(trap(&run.call(&mut store, ()).unwrap_err()), Trap::Interrupt);
    assert_eq!(*store.data(), 5);

    store.epoch_deadline_callback(|_| Err(Error::msg("enough")));
    assert_eq!(run.call(&mut store, ()).unwrap_err().to_string(), "enough");

    // What the callback calls itself is not its business.
    let (mut inner, again) = (None, run.clone());
    store.epoch_deadline_callback(move |mut context| {
        if inner.is_none() {
            inner = Some(trap(&again.call(&mut context, ()).unwrap_err()));
        }
        assert_eq!(inner, Some(Trap::Interrupt));
        Ok(UpdateDeadline::Interrupt)
    });
    assert_eq!(trap(&run.call(&mut store, ()).unwrap_err()), Trap::Interrupt);

    store.epoch_deadline_trap();
    assert_eq!(trap(&run.call(&mut store, ()).unwrap_err()), Trap::Interrupt);
    store.set_epoch_deadline(u64::MAX);
    store.epoch_deadline_callback(|_| panic!("the deadline is never reached"));
    let text = r#"(module (func (export "run")))"#;
    let nothing = instances::instance(&mut store, text, &[]);
    nothing.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
}

#[test]
fn callbacks_may_panic() {
    let mut store = Store::new(&with_epochs(), ());
    let instance = endless(&mut store);
    store.epoch_deadline_callback(|_| panic!("from the callback"));
    let call = std::panic::AssertUnwindSafe(|| call(&mut store, instance, "tail"));
    let payload = std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"from the callback"));
}

#[test]
fn both_work_together() {
    let engine = engine(|config| config.consume_fuel(true).epoch_interruption(true));
    let mut store = Store::new(&engine, ());
    let instance = endless(&mut store);
    store.set_epoch_deadline(1);
    store.set_fuel(1_000).unwrap();
    assert_eq!(trap(&call(&mut store, instance, "catch_call").unwrap_err()), Trap::OutOfFuel);
    engine.increment_epoch();
    store.set_fuel(1_000).unwrap();
    assert_eq!(trap(&call(&mut store, instance, "catch_call").unwrap_err()), Trap::Interrupt);
}

#[test]
fn artifacts_that_do_not_fit_are_refused_by_setting() {
    let engines = [
        Engine::default(),
        with_fuel(),
        with_epochs(),
        engine(|config| config.consume_fuel(true).epoch_interruption(true)),
    ];
    let artifacts = engines.each_ref().map(|engine| engine.precompile_module(b"(module)").unwrap());
    for (from, artifact) in artifacts.iter().enumerate() {
        for (to, engine) in engines.iter().enumerate() {
            // SAFETY: our own artifacts.
            #[allow(unsafe_code)]
            let module = unsafe { Module::deserialize(engine, artifact) };
            let setting = match (from ^ to) & 3 {
                0 => {
                    module.unwrap();
                    continue;
                }
                2 => "epoch_interruption",
                _ => "consume_fuel",
            };
            let error = module.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Load);
            assert!(error.to_string().contains(setting), "{error}");
        }
    }
}
