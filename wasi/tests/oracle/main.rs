//! Every function, call by call, against wasi-common.
#![allow(clippy::single_range_in_vec_init, reason = "lists of what is not compared")]

mod operations;
#[path = "../support/mod.rs"]
mod support;

use operations::{ops, poll, run};
use proptest::prelude::*;
use support::guest::*;
use support::pair::{Argument, Deviation, FDSTAT_MASK, FILESTAT_MASK, Pair};
use support::{Host, Outcome};

use Argument::Slot;

const INVAL: u16 = 28;
const FAULT: u16 = 21;
const LOOP: u16 = 32;
const NOENT: u16 = 44;
const NOTDIR: u16 = 54;

/// Where both disagree on purpose, in calls that both are given here.
///
/// Others are not compared, because what follows would differ too; `calls.rs` tests them:
///
/// | call | theirs | why ours differs |
/// | --- | --- | --- |
/// | `clock_*` of processor time | bad descriptor | the interface has these clocks |
/// | `fd_allocate` | not supported | the system can |
/// | `fd_fdstat_get`, `fd_fdstat_set_rights` | keeps no rights | rights are enforced |
/// | `fd_filestat_get` and others | the time of birth as that of change | the interface |
/// | `fd_read`, `fd_pread`, `sock_recv` | fills the first buffer | one call can fill all |
/// | `fd_readdir` | counts entries for positions | entries may come and go |
/// | `fd_seek` and others on memory streams | bad descriptor | it is open, and a pipe |
/// | `path_filestat_*` of `link/` | the link itself | a slash at the end follows |
/// | `path_open` appending and truncating | invalid | C's `fopen` may ask for both |
/// | `path_open` appending without blocking | forgets the first | a mistake |
/// | new descriptors | never the same again | the lowest, as everywhere |
/// | `poll_oneoff` | reports all descriptors when one is ready | only what happened |
/// | `poll_oneoff` until a time of day | not supported | the system can |
/// | `poll_oneoff` of memory streams | invalid | they are always ready |
/// | `proc_exit` from 126 on | traps | codes of processes have eight bits |
/// | `proc_raise` | traps | the default action of each signal is known |
/// | `sock_accept` with wrong flags | takes the connection first | flags are checked first |
const DEVIATIONS: &[Deviation] = &[
    Deviation {
        call: "*",
        ours: FAULT,
        theirs: None,
        reason: "an address outside of the memory is an error that the guest can handle",
    },
    Deviation {
        call: "*",
        ours: INVAL,
        theirs: None,
        reason: "so is a number that is no flag or no member of an enumeration",
    },
    Deviation {
        call: "path_filestat_set_times",
        ours: NOENT,
        theirs: Some(0),
        reason: "a path that does not exist is an error even when no time is to be set",
    },
    Deviation {
        call: "path_open",
        ours: NOTDIR,
        theirs: Some(LOOP),
        reason: "a symbolic link that is not followed is no directory: the system's answer",
    },
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_sequences_agree(ops in proptest::collection::vec(ops(), 1..60)) {
        let mut pair = Pair::new(DEVIATIONS);
        for op in ops {
            run(&mut pair, op);
        }
        pair.compare_trees();
    }
}

fn numbers(numbers: &[u64]) -> Vec<Argument> {
    numbers.iter().copied().map(Argument::Number).collect()
}

/// A pair whose directories hold the same things.
fn furnished() -> Pair {
    let mut pair = Pair::new(DEVIATIONS);
    for (path, text) in [("a", &b"first"[..]), ("b", b"second")] {
        let [path, len] = pair.put(PATH, path.as_bytes());
        let arguments = [
            Slot(0),
            FOLLOW.into(),
            path.into(),
            len.into(),
            CREAT.into(),
            ALL_RIGHTS.into(),
            ALL_RIGHTS.into(),
            0_u64.into(),
            RESULT.into(),
        ];
        assert_eq!(pair.open("path_open", &arguments), Outcome::SUCCESS);
        pair.put(DATA, text);
        let len = text.len() as u32;
        put_list(&mut pair.ours, &[len]);
        put_list(&mut pair.theirs, &[len]);
        let slot = Slot(pair.slots.len() - 1);
        pair.call("fd_write", &[slot, LIST.into(), 1_u64.into(), RESULT.into()], &[]);
    }
    pair
}

#[test]
fn arguments_and_environment_agree() {
    let mut pair = furnished();
    for (sizes, get) in [("args_sizes_get", "args_get"), ("environ_sizes_get", "environ_get")] {
        pair.call(sizes, &numbers(&[RESULT.into(), u64::from(RESULT) + 4]), &[]);
        assert_eq!(get_u32(&mut pair.ours, RESULT), 2);
        assert_eq!(pair.call(get, &numbers(&[RESULT.into(), DATA.into()]), &[]), Outcome::SUCCESS);
    }
    let outside = u64::from(u32::MAX - 3);
    for get in ["args_get", "environ_get"] {
        pair.call(get, &numbers(&[outside, DATA.into()]), &[DATA..DATA + 64]);
    }
}

#[test]
fn preopened_directories_agree() {
    let mut pair = furnished();
    for fd in [0_u64, 1, 3, 4, 5, 6, 99] {
        pair.call("fd_prestat_get", &numbers(&[fd, RESULT.into()]), &[RESULT + 1..RESULT + 4]);
        for len in [0, 5, 6, 7] {
            pair.call("fd_prestat_dir_name", &numbers(&[fd, DATA.into(), len]), &[]);
        }
    }
}

#[test]
fn the_rights_of_preopened_directories_include_theirs() {
    let mut pair = furnished();
    let arguments = [3, RESULT.into()];
    let mut rights = [[0; 2]; 2];
    assert_eq!(pair.ours.call("fd_fdstat_get", &arguments), Outcome::SUCCESS);
    assert_eq!(pair.theirs.call("fd_fdstat_get", &arguments), Outcome::SUCCESS);
    for index in 0..2 {
        let at = RESULT + 8 + index * 8;
        rights[0][index as usize] = get_u64(&mut pair.ours, at);
        rights[1][index as usize] = get_u64(&mut pair.theirs, at);
    }
    let [ours, theirs] = rights;
    let set_size = 1 << 19; // What `path_open` needs for truncating; theirs does not ask.
    assert_eq!(ours, theirs.map(|rights| rights | set_size));
}

#[test]
fn clocks_agree_where_theirs_has_them() {
    let mut pair = furnished();
    for id in [0_u64, 1, 4, u32::MAX.into()] {
        let mask = [RESULT..RESULT + 8];
        pair.call("clock_res_get", &numbers(&[id, RESULT.into()]), &mask);
        pair.call("clock_time_get", &numbers(&[id, 0, RESULT.into()]), &mask);
        pair.call("clock_time_get", &numbers(&[id, 0, u32::MAX.into()]), &mask);
    }
}

#[test]
fn ending_and_yielding_agree() {
    let mut pair = furnished();
    for code in [0_u64, 1, 125] {
        assert_eq!(pair.call("proc_exit", &numbers(&[code]), &[]), Outcome::Exit(code as i32));
    }
    assert_eq!(pair.call("sched_yield", &[], &[]), Outcome::SUCCESS);
    let arguments = numbers(&[DATA.into(), 64]);
    assert_eq!(pair.call("random_get", &arguments, &[DATA..DATA + 64]), Outcome::SUCCESS);
    pair.call("random_get", &numbers(&[DATA.into(), u32::MAX.into()]), &[]);
}

#[test]
fn standard_streams_that_lead_nowhere_agree() {
    let mut pair = furnished();
    put_list(&mut pair.ours, &[4, 5]);
    put_list(&mut pair.theirs, &[4, 5]);
    for fd in [0_u64, 1, 2] {
        let data = [fd, LIST.into(), 2, RESULT.into()];
        for (name, arguments) in [
            ("fd_read", numbers(&data)),
            ("fd_write", numbers(&data)),
            ("fd_sync", numbers(&[fd])),
            ("fd_datasync", numbers(&[fd])),
            ("fd_filestat_set_size", numbers(&[fd, 1])),
            ("fd_filestat_set_times", numbers(&[fd, 1, 1, 5])),
            ("fd_fdstat_set_flags", numbers(&[fd, 1])),
            ("fd_advise", numbers(&[fd, 0, 0, 0])),
            ("fd_readdir", numbers(&[fd, DATA.into(), 100, 0, RESULT.into()])),
            ("path_open", numbers(&[fd, 0, PATH.into(), 1, 0, 0, 0, 0, RESULT.into()])),
            ("path_create_directory", numbers(&[fd, PATH.into(), 1])),
            ("sock_shutdown", numbers(&[fd, 1])),
            ("sock_accept", numbers(&[fd, 0, RESULT.into()])),
            ("sock_send", numbers(&[fd, LIST.into(), 1, 0, RESULT.into()])),
        ] {
            pair.call(name, &arguments, &[]);
        }
        pair.call("fd_filestat_get", &numbers(&[fd, RESULT.into()]), FILESTAT_MASK);
    }
}

#[test]
fn waiting_for_files_agrees() {
    let mut pair = furnished();
    for slot in [0, 2, 3] {
        for write in [false, true] {
            poll(&mut pair, slot, write);
        }
    }
    // A clock that has nothing to wait for, and none at all.
    pair.put(LIST, &[0; 48]);
    let masks = [DATA + 11..DATA + 16, DATA + 26..DATA + 32];
    let one = numbers(&[LIST.into(), DATA.into(), 1, RESULT.into()]);
    assert_eq!(pair.call("poll_oneoff", &one, &masks), Outcome::SUCCESS);
    let none = numbers(&[LIST.into(), DATA.into(), 0, RESULT.into()]);
    pair.call("poll_oneoff", &none, &[]);
    pair.put(LIST, &[255; 48]);
    pair.call("poll_oneoff", &one, &masks);
}

#[test]
fn sockets_agree() {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    let mut ours = precast_wasi::WasiCtx::builder();
    let mut theirs = wasi_common::sync::WasiCtxBuilder::new();
    let listeners = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let mut clients =
        [0, 1].map(|side| TcpStream::connect(listeners[side].local_addr().unwrap()).unwrap());
    let [for_ours, for_theirs] = listeners;
    ours.socket(for_ours);
    let for_theirs = wasi_common::sync::TcpListener::from_std(for_theirs);
    theirs.preopened_socket(3, for_theirs).unwrap();
    let mut pair = Pair::over(ours.build(), theirs.build(), DEVIATIONS, vec![[3, 3]]);

    let flags = |pair: &mut Pair, slot| {
        pair.call("fd_fdstat_get", &[Slot(slot), RESULT.into()], FDSTAT_MASK);
        pair.call("fd_filestat_get", &[Slot(slot), RESULT.into()], FILESTAT_MASK);
    };
    flags(&mut pair, 0);
    for bad in [1_u64, 32] {
        pair.call("sock_accept", &[Slot(0), bad.into(), RESULT.into()], &[]);
    }
    let accept = [Slot(0), 0_u64.into(), RESULT.into()];
    // The refused flags have taken a connection from theirs.
    for client in &mut clients[1..] {
        *client = TcpStream::connect(client.peer_addr().unwrap()).unwrap();
    }
    assert_eq!(pair.open("sock_accept", &accept), Outcome::SUCCESS);
    flags(&mut pair, 1);
    for client in &mut clients {
        client.write_all(b"hello, guest").unwrap();
    }
    pair.put(LIST, &DATA.to_le_bytes());
    pair.put(LIST + 4, &5_u32.to_le_bytes());
    let out = u64::from(RESULT) + 8;
    for flags in [1_u64, 0, 2] {
        let arguments =
            [Slot(1), LIST.into(), 1_u64.into(), flags.into(), RESULT.into(), out.into()];
        // With the last flag the call waits for all five bytes.
        if flags == 2 {
            for client in &mut clients {
                client.write_all(b"!!!").unwrap();
            }
        }
        assert_eq!(pair.call("sock_recv", &arguments, &[]), Outcome::SUCCESS);
        assert_eq!(get_u32(&mut pair.ours, RESULT), 5);
    }
    let send = [Slot(1), LIST.into(), 1_u64.into(), 0_u64.into(), RESULT.into()];
    assert_eq!(pair.call("sock_send", &send, &[]), Outcome::SUCCESS);
    for how in [0_u64, 4, 2] {
        pair.call("sock_shutdown", &[Slot(1), how.into()], &[]);
    }
    let [ours, theirs] = clients.map(|mut client| {
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        received
    });
    assert_eq!(ours, theirs);
    pair.call("sock_shutdown", &[Slot(1), 3_u64.into()], &[]);
}
