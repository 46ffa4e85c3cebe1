//! Each example runs, and finds what it asserts.

use precast::Result;

#[path = "../examples/cache.rs"]
mod cache;
#[path = "../examples/externref.rs"]
mod externref;
#[path = "../examples/fuel.rs"]
mod fuel;
#[path = "../examples/gcd.rs"]
mod gcd;
#[path = "../examples/hello.rs"]
mod hello;
#[path = "../examples/host_state.rs"]
mod host_state;
#[path = "../examples/http_server.rs"]
mod http_server;
#[path = "../examples/interrupt.rs"]
mod interrupt;
#[path = "../examples/limits.rs"]
mod limits;
#[path = "../examples/linking.rs"]
mod linking;
#[path = "../examples/memory.rs"]
mod memory;
#[path = "../examples/multi.rs"]
mod multi;
#[path = "../examples/serialize.rs"]
mod serialize;
#[path = "../examples/signed.rs"]
mod signed;
#[path = "../examples/threads.rs"]
mod threads;
#[path = "../examples/wasi_output.rs"]
mod wasi_output;

macro_rules! examples {
    ($($name:ident)*) => {
        mod runs {
            use super::Result;

            $(#[test]
            fn $name() -> Result<()> {
                super::$name::main()
            })*
        }
    };
}

examples! {
    cache externref fuel gcd hello host_state http_server interrupt limits linking memory multi serialize signed threads wasi_output
}
