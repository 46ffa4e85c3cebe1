//! One switch for each proposal, under the names that embedders of wasmtime know.

use super::Config;

macro_rules! proposals {
    ($($method:ident: $field:ident $name:literal)*) => {
        impl Config {
            $(
                #[doc = concat!("Whether modules may use the proposal `", $name, "`: see")]
                #[doc = "[`Config::wasm_feature`]."]
                pub fn $method(&mut self, accept: bool) -> &mut Config {
                    self.compiler.features.$field = accept;
                    self
                }
            )*
        }
    };
}

proposals! {
    wasm_bulk_memory: bulk_memory "bulk-memory"
    wasm_custom_page_sizes: custom_page_sizes "custom-page-sizes"
    wasm_exceptions: exceptions "exceptions"
    wasm_extended_const: extended_const "extended-const"
    wasm_function_references: function_references "function-references"
    wasm_gc: gc "gc"
    wasm_memory64: memory64 "memory64"
    wasm_multi_memory: multi_memory "multi-memory"
    wasm_multi_value: multi_value "multi-value"
    wasm_reference_types: reference_types "reference-types"
    wasm_relaxed_simd: relaxed_simd "relaxed-simd"
    wasm_simd: simd "simd"
    wasm_tail_call: tail_call "tail-call"
    wasm_threads: threads "threads"
    wasm_wide_arithmetic: wide_arithmetic "wide-arithmetic"
}
