//! What differs between processors: one file each.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::{fault_registers, redirect, resume};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{fault_registers, redirect, resume};

/// Where generated code continues after an exception or a failure.
pub(crate) struct Target {
    pub(crate) pc: usize,
    pub(crate) sp: usize,
    pub(crate) fp: usize,
    /// What goes to the registers that carry the payload of an exception.
    pub(crate) payload: [usize; 2],
}

/// The caller's frame pointer and the return address of the frame at `fp`: both
/// processors store them next to each other there.
///
/// # Safety
///
/// `fp` must be the frame pointer of an active frame of wasm or a trampoline.
#[allow(unsafe_code)] // Reads the stack.
pub(crate) unsafe fn caller(fp: usize) -> (usize, usize) {
    let frame = std::ptr::with_exposed_provenance::<usize>(fp);
    // SAFETY: generated code keeps frame pointers, and the caller says the frame is active.
    unsafe { (frame.read(), frame.add(1).read()) }
}
