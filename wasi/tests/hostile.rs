//! Arguments that no honest guest passes, for every function.

mod support;

use std::os::unix::net::{UnixListener, UnixStream};

use precast_wasi::{DirAccess, WasiCtx};
use proptest::prelude::*;
use support::guest::*;
use support::{FUNCTIONS, Host, Ours, Outcome};
use tempfile::TempDir;

const BADF: u16 = 8;
const FAULT: u16 = 21;
const ILSEQ: u16 = 25;
const INVAL: u16 = 28;
const NAMETOOLONG: u16 = 37;
const NOTDIR: u16 = 54;

/// A second place for results.
const RESULT2: u32 = RESULT + 64;

/// The first descriptor after the directory is a connection, the second listens, the
/// third is a file, the fourth a directory.
const CONNECTION: u64 = 4;
const LISTENER: u64 = 5;
const FILE: u64 = 6;
const BELOW: u64 = 7;

struct Guest {
    ours: Ours,
    peer: UnixStream,
    _client: UnixStream,
    _dir: TempDir,
}

fn guest() -> Guest {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "content").unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
    let (peer, socket) = UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut &peer, b"hello").unwrap();
    socket.set_nonblocking(true).unwrap();
    let around = TempDir::new().unwrap();
    let listener = UnixListener::bind(around.path().join("socket")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let client = UnixStream::connect(around.path().join("socket")).unwrap();
    let mut builder = WasiCtx::builder();
    builder.arg("program").env("NAME", "value");
    builder.preopened_dir(dir.path(), "/", DirAccess::ReadWrite).unwrap();
    builder.socket(socket).socket(listener);
    let mut ours = Ours::new(builder.build());
    open(&mut ours, 3, "file", 0).unwrap();
    open(&mut ours, 3, "d", DIRECTORY).unwrap();
    Guest { ours, peer, _client: client, _dir: dir }
}

/// Arguments with which each function succeeds, over the memory of `prepare`.
fn honest(name: &str) -> Vec<u64> {
    let (result, data, list) = (u64::from(RESULT), u64::from(DATA), u64::from(LIST));
    let (path, other) = (u64::from(PATH), u64::from(OTHER_PATH));
    match name {
        "args_get" | "environ_get" => vec![result, data],
        "args_sizes_get" | "environ_sizes_get" => vec![result, RESULT2.into()],
        "clock_res_get" => vec![1, result],
        "clock_time_get" => vec![1, 0, result],
        "fd_advise" => vec![FILE, 0, 4, 0],
        "fd_allocate" => vec![FILE, 0, 16],
        "fd_close" | "fd_datasync" | "fd_sync" => vec![FILE],
        "fd_fdstat_get" | "fd_filestat_get" | "fd_tell" => vec![FILE, result],
        "fd_fdstat_set_flags" => vec![FILE, 0],
        "fd_fdstat_set_rights" => vec![FILE, 0, 0],
        "fd_filestat_set_size" => vec![FILE, 5],
        "fd_filestat_set_times" => vec![FILE, 1, 1, 5],
        "fd_pread" | "fd_pwrite" => vec![FILE, list, 2, 0, result],
        "fd_prestat_get" => vec![3, result],
        "fd_prestat_dir_name" => vec![3, data, 1],
        "fd_read" | "fd_write" => vec![FILE, list, 2, result],
        "fd_readdir" => vec![BELOW, data, 100, 0, result],
        "fd_renumber" => vec![FILE, BELOW],
        "fd_seek" => vec![FILE, 1, 0, result],
        "path_create_directory" => vec![3, other, 3],
        "path_filestat_get" => vec![3, 0, path, 4, result],
        "path_filestat_set_times" => vec![3, 0, path, 4, 1, 1, 5],
        "path_link" => vec![3, 0, path, 4, 3, other, 3],
        "path_open" => vec![3, 0, path, 4, 0, ALL_RIGHTS, ALL_RIGHTS, 0, result],
        "path_readlink" => vec![3, path + 16, 4, data, 10, result],
        "path_remove_directory" => vec![3, path + 8, 1],
        "path_rename" => vec![3, path, 4, 3, other, 3],
        "path_symlink" => vec![path, 4, 3, other, 3],
        "path_unlink_file" => vec![3, path, 4],
        "poll_oneoff" => vec![list + 64, data, 1, result],
        "proc_exit" | "proc_raise" => vec![0],
        "sched_yield" => vec![],
        "random_get" => vec![data, 16],
        "sock_accept" => vec![LISTENER, 0, result],
        "sock_recv" => vec![CONNECTION, list, 2, 0, result, RESULT2.into()],
        "sock_send" => vec![CONNECTION, list, 2, 0, result],
        "sock_shutdown" => vec![CONNECTION, 1],
        _ => panic!("no honest arguments for {name}"),
    }
}

fn prepare(guest: &mut Guest) {
    let host = &mut guest.ours;
    put(host, PATH, b"file\0\0\0\0d\0\0\0\0\0\0\0link");
    put(host, OTHER_PATH, b"new");
    put_list(host, &[4, 4]);
    // A subscription to a clock that has nothing to wait for is all zeros.
}

/// Calls a function on a new guest with the honest arguments, one of them replaced.
fn with(name: &str, parameter: &str, value: u64) -> Outcome {
    let mut guest = guest();
    prepare(&mut guest);
    let mut arguments = honest(name);
    let (_, parameters) = FUNCTIONS.iter().find(|(found, _)| *found == name).unwrap();
    if let Some(index) = parameters.iter().position(|found| *found == parameter) {
        arguments[index] = value;
    }
    guest.ours.call(name, &arguments)
}

fn each_parameter(of: &[&str], mut test: impl FnMut(&str, &str)) {
    for (name, parameters) in FUNCTIONS {
        for parameter in *parameters {
            if of.contains(parameter) {
                test(name, parameter);
            }
        }
    }
}

const ADDRESSES: &[&str] = &[
    "pointers",
    "bytes",
    "resolution",
    "time",
    "stat",
    "iovs",
    "nread",
    "prestat",
    "path",
    "nwritten",
    "buffer",
    "used",
    "position",
    "old_path",
    "new_path",
    "opened",
    "subscriptions",
    "events",
    "happened",
    "accepted",
    "out_flags",
];

#[test]
fn honest_calls_succeed() {
    for (name, _) in FUNCTIONS {
        let expected = match *name {
            "proc_exit" => Outcome::Exit(0),
            _ => Outcome::SUCCESS,
        };
        assert_eq!(with(name, "", 0), expected, "{name}");
    }
}

#[test]
fn addresses_outside_are_faults() {
    each_parameter(ADDRESSES, |name, parameter| {
        for address in [u32::MAX, MEMORY_SIZE as u32, u32::MAX - 7, 1 << 31] {
            let outcome = with(name, parameter, address.into());
            assert_eq!(outcome, Outcome::Errno(FAULT), "{name} {parameter} {address:#x}");
        }
    });
    for name in ["args_sizes_get", "environ_sizes_get"] {
        for parameter in ["count", "size"] {
            assert_eq!(with(name, parameter, u32::MAX.into()), Outcome::Errno(FAULT));
        }
    }
}

#[test]
fn lengths_beyond_the_memory_are_faults() {
    let lengths = ["iovs_len", "path_len", "old_path_len", "new_path_len", "buffer_len"];
    each_parameter(&lengths, |name, parameter| {
        let outcome = with(name, parameter, u32::MAX.into());
        // Room that is offered need not be there unless it is used.
        let offered = matches!(
            (name, parameter),
            ("path_readlink", "buffer_len") | ("fd_prestat_dir_name", "path_len")
        );
        let expected = if offered { 0 } else { FAULT };
        assert_eq!(outcome, Outcome::Errno(expected), "{name} {parameter}");
    });
}

#[test]
fn buffers_outside_are_faults() {
    for name in ["fd_read", "fd_pread", "fd_write", "fd_pwrite", "sock_recv", "sock_send"] {
        for (address, len) in [(u32::MAX, 1_u32), (0, u32::MAX), (MEMORY_SIZE as u32, 1)] {
            let mut guest = guest();
            prepare(&mut guest);
            put(&mut guest.ours, LIST + 8, &address.to_le_bytes());
            put(&mut guest.ours, LIST + 12, &len.to_le_bytes());
            let outcome = guest.ours.call(name, &honest(name));
            assert_eq!(outcome, Outcome::Errno(FAULT), "{name} {address:#x} {len:#x}");
        }
    }
}

#[test]
fn closed_descriptors_are_bad() {
    each_parameter(&["fd", "to", "old_fd", "new_fd"], |name, parameter| {
        for fd in [8, 1000, 1 << 31, u32::MAX] {
            let expected = if name == "fd_prestat_dir_name" { NOTDIR } else { BADF };
            let outcome = with(name, parameter, fd.into());
            assert_eq!(outcome, Outcome::Errno(expected), "{name} {parameter} {fd}");
        }
    });
}

#[test]
fn unknown_flags_and_members_are_invalid() {
    let flags = [
        "flags",
        "dirflags",
        "oflags",
        "fdflags",
        "rights_base",
        "rights_inheriting",
        "base",
        "inheriting",
        "times",
        "advice",
        "whence",
        "id",
        "how",
        "signal",
        "old_flags",
    ];
    each_parameter(&flags, |name, parameter| {
        for value in [u64::from(u32::MAX), 1 << 31, 1 << 20 | 1 << 31] {
            let rights =
                matches!(parameter, "rights_base" | "rights_inheriting" | "base" | "inheriting");
            let value = if rights { value << 30 } else { value };
            let outcome = with(name, parameter, value);
            assert_eq!(outcome, Outcome::Errno(INVAL), "{name} {parameter} {value:#x}");
        }
    });
}

#[test]
fn paths_are_text_without_zero_bytes_of_some_length() {
    each_parameter(&["path", "old_path", "new_path"], |name, parameter| {
        if name == "fd_prestat_dir_name" {
            return;
        }
        for (bytes, expected) in [
            (&b"a\0b"[..], INVAL),
            (b"\0", INVAL),
            (b"\xff\xfe", ILSEQ),
            (b"\xc3", ILSEQ),
            (&[b'a'; 300], NAMETOOLONG),
            (&[b'a'; 5000], NAMETOOLONG),
        ] {
            let mut guest = guest();
            prepare(&mut guest);
            let [address, len] = put(&mut guest.ours, DATA, bytes);
            let mut arguments = honest(name);
            let (_, parameters) = FUNCTIONS.iter().find(|(found, _)| *found == name).unwrap();
            let index = parameters.iter().position(|found| *found == parameter).unwrap();
            arguments[index] = address;
            arguments[index + 1] = len;
            // The text of a symbolic link may be any.
            if (name, parameter) == ("path_symlink", "old_path") && bytes.len() == 300 {
                continue;
            }
            let outcome = guest.ours.call(name, &arguments);
            assert_eq!(outcome, Outcome::Errno(expected), "{name} {parameter} {bytes:x?}");
        }
    });
}

#[test]
fn many_buffers_are_a_short_call() {
    let mut guest = guest();
    let count = 4000;
    for index in 0..count {
        put(&mut guest.ours, DATA + index * 8, &0_u32.to_le_bytes());
        put(&mut guest.ours, DATA + index * 8 + 4, &1_u32.to_le_bytes());
    }
    let arguments = [FILE, DATA.into(), count.into(), RESULT.into()];
    assert_eq!(guest.ours.call("fd_write", &arguments), Outcome::SUCCESS);
    assert_eq!(get_u32(&mut guest.ours, RESULT), 1024);
}

#[test]
fn nothing_happens_when_the_result_cannot_be_stored() {
    for (name, result) in [
        ("fd_read", "nread"),
        ("fd_seek", "position"),
        ("path_open", "opened"),
        ("sock_accept", "accepted"),
        ("sock_recv", "nread"),
        ("fd_write", "nwritten"),
    ] {
        let mut guest = guest();
        prepare(&mut guest);
        let mut arguments = honest(name);
        let (_, parameters) = FUNCTIONS.iter().find(|(found, _)| *found == name).unwrap();
        let index = parameters.iter().position(|found| *found == result).unwrap();
        arguments[index] = u32::MAX.into();
        assert_eq!(guest.ours.call(name, &arguments), Outcome::Errno(FAULT));
        let tell = guest.ours.call("fd_tell", &[FILE, RESULT.into()]);
        assert_eq!((tell, get_u64(&mut guest.ours, RESULT)), (Outcome::SUCCESS, 0), "{name}");
        assert_eq!(guest.ours.call("fd_close", &[8]), Outcome::Errno(BADF), "{name}");
        let [list, count] = put_list(&mut guest.ours, &[5]);
        let arguments = [CONNECTION, list, count, 0, RESULT.into(), RESULT2.into()];
        assert_eq!(guest.ours.call("sock_recv", &arguments), Outcome::SUCCESS);
        assert_eq!(get_u32(&mut guest.ours, RESULT), 5, "{name}");
    }
}

#[test]
fn a_peer_that_is_gone_is_an_error() {
    let mut guest = guest();
    prepare(&mut guest);
    drop(guest.peer);
    const PIPE: u16 = 64;
    let sent = guest.ours.call("sock_send", &honest("sock_send"));
    assert_eq!(sent, Outcome::Errno(PIPE));
    assert_eq!(write(&mut guest.ours, CONNECTION as u32, b"x"), Outcome::Errno(PIPE));
}

fn hostile() -> impl Strategy<Value = u64> {
    let size = MEMORY_SIZE as u64;
    prop_oneof![
        4 => 0..10_u64,
        2 => prop_oneof![Just(u64::from(RESULT)), Just(DATA.into()), Just(LIST.into()), Just(PATH.into())],
        2 => prop_oneof![Just(size - 1), Just(size), Just(size - 8), Just(u64::from(u32::MAX))],
        1 => prop_oneof![Just(u64::MAX), Just(1 << 63), Just(1 << 62), Just(ALL_RIGHTS)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is called with whatever, it comes back and only `proc_*` end the guest.
    #[test]
    fn nothing_panics(
        calls in proptest::collection::vec(
            (0..FUNCTIONS.len(), proptest::collection::vec(hostile(), 9)), 1..100
        ),
    ) {
        let mut guest = guest();
        prepare(&mut guest);
        for (function, values) in calls {
            let (name, parameters) = FUNCTIONS[function];
            let outcome = guest.ours.call(name, &values[..parameters.len()]);
            match outcome {
                Outcome::Errno(errno) => prop_assert!(errno <= 76),
                Outcome::Exit(_) => prop_assert!(name.starts_with("proc_")),
                Outcome::Trap(trap) => prop_assert!(false, "{}: {}", name, trap),
            }
            // What the call left may not make the next one wait for ever.
            guest.ours.memory.fill(0);
            prepare(&mut guest);
        }
    }
}
