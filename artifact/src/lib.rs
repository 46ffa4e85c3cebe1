//! The contract between precast's compiler and its runtime.
//!
//! ```text
//! compiler --Module, tables, code--> ImageWriter --bytes--> Image --look-ups--> loader, runtime
//! ```
//!
//! Nothing here compiles, maps or runs anything. This crate says what both sides agree on: the
//! types of wasm ([`types`]), what is decoded of an artifact ([`module`]), where generated code finds
//! things in memory ([`vmcontext`]), which helpers it may ask for ([`helper`]) and why it traps
//! ([`trap`]).

pub mod helper;
pub mod index;
pub mod module;
pub mod trap;
pub mod types;
pub mod vmcontext;
