//! References to values of the host, moved around by wasm with collections in between.
//!
//! `cargo +nightly fuzz run references`, in the folder above.
#![no_main]

use libfuzzer_sys::fuzz_target;
use precast_fuzzing::references;

fuzz_target!(|bytes: &[u8]| {
    references::check(bytes);
});
