//! Instances from a pool are like any others, whoever had their memory before.

use precast::{
    Config, Engine, Instance, Module, PoolingAllocationConfig as Pool, Result, Store, Trap,
    TypedFunc,
};

const MODULE: &str = r#"
    (module
        (memory (export "memory") 1 3)
        (table 4 10 funcref)
        (data (i32.const 100) "image")
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "grow_table") (param i32) (result i32)
            (table.grow 0 (ref.null func) (local.get 0))))
"#;

fn engine(configure: impl FnOnce(&mut Pool) -> &mut Pool) -> Engine {
    let mut pool = Pool::new();
    configure(&mut pool);
    Engine::new(Config::new().allocation_strategy(pool)).unwrap()
}

struct Guest {
    store: Store<()>,
    load: TypedFunc<i32, i32>,
    store_byte: TypedFunc<(i32, i32), ()>,
    grow: TypedFunc<i32, i32>,
    grow_table: TypedFunc<i32, i32>,
}

impl Guest {
    fn new(module: &Module) -> Result<Guest> {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[])?;
        Ok(Guest {
            load: instance.get_typed_func(&mut store, "load")?,
            store_byte: instance.get_typed_func(&mut store, "store")?,
            grow: instance.get_typed_func(&mut store, "grow")?,
            grow_table: instance.get_typed_func(&mut store, "grow_table")?,
            store,
        })
    }

    fn load(&mut self, address: i32) -> Result<i32> {
        self.load.call(&mut self.store, address)
    }

    /// Leaves traces wherever it can.
    fn scribble(&mut self) {
        assert_eq!(self.grow.call(&mut self.store, 2).unwrap(), 1);
        for address in [0, 100, 4096, 65535, 65536, 3 * 65536 - 1] {
            self.store_byte.call(&mut self.store, (address, 255)).unwrap();
        }
    }

    fn assert_fresh(&mut self) {
        let found: Vec<i32> =
            [0, 99, 100, 104, 105, 4096, 65535].map(|at| self.load(at).unwrap()).into();
        assert_eq!(found, [0, 0, b'i'.into(), b'e'.into(), 0, 0, 0]);
        let beyond = self.load(65536).unwrap_err();
        assert_eq!(beyond.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
        assert_eq!(self.grow.call(&mut self.store, 1).unwrap(), 1);
        assert_eq!(self.load(65536).unwrap(), 0);
    }
}

#[test]
fn nothing_of_an_instance_is_left_for_the_next() {
    let engine = engine(|pool| pool);
    let module = Module::new(&engine, MODULE).unwrap();
    for _ in 0..3 {
        let mut guest = Guest::new(&module).unwrap();
        guest.assert_fresh();
        drop(guest);
        Guest::new(&module).unwrap().scribble();
    }
}

#[test]
fn modules_do_not_see_each_other() {
    // One slot, so that each has to take what the other leaves.
    let engine = engine(|pool| pool.total_memories(1).max_unused_warm_slots(1));
    let other = MODULE.replace("\"image\"", "\"IMAGE IMAGE\"");
    let (module, other) =
        (Module::new(&engine, MODULE).unwrap(), Module::new(&engine, other).unwrap());
    for _ in 0..3 {
        Guest::new(&module).unwrap().assert_fresh();
        let mut guest = Guest::new(&other).unwrap();
        assert_eq!(guest.load(100).unwrap(), b'I'.into());
        guest.scribble();
    }
}

#[test]
fn the_pool_has_limits() {
    let message = |engine: &Engine| {
        let module = Module::new(engine, MODULE).unwrap();
        let _one = Guest::new(&module).unwrap();
        Guest::new(&module).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(message(&engine(|pool| pool.total_memories(1))).contains("1 memories"));
    assert!(message(&engine(|pool| pool.total_tables(1))).contains("1 tables"));
    assert!(message(&engine(|pool| pool.total_core_instances(1))).contains("1 instances"));
    assert_eq!(message(&engine(|pool| pool)), "");

    let refused = |engine: &Engine| {
        let module = Module::new(engine, MODULE).unwrap();
        Guest::new(&module).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(&engine(|pool| pool.max_memory_size(100))).contains("memory"));
    assert!(refused(&engine(|pool| pool.table_elements(3))).contains("table"));
    let tiny = engine(|pool| pool.max_core_instance_size(8));
    assert!(refused(&tiny).contains("8 bytes in an instance"));
}

#[test]
fn growth_has_the_limits_of_the_pool() {
    let engine = engine(|pool| pool.max_memory_size(2 << 16).table_elements(5));
    let module = Module::new(&engine, MODULE).unwrap();
    let mut guest = Guest::new(&module).unwrap();
    assert_eq!(guest.grow.call(&mut guest.store, 2).unwrap(), -1);
    assert_eq!(guest.grow.call(&mut guest.store, 1).unwrap(), 1);
    assert_eq!(guest.grow_table.call(&mut guest.store, 2).unwrap(), -1);
    assert_eq!(guest.grow_table.call(&mut guest.store, 1).unwrap(), 4);
}

#[test]
fn a_slot_is_free_again_when_its_store_is_gone_or_instantiation_fails() {
    let engine = engine(|pool| pool.total_memories(1).total_core_instances(1));
    let module = Module::new(&engine, MODULE).unwrap();
    let failing = "(module (memory 1) (func $start unreachable) (start $start))";
    let failing = Module::new(&engine, failing).unwrap();
    for _ in 0..3 {
        assert!(Instance::new(&mut Store::new(&engine, ()), &failing, &[]).is_err());
        Guest::new(&module).unwrap().assert_fresh();
    }
}
