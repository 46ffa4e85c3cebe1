//! System calls that move bytes straight between files and guest memory.
#![allow(unsafe_code)] // Hands addresses in guest memory to the system.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use precast_runtime::{GuestRange, MemoryView};
use smallvec::SmallVec;

use crate::Errno;

/// As many buffers as one system call takes. A guest may name more; the call is
/// then shorter than asked for, as reads and writes may always be.
const MAX_BUFFERS: u32 = libc::UIO_MAXIOV as u32;

/// As many bytes as Linux moves in one call; it keeps counts within 32 bits.
const MAX_BYTES: usize = 0x7fff_f000;

/// The buffers in guest memory of one call, all inside of it.
///
/// Most calls have one, which costs the system a fifth less when it is not in a list.
pub(crate) struct IoVecs<'a> {
    /// Without empty ones, which C libraries put in front when they have nothing buffered.
    vecs: SmallVec<[libc::iovec; 16]>,
    total: usize,
    memory: PhantomData<GuestRange<'a>>,
}

impl<'a> IoVecs<'a> {
    /// Reads the list of `count` pairs of address and length at `list`.
    pub(crate) fn parse(memory: MemoryView<'a>, list: u32, count: u32) -> Result<Self, Errno> {
        memory.range(u64::from(list), u64::from(count) * 8)?;
        let mut vecs = SmallVec::new();
        let mut total = 0;
        for index in 0..u64::from(count.min(MAX_BUFFERS)) {
            let pair: [u8; 8] = memory.read_array(u64::from(list) + index * 8)?;
            let pair = u64::from_le_bytes(pair);
            let range = memory.range(pair & 0xffff_ffff, pair >> 32)?;
            if range.is_empty() {
                continue;
            }
            total += range.len();
            vecs.push(libc::iovec { iov_base: range.as_ptr().cast(), iov_len: range.len() });
        }
        Ok(IoVecs { vecs, total, memory: PhantomData })
    }

    /// How many bytes all buffers have together.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn read(&self, fd: BorrowedFd<'_>) -> Result<u32, Errno> {
        let fd = fd.as_raw_fd();
        // SAFETY: `parse` checked every buffer against the view, which outlives
        // `self`; the system only writes into them and never keeps them.
        moved(unsafe {
            match &self.vecs[..] {
                [one] => libc::read(fd, one.iov_base, one.iov_len),
                all => libc::readv(fd, all.as_ptr(), self.count()),
            }
        })
    }

    pub(crate) fn write(&self, fd: BorrowedFd<'_>) -> Result<u32, Errno> {
        let fd = fd.as_raw_fd();
        // SAFETY: as in `read`; the system only reads them.
        moved(unsafe {
            match &self.vecs[..] {
                [one] => libc::write(fd, one.iov_base, one.iov_len),
                all => libc::writev(fd, all.as_ptr(), self.count()),
            }
        })
    }

    pub(crate) fn read_at(&self, fd: BorrowedFd<'_>, offset: u64) -> Result<u32, Errno> {
        let offset = i64::try_from(offset).map_err(|_| Errno::Inval)?;
        let fd = fd.as_raw_fd();
        // SAFETY: as in `read`.
        moved(unsafe {
            match &self.vecs[..] {
                [one] => libc::pread(fd, one.iov_base, one.iov_len, offset),
                all => libc::preadv(fd, all.as_ptr(), self.count(), offset),
            }
        })
    }

    pub(crate) fn write_at(&self, fd: BorrowedFd<'_>, offset: u64) -> Result<u32, Errno> {
        let offset = i64::try_from(offset).map_err(|_| Errno::Inval)?;
        let fd = fd.as_raw_fd();
        // SAFETY: as in `write`.
        moved(unsafe {
            match &self.vecs[..] {
                [one] => libc::pwrite(fd, one.iov_base, one.iov_len, offset),
                all => libc::pwritev(fd, all.as_ptr(), self.count(), offset),
            }
        })
    }

    /// Receives with `MSG_*` flags; says whether a message was cut short.
    pub(crate) fn receive(&self, fd: BorrowedFd<'_>, flags: i32) -> Result<(u32, bool), Errno> {
        let mut message = self.message();
        // SAFETY: as in `read`; `message` has no address and no control buffer.
        let count = moved(unsafe {
            libc::recvmsg(fd.as_raw_fd(), &mut message, flags | libc::MSG_CMSG_CLOEXEC)
        })?;
        Ok((count, message.msg_flags & libc::MSG_TRUNC != 0))
    }

    /// Sends; a peer that is gone is an error and not a signal.
    pub(crate) fn send(&self, fd: BorrowedFd<'_>) -> Result<u32, Errno> {
        let message = self.message();
        // SAFETY: as in `write`; `message` has no address and no control buffer.
        moved(unsafe { libc::sendmsg(fd.as_raw_fd(), &message, libc::MSG_NOSIGNAL) })
    }

    /// Copies `from` into the buffers, as much as fits.
    pub(crate) fn scatter(&self, from: &[u8]) -> usize {
        let mut rest = &from[..from.len().min(MAX_BYTES)];
        let before = rest.len();
        for vec in &self.vecs {
            let (now, later) = rest.split_at(rest.len().min(vec.iov_len));
            // SAFETY: `parse` checked the buffer, and `now` is host memory.
            unsafe { vec.iov_base.cast::<u8>().copy_from_nonoverlapping(now.as_ptr(), now.len()) };
            rest = later;
        }
        before - rest.len()
    }

    /// Appends up to `limit` bytes from the buffers to `into`.
    pub(crate) fn gather(&self, into: &mut Vec<u8>, limit: usize) -> usize {
        let before = into.len();
        let mut room = limit.min(MAX_BYTES);
        for vec in &self.vecs {
            let len = vec.iov_len.min(room);
            into.reserve(len);
            let end = into.len();
            // SAFETY: `parse` checked the buffer; `reserve` made `len` bytes of
            // room at the end, which is host memory, and the copy fills them.
            unsafe {
                into.as_mut_ptr().add(end).copy_from_nonoverlapping(vec.iov_base.cast(), len);
                into.set_len(end + len);
            }
            room -= len;
        }
        into.len() - before
    }

    fn count(&self) -> i32 {
        self.vecs.len() as i32
    }

    fn message(&self) -> libc::msghdr {
        // SAFETY: all zeros is a valid `msghdr`: no name, no buffers, no control.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = self.vecs.as_ptr().cast_mut();
        message.msg_iovlen = self.vecs.len() as _;
        message
    }
}

/// Fills guest memory with random bytes from the system.
pub(crate) fn fill_random(range: GuestRange<'_>) -> Result<(), Errno> {
    let mut done = 0;
    while done < range.len() {
        let start = range.as_ptr().wrapping_add(done);
        // SAFETY: the `range.len() - done` bytes from `start` lie inside the range.
        let count = moved(unsafe { libc::getrandom(start.cast(), range.len() - done, 0) })?;
        done += count as usize;
    }
    Ok(())
}

/// How many bytes a call has moved.
fn moved(result: isize) -> Result<u32, Errno> {
    match result {
        0.. => Ok(u32::try_from(result).unwrap_or(u32::MAX)),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}
