//! The cache as the command has it, with real processes and real files: what its commands do, that a
//! second run reads and compiles nothing, and that no fault is in the way of a run.

mod choice;
mod commands;
mod entries;
mod explain;
mod interrupt;
mod places;
mod processes;
mod scene;
mod second_run;
mod settings_file;
#[path = "../support/mod.rs"]
mod support;
