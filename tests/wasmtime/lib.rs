//! A program for wasmtime's core API becomes one for precast when the crate's name is changed: these
//! examples of precast are programs for wasmtime, too, where `precast` is that crate's name.
#![cfg(test)]

macro_rules! examples {
    ($($file:literal $name:ident)*) => {
        $(#[path = $file]
        mod $name;)*

        mod runs {
            $(#[test]
            fn $name() -> precast::Result<()> {
                super::$name::main()
            })*
        }
    };
}

examples! {
    "../../examples/fuel.rs" fuel
    "../../examples/gcd.rs" gcd
    "../../examples/hello.rs" hello
    "../../examples/host_state.rs" host_state
    "../../examples/interrupt.rs" interrupt
    "../../examples/limits.rs" limits
    "../../examples/linking.rs" linking
    "../../examples/memory.rs" memory
    "../../examples/multi.rs" multi
    "../../examples/serialize.rs" serialize
    "../../examples/threads.rs" threads
}
