//! Calls of exported functions, and what comes of them.

use precast::{Error, Instance, Store, Trap, Val};

/// Calls an exported function that has one result.
pub(crate) fn call(
    store: &mut Store<()>,
    instance: Instance,
    name: &str,
    params: &[Val],
) -> Result<Val, Error> {
    let func = instance.get_func(&mut *store, name).expect("the function is exported");
    let mut results = [Val::I32(0)];
    func.call(store, params, &mut results)?;
    Ok(results[0])
}

/// The trap that a call ended with, if it was one.
pub(crate) fn trap(result: Result<Val, Error>) -> Option<Trap> {
    result.unwrap_err().downcast_ref().copied()
}
