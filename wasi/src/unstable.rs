//! The functions of `wasi_unstable` that differ from their successors in more than
//! the name of the module.

use precast_runtime::MemoryView;

use crate::abi::{Edition, Whence};
use crate::{Errno, WasiCtx};

/// The functions of `wasi_unstable` whose numbers or layouts differ.
///
/// All its other functions are those of [`WasiCtx`]; `sock_accept` came later.
#[derive(Debug)]
pub struct WasiUnstable<'a>(pub &'a mut WasiCtx);

impl WasiUnstable<'_> {
    /// As [`WasiCtx::fd_filestat_get`], with 32 bits for the number of links.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn fd_filestat_get(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        stat: u32,
    ) -> Result<(), Errno> {
        self.0.fd_filestat(memory, fd, stat, Edition::Unstable)
    }

    /// As [`WasiCtx::path_filestat_get`], with 32 bits for the number of links.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn path_filestat_get(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        flags: u32,
        path: u32,
        path_len: u32,
        stat: u32,
    ) -> Result<(), Errno> {
        let at = (path, path_len);
        self.0.path_filestat(memory, fd, flags, at, stat, Edition::Unstable)
    }

    /// As [`WasiCtx::fd_seek`], with other numbers: 0 is the current position, 1 the
    /// end, 2 the start.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn fd_seek(
        &mut self,
        memory: MemoryView<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position: u32,
    ) -> Result<(), Errno> {
        let whence = match whence {
            0 => Whence::Current,
            1 => Whence::End,
            2 => Whence::Set,
            _ => return Err(Errno::Inval),
        };
        self.0.seek(memory, fd, offset, whence, position)
    }

    /// As [`WasiCtx::poll_oneoff`], with a longer subscription.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_oneoff(
        &mut self,
        memory: MemoryView<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        happened: u32,
    ) -> Result<(), Errno> {
        self.0.poll(memory, subscriptions, events, count, happened, Edition::Unstable)
    }
}
