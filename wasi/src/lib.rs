//! WASI preview 1 on the host's own descriptors.
//!
//! ```text
//! guest call --linker--> WasiCtx method --table--> descriptor: object and rights
//!     --MemoryView--> arguments, checked --sys, rustix, cap-std--> one system call
//!     --> result stored in guest memory --> errno
//! ```
//!
//! [`WasiCtx`] is the state of one guest and has one method for each function of the
//! interface; [`WasiCtxBuilder`] decides what the guest can reach. Start reading at
//! `functions.rs`, the table of functions, and `table.rs`, the descriptors.
//!
//! A guest reaches nothing but what its builder was given: paths are resolved beneath a
//! preopened directory, whatever they contain, and rights only ever shrink. Reads
//! and writes go between files and guest memory without a copy.
//!
//! ```
//! use precast_runtime::MemoryView;
//! use precast_wasi::{MemoryOutput, WasiCtx};
//!
//! let output = MemoryOutput::new(1 << 20);
//! let mut wasi = WasiCtx::builder().arg("hello").stdout(output.clone()).build();
//!
//! // What a guest would have in its memory: a text, and a list with its place.
//! let mut memory = vec![0; 64];
//! memory[32..38].copy_from_slice(b"hello\n");
//! memory[0..8].copy_from_slice(&[32, 0, 0, 0, 6, 0, 0, 0]);
//! wasi.fd_write(MemoryView::from_slice(&mut memory), 1, 0, 1, 8)?;
//! assert_eq!(output.contents(), b"hello\n");
//! # Ok::<(), precast_wasi::Errno>(())
//! ```

mod abi;
mod builder;
mod clock;
mod ctx;
mod descriptor;
mod directory;
mod errno;
mod exit;
mod file;
mod functions;
mod linker;
mod memory_stream;
mod object;
mod open;
mod path;
mod poll;
mod position;
mod process;
mod random;
mod rights;
mod socket;
mod sys;
mod table;
mod threads;
mod unstable;

pub use abi::Rights;
pub use builder::{InputStream, OutputStream, WasiCtxBuilder};
pub use ctx::WasiCtx;
pub use errno::Errno;
pub use exit::I32Exit;
pub use linker::{add_imports_to_linker, add_to_linker};
pub use memory_stream::{MemoryInput, MemoryOutput};
pub use process::RaiseError;
pub use rights::DirAccess;
pub use socket::Socket;
pub use threads::{Stopper, Threads};
pub use unstable::WasiUnstable;
