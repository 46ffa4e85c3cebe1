//! Exceptions in the encoding from before the standard, which shipped toolchains still write.
#![cfg(feature = "compiler")]

use precast::{
    Caller, Config, Engine, Error, ErrorKind, Func, FuncType, Instance, Module, Store, StoreLimits,
    StoreLimitsBuilder, TagType, ThrownException, Trap, Val, ValType,
};

const TRIES: &[u8] = include_bytes!("fixtures/legacy-exceptions/tries.wasm");

struct Tries {
    store: Store<StoreLimits>,
    instance: Instance,
}

impl Tries {
    /// The fixture, with a host function that throws the parameter plus 1 by the tag `a`.
    fn new() -> Tries {
        let engine = Engine::default();
        let limits = StoreLimitsBuilder::new().heap_size(128 << 10).build();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        let throw = |mut caller: Caller<'_, StoreLimits>, param: i32| -> Result<(), Error> {
            let tag = caller.get_export("a").unwrap().into_tag().unwrap();
            Err(ThrownException::new(&mut caller, &tag, &[Val::I32(param + 1)])?.into())
        };
        let host = Func::wrap(&mut store, throw);
        let module = Module::new(&engine, TRIES).unwrap();
        let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
        Tries { store, instance }
    }

    fn call(&mut self, name: &str, param: i32) -> Result<i32, Error> {
        let func = self.instance.get_typed_func::<i32, i32>(&mut self.store, name).unwrap();
        func.call(&mut self.store, param)
    }

    #[track_caller]
    fn assert(&mut self, name: &str, cases: &[(i32, i32)]) {
        for &(param, expected) in cases {
            match self.call(name, param) {
                Ok(result) => assert_eq!(result, expected, "{name}({param})"),
                Err(error) => panic!("{name}({param}): {error:?}"),
            }
        }
    }
}

#[test]
fn clauses_catch_by_tag() {
    let mut tries = Tries::new();
    tries.assert("catch", &[(3, 103), (13, 213), (23, 300), (43, 144), (50, 1000)]);
    let error = tries.call("catch", 33).unwrap_err();
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
    tries.assert("nested", &[(3, 4), (13, 13), (23, 92), (43, 45), (50, 0)]);
    tries.assert("in_handler", &[(1, 3)]);
}

#[test]
fn what_was_caught_is_thrown_again() {
    let mut tries = Tries::new();
    tries.assert("rethrow", &[(3, 6), (13, 50), (23, 50), (43, 88), (50, 1000)]);
    tries.assert("many", &[(20_000, 20_000 * 20_001 / 2)]);
}

#[test]
fn exceptions_are_delegated() {
    let mut tries = Tries::new();
    tries.assert("delegate", &[(3, 503), (13, 600), (23, 600), (50, 1000)]);
    tries.assert("delegate_to_caller", &[(3, 3), (23, 42), (50, 42)]);
}

#[test]
fn blocks_of_all_shapes_are_left_and_entered() {
    let mut tries = Tries::new();
    tries.assert("shapes", &[(0, 3), (3, 3), (10, 10)]);
}

#[test]
fn what_nothing_catches_is_an_error() {
    let mut tries = Tries::new();
    tries.assert("uncaught", &[(23, 9), (50, 9)]);
    let error = tries.call("uncaught", 3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exception);
    let thrown = error.downcast_ref::<ThrownException>().unwrap();
    let ty = TagType::new(FuncType::new(tries.store.engine(), [ValType::I32], []));
    assert_eq!(thrown.tag(&tries.store).ty(&tries.store), ty);
    let names = error.wasm_backtrace().unwrap().frames().iter().filter_map(|f| f.func_name());
    // The second function has only the name that it is exported by.
    assert_eq!(names.collect::<Vec<_>>(), ["throw"]);
    assert_eq!(error.wasm_backtrace().unwrap().frames().len(), 2);
}

#[test]
fn a_setting_switches_the_encoding_off() {
    let mut config = Config::new();
    config.wasm_feature("legacy-exceptions", false).unwrap();
    let error = Module::new(&Engine::new(&config).unwrap(), TRIES).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Compile);
    let message = error.to_string();
    assert!(message.starts_with("this module needs the `legacy-exceptions` proposal"), "{message}");
}
