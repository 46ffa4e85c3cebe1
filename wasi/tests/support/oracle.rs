//! wasi-common, called the same way.

use precast_wasi::for_each_function;
use wasi_common::WasiCtx;
use wasi_common::snapshots::preview_1::wasi_snapshot_preview1;
use wiggle::{GuestMemory, run_in_dummy_executor};

use super::{Host, Outcome};

/// The implementation that ours is compared with.
pub struct Theirs {
    pub ctx: WasiCtx,
    pub memory: Vec<u8>,
}

macro_rules! drive_theirs {
    ($($ending:ident $name:ident($($argument:ident: $type:ty),*) [$($edition:ident)*];)*) => {
        impl Host for Theirs {
            fn call(&mut self, name: &str, arguments: &[u64]) -> Outcome {
                let mut memory = GuestMemory::Unshared(&mut self.memory);
                let mut arguments = arguments.iter().copied();
                match name {
                    $(stringify!($name) => {
                        $(let $argument = (arguments.next().unwrap() as $type).abi();)*
                        let call = wasi_snapshot_preview1::$name(
                            &mut self.ctx, &mut memory, $($argument),*
                        );
                        outcome(run_in_dummy_executor(call).unwrap())
                    })*
                    _ => panic!("no function {name}"),
                }
            }

            fn memory(&mut self) -> &mut Vec<u8> {
                &mut self.memory
            }
        }
    };
}

for_each_function!(drive_theirs);

fn outcome<E: Ending>(result: wiggle::anyhow::Result<E>) -> Outcome {
    match result {
        Ok(ending) => Outcome::Errno(ending.errno()),
        Err(error) => match error.downcast_ref::<wasi_common::I32Exit>() {
            Some(exit) => Outcome::Exit(exit.0),
            None => Outcome::Trap(format!("{error:#}")),
        },
    }
}

trait Ending {
    fn errno(self) -> u16;
}

impl Ending for i32 {
    fn errno(self) -> u16 {
        self as u16
    }
}

impl Ending for () {
    fn errno(self) -> u16 {
        0
    }
}

trait Abi {
    type Wasm;
    fn abi(self) -> Self::Wasm;
}

impl Abi for u32 {
    type Wasm = i32;
    fn abi(self) -> i32 {
        self as i32
    }
}

impl Abi for u64 {
    type Wasm = i64;
    fn abi(self) -> i64 {
        self as i64
    }
}

impl Abi for i64 {
    type Wasm = i64;
    fn abi(self) -> i64 {
        self
    }
}
