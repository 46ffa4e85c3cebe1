//! One look at the bodies of all functions, for what depends on all of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use precast_artifact::index::{FuncIndex, TableIndex};
use wasmparser::{FunctionBody, Operator};

use super::identical::{self, Call};

/// Bodies that a thread looks at before it asks for more.
const CHUNK: usize = 64;

/// What the bodies of a module do to tables, with functions and to each other. They need not be valid.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The tables that are read from, written to or grown.
    pub(crate) tables: BTreeSet<TableIndex>,
    /// The functions of which references are made.
    pub(crate) references: BTreeSet<FuncIndex>,
    /// The calls of functions by their index that are no tail calls, by body and place.
    pub(crate) calls: Vec<Call>,
    /// How often each function is called by its index.
    pub(crate) call_counts: Vec<u32>,
    /// For each body, the hash of what is around these calls.
    pub(crate) hashes: Vec<u64>,
    /// The bodies, by position, that cannot become a part of another one: they have handlers or tail calls, or
    /// cannot be read.
    pub(crate) apart: BTreeSet<usize>,
    /// Whether there are bodies that cannot be read.
    pub(crate) has_unreadable: bool,
}

impl Survey {
    /// Looks at `bodies`, with up to `jobs` threads, in a module of `functions` functions.
    pub(crate) fn of(bodies: &[FunctionBody<'_>], functions: usize, jobs: usize) -> Survey {
        let next = AtomicUsize::new(0);
        let part = || {
            let mut part = Survey {
                call_counts: vec![0; functions],
                hashes: vec![0; bodies.len()],
                ..Survey::default()
            };
            loop {
                let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                let Some(rest) = bodies.get(from..) else { return part };
                for (body, position) in rest.iter().take(CHUNK).zip(from..) {
                    part.add(body, position);
                }
            }
        };
        thread::scope(|scope| {
            // Each thread has counters for all functions, so not more threads than have work.
            let jobs = jobs.min(bodies.len() / (8 * CHUNK));
            let more = match cfg!(feature = "parallel") {
                true => 1..jobs,
                false => 0..0,
            };
            // Without another thread, this one does its part.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, part).ok();
            let more: Vec<_> = more.filter_map(spawn).collect();
            let mut all = part();
            for thread in more {
                match thread.join() {
                    Ok(part) => all.merge(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all.calls.sort_unstable_by_key(|call| (call.body, call.start));
            all
        })
    }

    fn add(&mut self, body: &FunctionBody<'_>, position: usize) {
        let before = self.calls.len();
        if self.read(body, position).is_err() {
            self.has_unreadable = true;
            self.apart.insert(position);
        }
        self.hashes[position] = identical::hash(body, &self.calls[before..]);
    }

    fn read(&mut self, body: &FunctionBody<'_>, position: usize) -> wasmparser::Result<()> {
        let mut operators = body.get_operators_reader()?;
        let begin = body.range().start;
        while !operators.eof() {
            let start = operators.original_position();
            match operators.read()? {
                Operator::Call { function_index } => {
                    self.count_call(function_index);
                    self.calls.push(Call {
                        body: position as u32,
                        start: (start - begin) as u32,
                        end: (operators.original_position() - begin) as u32,
                        callee: FuncIndex(function_index),
                    });
                }
                Operator::ReturnCall { function_index } => {
                    self.count_call(function_index);
                    self.apart.insert(position);
                }
                // In another function it would be no tail call, and handlers end with the body.
                Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. }
                | Operator::TryTable { .. }
                | Operator::Try { .. } => {
                    self.apart.insert(position);
                }
                Operator::TableGet { table }
                | Operator::TableSet { table }
                | Operator::TableGrow { table }
                | Operator::TableFill { table }
                | Operator::TableInit { table, .. } => {
                    self.tables.insert(TableIndex(table));
                }
                Operator::TableCopy { dst_table, src_table } => {
                    self.tables.extend([TableIndex(dst_table), TableIndex(src_table)]);
                }
                Operator::RefFunc { function_index } => {
                    self.references.insert(FuncIndex(function_index));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn count_call(&mut self, function: u32) {
        if let Some(count) = self.call_counts.get_mut(function as usize) {
            *count = count.saturating_add(1);
        }
    }

    fn merge(&mut self, mut part: Survey) {
        self.tables.append(&mut part.tables);
        self.references.append(&mut part.references);
        self.apart.append(&mut part.apart);
        self.calls.append(&mut part.calls);
        self.has_unreadable |= part.has_unreadable;
        for (count, more) in self.call_counts.iter_mut().zip(part.call_counts) {
            *count = count.saturating_add(more);
        }
        // Only one part has looked at a body; the others have 0.
        for (hash, other) in self.hashes.iter_mut().zip(part.hashes) {
            *hash |= other;
        }
    }
}
