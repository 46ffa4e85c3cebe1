//! The contract between precast's compiler and its runtime.
//!
//! ```text
//! compiler --ImageParts--> image::write --bytes--> Image::parse --look-ups--> loader, runtime
//! ```
//!
//! Nothing here compiles, maps or runs anything. This crate says what both sides agree on: the
//! types of wasm ([`types`]), what is decoded of an artifact ([`module`]), what is read in place
//! ([`section`]), the file that holds both ([`image`]), how it says what it is ([`description`]), and
//! the files that hold several of them and signatures ([`container`]) or a whole program ([`program`]);
//! where generated code finds things in memory ([`vmcontext`], [`object`]), which helpers it may
//! ask for ([`helper`]), why it traps ([`trap`]) and which processor features it may need ([`cpu`]).
//!
//! Start reading at [`image`] for the bytes, at [`vmcontext`] for the code.

pub mod container;
pub mod cpu;
pub mod description;
pub mod helper;
pub mod image;
pub mod index;
pub mod module;
pub mod object;
pub mod program;
pub mod routine;
pub mod section;
pub mod trap;
pub mod types;
pub mod vmcontext;
