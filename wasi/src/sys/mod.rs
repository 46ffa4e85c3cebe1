//! What reaches past the portable interfaces of cap-std and rustix.

mod iovec;
mod linux;

pub(crate) use iovec::{IoVecs, fill_random};
pub(crate) use linux::{
    Entry, as_path, create_dir_beneath, list, open_beneath, positions_only_count,
    remove_dir_beneath, remove_file_beneath, set_times_beneath, stat_beneath,
};
