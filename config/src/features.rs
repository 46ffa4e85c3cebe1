//! Which WebAssembly proposals a module may use.

macro_rules! proposals {
    ($($(#[$doc:meta])* $field:ident $name:literal $default:literal)*) => {
        /// Which proposals a module may use; a module that needs another is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct WasmFeatures {
            $($(#[$doc])* pub $field: bool,)*
        }

        impl Default for WasmFeatures {
            fn default() -> Self {
                WasmFeatures { $($field: $default,)* }
            }
        }

        impl WasmFeatures {
            /// The names of all proposals, as the specification's authors spell them.
            pub const NAMES: &[&str] = &[$($name),*];

            /// Each proposal's name and whether it is accepted.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, bool)> {
                let WasmFeatures { $($field),* } = *self;
                [$(($name, $field)),*].into_iter()
            }

            /// Accepts a proposal, or no longer does.
            ///
            /// # Errors
            ///
            /// [`UnknownProposal`] when there is none of that name.
            pub fn set(&mut self, name: &str, accept: bool) -> Result<(), UnknownProposal> {
                match name {
                    $($name => self.$field = accept,)*
                    _ => return Err(UnknownProposal(name.to_owned())),
                }
                Ok(())
            }
        }
    };
}

proposals! {
    /// Mutable globals can be imported and exported.
    mutable_global "mutable-global" true
    /// Float to integer conversions that saturate.
    saturating_float_to_int "saturating-float-to-int" true
    /// Integer sign extension.
    sign_extension "sign-extension" true
    /// Several results of functions, parameters of blocks.
    multi_value "multi-value" true
    /// `memory.copy` and its relatives.
    bulk_memory "bulk-memory" true
    /// `externref`, `funcref` values, several tables.
    reference_types "reference-types" true
    /// Arithmetic in constant expressions.
    extended_const "extended-const" true
    /// 128-bit vectors.
    simd "simd" true
    /// Vector operators whose results may depend on the processor.
    relaxed_simd "relaxed-simd" true
    /// Calls that reuse the frame of their caller.
    tail_call "tail-call" true
    /// References to functions of a type, references that are never null.
    function_references "function-references" true
    /// Structures, arrays and 31-bit integers as references. Builds on `reference-types` and
    /// `function-references`: without those it is not accepted either.
    gc "gc" true
    /// Arithmetic on 128-bit integers.
    wide_arithmetic "wide-arithmetic" false
    /// Which way a branch usually goes, in a custom section.
    branch_hinting "branch-hinting" true
    /// Exceptions: tags, `throw`, `try_table`, `exnref`.
    exceptions "exceptions" true
    /// The encoding of exceptions from before they were standardized: `try`, `catch`, `delegate`.
    legacy_exceptions "legacy-exceptions" true
    /// Several memories.
    multi_memory "multi-memory" true
    /// Memories and tables with 64-bit indices.
    memory64 "memory64" true
    /// Memories with pages of 1 byte.
    custom_page_sizes "custom-page-sizes" false
    /// Shared memories and atomic operators.
    threads "threads" true
}

/// A proposal that does not exist, or that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown WebAssembly proposal `{0}`")]
pub struct UnknownProposal(String);
