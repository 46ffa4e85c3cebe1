//! Instantiates and runs precast artifacts.

mod memory_view;

pub use memory_view::{GuestRange, MemoryView, OutOfBounds};
