//! Which proposals the validator accepts, and which one a refused module wants.

use std::ops::Range;

use wasmparser::{FuncValidatorAllocations, Parser, ValidPayload, Validator};

use crate::CompileError;

type Wasmparser = wasmparser::WasmFeatures;

/// Proposals by name, each with what it builds on, so that accepting it alone makes sense.
/// A later entry never contains an earlier one that is not needed, so the first that helps is
/// the one to name.
const PROPOSALS: &[(&str, Wasmparser)] = &[
    ("mutable-global", Wasmparser::MUTABLE_GLOBAL),
    ("saturating-float-to-int", Wasmparser::SATURATING_FLOAT_TO_INT),
    ("sign-extension", Wasmparser::SIGN_EXTENSION),
    ("multi-value", Wasmparser::MULTI_VALUE),
    ("bulk-memory", Wasmparser::BULK_MEMORY),
    ("reference-types", Wasmparser::REFERENCE_TYPES),
    ("extended-const", Wasmparser::EXTENDED_CONST),
    ("simd", Wasmparser::SIMD),
    ("relaxed-simd", Wasmparser::RELAXED_SIMD.union(Wasmparser::SIMD)),
    ("tail-call", Wasmparser::TAIL_CALL),
    ("threads", Wasmparser::THREADS),
    ("multi-memory", Wasmparser::MULTI_MEMORY),
    ("memory64", Wasmparser::MEMORY64),
    ("custom-page-sizes", Wasmparser::CUSTOM_PAGE_SIZES),
    ("wide-arithmetic", Wasmparser::WIDE_ARITHMETIC),
    ("exceptions", Wasmparser::EXCEPTIONS.union(Wasmparser::REFERENCE_TYPES)),
    ("legacy-exceptions", Wasmparser::LEGACY_EXCEPTIONS.union(Wasmparser::EXCEPTIONS)),
    ("function-references", TYPED_REFERENCES),
    ("gc", Wasmparser::GC.union(TYPED_REFERENCES)),
    (
        "stack-switching",
        Wasmparser::STACK_SWITCHING.union(Wasmparser::EXCEPTIONS).union(TYPED_REFERENCES),
    ),
    ("memory-control", Wasmparser::MEMORY_CONTROL),
    ("compact-imports", Wasmparser::COMPACT_IMPORTS),
    (
        "shared-everything-threads",
        Wasmparser::SHARED_EVERYTHING_THREADS
            .union(Wasmparser::THREADS)
            .union(Wasmparser::GC)
            .union(TYPED_REFERENCES),
    ),
    (
        "custom-descriptors",
        Wasmparser::CUSTOM_DESCRIPTORS.union(Wasmparser::GC).union(TYPED_REFERENCES),
    ),
];

const TYPED_REFERENCES: Wasmparser =
    Wasmparser::FUNCTION_REFERENCES.union(Wasmparser::REFERENCE_TYPES);

/// What the validator accepts: the settings' proposals and floats, nothing else.
pub(crate) fn accepted(features: &precast_config::WasmFeatures) -> Wasmparser {
    let precast_config::WasmFeatures {
        mutable_global,
        saturating_float_to_int,
        sign_extension,
        multi_value,
        bulk_memory,
        reference_types,
        extended_const,
        simd,
        relaxed_simd,
        tail_call,
        function_references,
        gc,
        wide_arithmetic,
        // A custom section, which is always valid.
        branch_hinting: _,
        exceptions,
        legacy_exceptions,
        multi_memory,
        memory64,
        custom_page_sizes,
        threads,
    } = *features;
    let mut accepted = Wasmparser::FLOATS;
    // No proposal: it only takes `externref` away from the reference types when it is off.
    accepted.set(Wasmparser::GC_TYPES, true);
    accepted.set(Wasmparser::MUTABLE_GLOBAL, mutable_global);
    accepted.set(Wasmparser::SATURATING_FLOAT_TO_INT, saturating_float_to_int);
    accepted.set(Wasmparser::SIGN_EXTENSION, sign_extension);
    accepted.set(Wasmparser::MULTI_VALUE, multi_value);
    accepted.set(Wasmparser::BULK_MEMORY, bulk_memory);
    accepted.set(Wasmparser::REFERENCE_TYPES, reference_types);
    accepted.set(Wasmparser::EXTENDED_CONST, extended_const);
    accepted.set(Wasmparser::SIMD, simd);
    accepted.set(Wasmparser::RELAXED_SIMD, relaxed_simd);
    accepted.set(Wasmparser::TAIL_CALL, tail_call);
    accepted.set(Wasmparser::FUNCTION_REFERENCES, function_references);
    // The validator takes it to bring along what it builds on.
    accepted.set(Wasmparser::GC, gc && function_references && reference_types);
    accepted.set(Wasmparser::WIDE_ARITHMETIC, wide_arithmetic);
    accepted.set(Wasmparser::EXCEPTIONS, exceptions);
    accepted.set(Wasmparser::LEGACY_EXCEPTIONS, legacy_exceptions);
    accepted.set(Wasmparser::MULTI_MEMORY, multi_memory);
    accepted.set(Wasmparser::MEMORY64, memory64);
    accepted.set(Wasmparser::CUSTOM_PAGE_SIZES, custom_page_sizes);
    accepted.set(Wasmparser::THREADS, threads);
    accepted
}

/// Turns what the validator says about `wasm` into an error that names the proposal which
/// the module needs, if there is one.
///
/// The validator knows its reason often, but not always; otherwise each proposal is tried,
/// and the one that takes the error away is it.
pub(crate) fn explain(
    wasm: &[u8],
    features: &precast_config::WasmFeatures,
    source: wasmparser::Error,
) -> CompileError {
    let accepted = accepted(features);
    let names_it = |missing: Wasmparser| {
        move |&&(_, proposal): &&(&str, Wasmparser)| proposal.intersects(missing)
    };
    let found = source.missing_wasm_feature().and_then(|missing| {
        // What a proposal builds on comes before it in the table.
        PROPOSALS.iter().find(names_it(missing.difference(accepted)))
    });
    let found = found.or_else(|| {
        PROPOSALS.iter().find(|(_, proposal)| {
            !accepted.contains(*proposal)
                && validate(wasm, accepted.union(*proposal), |body| body.contains(&source.offset()))
                    .is_none_or(|error| error.offset() > source.offset())
        })
    });
    match found {
        Some(&(proposal, _)) => CompileError::Proposal {
            proposal,
            known: precast_config::WasmFeatures::NAMES.contains(&proposal),
            offset: source.offset(),
            source,
        },
        None => source.into(),
    }
}

/// The first error of a module, in the order of its bytes.
///
/// Functions are validated while they are compiled, in any order; so that the same error
/// is reported every time, it is looked for again.
pub(crate) fn first_error(
    wasm: &[u8],
    features: &precast_config::WasmFeatures,
) -> Option<wasmparser::Error> {
    validate(wasm, accepted(features), |_| true)
}

/// The first error of a validation, where of the function bodies only those are looked at
/// whose place `look` accepts.
fn validate(
    wasm: &[u8],
    features: Wasmparser,
    look: impl Fn(Range<usize>) -> bool,
) -> Option<wasmparser::Error> {
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let mut parser = Parser::new(0);
    parser.set_features(features);
    for payload in parser.parse_all(wasm) {
        let valid = payload.and_then(|payload| validator.payload(&payload));
        match valid {
            Ok(ValidPayload::Func(function, body)) if look(body.range()) => {
                let mut validator = function.into_validator(std::mem::take(&mut allocations));
                if let Err(error) = validator.validate(&body) {
                    return Some(error);
                }
                allocations = validator.into_allocations();
            }
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
    None
}
