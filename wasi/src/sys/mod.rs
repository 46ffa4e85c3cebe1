//! What reaches past the portable interfaces of cap-std and rustix.

mod iovec;
mod linux;

pub(crate) use iovec::{IoVecs, fill_random};
pub(crate) use linux::{
    Entry, list, open_beneath, positions_only_count, set_times_beneath, stat_beneath,
};
