//! How much a store may take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Decides whether what a store owns may grow, and how much of it there may be.
///
/// A store without a limiter has the default counts and no limits on sizes.
pub trait ResourceLimiter: Send {
    /// Whether a memory may be created with, or grow to, `desired` bytes. `current` is its
    /// size before, 0 for a new one, `maximum` what its type allows, if that is less than
    /// everything. No thread can grow a shared memory until this has answered.
    ///
    /// # Errors
    ///
    /// An error traps where `false` only lets `memory.grow` return -1.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// A growth that was allowed did not work out.
    ///
    /// # Errors
    ///
    /// An error traps instead of letting `memory.grow` return -1.
    fn memory_grow_failed(&mut self, _error: Error) -> Result<()> {
        Ok(())
    }

    /// Whether a table may be created with, or grow to, `desired` elements.
    ///
    /// # Errors
    ///
    /// An error traps where `false` only lets `table.grow` return -1.
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// A growth that was allowed did not work out.
    ///
    /// # Errors
    ///
    /// An error traps instead of letting `table.grow` return -1.
    fn table_grow_failed(&mut self, _error: Error) -> Result<()> {
        Ok(())
    }

    /// The most instances that the store may hold.
    fn instances(&self) -> usize {
        DEFAULT_COUNT
    }

    /// The most tables.
    fn tables(&self) -> usize {
        DEFAULT_COUNT
    }

    /// The most memories.
    fn memories(&self) -> usize {
        DEFAULT_COUNT
    }

    /// The most values of the host that references of the store can point to.
    fn host_references(&self) -> usize {
        DEFAULT_HOST_REFERENCES
    }

    /// The most bytes that the objects of the heap may take: structures, arrays, exceptions that
    /// something refers to, and 16 bytes for each value of the host. The copying collector uses as
    /// much once more while it copies.
    fn heap_size(&self) -> usize {
        DEFAULT_HEAP_SIZE
    }
}

const DEFAULT_COUNT: usize = 10_000;
/// The bytes of the largest element of a table.
const TABLE_ELEMENT: usize = 8;
pub(crate) const DEFAULT_HOST_REFERENCES: usize = 1 << 30;
pub(crate) const DEFAULT_HEAP_SIZE: usize = 256 << 20;

/// Fixed limits. Keep one in the store's data and hand it out with
/// [`Store::limiter`](crate::Store::limiter).
#[derive(Clone, Debug)]
pub struct StoreLimits {
    memory_size: Option<usize>,
    table_elements: Option<usize>,
    total_size: Option<usize>,
    /// The bytes of all memories and tables, and how much the last growth added.
    used: usize,
    added: usize,
    instances: usize,
    tables: usize,
    memories: usize,
    host_references: usize,
    heap_size: usize,
    trap_on_grow_failure: bool,
}

/// Makes [`StoreLimits`].
#[derive(Clone, Debug, Default)]
pub struct StoreLimitsBuilder(StoreLimits);

impl StoreLimitsBuilder {
    /// Starts with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest size of each memory, in bytes.
    pub fn memory_size(mut self, bytes: usize) -> Self {
        self.0.memory_size = Some(bytes);
        self
    }

    /// The largest size of each table, in elements.
    pub fn table_elements(mut self, elements: usize) -> Self {
        self.0.table_elements = Some(elements);
        self
    }

    /// The largest size of all memories and tables together, in bytes. An element of a table
    /// counts as 8 bytes.
    pub fn total_size(mut self, bytes: usize) -> Self {
        self.0.total_size = Some(bytes);
        self
    }

    /// The most instances.
    pub fn instances(mut self, limit: usize) -> Self {
        self.0.instances = limit;
        self
    }

    /// The most tables.
    pub fn tables(mut self, limit: usize) -> Self {
        self.0.tables = limit;
        self
    }

    /// The most memories.
    pub fn memories(mut self, limit: usize) -> Self {
        self.0.memories = limit;
        self
    }

    /// The most values of the host that references can point to.
    pub fn host_references(mut self, limit: usize) -> Self {
        self.0.host_references = limit;
        self
    }

    /// The most bytes that the objects of the heap may take: structures, arrays, exceptions that
    /// something refers to, and 16 bytes for each value of the host. The copying collector uses as
    /// much once more while it copies.
    pub fn heap_size(mut self, bytes: usize) -> Self {
        self.0.heap_size = bytes;
        self
    }

    /// Whether a refused growth traps instead of returning -1 to wasm.
    pub fn trap_on_grow_failure(mut self, trap: bool) -> Self {
        self.0.trap_on_grow_failure = trap;
        self
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.0
    }
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits {
            memory_size: None,
            table_elements: None,
            total_size: None,
            used: 0,
            added: 0,
            instances: DEFAULT_COUNT,
            tables: DEFAULT_COUNT,
            memories: DEFAULT_COUNT,
            host_references: DEFAULT_HOST_REFERENCES,
            heap_size: DEFAULT_HEAP_SIZE,
            trap_on_grow_failure: false,
        }
    }
}

/// Stores that have the same limiter share what it allows, on whatever threads they are.
impl<L: ResourceLimiter> ResourceLimiter for Arc<Mutex<L>> {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        lock(self).memory_growing(current, desired, maximum)
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        lock(self).memory_grow_failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        lock(self).table_growing(current, desired, maximum)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        lock(self).table_grow_failed(error)
    }

    fn instances(&self) -> usize {
        lock(self).instances()
    }

    fn tables(&self) -> usize {
        lock(self).tables()
    }

    fn memories(&self) -> usize {
        lock(self).memories()
    }

    fn host_references(&self) -> usize {
        lock(self).host_references()
    }

    fn heap_size(&self) -> usize {
        lock(self).heap_size()
    }
}

fn lock<L>(limiter: &Mutex<L>) -> MutexGuard<'_, L> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoreLimits {
    /// Whether something may be `desired` large, where each unit of its size has `unit` bytes.
    fn allow(
        &mut self,
        what: &str,
        [current, desired]: [usize; 2],
        limit: Option<usize>,
        unit: usize,
    ) -> Result<bool> {
        let added = desired.saturating_sub(current).saturating_mul(unit);
        let used = self.used.saturating_add(added);
        let allowed = limit.is_none_or(|limit| desired <= limit)
            && self.total_size.is_none_or(|total| used <= total);
        if allowed {
            (self.used, self.added) = (used, added);
        }
        if !allowed && self.trap_on_grow_failure {
            return Err(Error::msg(format_args!("forcing trap when growing {what} to {desired}")));
        }
        Ok(allowed)
    }

    fn failed(&mut self, error: Error) -> Result<()> {
        self.used -= std::mem::take(&mut self.added);
        if self.trap_on_grow_failure { Err(error.context("forcing a trap")) } else { Ok(()) }
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        self.allow("memory", [current, desired], self.memory_size, 1)
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        self.allow("table", [current, desired], self.table_elements, TABLE_ELEMENT)
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(error)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }

    fn host_references(&self) -> usize {
        self.host_references
    }

    fn heap_size(&self) -> usize {
        self.heap_size
    }
}
