//! Calls a function that computes with numbers.

use precast::{Instance, Module, Result, Store};

pub(crate) fn main() -> Result<()> {
    let mut store = Store::<()>::default();
    let module = Module::new(
        store.engine(),
        r#"
        (module
            (func (export "gcd") (param $a i32) (param $b i32) (result i32)
                (loop $again (result i32)
                    (if (result i32) (i32.eqz (local.get $b))
                        (then (local.get $a))
                        (else
                            (local.get $b)
                            (local.set $b (i32.rem_u (local.get $a) (local.get $b)))
                            (local.set $a)
                            (br $again))))))
        "#,
    )?;
    let instance = Instance::new(&mut store, &module, &[])?;

    // The types are checked once, here, and not at each call.
    let gcd = instance.get_typed_func::<(i32, i32), i32>(&mut store, "gcd")?;
    let answer = gcd.call(&mut store, (6, 27))?;
    println!("gcd(6, 27) = {answer}");
    assert_eq!(answer, 3);
    Ok(())
}
