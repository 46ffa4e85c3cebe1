//! What helpers do with arrays: copies, and the contents of segments.

use cranelift_codegen::ir::{InstBuilder, Value, types};
use precast_artifact::helper::Helper;
use smallvec::SmallVec;

use crate::translate::body::Body;
use crate::translate::ops::calls::{call_helper, call_helper_for_effect};

/// `array.copy`. Which elements the arrays have is written in them.
pub(in crate::translate) fn copy(body: &mut Body<'_>) {
    let args = SmallVec::<[Value; 5]>::from_slice(body.values.top(5));
    call_helper_for_effect(body, Helper::ArrayCopy, &args);
    body.values.drop(args.len());
}

/// `array.new_data` and `array.new_elem`.
pub(in crate::translate) fn new_from(body: &mut Body<'_>, helper: Helper, ty: u32, segment: u32) {
    let [ty, segment] = [ty, segment].map(|index| body.const32(index));
    let (start, len) = body.values.pop2();
    let reference = call_helper(body, helper, &[ty, segment, start, len]);
    let reference = body.ins().ireduce(types::I32, reference);
    body.values.push(reference);
}

/// `array.init_data` and `array.init_elem`.
pub(in crate::translate) fn init_from(body: &mut Body<'_>, helper: Helper, segment: u32) {
    let segment = body.const32(segment);
    let &[array, index, start, len] = body.values.top(4) else {
        unreachable!("validation counts operands")
    };
    call_helper_for_effect(body, helper, &[array, index, segment, start, len]);
    body.values.drop(4);
}
