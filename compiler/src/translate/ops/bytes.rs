//! `memory.copy` and `memory.fill`. Code checks the bounds itself; what is short and of a known length it moves
//! itself, and the rest is done by the C library, whose routines suit the processor.

use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{InstBuilder, Opcode, Type, Value, types};
use precast_artifact::helper::Helper;
use precast_artifact::routine::Routine;
use smallvec::SmallVec;

use crate::signature::VECTOR;
use crate::translate::body::Body;

use super::address::Memory;
use super::bulk::narrower;
use super::calls::{call_helper_for_effect, call_routine};

/// Up to this many bytes are moved by code: four vectors, which is about as much code as a call.
const SHORT: u64 = 64;

/// `memory.copy`.
pub(in crate::translate) fn copy(body: &mut Body<'_>, dst_memory: u32, src_memory: u32) {
    let (to, from) = (Memory::new(body, dst_memory), Memory::new(body, src_memory));
    let (dst, src, len) = body.values.pop3();
    let known_len = body.constant(len);
    let dst = body.extend_index(dst, to.width());
    let src = body.extend_index(src, from.width());
    let len = body.extend_index(len, narrower(to.width(), from.width()));
    if to.is_shared() || from.is_shared() {
        let args = [body.const32(dst_memory), dst, body.const32(src_memory), src, len];
        return call_helper_for_effect(body, Helper::MemoryCopy, &args);
    }
    let from_bytes = from.range(body, src, len);
    let to_bytes = to.range(body, dst, len);
    let Some(known_len) = known_len.filter(|&len| len <= SHORT) else {
        return call_routine(body, Routine::Move, &[to_bytes, from_bytes, len]);
    };
    let (to_flags, from_flags) = (to.flags(body), from.flags(body));
    // All is read before anything is written, since the ranges may overlap.
    let moved: SmallVec<[(Offset32, Type, Value); 8]> = chunks(known_len)
        .map(|(offset, ty)| {
            let (inst, dfg) = body.ins().Load(Opcode::Load, ty, from_flags, offset, from_bytes);
            (offset, ty, dfg.first_result(inst))
        })
        .collect();
    for (offset, ty, value) in moved {
        body.ins().Store(Opcode::Store, ty, to_flags, offset, value, to_bytes);
    }
}

/// `memory.fill`.
pub(in crate::translate) fn fill(body: &mut Body<'_>, memory: u32) {
    let to = Memory::new(body, memory);
    let (dst, value, len) = body.values.pop3();
    let known_len = body.constant(len);
    let dst = body.extend_index(dst, to.width());
    let len = body.extend_index(len, to.width());
    if to.is_shared() {
        let args = [body.const32(memory), dst, value, len];
        return call_helper_for_effect(body, Helper::MemoryFill, &args);
    }
    let to_bytes = to.range(body, dst, len);
    let Some(known_len) = known_len.filter(|&len| len <= SHORT) else {
        return call_routine(body, Routine::Set, &[to_bytes, value, len]);
    };
    let flags = to.flags(body);
    let byte = body.ins().ireduce(types::I8, value);
    for (offset, ty) in chunks(known_len) {
        let value = repeated(body, byte, ty);
        body.ins().Store(Opcode::Store, ty, flags, offset, value, to_bytes);
    }
}

/// A value of the type `ty` whose bytes are all `byte`.
fn repeated(body: &mut Body<'_>, byte: Value, ty: Type) -> Value {
    if ty == VECTOR {
        return body.ins().splat(VECTOR, byte);
    }
    if ty == types::I8 {
        return byte;
    }
    let wide = body.ins().uextend(ty, byte);
    let ones = 0x0101_0101_0101_0101_u64 >> (64 - ty.bits());
    let ones = body.integer(ty, ones.cast_signed());
    body.ins().imul(wide, ones)
}

/// The pieces, by offset and type, that cover `len` bytes. They may overlap.
fn chunks(len: u64) -> impl Iterator<Item = (Offset32, Type)> {
    let ty = match len {
        0 | 1 => types::I8,
        2 | 3 => types::I16,
        4..8 => types::I32,
        8..16 => types::I64,
        _ => VECTOR,
    };
    let size = u64::from(ty.bytes());
    let last = len.checked_sub(size).filter(|last| !last.is_multiple_of(size));
    let whole = (0..len / size).map(move |position| position * size);
    whole.chain(last).map(move |offset| (Offset32::new(offset as i32), ty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_exactly_what_they_should() {
        for len in 0..=SHORT {
            let mut covered = [false; 128];
            for (offset, ty) in chunks(len) {
                covered[i32::from(offset) as usize..][..ty.bytes() as usize].fill(true);
            }
            let count = covered.iter().take_while(|&&covered| covered).count();
            assert_eq!(count as u64, len);
            assert!(!covered[count..].contains(&true), "{len}");
            assert!(chunks(len).count() <= 8);
        }
    }
}
