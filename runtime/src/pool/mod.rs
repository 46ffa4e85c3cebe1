//! What instances that are gone leave to the next ones, and how many there may be at a time.
//!
//! Only memories are kept: setting one up takes system calls and page faults. VMContexts and tables
//! come from the allocator, which is as good at keeping blocks of equal size.

mod config;

pub use config::{InstanceAllocationStrategy, PoolingAllocationConfig};

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{LimitError, Result};
use crate::memory::{ImageKey, Reservation};

/// The memories that an engine keeps, and its counts of what is in use.
#[derive(Debug)]
pub(crate) struct Pool {
    config: PoolingAllocationConfig,
    in_use: [AtomicU32; 3],
    /// The memory that was used last is the last.
    warm: Mutex<Vec<WarmMemory>>,
}

/// What a pool counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Instance,
    Memory,
    Table,
}

/// The right to one more of something, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pool: Arc<Pool>,
    kind: Kind,
}

/// A memory that nobody uses.
#[derive(Debug)]
pub(crate) struct WarmMemory {
    pub(crate) reservation: Reservation,
    /// The image that is mapped at its start; zeros when there is none.
    pub(crate) image: Option<ImageKey>,
}

impl Pool {
    pub(crate) fn new(config: &PoolingAllocationConfig) -> Arc<Pool> {
        Arc::new(Pool {
            config: config.clone(),
            in_use: Default::default(),
            warm: Mutex::default(),
        })
    }

    /// The right to one more.
    ///
    /// # Errors
    ///
    /// When there are as many as there may be.
    pub(crate) fn slot(self: &Arc<Pool>, kind: Kind) -> Result<Slot> {
        let (what, limit) = match kind {
            Kind::Instance => ("instances", self.config.total_core_instances),
            Kind::Memory => ("memories", self.config.total_memories),
            Kind::Table => ("tables", self.config.total_tables),
        };
        let in_use = &self.in_use[kind as usize];
        let more = |count| (count < limit).then(|| count + 1);
        match in_use.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Slot { pool: self.clone(), kind }),
            Err(_) => Err(LimitError::Pool { what, limit: limit.into() }.into()),
        }
    }

    /// The most bytes of a memory.
    pub(crate) fn max_memory_size(&self) -> usize {
        self.config.max_memory_size
    }

    /// The most elements of a table.
    pub(crate) fn table_elements(&self) -> usize {
        self.config.table_elements
    }

    /// Refuses instances whose VMContext is too large.
    pub(crate) fn check_instance_size(&self, bytes: usize) -> Result<()> {
        let limit = self.config.max_core_instance_size;
        match bytes <= limit {
            true => Ok(()),
            false => {
                Err(LimitError::Pool { what: "bytes in an instance", limit: limit as u64 }.into())
            }
        }
    }

    /// A memory with `len` bytes of address space: if there is one, the one that was used last with
    /// the same image, or else one that has none. Another image's only gives way when no more may
    /// be kept.
    pub(crate) fn take_memory(&self, len: usize, image: Option<ImageKey>) -> Option<WarmMemory> {
        let mut warm = self.warm();
        let find = |wanted: Option<ImageKey>| {
            warm.iter()
                .rposition(|memory| memory.image == wanted && memory.reservation.len() == len)
        };
        let full = warm.len() >= self.config.max_unused_warm_slots as usize;
        let any = || warm.iter().position(|memory| full && memory.reservation.len() == len);
        let found = find(image).or_else(|| find(None)).or_else(any)?;
        Some(warm.remove(found))
    }

    /// Keeps a memory, whose contents are what they were in the beginning, unless there are enough.
    pub(crate) fn give_memory(&self, memory: WarmMemory) {
        let mut warm = self.warm();
        if warm.len() < self.config.max_unused_warm_slots as usize {
            warm.push(memory);
        }
    }

    fn warm(&self) -> MutexGuard<'_, Vec<WarmMemory>> {
        // Nothing in it can be left half done.
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.in_use[self.kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}
