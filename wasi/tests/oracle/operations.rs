//! Random operations, and how both sides are given them.

use proptest::prelude::*;
use proptest::sample::select;

use crate::support::Outcome;
use crate::support::guest::*;
use crate::support::pair::{Argument, FDSTAT_MASK, FILESTAT_MASK, Pair};

use Argument::Slot;

/// An operation on descriptors, which are positions in the lists of both sides.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Open {
        slot: usize,
        path: &'static str,
        follow: bool,
        oflags: u64,
        rights: u64,
        fdflags: u64,
    },
    Close {
        slot: usize,
    },
    Renumber {
        from: usize,
        to: usize,
    },
    Read {
        slot: usize,
        len: u32,
        offset: Option<u64>,
    },
    Write {
        slot: usize,
        lens: Vec<u32>,
        offset: Option<u64>,
    },
    Seek {
        slot: usize,
        offset: i64,
        whence: u64,
    },
    Plain {
        name: &'static str,
        slot: usize,
    },
    Stat {
        slot: usize,
    },
    PathStat {
        slot: usize,
        path: &'static str,
        follow: bool,
    },
    SetSize {
        slot: usize,
        size: u64,
    },
    SetTimes {
        slot: usize,
        flags: u64,
    },
    PathSetTimes {
        slot: usize,
        path: &'static str,
        follow: bool,
        flags: u64,
    },
    SetFlags {
        slot: usize,
        flags: u64,
    },
    Flags {
        slot: usize,
    },
    Advise {
        slot: usize,
        offset: u64,
        len: u64,
        advice: u64,
    },
    OnPath {
        name: &'static str,
        slot: usize,
        path: &'static str,
    },
    OnPaths {
        name: &'static str,
        from: (usize, &'static str),
        to: (usize, &'static str),
    },
    ReadLink {
        slot: usize,
        path: &'static str,
        len: u64,
    },
    List {
        slot: usize,
    },
    /// Only for writing: theirs panics on a position after the end of a file.
    Poll {
        slot: usize,
    },
}

const PATHS: &[&str] = &[
    "a",
    "b",
    "d",
    "e",
    "l",
    "d/a",
    "d/e",
    "d/l",
    "d/e/f",
    "l/a",
    "l/..",
    "d/../a",
    "./d/./a",
    "d/",
    "a/",
    "l/",
    "d/.",
    "d/..",
    ".",
    "..",
    "../a",
    "../..",
    "d/../../a",
    "/",
    "/a",
    "/tmp",
    "",
    "ä",
    "a/b",
    "//a",
    "d//a",
];

const TARGETS: &[&str] =
    &["a", "d", "d/e", "..", "../a", "../d", "l", ".", "/etc", "../../etc/passwd", "nope", ""];

/// One operation, with descriptors and paths that can be wrong.
pub(crate) fn ops() -> impl Strategy<Value = Op> {
    let slot = || 0..6_usize;
    let path = || prop_oneof![3 => select(&PATHS[..10]), 1 => select(PATHS)];
    let oflags = || {
        prop_oneof![
            2 => Just(0), 4 => Just(CREAT), 1 => Just(CREAT | EXCL), 1 => Just(CREAT | TRUNC),
            1 => Just(TRUNC), 1 => Just(DIRECTORY), 1 => 0..16_u64, 1 => Just(32),
        ]
    };
    let rights = || {
        prop_oneof![
            4 => Just(ALL_RIGHTS), 1 => Just(ALL_RIGHTS & !FD_WRITE), 1 => Just(ALL_RIGHTS & !FD_READ),
            1 => Just(ALL_RIGHTS & !(FD_READ | FD_WRITE)), 1 => Just(u64::MAX),
        ]
    };
    let offset = || prop_oneof![0..64_u64, Just(u64::MAX), Just(1 << 63)];
    let length = || 0..40_u32;
    prop_oneof![
        8 => (slot(), path(), any::<bool>(), oflags(), rights(),
              prop_oneof![6 => Just(0), 1 => Just(1), 1 => Just(4), 1 => 0..32_u64, 1 => Just(64)])
            .prop_map(|(slot, path, follow, oflags, rights, fdflags)| {
                Op::Open { slot, path, follow, oflags, rights, fdflags }
            }),
        1 => slot().prop_map(|slot| Op::Close { slot }),
        1 => (slot(), slot()).prop_map(|(from, to)| Op::Renumber { from, to }),
        3 => (slot(), length(), proptest::option::of(offset()))
            .prop_map(|(slot, len, offset)| Op::Read { slot, len, offset }),
        4 => (slot(), proptest::collection::vec(length(), 0..4), proptest::option::of(offset()))
            .prop_map(|(slot, lens, offset)| Op::Write { slot, lens, offset }),
        2 => (slot(), -20..60_i64, 0..4_u64)
            .prop_map(|(slot, offset, whence)| Op::Seek { slot, offset, whence }),
        1 => (select(&["fd_sync", "fd_datasync"][..]), slot())
            .prop_map(|(name, slot)| Op::Plain { name, slot }),
        2 => slot().prop_map(|slot| Op::Stat { slot }),
        3 => (slot(), path(), any::<bool>())
            .prop_map(|(slot, path, follow)| Op::PathStat { slot, path, follow }),
        1 => (slot(), prop_oneof![4 => 0..100_u64, 1 => Just(u64::MAX)])
            .prop_map(|(slot, size)| Op::SetSize { slot, size }),
        1 => (slot(), 0..20_u64).prop_map(|(slot, flags)| Op::SetTimes { slot, flags }),
        1 => (slot(), path(), any::<bool>(), 0..17_u64)
            .prop_map(|(slot, path, follow, flags)| Op::PathSetTimes { slot, path, follow, flags }),
        1 => (slot(), prop_oneof![Just(0), Just(1), Just(4), 0..40_u64])
            .prop_map(|(slot, flags)| Op::SetFlags { slot, flags }),
        1 => slot().prop_map(|slot| Op::Flags { slot }),
        1 => (slot(), 0..100_u64, 0..100_u64, 0..8_u64)
            .prop_map(|(slot, offset, len, advice)| Op::Advise { slot, offset, len, advice }),
        2 => (slot(), path()).prop_map(|(slot, path)| {
            Op::OnPath { name: "path_create_directory", slot, path }
        }),
        1 => (select(&["path_remove_directory", "path_unlink_file"][..]), slot(), path())
            .prop_map(|(name, slot, path)| Op::OnPath { name, slot, path }),
        2 => (slot(), path(), slot(), path()).prop_map(|(from, path, to, other)| {
            Op::OnPaths { name: "path_rename", from: (from, path), to: (to, other) }
        }),
        1 => (slot(), path(), slot(), path()).prop_map(|(from, path, to, other)| {
            Op::OnPaths { name: "path_link", from: (from, path), to: (to, other) }
        }),
        2 => (select(TARGETS), slot(), path()).prop_map(|(target, slot, path)| {
            Op::OnPaths { name: "path_symlink", from: (0, target), to: (slot, path) }
        }),
        1 => (slot(), path(), 0..10_u64)
            .prop_map(|(slot, path, len)| Op::ReadLink { slot, path, len }),
        1 => slot().prop_map(|slot| Op::List { slot }),
        1 => slot().prop_map(|slot| Op::Poll { slot }),
    ]
}

/// Gives both sides an operation.
pub(crate) fn run(pair: &mut Pair, op: Op) {
    let known = |slot: usize| slot % pair.slots.len();
    match op {
        Op::Open { slot, path, follow, oflags, rights, fdflags } => {
            // Appending to a truncated file is refused by theirs only.
            let fdflags = if oflags & TRUNC != 0 { fdflags & !1 } else { fdflags };
            // Of both appending and not blocking, theirs forgets the first.
            let fdflags = if fdflags & 5 == 5 { fdflags & !4 } else { fdflags };
            let slot = known(slot);
            let [path, len] = pair.put(PATH, path.as_bytes());
            let arguments = [
                Slot(slot),
                u64::from(follow).into(),
                path.into(),
                len.into(),
                oflags.into(),
                rights.into(),
                ALL_RIGHTS.into(),
                fdflags.into(),
                RESULT.into(),
            ];
            pair.open("path_open", &arguments);
        }
        Op::Close { slot } => {
            let slot = known(slot);
            if slot >= 2 {
                assert_eq!(pair.call("fd_close", &[Slot(slot)], &[]), Outcome::SUCCESS);
                pair.slots.remove(slot);
            }
        }
        Op::Renumber { from, to } => {
            let (from, to) = (known(from), known(to));
            if from >= 2 && to >= 2 {
                pair.call("fd_renumber", &[Slot(from), Slot(to)], &[]);
                if from != to {
                    pair.slots.remove(from);
                }
            }
        }
        Op::Read { slot, len, offset } => {
            let slot = known(slot);
            pair.put(LIST, &DATA.to_le_bytes());
            pair.put(LIST + 4, &len.to_le_bytes());
            let mut arguments = vec![Slot(slot), LIST.into(), 1_u64.into()];
            arguments.extend(offset.map(Argument::Number));
            arguments.push(RESULT.into());
            let name = if offset.is_some() { "fd_pread" } else { "fd_read" };
            pair.call(name, &arguments, &[]);
        }
        Op::Write { slot, lens, offset } => {
            let slot = known(slot);
            let bytes: Vec<u8> = (0..=255).collect();
            pair.put(DATA, &bytes);
            put_list(&mut pair.ours, &lens);
            let [list, count] = put_list(&mut pair.theirs, &lens);
            let mut arguments = vec![Slot(slot), list.into(), count.into()];
            arguments.extend(offset.map(Argument::Number));
            arguments.push(RESULT.into());
            let name = if offset.is_some() { "fd_pwrite" } else { "fd_write" };
            pair.call(name, &arguments, &[]);
        }
        Op::Seek { slot, offset, whence } => {
            let slot = Slot(known(slot));
            let arguments = [slot.clone(), (offset as u64).into(), whence.into(), RESULT.into()];
            pair.call("fd_seek", &arguments, &[]);
            pair.call("fd_tell", &[slot, RESULT.into()], &[]);
        }
        Op::Plain { name, slot } => {
            let slot = known(slot);
            pair.call(name, &[Slot(slot)], &[]);
        }
        Op::Stat { slot } => {
            let slot = known(slot);
            pair.call("fd_filestat_get", &[Slot(slot), RESULT.into()], FILESTAT_MASK);
        }
        Op::PathStat { slot, path, follow } => {
            let slot = known(slot);
            let follow = follow || names_directory(path);
            let [path, len] = pair.put(PATH, path.as_bytes());
            let arguments =
                [Slot(slot), u64::from(follow).into(), path.into(), len.into(), RESULT.into()];
            pair.call("path_filestat_get", &arguments, FILESTAT_MASK);
        }
        Op::SetSize { slot, size } => {
            let slot = known(slot);
            pair.call("fd_filestat_set_size", &[Slot(slot), size.into()], &[]);
        }
        Op::SetTimes { slot, flags } => {
            let slot = known(slot);
            let arguments = [Slot(slot), 1_000_000_001_u64.into(), 2_u64.into(), flags.into()];
            if pair.call("fd_filestat_set_times", &arguments, &[]) == Outcome::SUCCESS {
                let masks = times_mask(flags);
                pair.call("fd_filestat_get", &[Slot(slot), RESULT.into()], &masks);
            }
        }
        Op::PathSetTimes { slot, path, follow, flags } => {
            let slot = known(slot);
            let follow = u64::from(follow || names_directory(path));
            let [path, len] = pair.put(PATH, path.as_bytes());
            let arguments = [
                Slot(slot),
                follow.into(),
                path.into(),
                len.into(),
                5_000_000_000_u64.into(),
                7_u64.into(),
                flags.into(),
            ];
            if pair.call("path_filestat_set_times", &arguments, &[]) == Outcome::SUCCESS {
                let arguments = [Slot(slot), follow.into(), path.into(), len.into(), RESULT.into()];
                pair.call("path_filestat_get", &arguments, &times_mask(flags));
            }
        }
        Op::SetFlags { slot, flags } => {
            let slot = known(slot);
            pair.call("fd_fdstat_set_flags", &[Slot(slot), flags.into()], &[]);
        }
        Op::Flags { slot } => {
            let slot = known(slot);
            pair.call("fd_fdstat_get", &[Slot(slot), RESULT.into()], FDSTAT_MASK);
        }
        Op::Advise { slot, offset, len, advice } => {
            let slot = known(slot);
            let arguments = [Slot(slot), offset.into(), len.into(), advice.into()];
            pair.call("fd_advise", &arguments, &[]);
        }
        Op::OnPath { name, slot, path } => {
            let slot = known(slot);
            let [path, len] = pair.put(PATH, path.as_bytes());
            pair.call(name, &[Slot(slot), path.into(), len.into()], &[]);
        }
        Op::OnPaths { name, from: (from, path), to: (to, other) } => {
            let (from, to) = (Slot(known(from)), Slot(known(to)));
            let [path, len] = pair.put(PATH, path.as_bytes()).map(Argument::Number);
            let [other, other_len] = pair.put(OTHER_PATH, other.as_bytes()).map(Argument::Number);
            let arguments = match name {
                "path_link" => vec![from, 0_u64.into(), path, len, to, other, other_len],
                "path_symlink" => vec![path, len, to, other, other_len],
                _ => vec![from, path, len, to, other, other_len],
            };
            pair.call(name, &arguments, &[]);
        }
        Op::ReadLink { slot, path, len } => {
            let slot = known(slot);
            let [path, path_len] = pair.put(PATH, path.as_bytes());
            let arguments =
                [Slot(slot), path.into(), path_len.into(), DATA.into(), len.into(), RESULT.into()];
            pair.call("path_readlink", &arguments, &[]);
        }
        Op::List { slot } => {
            let slot = known(slot);
            pair.list(slot);
        }
        Op::Poll { slot } => {
            let slot = known(slot);
            poll(pair, slot, true);
        }
    }
}

/// What a path ends with a slash or a dot for. To the system such a path then also
/// follows a link; theirs cuts the end off where it does not follow.
fn names_directory(path: &str) -> bool {
    path.ends_with('/') || path.ends_with("/.")
}

/// Access times change by reading, so only what was set is compared.
fn times_mask(flags: u64) -> Vec<std::ops::Range<u32>> {
    let mut masks = vec![RESULT..RESULT + 16, RESULT + 17..RESULT + 24, RESULT + 56..RESULT + 64];
    if flags & 1 == 0 {
        masks.push(RESULT + 40..RESULT + 48);
    }
    if flags & 4 == 0 {
        masks.push(RESULT + 48..RESULT + 56);
    }
    masks
}

/// Asks both whether a descriptor is ready.
pub(crate) fn poll(pair: &mut Pair, slot: usize, write: bool) -> Outcome {
    let numbers = pair.slots[slot];
    for (side, number) in numbers.into_iter().enumerate() {
        let mut subscription = [0; 48];
        subscription[0..8].copy_from_slice(&77_u64.to_le_bytes());
        subscription[8] = if write { 2 } else { 1 };
        subscription[16..20].copy_from_slice(&number.to_le_bytes());
        match side {
            0 => put(&mut pair.ours, LIST, &subscription),
            _ => put(&mut pair.theirs, LIST, &subscription),
        };
    }
    let arguments = [LIST.into(), DATA.into(), 1_u64.into(), RESULT.into()];
    let masks = [LIST..LIST + 48, DATA + 11..DATA + 16, DATA + 26..DATA + 32];
    pair.call("poll_oneoff", &arguments, &masks)
}
