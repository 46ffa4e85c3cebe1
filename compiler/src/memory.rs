//! Memory that the compiler needed and does not need any more.
#![allow(unsafe_code)] // Calls the C library.

/// Gives memory that has been freed back to the system, where the C library would keep it: what compiling large
/// functions took, some hundred megabytes, would lie there while the artifact is put together.
pub(crate) fn release() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it has no preconditions, and touches only memory that nobody has.
    unsafe {
        libc::malloc_trim(0);
    }
}
