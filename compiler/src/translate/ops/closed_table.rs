//! Calls through tables whose contents are among the code.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};
use precast_artifact::index::{TableIndex, TypeIndex};
use precast_artifact::trap::Trap;

use crate::closed_table::{ABSENT, ENTRY, NULL};
use crate::signature::POINTER;
use crate::symbol::Symbol;
use crate::translate::body::Body;
use crate::trap::trap_code;

/// The code of the function at `index`, which is 64 bits wide, in a closed table of `length` elements;
/// it is a function of type `ty` and, as all of the table, one of the calling instance.
pub(super) fn code(
    body: &mut Body<'_>,
    table: TableIndex,
    length: u64,
    index: Value,
    ty: TypeIndex,
) -> Value {
    let outside = body.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, index, length as i64);
    let spectre = body.instance.spectre.tables;
    let undefined = trap_code(Trap::UndefinedElement);
    if !spectre {
        body.ins().trapnz(outside, undefined);
    }
    let start = body.instance.function(body.builder.func, Symbol::Table(table), ty);
    let start = body.ins().func_addr(POINTER, start);
    let offset = body.ins().ishl_imm_u(index, i64::from(ENTRY.ilog2()));
    let mut address = body.ins().iadd(start, offset);
    let mut flags = MemFlagsData::trusted().with_readonly();
    if spectre {
        let null = body.const64(0);
        address = body.ins().select_spectre_guard(outside, null, address);
        flags = flags.with_trap_code(Some(undefined));
    }
    let element = body.ins().load(types::I64, flags, address, 0);
    let found = body.ins().ireduce(types::I32, element);
    let wanted = body.instance.module.closed_tables.type_number(ty).unwrap_or(ABSENT);
    let matches = body.ins().icmp_imm_u(IntCC::Equal, found, i64::from(wanted));
    let (matched, mismatched) = (body.builder.create_block(), body.builder.create_block());
    body.ins().brif(matches, matched, &[], mismatched, &[]);

    body.builder.set_cold_block(mismatched);
    body.continue_in(mismatched);
    let null = body.ins().icmp_imm_u(IntCC::Equal, found, i64::from(NULL));
    body.ins().trapnz(null, trap_code(Trap::IndirectCallToNull));
    body.ins().trap(trap_code(Trap::BadSignature));

    body.continue_in(matched);
    let distance = body.ins().sshr_imm_u(element, 32);
    body.ins().iadd(start, distance)
}
