//! The way of an exception: from where wasm was left to the handler that catches it.
#![allow(unsafe_code)] // Reads the stack.

use std::ffi::c_void;

use precast_artifact::section::exceptions::{CallSite, Catch};

use super::activation::Failure;
use super::code_registry;
use crate::arch::{self, Target};
use crate::error::Error;
use crate::exception::{Payload, ThrownException, deliver};
use crate::module::Module;
use crate::store::{Registers, Shared, StoreOpaque, TagId};
use crate::vm::instance_of;

/// A handler in a frame.
struct Landing {
    pc: usize,
    sp: usize,
    fp: usize,
    by_reference: bool,
}

/// Where to go on, when the failure is an exception that code of the newest activation catches.
/// Otherwise the failure is an error afterwards.
///
/// # Safety
///
/// `shared` must belong to the newest activation, whose code was left through a trampoline.
pub(super) unsafe fn catch(shared: Shared, failure: &mut Failure) -> Option<Target> {
    let mut current = shared.current().expect("wasm runs in an entered store");
    // SAFETY: whoever entered wasm lent the store to the trampoline that called this.
    let store = unsafe { current.as_mut() };
    match failure {
        Failure::Exception => {}
        Failure::Error(error) => {
            let thrown = error.downcast_ref::<ThrownException>()?;
            let object = thrown.of_store(store.opaque_mut())?;
            store.opaque_mut().throw_object(object);
        }
        Failure::Panic(_) => return None,
    }
    let tag = store.opaque_mut().exceptions.tag();
    // SAFETY: the caller's promise.
    match unsafe { find(shared.registers(), store.opaque_mut(), tag) } {
        Some(Landing { pc, sp, fp, by_reference }) => match deliver(store, by_reference) {
            Ok(Payload { reference, values }) => {
                let payload = [reference as usize, values.expose_provenance()];
                return Some(Target { pc, sp, fp, payload });
            }
            Err(error) => {
                store.opaque_mut().exceptions.deliver();
                *failure = Failure::Error(error);
            }
        },
        None if matches!(failure, Failure::Exception) => {
            *failure =
                Failure::Error(ThrownException::pending(store).map_or_else(|e| e, Error::from));
        }
        // The error has the exception.
        None => store.opaque_mut().exceptions.deliver(),
    }
    None
}

/// The first handler for exceptions with this tag, from where wasm was left up to its entry.
///
/// # Safety
///
/// The registers must be those of the newest activation.
unsafe fn find(registers: Registers, store: &StoreOpaque, tag: TagId) -> Option<Landing> {
    let mut module: Option<Module> = None;
    let mut fp = registers.exit_fp;
    loop {
        // SAFETY: the frame belongs to wasm or a trampoline of an activation.
        let (caller_fp, return_address) = unsafe { arch::caller(fp) };
        // The entry's call of the first wasm function is none that wasm has made.
        if caller_fp == registers.entry_fp || caller_fp == 0 {
            return None;
        }
        fp = caller_fp;
        let call = return_address.wrapping_sub(1);
        if !module.as_ref().is_some_and(|module| module.inner().text().contains(&call)) {
            module = code_registry::module_at(call);
        }
        let Some(module) = &module else { continue };
        let module = module.inner();
        let text = module.text().start;
        let call = module.sections().exceptions.find((return_address - text) as u32);
        if let Some(call) = call {
            let sp = fp.wrapping_sub(call.frame.size as usize);
            // SAFETY: the call is one of the function to which the frame belongs.
            if let Some((pc, by_reference)) = unsafe { find_in(call, sp, store, tag) } {
                return Some(Landing { pc: text + pc as usize, sp, fp, by_reference });
            }
        }
    }
}

/// The first handler of a call for exceptions with this tag: the offset of its code, and whether
/// it wants a reference.
///
/// # Safety
///
/// `sp` must be the stack pointer during the call.
unsafe fn find_in(
    call: CallSite<'_>,
    sp: usize,
    store: &StoreOpaque,
    tag: TagId,
) -> Option<(u32, bool)> {
    let instance = call.frame.vmctx.and_then(|offset| {
        let place = std::ptr::with_exposed_provenance::<*mut c_void>(sp + offset as usize);
        // SAFETY: the compiler put the VMContext there for as long as the call lasts.
        unsafe { instance_of(place.read()) }
    });
    let takes = |catch: Catch| match (catch.tag, instance) {
        (None, _) => true,
        (Some(index), Some(instance)) => store.instances[instance].tag(index) == Some(tag),
        (Some(_), None) => false,
    };
    let mut handlers = call.handlers().filter(|handler| takes(handler.catch));
    handlers.next().map(|handler| (handler.offset, handler.catch.reference))
}
