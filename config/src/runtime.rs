//! Settings that matter only while compiling or running, and change no code.

use crate::section::section;

section! {
    /// Settings that are not part of an artifact.
    pub struct RuntimeSettings as "runtime" {
        /// Threads that compile at the same time; as many as there are processors when there is
        /// no number.
        jobs: Option<usize> as Count = None;
        /// Stack that wasm may use on the caller's thread, in bytes.
        max_wasm_stack: usize as Size = 512 << 10;
        /// The most frames that a backtrace keeps.
        backtrace_frames: usize as Count = 64;
    }
}
