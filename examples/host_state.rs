//! Functions of the host with state of their own, errors of the host, and how they come back.

use precast::{Caller, Engine, Linker, Module, Result, Store};

/// What the functions of the host work with.
#[derive(Default)]
struct Account {
    balance: i64,
}

/// An error that only this program knows.
#[derive(Debug)]
struct Overdrawn {
    missing: i64,
}

impl std::fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} more are needed", self.missing)
    }
}

impl std::error::Error for Overdrawn {}

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"
        (module
            (import "account" "pay" (func $pay (param i64) (result i64)))
            (func (export "shop") (param i64) (result i64)
                (drop (call $pay (i64.const 10)))
                (call $pay (local.get 0))))
        "#,
    )?;
    let mut linker: Linker<Account> = Linker::new(&engine);
    linker.func_wrap(
        "account",
        "pay",
        |mut caller: Caller<'_, Account>, amount: i64| -> Result<i64> {
            let account = caller.data_mut();
            if amount > account.balance {
                return Err(Overdrawn { missing: amount - account.balance }.into());
            }
            account.balance -= amount;
            Ok(account.balance)
        },
    )?;
    let mut store = Store::new(&engine, Account { balance: 100 });
    let instance = linker.instantiate(&mut store, &module)?;
    let shop = instance.get_typed_func::<i64, i64>(&mut store, "shop")?;
    assert_eq!(shop.call(&mut store, 20)?, 70);

    // The error of the host passes through wasm unchanged, with the wasm functions on its way.
    let error = shop.call(&mut store, 1000).unwrap_err();
    println!("{error:?}");
    assert_eq!(error.downcast_ref::<Overdrawn>().map(|error| error.missing), Some(940));
    assert_eq!(store.data().balance, 60);
    Ok(())
}
