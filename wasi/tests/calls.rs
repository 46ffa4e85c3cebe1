//! What the comparison with wasi-common cannot show.

mod support;

use std::os::unix::net::UnixStream;

use precast_wasi::{DirAccess, MemoryInput, MemoryOutput, WasiCtx};
use support::guest::*;
use support::{FUNCTIONS, Host, Ours, Outcome, Unstable};
use tempfile::TempDir;

const INVAL: u16 = 28;
const NOSPC: u16 = 51;
const NOTSUP: u16 = 58;
const SPIPE: u16 = 70;

fn guest() -> (TempDir, Ours) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "0123456789").unwrap();
    let mut builder = WasiCtx::builder();
    builder.preopened_dir(dir.path(), "/", DirAccess::ReadWrite).unwrap();
    (dir, Ours::new(builder.build()))
}

#[test]
fn the_table_is_complete() {
    assert_eq!(FUNCTIONS.len(), 46);
}

#[test]
fn reads_fill_all_buffers() {
    let (_dir, mut guest) = guest();
    let file = open(&mut guest, 3, "file", 0).unwrap();
    let [list, count] = put_list(&mut guest, &[3, 0, 4, 9]);
    let arguments = [file.into(), list, count, RESULT.into()];
    assert_eq!(guest.call("fd_read", &arguments), Outcome::SUCCESS);
    assert_eq!(get_u32(&mut guest, RESULT), 10);
    assert_eq!(&guest.memory[DATA as usize..][..10], b"0123456789");
}

#[test]
fn files_can_be_appended_to_and_allocated() {
    let (dir, mut guest) = guest();
    let [path, len] = put(&mut guest, PATH, b"file");
    // Truncated and appended to at once.
    let arguments = [3, 0, path, len, TRUNC, ALL_RIGHTS, ALL_RIGHTS, 1, RESULT.into()];
    assert_eq!(guest.call("path_open", &arguments), Outcome::SUCCESS);
    let file = get_u32(&mut guest, RESULT);
    assert_eq!(write(&mut guest, file, b"ab"), Outcome::SUCCESS);
    assert_eq!(guest.call("fd_seek", &[file.into(), 0, 0, RESULT.into()]), Outcome::SUCCESS);
    assert_eq!(write(&mut guest, file, b"cd"), Outcome::SUCCESS);
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), b"abcd");
    assert_eq!(guest.call("fd_allocate", &[file.into(), 2, 6]), Outcome::SUCCESS);
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), b"abcd\0\0\0\0");
}

#[test]
fn the_lowest_free_descriptor_is_opened() {
    let (_dir, mut guest) = guest();
    let opened = [(); 3].map(|()| open(&mut guest, 3, "file", 0).unwrap());
    assert_eq!(opened, [4, 5, 6]);
    assert_eq!(guest.call("fd_close", &[4]), Outcome::SUCCESS);
    assert_eq!(guest.call("fd_renumber", &[6, 5]), Outcome::SUCCESS);
    assert_eq!([(); 3].map(|()| open(&mut guest, 3, "file", 0).unwrap()), [4, 6, 7]);
}

#[test]
fn listings_survive_what_happens_to_the_directory() {
    let (dir, mut guest) = guest();
    for index in 0..300 {
        std::fs::write(dir.path().join(format!("entry{index:03}")), "").unwrap();
    }
    let listed = list(&mut guest, 3, 200).unwrap();
    assert_eq!(listed.len(), 303);
    assert_eq!(listed[0], (".".into(), 3));
    assert_eq!(listed[302], ("file".into(), 4));
    // A buffer that is too small for one entry is full, and so not the end.
    let arguments = [3, DATA.into(), 10, 0, RESULT.into()];
    assert_eq!(guest.call("fd_readdir", &arguments), Outcome::SUCCESS);
    assert_eq!(get_u32(&mut guest, RESULT), 10);
    // No position makes it fail in a way that matters.
    for cookie in [1, 77, u64::MAX, 1 << 63, i64::MAX as u64] {
        let outcome = guest.call("fd_readdir", &[3, DATA.into(), 100, cookie, RESULT.into()]);
        assert!(matches!(outcome, Outcome::Errno(0 | INVAL)), "{cookie}: {outcome:?}");
    }
}

#[test]
fn streams_in_memory() {
    let output = MemoryOutput::new(8);
    let mut guest = Ours::new(
        WasiCtx::builder().stdin(MemoryInput::new("hello")).stdout(output.clone()).build(),
    );
    let guest = &mut guest;
    assert_eq!(read(guest, 0, 3).unwrap(), b"hel");
    assert_eq!(read(guest, 0, 30).unwrap(), b"lo");
    assert_eq!(read(guest, 0, 30).unwrap(), b"");
    assert_eq!(write(guest, 1, b"12345"), Outcome::SUCCESS);
    assert_eq!(write(guest, 1, b"67890"), Outcome::SUCCESS);
    assert_eq!(get_u32(guest, RESULT), 3);
    assert_eq!(write(guest, 1, b"0"), Outcome::Errno(NOSPC));
    assert_eq!(write(guest, 2, b"dropped"), Outcome::SUCCESS);
    let seek = guest.call("fd_seek", &[1, 0, 1, RESULT.into()]);
    assert_eq!(seek, Outcome::Errno(SPIPE));
    assert_eq!(output.contents(), b"12345678");
    assert_eq!(output.take(), b"12345678");
    assert_eq!(output.take(), b"");
}

#[test]
fn all_clocks_run_forward() {
    let (_dir, mut guest) = guest();
    for id in 0..4 {
        let mut times = [0; 2];
        for time in &mut times {
            let outcome = guest.call("clock_time_get", &[id, 0, RESULT.into()]);
            assert_eq!(outcome, Outcome::SUCCESS);
            *time = get_u64(&mut guest, RESULT);
        }
        assert!(times[0] <= times[1]);
        assert_eq!(guest.call("clock_res_get", &[id, RESULT.into()]), Outcome::SUCCESS);
        assert_ne!(get_u64(&mut guest, RESULT), 0);
    }
}

#[test]
fn signals_do_what_they_do_to_processes() {
    let (_dir, mut guest) = guest();
    assert_eq!(guest.call("proc_raise", &[6]), Outcome::Exit(134));
    assert_eq!(guest.call("proc_raise", &[9]), Outcome::Exit(137));
    assert_eq!(guest.call("proc_raise", &[16]), Outcome::SUCCESS);
    assert_eq!(guest.call("proc_raise", &[18]), Outcome::Errno(NOTSUP));
    assert_eq!(guest.call("proc_exit", &[300]), Outcome::Exit(300));
}

fn subscribe_clock(guest: &mut Ours, index: u32, id: u32, timeout: u64, absolute: u16) {
    let at = LIST + index * 48;
    put(guest, at, &[0; 48]);
    put(guest, at, &u64::from(index).to_le_bytes());
    put(guest, at + 16, &id.to_le_bytes());
    put(guest, at + 24, &timeout.to_le_bytes());
    put(guest, at + 40, &absolute.to_le_bytes());
}

fn subscribe_read(guest: &mut Ours, index: u32, fd: u32) {
    let at = LIST + index * 48;
    put(guest, at, &[0; 48]);
    put(guest, at, &u64::from(index).to_le_bytes());
    put(guest, at + 8, &[1]);
    put(guest, at + 16, &fd.to_le_bytes());
}

#[test]
fn only_what_has_happened_is_reported() {
    let (here, there) = UnixStream::pair().unwrap();
    let mut guest = Ours::new(WasiCtx::builder().socket(here).build());
    let guest = &mut guest;
    let poll = |guest: &mut Ours| {
        let arguments = [LIST.into(), DATA.into(), 2, RESULT.into()];
        assert_eq!(guest.call("poll_oneoff", &arguments), Outcome::SUCCESS);
        assert_eq!(get_u32(guest, RESULT), 1);
        get_u64(guest, DATA)
    };
    // Points in time that have passed.
    for id in 0..2 {
        subscribe_read(guest, 0, 3);
        subscribe_clock(guest, 1, id, 1, 1);
        assert_eq!(poll(guest), 1);
    }
    // A peer that wrote, against a clock that takes centuries.
    std::io::Write::write_all(&mut &there, b"abc").unwrap();
    subscribe_read(guest, 0, 3);
    subscribe_clock(guest, 1, 1, u64::MAX, 0);
    assert_eq!(poll(guest), 0);
    assert_eq!(get_u64(guest, DATA + 16), 3);
}

#[test]
fn the_older_edition_differs_where_it_did() {
    let (_dir, guest) = guest();
    let mut old = Unstable(guest);
    let file = open(&mut old, 3, "file", 0).unwrap();
    for (whence, expected) in [(2, 4), (0, 8), (1, 14)] {
        let arguments = [file.into(), 4, whence, RESULT.into()];
        assert_eq!(old.call("fd_seek", &arguments), Outcome::SUCCESS);
        assert_eq!(get_u64(&mut old, RESULT), expected);
    }
    put(&mut old, RESULT, &[0xee; 64]);
    let outcome = old.call("fd_filestat_get", &[file.into(), RESULT.into()]);
    assert_eq!(outcome, Outcome::SUCCESS);
    assert_eq!(get_u32(&mut old, RESULT + 20), 1);
    assert_eq!(get_u64(&mut old, RESULT + 24), 10);
    assert_eq!(get_u64(&mut old, RESULT + 56), 0xeeee_eeee_eeee_eeee);
    // Two of its longer subscriptions, to clocks with nothing to wait for.
    put(&mut old, LIST, &[0; 112]);
    put(&mut old, LIST + 56, &9_u64.to_le_bytes());
    let arguments = [LIST.into(), DATA.into(), 2, RESULT.into()];
    assert_eq!(old.call("poll_oneoff", &arguments), Outcome::SUCCESS);
    assert_eq!(get_u32(&mut old, RESULT), 2);
    assert_eq!(get_u64(&mut old, DATA + 32), 9);
}
