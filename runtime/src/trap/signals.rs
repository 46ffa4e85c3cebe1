//! Faults of wasm code, which the processor reports as signals.
//!
//! The handlers only look the faulting instruction up and rewrite the thread's registers, so
//! that it goes on in ordinary code on its own stack, where allocating is allowed.
//! Everything they do not know goes to the handlers that were there before.
#![allow(unsafe_code)] // sigaction, and the registers of the interrupted thread.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, OnceLock};

use libc::{siginfo_t, ucontext_t};
use precast_artifact::trap::Trap;
use rustix::mm::{MapFlags, ProtFlags};

use super::{activation, code_registry};
use crate::arch;
use crate::error::Result;

const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// The handlers before ours, in the order of [`SIGNALS`]. Set before ours are installed.
static PREVIOUS: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Installs the handlers, unless that was done before.
///
/// # Errors
///
/// What the system says.
pub(crate) fn install() -> Result<()> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if *installed {
        return Ok(());
    }
    let mut previous = [MaybeUninit::<libc::sigaction>::zeroed(); SIGNALS.len()];
    for (&signal, previous) in SIGNALS.iter().zip(&mut previous) {
        // SAFETY: asks for the current handler only; there is room for it.
        check(unsafe { libc::sigaction(signal, ptr::null(), previous.as_mut_ptr()) })?;
    }
    // SAFETY: `sigaction` filled all of them.
    let previous = previous.map(|previous| unsafe { previous.assume_init() });
    let _ = PREVIOUS.set(previous);
    for signal in SIGNALS {
        // SAFETY: all bits zero is a valid `sigaction`.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handle as *const () as usize;
        // Not deferred: a fault in a handler that comes after ours must be seen as well.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        // SAFETY: `handle` has the signature that `SA_SIGINFO` asks for, and does only what is
        // allowed in a signal handler.
        check(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) })?;
    }
    *installed = true;
    Ok(())
}

/// Gives this thread a stack for signal handlers, if it needs one.
pub(super) fn prepare_thread() {
    if PREVIOUS.get().is_some() {
        // A thread that is going away has had its stack.
        let _ = STACK.try_with(|stack| stack.install());
    }
}

unsafe extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system passes the context of the interrupted thread, which nobody else
    // uses until the handler returns.
    let registers = unsafe { &mut *context.cast::<ucontext_t>() };
    let (pc, fp) = arch::fault_registers(registers);
    // On Linux a SIGBUS says that a file behind a mapping was cut short: never a trap.
    if signal == libc::SIGBUS && cfg!(target_os = "linux") {
        // SAFETY: the system passes valid information.
        report_truncation(pc, unsafe { (*info).si_addr() }.addr());
    } else if activation::is_active()
        && let Some(trap) = trap_at(pc)
    {
        let arguments = [pc, fp, usize::from(trap.code())];
        arch::redirect(registers, activation::land as *const () as usize, arguments);
        return;
    }
    // SAFETY: as the system called this handler.
    unsafe { chain(signal, info, context) }
}

fn trap_at(pc: usize) -> Option<Trap> {
    code_registry::with_code_at(pc, |module| {
        let offset = u32::try_from(pc - module.text().start).ok()?;
        module.sections().sites.get(offset)?.trap
    })?
}

/// Tells the user which file it was, before the program ends.
fn report_truncation(pc: usize, address: usize) {
    code_registry::with_mapping_at(&[pc, address], |module| {
        // Nothing can be done about a failed write.
        let write = |bytes: &[u8]| {
            let _ = rustix::io::write(rustix::stdio::stderr(), bytes);
        };
        write(b"precast: an artifact was cut short while it was mapped: ");
        write(module.path().map_or(b"(no path)", |path| path.as_os_str().as_encoded_bytes()));
        write(b"\n");
    });
}

/// Passes a signal on to the handler that was there before.
///
/// # Safety
///
/// With the arguments of a signal handler.
unsafe fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let position = SIGNALS.iter().position(|&known| known == signal);
    let previous = PREVIOUS.get().zip(position).map(|(previous, i)| &previous[i]);
    match previous {
        Some(previous) if !matches!(previous.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
            if previous.sa_flags & libc::SA_SIGINFO != 0 {
                type Handler = unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
                // SAFETY: `SA_SIGINFO` says that the handler has this signature.
                unsafe {
                    std::mem::transmute::<usize, Handler>(previous.sa_sigaction)(
                        signal, info, context,
                    );
                }
            } else {
                // SAFETY: a handler without `SA_SIGINFO` takes the signal's number.
                unsafe {
                    std::mem::transmute::<usize, unsafe extern "C" fn(c_int)>(
                        previous.sa_sigaction,
                    )(signal);
                }
            }
        }
        // Ignoring a fault would repeat it for ever, so the system ends the program for that as
        // well. The faulting instruction runs again and ends it; a signal that someone
        // sent has to be sent again.
        _ => {
            // SAFETY: both functions may be called in signal handlers.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &action, ptr::null_mut());
                if (*info).si_code <= 0 {
                    libc::raise(signal);
                }
            }
        }
    }
}

fn check(result: c_int) -> Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(crate::Error::from(io::Error::last_os_error())
            .context("cannot install signal handlers")),
    }
}

/// A stack for the signal handlers of one thread. Those that the Rust runtime installs are
/// too small for the register files of large processors.
struct SignalStack {
    /// Where it begins; 0 before it is installed, 1 when the thread has a good one of its own.
    start: Cell<usize>,
}

thread_local! {
    static STACK: SignalStack = const { SignalStack { start: Cell::new(0) } };
}

impl SignalStack {
    const SIZE: usize = 64 << 10;
    const GUARD: usize = 64 << 10;

    fn install(&self) {
        if self.start.get() == 0 {
            self.start.set(Self::allocate().unwrap_or(1));
        }
    }

    fn allocate() -> Option<usize> {
        // SAFETY: plain system calls on memory that belongs to nobody else.
        unsafe {
            let mut old: libc::stack_t = MaybeUninit::zeroed().assume_init();
            if libc::sigaltstack(ptr::null(), &mut old) != 0
                || (old.ss_flags & libc::SS_DISABLE == 0 && old.ss_size >= Self::SIZE)
            {
                return None;
            }
            let len = Self::GUARD + Self::SIZE;
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
            let access = ProtFlags::READ | ProtFlags::WRITE;
            let start = rustix::mm::mmap_anonymous(ptr::null_mut(), len, access, flags).ok()?;
            let none = rustix::mm::MprotectFlags::empty();
            let new = libc::stack_t {
                ss_sp: start.byte_add(Self::GUARD),
                ss_flags: 0,
                ss_size: Self::SIZE,
            };
            if rustix::mm::mprotect(start, Self::GUARD, none).is_err()
                || libc::sigaltstack(&new, ptr::null_mut()) != 0
            {
                let _ = rustix::mm::munmap(start, len);
                return None;
            }
            Some(start.expose_provenance())
        }
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let start = self.start.get();
        if start <= 1 {
            return;
        }
        // SAFETY: the memory was mapped by `allocate`; it is unmapped only after the thread
        // stopped using it, or left alone when someone installed another stack.
        unsafe {
            let mut old: libc::stack_t = MaybeUninit::zeroed().assume_init();
            let ours = start + Self::GUARD;
            if libc::sigaltstack(ptr::null(), &mut old) == 0 && old.ss_sp.addr() == ours {
                let mut disable: libc::stack_t = MaybeUninit::zeroed().assume_init();
                disable.ss_flags = libc::SS_DISABLE;
                // Some systems check the size even here.
                disable.ss_size = Self::SIZE;
                if libc::sigaltstack(&disable, ptr::null_mut()) == 0 {
                    let start = ptr::with_exposed_provenance_mut(start);
                    let _ = rustix::mm::munmap(start, Self::GUARD + Self::SIZE);
                }
            }
        }
    }
}
