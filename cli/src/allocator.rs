//! The settings of the C library's allocator in a program that compiles.
#![allow(unsafe_code)] // Calls the C library.

/// Makes the C library give large buffers back to the system as soon as they are free.
///
/// By default, the threshold from which it maps a buffer of its own grows with the first one that is freed; each thread
/// then keeps what its largest function took. With these values, the peak of anonymous memory is lower by 4 % when
/// resvg is compiled and by a fifth when esbuild or ruby is, in the same time.
pub fn release_large_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, 512 << 10),
        (libc::M_TRIM_THRESHOLD, 32 << 20),
        (libc::M_TOP_PAD, 1 << 20),
    ] {
        // SAFETY: no other thread runs yet. A value that it does not take changes nothing.
        unsafe { libc::mallopt(parameter, value) };
    }
}
