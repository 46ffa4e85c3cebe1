//! No path leaves its preopened directory, and no right that was not given is had.

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use precast_wasi::{DirAccess, WasiCtx};
use support::guest::*;
use support::{Host, Ours, Outcome};
use tempfile::TempDir;

const BADF: u16 = 8;
const LOOP: u16 = 32;
const NOENT: u16 = 44;
const NOTDIR: u16 = 54;
const PERM: u16 = 63;
const NOTCAPABLE: u16 = 76;

/// Beside the directory of the guest, which is descriptor 3, is a secret.
fn guest() -> (TempDir, Ours) {
    let around = TempDir::new().unwrap();
    let root = around.path().join("root");
    fs::create_dir_all(root.join("d")).unwrap();
    fs::create_dir(around.path().join("outside")).unwrap();
    fs::write(around.path().join("secret"), "secret").unwrap();
    fs::write(root.join("file"), "content").unwrap();
    symlink("../secret", root.join("up")).unwrap();
    symlink(around.path().join("secret"), root.join("absolute")).unwrap();
    symlink("../outside", root.join("updir")).unwrap();
    symlink("d/../../secret", root.join("winding")).unwrap();
    symlink("up", root.join("chained")).unwrap();
    symlink("/proc/self/root/etc", root.join("magic")).unwrap();
    symlink("loop2", root.join("loop1")).unwrap();
    symlink("loop1", root.join("loop2")).unwrap();
    symlink("../file", root.join("d/inside")).unwrap();
    let mut builder = WasiCtx::builder();
    builder.preopened_dir(&root, "/", DirAccess::ReadWrite).unwrap();
    (around, Ours::new(builder.build()))
}

const OUTWARD: &[&str] = &[
    "..",
    "../",
    "../secret",
    "../root/file",
    "d/../../secret",
    "./../secret",
    "d/../..",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "up",
    "absolute",
    "winding",
    "chained",
    "updir/new",
    "updir/",
    "updir/..",
    "magic/passwd",
    "updir/../secret",
    "up/",
    "d/../up",
];

fn paths_of(errno: Outcome) -> bool {
    // The system looks at what is there before it finds that it is outside.
    [PERM, NOENT, NOTDIR].map(Outcome::Errno).contains(&errno)
}

fn untouched(around: &TempDir) {
    assert_eq!(fs::read(around.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(around.path().join("outside")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(around.path()).unwrap().count(), 3);
}

#[test]
fn nothing_outside_is_opened() {
    let (around, mut guest) = guest();
    for path in OUTWARD {
        for oflags in [0, CREAT, CREAT | EXCL, TRUNC | CREAT, DIRECTORY] {
            for rights in [ALL_RIGHTS, ALL_RIGHTS & !FD_WRITE] {
                let opened = open_with(&mut guest, 3, path, FOLLOW, oflags, rights);
                let errno = opened.expect_err(path);
                // `EXCL` finds the link itself.
                let known = oflags & EXCL != 0 || errno == 31 /* directory */;
                assert!(known || paths_of(Outcome::Errno(errno)), "{path} {oflags}: {errno}");
            }
        }
    }
    untouched(&around);
}

#[test]
fn links_are_opened_neither_followed_nor_as_themselves() {
    let (_around, mut guest) = guest();
    for path in ["up", "absolute", "d/inside", "loop1"] {
        let opened = open_with(&mut guest, 3, path, 0, 0, ALL_RIGHTS);
        assert_eq!(opened, Err(LOOP), "{path}");
    }
    assert_eq!(open(&mut guest, 3, "loop1", 0), Err(LOOP));
    let inside = open(&mut guest, 3, "d/inside", 0).unwrap();
    assert_eq!(read(&mut guest, inside, 100).unwrap(), b"content");
}

#[test]
fn a_subdirectory_is_a_sandbox_too() {
    let (_around, mut guest) = guest();
    let below = open(&mut guest, 3, "d", DIRECTORY).unwrap();
    for path in ["..", "../file", "inside", "../d/inside", "/file"] {
        assert_eq!(open(&mut guest, below, path, 0), Err(PERM), "{path}");
    }
    // The directory above is not even named.
    let [own, above] = [".", ".."].map(|name| {
        let found = inodes(&mut guest, below);
        found.into_iter().find(|(found, _)| found == name).unwrap().1
    });
    assert_eq!(own, above);
}

fn inodes(guest: &mut Ours, fd: u32) -> Vec<(String, u64)> {
    let arguments = [fd.into(), DATA.into(), 4096, 0, RESULT.into()];
    assert_eq!(guest.call("fd_readdir", &arguments), Outcome::SUCCESS);
    let end = DATA + get_u32(guest, RESULT);
    let mut at = DATA;
    let mut found = Vec::new();
    while at < end {
        let ino = get_u64(guest, at + 8);
        let len = get_u32(guest, at + 16);
        let name = guest.memory()[at as usize + 24..][..len as usize].to_vec();
        found.push((String::from_utf8(name).unwrap(), ino));
        at += 24 + len;
    }
    found
}

#[test]
fn nothing_outside_is_seen_or_changed() {
    let (around, mut guest) = guest();
    for path in OUTWARD {
        let [address, len] = put(&mut guest, PATH, path.as_bytes());
        let stat = guest.call("path_filestat_get", &[3, 1, address, len, RESULT.into()]);
        assert!(paths_of(stat.clone()), "stat {path}: {stat:?}");
        let times = guest.call("path_filestat_set_times", &[3, 1, address, len, 1, 1, 5]);
        assert!(paths_of(times.clone()), "times {path}: {times:?}");
        for name in ["path_create_directory", "path_remove_directory"] {
            assert_ne!(with_path(&mut guest, name, 3, path), Outcome::SUCCESS, "{name} {path}");
        }
        // A link in the directory itself is the guest's to remove and replace, also
        // with a slash behind its name.
        let own = ["up", "up/", "absolute", "winding", "chained", "updir/", "d/../up"];
        if !own.contains(path) {
            let outcome = with_path(&mut guest, "path_unlink_file", 3, path);
            // A slash behind a link to a file makes it a path to no directory.
            assert_ne!(outcome, Outcome::SUCCESS, "unlink {path}");
            for name in ["path_rename", "path_link"] {
                let outward = with_paths(&mut guest, name, (3, "file"), (3, path));
                assert_ne!(outward, Outcome::SUCCESS, "{name} file to {path}");
                let inward = with_paths(&mut guest, name, (3, path), (3, "stolen"));
                assert_ne!(inward, Outcome::SUCCESS, "{name} {path} to inside");
            }
            let link = with_paths(&mut guest, "path_symlink", (0, "file"), (3, path));
            assert_ne!(link, Outcome::SUCCESS, "symlink {path}");
        }
        untouched(&around);
    }
}

#[test]
fn links_outward_may_be_made_but_not_followed() {
    let (around, mut guest) = guest();
    let absolute = around.path().join("secret");
    let made = with_paths(&mut guest, "path_symlink", (0, absolute.to_str().unwrap()), (3, "new"));
    assert_eq!(made, Outcome::Errno(PERM));
    let made = with_paths(&mut guest, "path_symlink", (0, "../../secret"), (3, "d/new"));
    assert_eq!(made, Outcome::SUCCESS);
    assert_eq!(open(&mut guest, 3, "d/new", 0), Err(PERM));
    // Moved to where it leads elsewhere, it still leads nowhere.
    let moved = with_paths(&mut guest, "path_rename", (3, "d/new"), (3, "new"));
    assert_eq!(moved, Outcome::SUCCESS);
    assert!(open(&mut guest, 3, "new", CREAT).is_err());
    untouched(&around);
}

#[test]
fn hard_links_are_to_links_not_through_them() {
    let (around, mut guest) = guest();
    assert_eq!(with_paths(&mut guest, "path_link", (3, "up"), (3, "hard")), Outcome::SUCCESS);
    assert!(fs::symlink_metadata(around.path().join("root/hard")).unwrap().is_symlink());
    assert_eq!(open(&mut guest, 3, "hard", 0), Err(PERM));
}

#[test]
fn what_is_read_only_stays_as_it_is() {
    let around = TempDir::new().unwrap();
    let [fixed, free] = ["fixed", "free"].map(|name| around.path().join(name));
    fs::create_dir(&free).unwrap();
    fs::create_dir_all(fixed.join("d")).unwrap();
    fs::write(fixed.join("file"), "content").unwrap();
    symlink("file", fixed.join("link")).unwrap();
    let mut builder = WasiCtx::builder();
    builder.preopened_dir(&fixed, "fixed", DirAccess::ReadOnly).unwrap();
    builder.preopened_dir(&free, "free", DirAccess::ReadWrite).unwrap();
    let mut guest = Ours::new(builder.build());
    let denied = Outcome::Errno(NOTCAPABLE);

    for oflags in [0, CREAT, TRUNC] {
        assert_eq!(open(&mut guest, 3, "file", oflags), Err(NOTCAPABLE));
        let rights = ALL_RIGHTS & !FD_WRITE;
        let opened = open_with(&mut guest, 3, "file", FOLLOW, oflags, rights);
        assert_eq!(opened.is_ok(), oflags == 0);
    }
    for name in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
        assert_eq!(with_path(&mut guest, name, 3, "file"), denied, "{name}");
    }
    for name in ["path_link", "path_rename"] {
        for (from, to) in [(3, 3), (3, 4), (4, 3)] {
            let outcome = with_paths(&mut guest, name, (from, "file"), (to, "new"));
            assert_eq!(outcome, denied, "{name}");
        }
    }
    assert_eq!(with_paths(&mut guest, "path_symlink", (0, "file"), (3, "new")), denied);
    let [path, len] = put(&mut guest, PATH, b"file");
    let times = guest.call("path_filestat_set_times", &[3, 0, path, len, 1, 1, 5]);
    assert_eq!(times, denied);
    assert_eq!(guest.call("fd_filestat_set_times", &[3, 1, 1, 5]), denied);

    // A descriptor from there, and from a directory from there, is not better.
    let rights = ALL_RIGHTS & !FD_WRITE;
    let below = open_with(&mut guest, 3, "d", FOLLOW, DIRECTORY, rights).unwrap();
    assert_eq!(with_path(&mut guest, "path_create_directory", below, "new"), denied);
    assert_eq!(open(&mut guest, below, "new", CREAT), Err(NOTCAPABLE));
    let file = open_with(&mut guest, 3, "link", FOLLOW, 0, rights).unwrap();
    assert_eq!(read(&mut guest, file, 100).unwrap(), b"content");
    assert_eq!(write(&mut guest, file, b"x"), Outcome::Errno(BADF));
    assert_eq!(guest.call("fd_filestat_set_size", &[file.into(), 0]), denied);
    assert_eq!(guest.call("fd_allocate", &[file.into(), 0, 100]), denied);
    assert_eq!(guest.call("fd_filestat_set_times", &[file.into(), 1, 1, 5]), denied);
    let more = guest.call("fd_fdstat_set_rights", &[file.into(), ALL_RIGHTS, 0]);
    assert_eq!(more, denied);

    assert_eq!(fs::read(fixed.join("file")).unwrap(), b"content");
    assert_eq!(fs::read_dir(&fixed).unwrap().count(), 3);
}

#[test]
fn rights_only_shrink() {
    let (_around, mut guest) = guest();
    let file = open(&mut guest, 3, "file", 0).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_rights", &[file.into(), FD_READ, 0]), Outcome::SUCCESS);
    assert_eq!(read(&mut guest, file, 7).unwrap(), b"content");
    assert_eq!(write(&mut guest, file, b"x"), Outcome::Errno(BADF));
    let seek = guest.call("fd_seek", &[file.into(), 0, 0, RESULT.into()]);
    assert_eq!(seek, Outcome::Errno(NOTCAPABLE));
    let tell = guest.call("fd_tell", &[file.into(), RESULT.into()]);
    assert_eq!(tell, Outcome::Errno(NOTCAPABLE));
    let back = guest.call("fd_fdstat_set_rights", &[file.into(), FD_READ | FD_WRITE, 0]);
    assert_eq!(back, Outcome::Errno(NOTCAPABLE));

    // A directory that hands nothing down opens nothing.
    let open_only = 1 << 13;
    assert_eq!(guest.call("fd_fdstat_set_rights", &[3, open_only, 0]), Outcome::SUCCESS);
    assert_eq!(open(&mut guest, 3, "file", 0), Err(NOTCAPABLE));
    assert_eq!(open_with(&mut guest, 3, "file", FOLLOW, CREAT, 0), Err(NOTCAPABLE));
    let bare = open_with(&mut guest, 3, "file", FOLLOW, 0, 0).unwrap();
    assert_eq!(read(&mut guest, bare, 7), Err(BADF));
}
