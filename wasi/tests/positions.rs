//! Positions of files, against those that the system keeps.

mod support;

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Barrier, mpsc};
use std::thread;

use precast_wasi::{DirAccess, Errno, WasiCtx};
use proptest::prelude::*;
use proptest::sample::select;
use rustix::fs::{OFlags, SeekFrom};
use support::guest::*;
use support::{Host, Ours, Outcome};
use tempfile::TempDir;

const APPEND: u64 = 1;

const SET: u64 = 0;
const CURRENT: u64 = 1;
const END: u64 = 2;

/// An operation on one of the descriptors, which are all of the same file.
#[derive(Clone, Debug)]
enum Op {
    Seek { whence: u64, offset: i64 },
    Read { lens: Vec<u32> },
    ReadAt { len: u32, offset: u64 },
    Write { lens: Vec<u32>, byte: u8 },
    WriteAt { len: u32, offset: u64, byte: u8 },
    SetSize { size: u64 },
    SetFlags { flags: u64 },
    Tell,
    Poll,
}

fn ops() -> impl Strategy<Value = Op> {
    let lens = || proptest::collection::vec(0..30_u32, 0..4);
    let near = || prop_oneof![4 => 0..100_i64, 2 => -100..0_i64];
    // Around what can be sought without asking, what file systems allow, and all there is.
    let far = select(vec![
        (1 << 31) - 2,
        (1 << 31) - 1,
        1 << 31,
        (1 << 31) + 100,
        1 << 40,
        (1 << 44) - 4096,
        1 << 44,
        i64::MAX - 1,
        i64::MAX,
        i64::MIN,
    ]);
    let offset = prop_oneof![8 => near(), 1 => far];
    prop_oneof![
        6 => (0..3_u64, offset).prop_map(|(whence, offset)| Op::Seek { whence, offset }),
        4 => lens().prop_map(|lens| Op::Read { lens }),
        1 => (0..30_u32, 0..100_u64).prop_map(|(len, offset)| Op::ReadAt { len, offset }),
        4 => (lens(), any::<u8>()).prop_map(|(lens, byte)| Op::Write { lens, byte }),
        1 => (0..30_u32, 0..100_u64, any::<u8>())
            .prop_map(|(len, offset, byte)| Op::WriteAt { len, offset, byte }),
        1 => (0..100_u64).prop_map(|size| Op::SetSize { size }),
        1 => (0..2_u64).prop_map(|flags| Op::SetFlags { flags }),
        2 => Just(Op::Tell),
        1 => Just(Op::Poll),
    ]
}

/// What an operation answers: a number and the bytes that were read.
type Answer = Result<(u64, Vec<u8>), u16>;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_sequences_agree(ops in proptest::collection::vec((0..3_usize, ops()), 1..60)) {
        let dir = TempDir::new().unwrap();
        let (mut guest, fds) = guest(dir.path());
        let files = files(dir.path());
        for (index, op) in ops {
            let expected = through_the_system(&files[index], &op);
            let found = through_the_guest(&mut guest, fds[index], &op);
            prop_assert_eq!(found, expected, "{:?} of {}", op, index);
        }
        for (fd, file) in fds.into_iter().zip(&files) {
            let position = through_the_guest(&mut guest, fd, &Op::Tell);
            prop_assert_eq!(position, through_the_system(file, &Op::Tell));
        }
        prop_assert_eq!(ends(&dir.path().join("ours")), ends(&dir.path().join("theirs")));
    }
}

/// A guest with three descriptors of the file `ours`; the last one appends.
fn guest(dir: &Path) -> (Ours, [u32; 3]) {
    let mut guest = guest_in(dir);
    let fds = [0, 0, APPEND].map(|fdflags| {
        let [path, len] = put(&mut guest, PATH, b"ours");
        let result = RESULT.into();
        let arguments = [3, FOLLOW, path, len, CREAT, ALL_RIGHTS, ALL_RIGHTS, fdflags, result];
        assert_eq!(guest.call("path_open", &arguments), Outcome::SUCCESS);
        get_u32(&mut guest, RESULT)
    });
    (guest, fds)
}

fn guest_in(dir: &Path) -> Ours {
    let mut builder = WasiCtx::builder();
    Ours::new(builder.preopened_dir(dir, "/", DirAccess::ReadWrite).unwrap().build())
}

/// The same of the file `theirs`.
fn files(dir: &Path) -> [File; 3] {
    [false, false, true].map(|append| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).append(append);
        options.open(dir.join("theirs")).unwrap()
    })
}

fn through_the_system(mut file: &File, op: &Op) -> Answer {
    let bytes = |lens: &[u32], byte: u8| vec![byte; lens.iter().sum::<u32>() as usize];
    let answer = match op {
        Op::Seek { whence, offset } => {
            let target = match *whence {
                // A negative one is refused, as it is when the guest passes it.
                SET => SeekFrom::Start(*offset as u64),
                CURRENT => SeekFrom::Current(*offset),
                _ => SeekFrom::End(*offset),
            };
            rustix::fs::seek(file, target).map(|at| (at, Vec::new())).map_err(Into::into)
        }
        Op::Read { lens } => {
            let mut into = bytes(lens, 0);
            file.read(&mut into).map(|count| (count as u64, into[..count].to_vec()))
        }
        Op::ReadAt { len, offset } => {
            let mut into = bytes(&[*len], 0);
            file.read_at(&mut into, *offset).map(|count| (count as u64, into[..count].to_vec()))
        }
        Op::Write { lens, byte } => {
            file.write(&bytes(lens, *byte)).map(|count| (count as u64, Vec::new()))
        }
        Op::WriteAt { len, offset, byte } => {
            file.write_at(&bytes(&[*len], *byte), *offset).map(|count| (count as u64, Vec::new()))
        }
        Op::SetSize { size } => file.set_len(*size).map(|()| (0, Vec::new())),
        Op::SetFlags { flags } => {
            let mut wanted = rustix::fs::fcntl_getfl(file).unwrap();
            wanted.set(OFlags::APPEND, *flags == APPEND);
            rustix::fs::fcntl_setfl(file, wanted).unwrap();
            Ok((0, Vec::new()))
        }
        Op::Tell => file.stream_position().map(|at| (at, Vec::new())),
        Op::Poll => {
            let rest =
                file.metadata().unwrap().len().saturating_sub(file.stream_position().unwrap());
            Ok((rest.max(1), Vec::new()))
        }
    };
    answer.map_err(|error| Errno::from(error).raw())
}

fn through_the_guest(guest: &mut Ours, fd: u32, op: &Op) -> Answer {
    let file = u64::from(fd);
    let result = u64::from(RESULT);
    put(guest, RESULT, &[0; 8]);
    let outcome = match op {
        Op::Seek { whence, offset } => {
            guest.call("fd_seek", &[file, *offset as u64, *whence, result])
        }
        Op::Read { lens } => {
            let [list, count] = put_list(guest, lens);
            guest.call("fd_read", &[file, list, count, result])
        }
        Op::ReadAt { len, offset } => {
            let [list, count] = put_list(guest, &[*len]);
            guest.call("fd_pread", &[file, list, count, *offset, result])
        }
        Op::Write { lens, byte } => {
            put(guest, DATA, &[*byte; 128]);
            let [list, count] = put_list(guest, lens);
            guest.call("fd_write", &[file, list, count, result])
        }
        Op::WriteAt { len, offset, byte } => {
            put(guest, DATA, &[*byte; 128]);
            let [list, count] = put_list(guest, &[*len]);
            guest.call("fd_pwrite", &[file, list, count, *offset, result])
        }
        Op::SetSize { size } => guest.call("fd_filestat_set_size", &[file, *size]),
        Op::SetFlags { flags } => guest.call("fd_fdstat_set_flags", &[file, *flags]),
        Op::Tell => guest.call("fd_tell", &[file, result]),
        Op::Poll => {
            put(guest, LIST, &[0; 48]);
            put(guest, LIST + 8, &[1]);
            put(guest, LIST + 16, &fd.to_le_bytes());
            let outcome = guest.call("poll_oneoff", &[LIST.into(), DATA.into(), 1, result]);
            let count = get_u64(guest, DATA + 16);
            put(guest, RESULT, &count.to_le_bytes());
            outcome
        }
    };
    let count = get_u64(guest, RESULT);
    match (outcome, op) {
        (Outcome::Errno(0), Op::Read { .. } | Op::ReadAt { .. }) => {
            Ok((count, guest.memory[DATA as usize..][..count as usize].to_vec()))
        }
        (Outcome::Errno(0), _) => Ok((count, Vec::new())),
        (Outcome::Errno(errno), _) => Err(errno),
        (other, _) => panic!("{other:?}"),
    }
}

/// The size of a file, what it begins with and what it ends with: between them it may
/// have a hole larger than any disk.
fn ends(path: &Path) -> (u64, Vec<u8>, Vec<u8>) {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    let [first, last] = [0, size.saturating_sub(4096)].map(|offset| {
        let mut bytes = vec![0; (size - offset).min(4096) as usize];
        file.read_exact_at(&mut bytes, offset).unwrap();
        bytes
    });
    (size, first, last)
}

fn seek(guest: &mut Ours, fd: u32, offset: i64, whence: u64) -> Answer {
    through_the_guest(guest, fd, &Op::Seek { whence, offset })
}

fn tell(guest: &mut Ours, fd: u32) -> u64 {
    through_the_guest(guest, fd, &Op::Tell).unwrap().0
}

#[test]
fn appending_moves_to_the_end_and_not_back() {
    let dir = TempDir::new().unwrap();
    let (mut guest, [fd, ..]) = guest(dir.path());
    let guest = &mut guest;
    assert_eq!(write(guest, fd, b"0123456789"), Outcome::SUCCESS);
    seek(guest, fd, 2, SET).unwrap();
    assert_eq!(read(guest, fd, 2).unwrap(), b"23");
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd.into(), APPEND]), Outcome::SUCCESS);
    assert_eq!(tell(guest, fd), 4);
    assert_eq!(read(guest, fd, 2).unwrap(), b"45");
    assert_eq!(write(guest, fd, b"ab"), Outcome::SUCCESS);
    assert_eq!(tell(guest, fd), 12);
    seek(guest, fd, -4, CURRENT).unwrap();
    assert_eq!(guest.call("fd_fdstat_set_flags", &[fd.into(), 0]), Outcome::SUCCESS);
    assert_eq!(write(guest, fd, b"xy"), Outcome::SUCCESS);
    assert_eq!(std::fs::read(dir.path().join("ours")).unwrap(), b"01234567xyab");
}

#[test]
fn each_descriptor_has_its_position_and_keeps_it_under_another_number() {
    let dir = TempDir::new().unwrap();
    let (mut guest, [one, other, _]) = guest(dir.path());
    let guest = &mut guest;
    assert_eq!(write(guest, one, b"0123456789"), Outcome::SUCCESS);
    seek(guest, one, 1, SET).unwrap();
    seek(guest, other, -2, END).unwrap();
    assert_eq!(read(guest, one, 2).unwrap(), b"12");
    assert_eq!(read(guest, other, 5).unwrap(), b"89");
    assert_eq!(write(guest, one, b"ab"), Outcome::SUCCESS);
    assert_eq!(guest.call("fd_renumber", &[one.into(), other.into()]), Outcome::SUCCESS);
    assert_eq!(read(guest, other, 5).unwrap(), b"56789");
}

#[test]
fn files_of_the_embedder_keep_the_position_that_it_sees() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let wasi = WasiCtx::builder().stdin(file.try_clone().unwrap()).build();
    let mut guest = Ours::new(wasi);
    for (position, next) in [(2, b"2"), (7, b"7")] {
        assert_eq!(seek(&mut guest, 0, position, SET), Ok((position as u64, Vec::new())));
        assert_eq!(file.stream_position().unwrap(), position as u64);
        assert_eq!(read(&mut guest, 0, 1).unwrap(), next);
        assert_eq!(file.stream_position().unwrap(), position as u64 + 1);
    }
    file.rewind().unwrap();
    assert_eq!(read(&mut guest, 0, 3).unwrap(), b"012");
}

#[test]
fn files_that_are_not_bytes_in_a_row_keep_the_position_of_the_system() {
    // Writing the name of a process does not move on.
    let name = std::fs::read("/proc/self/comm").unwrap();
    let mut guest = guest_in(Path::new("/proc/self"));
    let fd = open(&mut guest, 3, "comm", 0).unwrap();
    let mut file = OpenOptions::new().read(true).write(true).open("/proc/self/comm").unwrap();
    for _ in 0..2 {
        seek(&mut guest, fd, 0, SET).unwrap();
        assert_eq!(write(&mut guest, fd, &name), Outcome::SUCCESS);
        file.rewind().unwrap();
        file.write_all(&name).unwrap();
        assert_eq!(tell(&mut guest, fd), file.stream_position().unwrap());
    }
}

#[test]
fn a_pipe_is_written_to_while_another_thread_reads_from_it() {
    let dir = TempDir::new().unwrap();
    let folder = File::open(dir.path()).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(&folder, "pipe", rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let mut reader = guest_in(dir.path());
    let fd = open(&mut reader, 3, "pipe", 0).unwrap();
    assert_eq!(seek(&mut reader, fd, 0, SET), Err(Errno::Spipe.raw()));
    let mut writer = Ours::new(reader.ctx.share());
    let (sender, about_to_read) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..100 {
                sender.send(()).unwrap();
                assert_eq!(read(&mut reader, fd, 5).unwrap(), [number]);
            }
        });
        for number in 0..100 {
            about_to_read.recv().unwrap();
            // More often than not, the other one is in the middle of it now.
            thread::yield_now();
            assert_eq!(write(&mut writer, fd, &[number]), Outcome::SUCCESS);
        }
    });
}

/// How many pieces of eight bytes the threads below have before them.
const PIECES: u64 = 4000;

#[test]
fn threads_that_share_a_descriptor_read_every_piece_at_most_once() {
    let dir = TempDir::new().unwrap();
    let contents: Vec<u8> = (0..PIECES).flat_map(u64::to_le_bytes).collect();
    std::fs::write(dir.path().join("file"), contents).unwrap();
    let mut first = guest_in(dir.path());
    let mut threads = [(); 4].map(|()| Ours::new(first.ctx.share()));
    // In all but the last, little more happens than that we take over from the system.
    for begin in (1..300).map(|round| PIECES - round).chain([0]) {
        let fd = open(&mut first, 3, "file", 0).unwrap();
        let behind = vec![0; 8 * begin as usize];
        for piece in behind.chunks(1 << 14) {
            assert_eq!(read(&mut first, fd, piece.len() as u32).unwrap().len(), piece.len());
        }
        let start = &Barrier::new(threads.len());
        let mut found: Vec<u64> = thread::scope(|scope| {
            let running = threads.each_mut().map(|guest| {
                scope.spawn(move || {
                    start.wait();
                    let mut found = Vec::new();
                    loop {
                        let piece = read(guest, fd, 8).unwrap();
                        let Ok(piece) = piece.try_into() else { return found };
                        found.push(u64::from_le_bytes(piece));
                        seek(guest, fd, 8, CURRENT).unwrap();
                    }
                })
            });
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        found.sort_unstable();
        let read = found.len() as u64;
        found.dedup();
        assert_eq!(found.len() as u64, read);
        assert_eq!(tell(&mut first, fd), (begin + read * 2) * 8);
        assert_eq!(first.call("fd_close", &[fd.into()]), Outcome::SUCCESS);
    }
}

#[test]
fn threads_that_share_a_descriptor_write_one_after_the_other() {
    let dir = TempDir::new().unwrap();
    let mut first = guest_in(dir.path());
    let fd = open(&mut first, 3, "file", CREAT).unwrap();
    seek(&mut first, fd, 8, SET).unwrap();
    thread::scope(|scope| {
        for number in 0..4 {
            let mut guest = Ours::new(first.ctx.share());
            scope.spawn(move || {
                for piece in (number..PIECES).step_by(4) {
                    assert_eq!(write(&mut guest, fd, &piece.to_le_bytes()), Outcome::SUCCESS);
                }
            });
        }
    });
    let contents = std::fs::read(dir.path().join("file")).unwrap();
    let (pieces, []) = contents.as_chunks() else { panic!("{} bytes", contents.len()) };
    let mut pieces: Vec<u64> = pieces.iter().copied().map(u64::from_le_bytes).collect();
    assert_eq!(pieces.remove(0), 0);
    pieces.sort_unstable();
    assert!(pieces.into_iter().eq(0..PIECES));
}
