//! Helpers for code that was stopped from outside.

use precast_artifact::trap::Trap;

use super::Context;
use crate::error::Result;

pub(super) fn out_of_fuel(mut context: Context<'_>) -> Result<()> {
    let shared = context.opaque().shared();
    match shared.fuel() {
        0 => Err(Trap::OutOfFuel.into()),
        // More than the counter holds.
        left => {
            shared.set_fuel(left);
            Ok(())
        }
    }
}

pub(super) fn new_epoch(context: Context<'_>) -> Result<()> {
    context.store.epoch_reached()
}
