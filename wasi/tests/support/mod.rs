//! Calls of WASI functions by name, on this crate and on what it is compared with.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod guest;
pub mod oracle;
pub mod pair;

use precast_runtime::MemoryView;
use precast_wasi::{Errno, I32Exit, RaiseError, WasiCtx, WasiUnstable, for_each_function};

/// How a call came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an errno; 0 is success.
    Errno(u16),
    /// By ending the guest.
    Exit(i32),
    /// By a trap, which this crate never does.
    Trap(String),
}

impl Outcome {
    pub const SUCCESS: Outcome = Outcome::Errno(0);
}

/// An implementation of WASI with a guest memory.
pub trait Host {
    fn call(&mut self, name: &str, arguments: &[u64]) -> Outcome;
    fn memory(&mut self) -> &mut Vec<u8>;
}

/// This crate.
pub struct Ours {
    pub ctx: WasiCtx,
    pub memory: Vec<u8>,
}

/// This crate, through `wasi_unstable`.
pub struct Unstable(pub Ours);

macro_rules! drive_ours {
    ($($ending:ident $name:ident($($argument:ident: $type:ty),*) [$($edition:ident)*];)*) => {
        /// Every function with the names of its parameters.
        pub const FUNCTIONS: &[(&str, &[&str])] =
            &[$((stringify!($name), &[$(stringify!($argument)),*])),*];

        impl Host for Ours {
            fn call(&mut self, name: &str, arguments: &[u64]) -> Outcome {
                let view = MemoryView::from_slice(&mut self.memory);
                let mut arguments = arguments.iter().copied();
                let outcome = match name {
                    $(stringify!($name) => {
                        $(let $argument = arguments.next().unwrap() as $type;)*
                        self.ctx.$name(view, $($argument),*).into_outcome()
                    })*
                    _ => panic!("no function {name}"),
                };
                assert_eq!(arguments.next(), None, "too many arguments for {name}");
                outcome
            }

            fn memory(&mut self) -> &mut Vec<u8> {
                &mut self.memory
            }
        }
    };
}

for_each_function!(drive_ours);

impl Host for Unstable {
    fn call(&mut self, name: &str, arguments: &[u64]) -> Outcome {
        let view = MemoryView::from_slice(&mut self.0.memory);
        let mut ctx = WasiUnstable(&mut self.0.ctx);
        let at = |index: usize| arguments[index] as u32;
        match name {
            "fd_filestat_get" => ctx.fd_filestat_get(view, at(0), at(1)),
            "path_filestat_get" => ctx.path_filestat_get(view, at(0), at(1), at(2), at(3), at(4)),
            "fd_seek" => ctx.fd_seek(view, at(0), arguments[1] as i64, at(2), at(3)),
            "poll_oneoff" => ctx.poll_oneoff(view, at(0), at(1), at(2), at(3)),
            _ => return self.0.call(name, arguments),
        }
        .into_outcome()
    }

    fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.0.memory
    }
}

trait IntoOutcome {
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Result<(), Errno> {
    fn into_outcome(self) -> Outcome {
        Outcome::Errno(self.map_or_else(Errno::raw, |()| 0))
    }
}

impl IntoOutcome for I32Exit {
    fn into_outcome(self) -> Outcome {
        Outcome::Exit(self.0)
    }
}

impl IntoOutcome for Result<(), RaiseError> {
    fn into_outcome(self) -> Outcome {
        match self {
            Err(RaiseError::Exit(exit)) => exit.into_outcome(),
            Err(RaiseError::Errno(errno)) => Err(errno).into_outcome(),
            Ok(()) => Outcome::SUCCESS,
        }
    }
}
