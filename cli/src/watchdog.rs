//! Ends a program when its time is over.
#![allow(unsafe_code)] // A signal for the thread that runs the program.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use precast::Result;

use crate::context::Context;

/// How long a program that should stop may take to do so.
const GRACE: Duration = Duration::from_secs(2);

/// How often the thread that runs the program is reminded: a signal that arrives just before
/// a system call begins to wait does not end it.
const REMINDER: Duration = Duration::from_millis(20);

/// Ignored by default and used by nobody else here.
const SIGNAL: libc::c_int = libc::SIGURG;

/// A thread that waits until the time is over, or this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Never sent on: the thread notices when it goes.
    _over: Sender<()>,
}

impl Watchdog {
    /// Gives the program that the calling thread is about to run `limit`.
    ///
    /// Then `stop` is called, which tells the program to stop, and system calls in which the
    /// thread waits are interrupted until one notices that. If nothing of it helps, `give_up`
    /// is called.
    ///
    /// # Errors
    ///
    /// What the system says to another thread or signal handler.
    pub(crate) fn start(
        limit: Duration,
        stop: impl FnOnce() + Send + 'static,
        give_up: impl FnOnce() + Send + 'static,
    ) -> Result<Watchdog> {
        handle_signal().context(|| "cannot install a signal handler".to_owned())?;
        // SAFETY: has no preconditions.
        let watched = unsafe { libc::pthread_self() };
        let deadline = Instant::now().checked_add(limit);
        let (over, is_over) = mpsc::channel::<()>();
        let watch = move || {
            let wait = |time| is_over.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
            let Some(deadline) = deadline else { return };
            if wait(deadline.saturating_duration_since(Instant::now())) {
                return;
            }
            stop();
            let last = Instant::now() + GRACE;
            while Instant::now() < last {
                // SAFETY: the thread is the program's main thread, which exists as long as the
                // process does.
                unsafe { libc::pthread_kill(watched, SIGNAL) };
                if wait(REMINDER) {
                    return;
                }
            }
            give_up();
        };
        thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(watch)
            .context(|| "cannot watch the time".to_owned())?;
        Ok(Watchdog { _over: over })
    }
}

/// Lets the signal do nothing but interrupt system calls.
fn handle_signal() -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all bits zero is a valid `sigaction` without flags, so that calls are not started
    // again; the handler does nothing.
    let result = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        libc::sigaction(SIGNAL, &action, ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
