//! Disks that are full, or can only be read.

use std::path::Path;
use std::process::Command;

use precast_cache::{Cache, Served, Stored, Tier, Warning};
use precast_config::CacheSettings;

use crate::scene::{assert_clean, assert_hit, put, serve, settings};

/// A file system of its own.
struct Mount {
    directory: tempfile::TempDir,
}

impl Mount {
    /// `None` where this user may not mount.
    fn new(size: &str) -> Option<Mount> {
        let directory = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=700");
        if !mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], directory.path()) {
            println!("skipped: this user may not mount");
            return None;
        }
        Some(Mount { directory })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn make_read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], self.path()));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], on: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(on).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn a_disk_that_others_fill_is_no_obstacle() {
    let Some(disk) = Mount::new("1m") else { return };
    std::fs::write(disk.path().join("others"), vec![1; 900 << 10]).unwrap();
    let cache = Cache::new(&settings(disk.path()));
    for number in 1..4 {
        let served = serve(&cache, number);
        assert!(matches!(served, Served::Compiled { stored: Stored::Not, .. }));
    }
    let warnings = cache.take_warnings();
    assert!(matches!(warnings[..], [Warning::DiskFull { .. }]), "{warnings:?}");
    assert_clean(&cache);
}

#[test]
fn new_entries_take_the_place_of_old_ones_on_a_full_disk() {
    let Some(disk) = Mount::new("1m") else { return };
    for min_free in [0, 256 << 10] {
        let cache = Cache::new(&CacheSettings { min_free, ..settings(disk.path()) });
        for number in 0..12 {
            assert!(!matches!(put(&cache, number), Stored::Not), "{number}");
            serve(&cache, number);
        }
        assert!(cache.list().unwrap().len() < 12);
        assert!(cache.take_warnings().is_empty());
        assert_clean(&cache);
    }
}

#[test]
fn a_disk_that_can_only_be_read_serves() {
    let Some(disk) = Mount::new("4m") else { return };
    {
        let cache = Cache::new(&settings(disk.path()));
        put(&cache, 1);
        put(&cache, 2);
    }
    let hot = disk.path().join("precast/v1/hot");
    std::fs::remove_dir_all(&hot).unwrap();
    serve(&Cache::new(&settings(disk.path())), 1);
    disk.make_read_only();
    let cache = Cache::new(&settings(disk.path()));
    assert_hit(&cache, 1, Tier::Hot);
    for _ in 0..2 {
        assert_hit(&cache, 2, Tier::Packed);
        assert!(matches!(serve(&cache, 3), Served::Compiled { stored: Stored::Not, .. }));
    }
    let warnings = cache.take_warnings();
    assert!(!warnings.is_empty() && warnings.len() <= 3, "{warnings:?}");
    assert_clean(&cache);
}
