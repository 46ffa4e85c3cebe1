//! Ending, signalling and yielding.

use precast_runtime::MemoryView;

use crate::{Errno, I32Exit, WasiCtx};

/// How `proc_raise` comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RaiseError {
    /// The guest goes on with this error.
    #[error(transparent)]
    Errno(#[from] Errno),
    /// The signal ended the guest.
    #[error(transparent)]
    Exit(#[from] I32Exit),
}

/// What a signal does to a process that has not asked for anything else.
enum Disposition {
    Ignore,
    Terminate,
    Stop,
}

impl WasiCtx {
    /// Ends the guest with an exit code.
    pub fn proc_exit(&mut self, _memory: MemoryView<'_>, code: u32) -> I32Exit {
        I32Exit(code as i32)
    }

    /// Raises a signal in the guest, which has no handlers for any.
    ///
    /// # Errors
    ///
    /// [`RaiseError::Exit`] with 128 and the signal's number, as shells report it,
    /// for signals that terminate; [`Errno::Notsup`] for those that stop a process;
    /// [`Errno::Inval`] for unknown ones.
    pub fn proc_raise(&mut self, _memory: MemoryView<'_>, signal: u32) -> Result<(), RaiseError> {
        match disposition(signal)? {
            Disposition::Ignore => Ok(()),
            Disposition::Stop => Err(Errno::Notsup.into()),
            Disposition::Terminate => Err(I32Exit(128 + signal as i32).into()),
        }
    }

    /// Lets other threads of the host run.
    ///
    /// # Errors
    ///
    /// None.
    pub fn sched_yield(&mut self, _memory: MemoryView<'_>) -> Result<(), Errno> {
        rustix::thread::sched_yield();
        Ok(())
    }
}

/// The default actions, by the numbers of the interface.
fn disposition(signal: u32) -> Result<Disposition, Errno> {
    Ok(match signal {
        // none, pipe, chld, cont, urg, winch
        0 | 13 | 16 | 17 | 22 | 27 => Disposition::Ignore,
        // stop, tstp, ttin, ttou
        18..=21 => Disposition::Stop,
        1..=30 => Disposition::Terminate,
        _ => return Err(Errno::Inval),
    })
}
