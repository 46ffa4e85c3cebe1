//! Standard streams that live in the memory of the host program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Errno;
use crate::sys::IoVecs;

/// Bytes for a guest to read, as its standard input.
///
/// Clones share the position.
#[derive(Clone, Debug)]
pub struct MemoryInput {
    state: Arc<Mutex<InputState>>,
}

#[derive(Debug)]
struct InputState {
    bytes: Vec<u8>,
    position: usize,
}

/// Collects what a guest writes to its standard output or error.
///
/// Clones share the bytes: keep one and give the other to the builder.
#[derive(Clone, Debug)]
pub struct MemoryOutput {
    bytes: Arc<Mutex<Vec<u8>>>,
    capacity: usize,
}

impl MemoryInput {
    /// A stream that yields `bytes` and then ends.
    pub fn new(bytes: impl Into<Vec<u8>>) -> MemoryInput {
        let state = InputState { bytes: bytes.into(), position: 0 };
        MemoryInput { state: Arc::new(Mutex::new(state)) }
    }

    /// How many bytes are left to read.
    pub fn remaining(&self) -> usize {
        let state = lock(&self.state);
        state.bytes.len() - state.position
    }

    pub(crate) fn read(&self, into: &IoVecs<'_>) -> u32 {
        let mut state = lock(&self.state);
        let count = into.scatter(&state.bytes[state.position..]);
        state.position += count;
        count as u32
    }
}

impl MemoryOutput {
    /// A stream that holds up to `capacity` bytes. A guest that writes more is
    /// told that there is no space left.
    pub fn new(capacity: usize) -> MemoryOutput {
        MemoryOutput { bytes: Arc::default(), capacity }
    }

    /// A copy of what was written so far.
    pub fn contents(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }

    /// What was written since the last time it was taken.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *lock(&self.bytes))
    }

    pub(crate) fn write(&self, from: &IoVecs<'_>) -> Result<u32, Errno> {
        let mut bytes = lock(&self.bytes);
        let room = self.capacity.saturating_sub(bytes.len());
        if room == 0 && from.total() > 0 {
            return Err(Errno::Nospc);
        }
        Ok(from.gather(&mut bytes, room) as u32)
    }
}

/// The bytes are whole after every step, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
