//! Addresses in linear memories, and the checks that keep them inside.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{InstBuilder, MemFlags, Value, types};
use precast_artifact::index::MemoryIndex;
use precast_artifact::module::{Bounds, MemoryPlan};
use precast_artifact::trap::Trap;
use precast_artifact::vmcontext::VMMemoryDefinition;
use wasmparser::MemArg;

use crate::signature::POINTER;
use crate::translate::body::{Body, Width};
use crate::translate::computed::Expression;
use crate::translate::instance::Location;
use crate::translate::regions::Region;
use crate::trap::trap_code;

/// How much at address 0 faults on every supported system: the smallest page size.
pub(super) const NULL_PAGE: u64 = 4096;

/// Where an access goes, and how.
pub(super) struct Address {
    /// A pointer.
    pub(super) base: Value,
    /// What is added to it.
    pub(super) offset: Offset32,
    /// The flags of the access.
    pub(super) flags: MemFlags,
}

impl Address {
    /// The pointer with the offset added, for instructions that take none.
    pub(super) fn pointer(&self, body: &mut Body<'_>) -> Value {
        match i64::from(self.offset) {
            0 => self.base,
            offset => body.ins().iadd_imm_s(self.base, offset),
        }
    }
}

/// What keeps an access inside its memory.
enum Check {
    /// The address space around the memory: whatever is not part of it faults.
    Faults,
    /// A comparison, which holds when the access is outside. Where it does not hold, the
    /// access is inside or faults.
    Outside(Value),
}

/// A memory, as far as it is known at compile time.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    index: MemoryIndex,
    plan: MemoryPlan,
}

impl Memory {
    /// The memory at `index`.
    pub(super) fn new(body: &Body<'_>, index: u32) -> Memory {
        let index = MemoryIndex(index);
        Memory { index, plan: body.instance.module.module.memories[index.as_usize()] }
    }

    /// The width of its indices.
    pub(super) fn width(&self) -> Width {
        if self.plan.ty.memory64 { Width::Bits64 } else { Width::Bits32 }
    }

    /// Binary logarithm of its page size in bytes.
    pub(super) fn page_size_log2(&self) -> u8 {
        self.plan.ty.page_size_log2
    }

    /// Its current size in bytes, which for a shared memory is in the order of all threads'
    /// atomic accesses.
    pub(super) fn size(&self, body: &mut Body<'_>) -> Value {
        match self.fixed_length() {
            None if self.plan.ty.shared => {
                let location = self.definition(body).field(offset_of!(VMMemoryDefinition, length));
                let pointer = body.ins().iadd_imm_s(location.base, i64::from(location.offset));
                let flags = Region::Definitions.trusted(body.builder.func);
                body.ins().atomic_load(types::I64, flags, pointer)
            }
            _ => self.length(body),
        }
    }

    /// Its size in bytes, as checks compare with it. That of a shared memory may be an earlier
    /// one, but none from before what this thread knows of: it only rises, and atomic
    /// operators, without which a thread learns nothing of others, are barriers to this load.
    fn length(&self, body: &mut Body<'_>) -> Value {
        match self.fixed_length() {
            Some(length) => body.const64(length),
            None => {
                let location = self.definition(body).field(offset_of!(VMMemoryDefinition, length));
                let flags = Region::Definitions.trusted(body.builder.func);
                body.ins().load(types::I64, flags, location.base, location.offset)
            }
        }
    }

    /// Takes the index of an access to `size` bytes, and makes sure that the access goes to
    /// the memory or faults. `None` when it always traps; nothing after it is reached then.
    pub(super) fn access(self, body: &mut Body<'_>, memarg: &MemArg, size: u32) -> Option<Address> {
        let index = body.pop_index(self.width());
        let end = memarg.offset.checked_add(size.into()).filter(|&end| end <= self.max_length());
        let checked = end.and_then(|end| Some((end, self.check(body, index, end)?)));
        let Some((end, check)) = checked else {
            body.trap(Trap::MemoryOutOfBounds);
            return None;
        };

        let base = self.base(body);
        let sum = Expression::Sum(base, index);
        let mut base = body.computed(sum, |body| body.ins().iadd(base, index));
        let masked = body.instance.spectre.memories && matches!(check, Check::Outside(_));
        let offset = match i32::try_from(memarg.offset) {
            // An access near null faults only while the offset does not lead away from it.
            Ok(offset) if !masked || end <= NULL_PAGE => offset,
            _ => {
                let offset = body.const64(memarg.offset);
                base = body.ins().iadd(base, offset);
                0
            }
        };
        match check {
            Check::Faults => {}
            Check::Outside(outside) if masked => {
                let null = body.const64(0);
                base = body.ins().select_spectre_guard(outside, null, base);
            }
            Check::Outside(outside) => {
                body.ins().trapnz(outside, trap_code(Trap::MemoryOutOfBounds));
            }
        }
        let flags = self.flags(body);
        Some(Address { base, offset: Offset32::new(offset), flags })
    }

    /// As [`access`](Self::access), for an atomic access. It must be aligned, which is checked
    /// first.
    pub(super) fn atomic_access(
        self,
        body: &mut Body<'_>,
        memarg: &MemArg,
        size: u32,
    ) -> Option<Address> {
        let low_bits = i64::from(size) - 1;
        if low_bits != 0 {
            let index = body.values.top(1)[0];
            // What the sum carries beyond the width of the index makes no difference.
            let address = match memarg.offset.cast_signed() & low_bits {
                0 => index,
                offset => body.ins().iadd_imm_s(index, offset),
            };
            let unaligned = body.ins().band_imm_u(address, low_bits);
            body.ins().trapnz(unaligned, trap_code(Trap::UnalignedAtomic));
        }
        self.access(body, memarg, size)
    }

    /// Takes the index of an access that a helper makes and checks, and adds the offset.
    pub(super) fn unchecked_address(self, body: &mut Body<'_>, memarg: &MemArg) -> Value {
        let index = body.pop_index(self.width());
        let offset = body.const64(memarg.offset);
        match self.width() {
            // An offset to such a memory has 32 bits, too.
            Width::Bits32 => body.ins().iadd(index, offset),
            Width::Bits64 => {
                body.ins().uadd_overflow_trap(index, offset, trap_code(Trap::MemoryOutOfBounds))
            }
        }
    }

    /// A pointer to the first of `len` bytes at `index`, all of which are inside; both are extended to 64 bits.
    pub(super) fn range(self, body: &mut Body<'_>, index: Value, len: Value) -> Value {
        let trap = trap_code(Trap::MemoryOutOfBounds);
        let end = match self.width() {
            Width::Bits32 => body.ins().iadd(index, len),
            Width::Bits64 => body.ins().uadd_overflow_trap(index, len, trap),
        };
        let length = self.length(body);
        let outside = body.ins().icmp(IntCC::UnsignedGreaterThan, end, length);
        body.ins().trapnz(outside, trap);
        let base = self.base(body);
        body.ins().iadd(base, index)
    }

    /// The flags of accesses to it.
    pub(super) fn flags(self, body: &mut Body<'_>) -> MemFlags {
        body.instance.memory_flags(body.builder.func, self.index)
    }

    /// Whether several threads can have it.
    pub(super) fn is_shared(self) -> bool {
        self.plan.ty.shared
    }

    /// The check for an access that ends `end` bytes behind `index`; `None` when no index is
    /// inside.
    fn check(&self, body: &mut Body<'_>, index: Value, end: u64) -> Option<Check> {
        let outside = match self.plan.bounds {
            Bounds::Guard { reservation, guard } => {
                let reach = reservation.saturating_add(guard);
                if self.width().max().checked_add(end).is_some_and(|last| last <= reach) {
                    return Some(Check::Faults);
                }
                // The memory never grows beyond its reservation.
                let last_index = body.const64(reach.checked_sub(end)?);
                body.ins().icmp(IntCC::UnsignedGreaterThan, index, last_index)
            }
            // Accesses through the same index share this comparison, whatever their offset.
            Bounds::Explicit { guard } if end <= guard => {
                let length = self.length(body);
                body.ins().icmp(IntCC::UnsignedGreaterThan, index, length)
            }
            Bounds::Explicit { .. } => {
                let length = self.length(body);
                let end_value = body.const64(end);
                if end <= self.min_length() {
                    let last_index = body.ins().isub(length, end_value);
                    body.ins().icmp(IntCC::UnsignedGreaterThan, index, last_index)
                } else {
                    let trap = trap_code(Trap::MemoryOutOfBounds);
                    let index_end = match self.width() {
                        // An offset to such a memory has 32 bits, too.
                        Width::Bits32 => body.ins().iadd(index, end_value),
                        Width::Bits64 => body.ins().uadd_overflow_trap(index, end_value, trap),
                    };
                    body.ins().icmp(IntCC::UnsignedGreaterThan, index_end, length)
                }
            }
        };
        Some(Check::Outside(outside))
    }

    /// The address of its first byte.
    fn base(&self, body: &mut Body<'_>) -> Value {
        let location = self.definition(body).field(offset_of!(VMMemoryDefinition, base));
        if self.never_moves() {
            body.instance.invariant(&mut body.builder, POINTER, location)
        } else {
            let flags = Region::Definitions.trusted(body.builder.func);
            body.ins().load(POINTER, flags, location.base, location.offset)
        }
    }

    fn definition(&self, body: &mut Body<'_>) -> Location {
        let place = body.instance.module.offsets.memory(self.index, self.plan.ty.shared);
        body.instance.definition(&mut body.builder, place)
    }

    fn never_moves(&self) -> bool {
        matches!(self.plan.bounds, Bounds::Guard { .. })
            || self.plan.ty.shared
            || self.fixed_length().is_some()
    }

    /// The smallest size in bytes that it can have.
    fn min_length(&self) -> u64 {
        self.bytes(self.plan.ty.limits.min)
    }

    /// The largest size in bytes that it can have.
    fn max_length(&self) -> u64 {
        let addressable = match self.width() {
            Width::Bits32 => 1 << 32,
            Width::Bits64 => u64::MAX,
        };
        self.plan.ty.limits.max.map_or(addressable, |max| self.bytes(max).min(addressable))
    }

    /// Its size in bytes when it cannot change.
    fn fixed_length(&self) -> Option<u64> {
        let limits = self.plan.ty.limits;
        (limits.max == Some(limits.min)).then(|| self.min_length())
    }

    fn bytes(&self, pages: u64) -> u64 {
        pages.saturating_mul(self.plan.ty.page_size())
    }
}
