//! The cache under the faults that happen to one: with real processes, real files and, where the
//! machine allows it, real file systems.

mod child;
mod commands;
mod contention;
mod damage;
mod directory;
mod disk;
mod files;
mod functions;
mod kill;
mod scene;
