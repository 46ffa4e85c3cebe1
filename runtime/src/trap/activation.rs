//! Entries into wasm on this thread, and how a failure gets back to the newest one.
//!
//! Each call from the host pushes an activation on a list that is threaded through the
//! stack. A failure is noted in the newest one and then jumps to the handler of its entry
//! trampoline, over frames of wasm and of trampolines only: host functions return to
//! their exit trampoline first, with panics caught.
#![allow(unsafe_code)] // The list is made of pointers to frames that are still active.

use std::any::Any;
use std::cell::Cell;
use std::ptr::NonNull;

use precast_artifact::trap::Trap;

use super::backtrace::WasmBacktrace;
use super::{handlers, signals};
use crate::arch::{self, Target};
use crate::error::{Error, Result};
use crate::store::{Registers, Shared, VmStore};

thread_local! {
    static NEWEST: Cell<*const Activation> = const { Cell::new(std::ptr::null()) };
}

/// Why wasm was left before it returned.
pub(crate) enum Failure {
    Error(Error),
    /// Code threw the exception that is pending in the store.
    Exception,
    Panic(Box<dyn Any + Send>),
}

/// One call from the host.
pub(crate) struct Activation {
    previous: *const Activation,
    shared: Shared,
    /// What `VMStoreContext` held for the activation before this one in the same store.
    outer: Registers,
    /// The limit that the outermost activation on this thread set.
    stack_limit: usize,
    failure: Cell<Option<Failure>>,
}

/// Calls `call`, which enters wasm of the store or one of its host functions and returns whether
/// it succeeded.
///
/// # Panics
///
/// With the panic of a host function that the call led to.
///
/// # Safety
///
/// `store` must be valid as `&mut` for the whole call and `shared` be its own; nobody else uses
/// it meanwhile except through `Shared::current`. `call` must not unwind, and a failure
/// that it does not report with `false` must only happen in wasm code entered through
/// an entry trampoline.
#[inline]
pub(crate) unsafe fn enter(
    store: NonNull<dyn VmStore>,
    shared: Shared,
    call: impl FnOnce() -> bool,
) -> Result<()> {
    let previous = NEWEST.get();
    let outer = shared.registers();
    let outer_store = shared.current();
    let stack_limit = match previous.is_null() {
        true => {
            signals::prepare_thread();
            outermost_stack_limit(shared.max_wasm_stack())
        }
        // SAFETY: activations on the list are frames below this one on the same stack.
        false => unsafe { (*previous).stack_limit },
    };
    let activation = Activation { previous, shared, outer, stack_limit, failure: Cell::new(None) };
    shared.set_stack_limit(stack_limit);
    shared.set_current(Some(store));
    NEWEST.set(&raw const activation);
    let succeeded = call();
    NEWEST.set(previous);
    shared.set_current(outer_store);
    shared.set_registers(outer);
    if succeeded {
        return Ok(());
    }
    match activation.failure.take() {
        Some(Failure::Error(error)) => Err(error),
        Some(Failure::Panic(payload)) => std::panic::resume_unwind(payload),
        Some(Failure::Exception) | None => unreachable!("a call failed without a reason"),
    }
}

/// Notes why the newest activation is about to be left.
pub(crate) fn record(failure: Failure) {
    with_newest(|activation| activation.failure.set(Some(failure)))
        .expect("host functions and helpers run inside of activations");
}

/// Goes on after a failure was recorded: an exception in the handler that catches it, everything
/// else at the newest entry.
///
/// # Safety
///
/// Wasm was left through a trampoline that calls this, and no frame between it and this
/// call has anything to clean up.
pub(crate) unsafe fn raise() -> ! {
    let target = with_newest(|activation| {
        let mut failure = activation.failure.take();
        // SAFETY: the caller promises that wasm was left through a trampoline.
        let catch = |failure| unsafe { handlers::catch(activation.shared, failure) };
        let target = failure.as_mut().and_then(catch);
        if target.is_some() {
            return target;
        }
        if let Some(Failure::Error(error)) = &mut failure
            && error.wasm_backtrace().is_none()
            && let Some(backtrace) = WasmBacktrace::of_thread(None)
        {
            error.set_backtrace(backtrace);
        }
        activation.failure.set(failure);
        None
    });
    // SAFETY: the caller promises that only wasm and trampolines are left behind.
    unsafe {
        match target.flatten() {
            Some(target) => arch::resume(target),
            None => resume(),
        }
    }
}

/// Where the signal handler lets the thread continue after a fault of wasm code.
///
/// # Safety
///
/// As if called by the faulting instruction: `pc` and `fp` are its own.
pub(crate) unsafe extern "C" fn land(pc: usize, fp: usize, code: usize) -> ! {
    let trap = u8::try_from(code).ok().and_then(Trap::from_code);
    let mut error = Error::from(trap.unwrap_or(Trap::Unreachable));
    if let Some(backtrace) = WasmBacktrace::of_thread(Some((pc, fp))) {
        error.set_backtrace(backtrace);
    }
    record(Failure::Error(error));
    // SAFETY: wasm code faulted, so only wasm frames are left behind.
    unsafe { resume() }
}

/// Whether this thread is in a call from the host into wasm.
pub(crate) fn is_active() -> bool {
    !NEWEST.get().is_null()
}

/// The registers of each activation on this thread, newest first.
pub(crate) fn for_each(mut visit: impl FnMut(Shared, Registers)) {
    // The outer registers that the newest activations of each store saved are those of
    // the next one of that store.
    let mut saved: Vec<(Shared, Registers)> = Vec::new();
    let mut next = NEWEST.get();
    // SAFETY: activations on the list are frames below this one on the same stack.
    while let Some(activation) = unsafe { next.as_ref() } {
        let shared = activation.shared;
        match saved.iter_mut().find(|(store, _)| *store == shared) {
            Some((_, registers)) => {
                visit(shared, *registers);
                *registers = activation.outer;
            }
            None => {
                visit(shared, shared.registers());
                saved.push((shared, activation.outer));
            }
        }
        next = activation.previous;
    }
}

/// The store of the newest activation on this thread.
pub(crate) fn newest_store() -> Option<Shared> {
    with_newest(|activation| activation.shared)
}

fn with_newest<R>(use_it: impl FnOnce(&Activation) -> R) -> Option<R> {
    // SAFETY: as in `for_each`.
    unsafe { NEWEST.get().as_ref() }.map(use_it)
}

/// # Safety
///
/// As for [`raise`].
unsafe fn resume() -> ! {
    let registers = with_newest(|activation| activation.shared.registers());
    let Some(Registers { entry_sp, entry_fp, entry_handler, .. }) = registers else {
        unreachable!("nothing to resume outside of activations")
    };
    // SAFETY: the newest entry trampoline wrote these; its frame is still there, because the
    // activation is.
    unsafe {
        arch::resume(Target { pc: entry_handler, sp: entry_sp, fp: entry_fp, payload: [0; 2] })
    }
}

#[inline(never)]
fn outermost_stack_limit(max_wasm_stack: usize) -> usize {
    let here = 0u8;
    (&raw const here).addr().saturating_sub(max_wasm_stack)
}
