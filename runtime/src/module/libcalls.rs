//! Library routines that code of some targets calls.
#![allow(unsafe_code)] // The bytes of vectors.

use precast_artifact::section::relocations::LibCall;

/// A vector where code of this machine passes one.
#[cfg(target_arch = "x86_64")]
type Vector = std::arch::x86_64::__m128i;
/// Only code for x86-64 calls routines with vectors.
#[cfg(not(target_arch = "x86_64"))]
type Vector = u128;

/// The address of a routine.
pub(super) fn address(libcall: LibCall) -> usize {
    type Unary<F> = extern "C" fn(F) -> F;
    type Ternary<F> = extern "C" fn(F, F, F) -> F;
    match libcall {
        LibCall::CeilF32 => ceil_f32 as Unary<f32> as usize,
        LibCall::CeilF64 => ceil_f64 as Unary<f64> as usize,
        LibCall::FloorF32 => floor_f32 as Unary<f32> as usize,
        LibCall::FloorF64 => floor_f64 as Unary<f64> as usize,
        LibCall::TruncF32 => trunc_f32 as Unary<f32> as usize,
        LibCall::TruncF64 => trunc_f64 as Unary<f64> as usize,
        LibCall::NearestF32 => nearest_f32 as Unary<f32> as usize,
        LibCall::NearestF64 => nearest_f64 as Unary<f64> as usize,
        LibCall::FmaF32 => fma_f32 as Ternary<f32> as usize,
        LibCall::FmaF64 => fma_f64 as Ternary<f64> as usize,
        LibCall::X86Pshufb => x86_pshufb as extern "C" fn(Vector, Vector) -> Vector as usize,
    }
}

extern "C" fn ceil_f32(value: f32) -> f32 {
    quiet_f32(value.ceil())
}

extern "C" fn ceil_f64(value: f64) -> f64 {
    quiet_f64(value.ceil())
}

extern "C" fn floor_f32(value: f32) -> f32 {
    quiet_f32(value.floor())
}

extern "C" fn floor_f64(value: f64) -> f64 {
    quiet_f64(value.floor())
}

extern "C" fn trunc_f32(value: f32) -> f32 {
    quiet_f32(value.trunc())
}

extern "C" fn trunc_f64(value: f64) -> f64 {
    quiet_f64(value.trunc())
}

extern "C" fn nearest_f32(value: f32) -> f32 {
    quiet_f32(value.round_ties_even())
}

extern "C" fn nearest_f64(value: f64) -> f64 {
    quiet_f64(value.round_ties_even())
}

/// A NaN that signals becomes a quiet one, as instructions would have it and Rust's functions
/// need not.
fn quiet_f32(value: f32) -> f32 {
    if value.is_nan() { f32::from_bits(value.to_bits() | 1 << 22) } else { value }
}

/// As [`quiet_f32`].
fn quiet_f64(value: f64) -> f64 {
    if value.is_nan() { f64::from_bits(value.to_bits() | 1 << 51) } else { value }
}

extern "C" fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

extern "C" fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}

#[allow(improper_ctypes_definitions, reason = "the C convention has registers for vectors")]
extern "C" fn x86_pshufb(bytes: Vector, choice: Vector) -> Vector {
    // SAFETY: both sides are sixteen bytes without invalid values.
    let to_bytes = |vector: Vector| unsafe { std::mem::transmute::<Vector, [u8; 16]>(vector) };
    let (bytes, choice) = (to_bytes(bytes), to_bytes(choice));
    let chosen = choice.map(|at| if at < 0x80 { bytes[usize::from(at & 15)] } else { 0 });
    // SAFETY: as above.
    unsafe { std::mem::transmute::<[u8; 16], Vector>(chosen) }
}
