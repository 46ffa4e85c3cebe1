//! Helpers that throw.

use std::slice;

use precast_artifact::index::TagIndex;
use precast_artifact::vmcontext::ValRaw;

use super::{Context, DAMAGED, Outcome};
use crate::error::Result;
use crate::trap::{self, Failure};

/// An exception was thrown.
pub(super) struct Thrown;

impl Outcome for Thrown {
    type Raw = ();
    const FAILED: () = ();

    fn into_raw(self) {
        trap::record(Failure::Exception);
    }
}

/// # Safety
///
/// There must be as many values as the tag has parameters.
pub(super) unsafe fn throw(
    mut context: Context<'_>,
    tag: u32,
    values: *const ValRaw,
) -> Result<Thrown> {
    let instance = context.instance;
    let store = context.opaque();
    let tag = store.instances[instance].tag(TagIndex(tag)).ok_or(DAMAGED)?;
    // SAFETY: the caller's promise; code keeps the values in its frame.
    let values = unsafe { slice::from_raw_parts(values, store.tags[tag].len()) };
    store.throw_values(tag, values);
    Ok(Thrown)
}

pub(super) fn throw_ref(mut context: Context<'_>, exception: u32) -> Result<Thrown> {
    context.opaque().throw_object(exception);
    Ok(Thrown)
}
