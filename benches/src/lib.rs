//! Side-by-side benchmarks: precast and its peers, in interleaved rounds, on the same machine.
//!
//! ```text
//! startup     whole processes            process::measure -> Cost
//! embedding   one process, all engines   engine::Engine, timed loops
//! code        a child per measurement    code::child -> Report, read by the parent
//!                 all of them: rounds::interleaved -> statistics -> table::Table
//! ```
//!
//! Each of the three is a module here and a command of the same name. Ratios are what counts: absolute times
//! belong to one machine and one moment. Start reading at [`rounds`]; [`engine`] is what an engine must be able to
//! do, with one file for each of them, and [`startup`] knows the commands of the peers.

pub mod code;
pub mod embedding;
pub mod engine;
pub mod machine;
pub mod process;
pub mod programs;
pub mod rounds;
pub mod startup;
pub mod statistics;
pub mod table;
mod usage;
