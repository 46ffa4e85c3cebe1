//! Settings that matter only while compiling or running, and change no code.

/// Settings that are not part of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSettings {
    /// Threads that compile at the same time; as many as there are processors when `None`.
    pub jobs: Option<usize>,
    /// Stack that wasm may use on the caller's thread, in bytes.
    pub max_wasm_stack: usize,
    /// The most frames that a backtrace keeps.
    pub backtrace_frames: usize,
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        RuntimeSettings { jobs: None, max_wasm_stack: 512 << 10, backtrace_frames: 64 }
    }
}
