//! Hands values of the host to wasm, which can keep them and pass them on, but not look into them.

use precast::{Engine, ExternRef, Instance, Module, Ref, Result, Rooted, Store, Val};

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(
        &engine,
        r#"
        (module
            (table (export "table") 10 externref)
            (global (export "global") (mut externref) (ref.null extern))
            (func (export "same") (param externref) (result externref) (local.get 0)))
        "#,
    )?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let value: Rooted<ExternRef> = ExternRef::new(&mut store, "Hello, World!")?;

    // In a table, in a global, and through a call.
    let table = instance.get_table(&mut store, "table").expect("exported");
    table.set(&mut store, 3, Some(value).into())?;
    assert!(matches!(table.get(&mut store, 3), Some(Ref::Extern(Some(_)))));
    let global = instance.get_global(&mut store, "global").expect("exported");
    global.set(&mut store, Some(value).into())?;
    assert!(matches!(global.get(&mut store), Val::ExternRef(Some(_))));
    let same = instance.get_typed_func::<Option<Rooted<ExternRef>>, Option<Rooted<ExternRef>>>(
        &mut store, "same",
    )?;
    let back = same.call(&mut store, Some(value))?.expect("not null");
    let text = back.data(&store).and_then(|value| value.downcast_ref::<&str>());
    println!("{text:?}");
    assert_eq!(text, Some(&"Hello, World!"));
    Ok(())
}
