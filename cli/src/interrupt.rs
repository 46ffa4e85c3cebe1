//! Ctrl-C while files are being made: what is being done is given up and leaves nothing behind, then
//! the process ends as the signal says.
#![allow(unsafe_code)] // Signal handlers.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// What asks a process to end: Ctrl-C, `kill`, and a terminal that is closed.
const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// While it lives, the process does not end when it is asked to, only [`Deferred::interrupted`]
/// tells; asked twice it ends at once. When it is dropped, the process ends if it was asked to.
#[derive(Debug)]
pub(crate) struct Deferred {
    replaced: Vec<(libc::c_int, libc::sigaction)>,
}

/// A file that cannot be read or written any more once the process was asked to end, so that
/// whoever does that gives up.
pub(crate) struct Interruptible<T>(pub(crate) T);

impl Deferred {
    /// Whoever has one does not make another.
    pub(crate) fn begin() -> Deferred {
        // A signal that is ignored, as for a background process of a script, stays so.
        let replace = |signal| Some((signal, replace(signal)?));
        Deferred { replaced: SIGNALS.into_iter().filter_map(replace).collect() }
    }

    /// Whether the process was asked to end.
    pub(crate) fn interrupted(&self) -> &'static AtomicBool {
        &INTERRUPTED
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        for (signal, action) in &self.replaced {
            // SAFETY: the action is one that the system has given.
            unsafe { libc::sigaction(*signal, action, ptr::null_mut()) };
        }
        if INTERRUPTED.load(Ordering::Relaxed) {
            // SAFETY: has no preconditions.
            unsafe { libc::raise(SIGNAL.load(Ordering::Relaxed)) };
        }
    }
}

impl<T: Read> Read for Interruptible<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check()?;
        self.0.read(buffer)
    }
}

impl<T: Write> Write for Interruptible<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        check()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn check() -> io::Result<()> {
    match INTERRUPTED.load(Ordering::Relaxed) {
        true => Err(io::Error::other("interrupted")),
        false => Ok(()),
    }
}

/// Takes a signal over unless it is ignored, and gives what was to happen before.
fn replace(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: all bits zero is a valid `sigaction`; the handler only does what a handler may.
    unsafe {
        let mut old: libc::sigaction = MaybeUninit::zeroed().assume_init();
        if libc::sigaction(signal, ptr::null(), &mut old) != 0 || old.sa_sigaction == libc::SIG_IGN
        {
            return None;
        }
        let mut new: libc::sigaction = MaybeUninit::zeroed().assume_init();
        new.sa_sigaction = interrupt as *const () as usize;
        new.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        (libc::sigaction(signal, &new, ptr::null_mut()) == 0).then_some(old)
    }
}

extern "C" fn interrupt(signal: libc::c_int) {
    SIGNAL.store(signal, Ordering::Relaxed);
    if INTERRUPTED.swap(true, Ordering::Relaxed) {
        // SAFETY: both may be called in a handler; the signal takes effect when it returns.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}
