//! Loops over parts of objects.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::signature::POINTER;
use crate::translate::body::Body;
use crate::translate::regions::Region;

/// Does the same with each address from one to another, `step` bytes apart, which must not make the
/// collector move anything.
pub(super) fn for_each(
    body: &mut Body<'_>,
    first: Value,
    end: Value,
    step: u32,
    each: impl FnOnce(&mut Body<'_>, Value),
) {
    let header = body.block_with_params(&[POINTER]);
    let [next, done] = [(); 2].map(|()| body.builder.create_block());
    body.ins().jump(header, &[first.into()]);
    body.switch_to(header);
    let address = body.builder.block_params(header)[0];
    let more = body.ins().icmp(IntCC::NotEqual, address, end);
    body.ins().brif(more, next, &[], done, &[]);
    body.continue_in(next);
    each(body, address);
    let address = body.ins().iadd_imm_s(address, i64::from(step));
    body.ins().jump(header, &[address.into()]);
    body.builder.seal_block(header);
    body.continue_in(done);
}

/// Makes the bytes of a new object zero from one address to another, which are whole words apart.
pub(super) fn clear(body: &mut Body<'_>, first: Value, end: Value) {
    let zero = body.const64(0);
    for_each(body, first, end, POINTER.bytes(), |body, address| {
        let flags = Region::Objects.trusted(body.builder.func);
        body.ins().store(flags, zero, address, 0);
    });
}
