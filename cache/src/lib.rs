//! Keeps artifacts on disk.
