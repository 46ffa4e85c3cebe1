//! Functions with several results, typed and untyped.

use precast::{Engine, Func, FuncType, Instance, Module, Result, Store, Val, ValType};

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(
        &engine,
        r#"
        (module
            (import "" "f" (func $f (param i32 i64) (result i64 i32)))
            (func (export "swap") (param i32 i64) (result i64 i32)
                (call $f (local.get 0) (local.get 1)))
            (func (export "count") (param i64 i64 i64) (result i64 i64 i64)
                (local.get 2) (local.get 1) (local.get 0)))
        "#,
    )?;

    // A host function whose type is known only when the program runs gets its values in slices.
    let ty = FuncType::new(&engine, [ValType::I32, ValType::I64], [ValType::I64, ValType::I32]);
    let f = Func::new(&mut store, ty, |_, arguments, results| {
        results[0] = Val::I64(arguments[1].unwrap_i64() + 1);
        results[1] = Val::I32(arguments[0].unwrap_i32() + 1);
        Ok(())
    });
    let instance = Instance::new(&mut store, &module, &[f.into()])?;

    let swap = instance.get_typed_func::<(i32, i64), (i64, i32)>(&mut store, "swap")?;
    assert_eq!(swap.call(&mut store, (1, 3))?, (4, 2));

    let count = instance.get_func(&mut store, "count").expect("the module exports it");
    let mut results = vec![Val::I32(0); 3];
    count.call(&mut store, &[Val::I64(0), Val::I64(1), Val::I64(2)], &mut results)?;
    let results: Vec<i64> = results.iter().map(|value| value.unwrap_i64()).collect();
    println!("{results:?}");
    assert_eq!(results, [2, 1, 0]);
    Ok(())
}
