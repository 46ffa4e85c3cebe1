//! `poll_oneoff`: waiting for descriptors and clocks.

use std::borrow::Cow;

use precast_runtime::MemoryView;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::SeekFrom;
use smallvec::SmallVec;

use crate::abi::{ClockId, Edition, FileType};
use crate::object::Object;
use crate::table::Descriptor;
use crate::{Errno, Rights, WasiCtx};

/// More subscriptions than this in one call are refused.
const MAX_SUBSCRIPTIONS: u32 = 4096;

const EVENT_SIZE: u64 = 32;

/// The flag of a clock subscription whose timeout is a point in time.
const ABSOLUTE: u16 = 1;

/// The flag of an event whose peer has gone.
const HANGUP: u16 = 1;

/// What the guest waits for.
struct Subscription {
    userdata: u64,
    event: Event,
}

#[derive(Clone, Copy)]
enum Event {
    /// The clock has reached a time.
    Clock { id: ClockId, deadline: u64 },
    /// A descriptor can be read.
    Read(u32),
    /// A descriptor can be written.
    Write(u32),
}

/// What tells that an event has happened.
enum Source<'a> {
    Clock {
        id: ClockId,
        deadline: u64,
    },
    /// The system, unless the descriptor is always ready.
    Descriptor(Cow<'a, Descriptor>, PollFlags),
}

/// What is told about an event.
struct Report {
    error: u16,
    nbytes: u64,
    flags: u16,
}

impl Report {
    const PLAIN: Report = Report { error: 0, nbytes: 0, flags: 0 };
}

impl WasiCtx {
    /// Waits until one or more of the `count` subscriptions at `subscriptions` have
    /// happened, writes an event for each to `events`, and stores their number
    /// at `happened`.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] for no subscriptions, for more than 4096 and for malformed
    /// ones; [`Errno::Badf`] when a descriptor is not open or is a directory;
    /// [`Errno::Notsup`] for points in time of the processor-time clocks.
    pub fn poll_oneoff(
        &mut self,
        memory: MemoryView<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        happened: u32,
    ) -> Result<(), Errno> {
        self.poll(memory, subscriptions, events, count, happened, Edition::Preview1)
    }

    pub(crate) fn poll(
        &mut self,
        memory: MemoryView<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        happened: u32,
        edition: Edition,
    ) -> Result<(), Errno> {
        if count == 0 || count > MAX_SUBSCRIPTIONS {
            return Err(Errno::Inval);
        }
        memory.range(u64::from(events), u64::from(count) * EVENT_SIZE)?;
        memory.range(u64::from(happened), 4)?;
        let size = subscription_size(edition);
        let mut wanted = SmallVec::<[Subscription; 8]>::new();
        for index in 0..u64::from(count) {
            let at = u64::from(subscriptions) + index * size;
            wanted.push(self.subscription(memory, at, edition)?);
        }

        let mut next = u64::from(events);
        self.wait(&wanted, |subscription, report| {
            memory.write(next, &event_bytes(subscription, &report))?;
            next += EVENT_SIZE;
            Ok(())
        })?;
        let written = ((next - u64::from(events)) / EVENT_SIZE) as u32;
        Ok(memory.write(u64::from(happened), &written.to_le_bytes())?)
    }

    fn subscription(
        &self,
        memory: MemoryView<'_>,
        at: u64,
        edition: Edition,
    ) -> Result<Subscription, Errno> {
        let read_u64 = |offset| Ok::<_, Errno>(u64::from_le_bytes(memory.read_array(at + offset)?));
        let read_u32 = |offset| Ok::<_, Errno>(u32::from_le_bytes(memory.read_array(at + offset)?));
        let read_u16 = |offset| Ok::<_, Errno>(u16::from_le_bytes(memory.read_array(at + offset)?));
        memory.range(at, subscription_size(edition))?;
        let [tag] = memory.read_array(at + 8)?;
        let event = match tag {
            0 => {
                // The older edition has a number for the clock's user before it.
                let clock = 16 + subscription_size(edition) - subscription_size(Edition::Preview1);
                let id = ClockId::parse(read_u32(clock)?)?;
                self.clock_event(id, read_u64(clock + 8)?, read_u16(clock + 24)?)?
            }
            1 => Event::Read(read_u32(16)?),
            2 => Event::Write(read_u32(16)?),
            _ => return Err(Errno::Inval),
        };
        Ok(Subscription { userdata: read_u64(0)?, event })
    }

    fn clock_event(&self, id: ClockId, timeout: u64, flags: u16) -> Result<Event, Errno> {
        match (flags, id) {
            (ABSOLUTE, ClockId::Realtime | ClockId::Monotonic) => {
                Ok(Event::Clock { id, deadline: timeout })
            }
            (ABSOLUTE, _) => Err(Errno::Notsup),
            // Setting the clock does not change how long a relative wait takes, and
            // a waiting thread uses no processor time: all are the monotonic clock.
            (0, _) => {
                let id = ClockId::Monotonic;
                Ok(Event::Clock { id, deadline: self.now(id).saturating_add(timeout) })
            }
            _ => Err(Errno::Inval),
        }
    }

    /// Waits, and reports all that has happened then, which is at least one.
    fn wait(
        &self,
        wanted: &[Subscription],
        mut report: impl FnMut(&Subscription, Report) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        // Held, so that what other threads close stays open until the end.
        let mut sources = SmallVec::<[Source<'_>; 8]>::new();
        for subscription in wanted {
            sources.push(match subscription.event {
                Event::Clock { id, deadline } => Source::Clock { id, deadline },
                Event::Read(fd) => Source::Descriptor(self.pollable(fd)?, PollFlags::IN),
                Event::Write(fd) => Source::Descriptor(self.pollable(fd)?, PollFlags::OUT),
            });
        }
        let mut fds = SmallVec::<[PollFd<'_>; 8]>::new();
        let mut deadlines = SmallVec::<[(ClockId, u64); 4]>::new();
        let mut ready_now = false;
        for source in &sources {
            match source {
                Source::Clock { id, deadline } => deadlines.push((*id, *deadline)),
                Source::Descriptor(descriptor, flags) => match descriptor.object.host_fd() {
                    Some(host) => fds.push(PollFd::from_borrowed_fd(host, *flags)),
                    None => ready_now = true,
                },
            }
        }

        loop {
            let timeout = match ready_now {
                true => Some(0),
                false => deadlines.iter().map(|(id, at)| at.saturating_sub(self.now(*id))).min(),
            };
            let timeout = timeout.map(|nanoseconds| Timespec {
                tv_sec: (nanoseconds / 1_000_000_000) as i64,
                tv_nsec: (nanoseconds % 1_000_000_000) as i64,
            });
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => {}
                // Begun again, relative times would start anew.
                Err(rustix::io::Errno::INTR) if !self.is_interrupted() => continue,
                Err(error) => return Err(error.into()),
            }
            if self.report_all(wanted, &sources, &fds, &mut report)? {
                return Ok(());
            }
        }
    }

    fn report_all(
        &self,
        wanted: &[Subscription],
        sources: &[Source<'_>],
        polled: &[PollFd<'_>],
        report: &mut impl FnMut(&Subscription, Report) -> Result<(), Errno>,
    ) -> Result<bool, Errno> {
        let mut any = false;
        let mut polled = polled.iter();
        for (subscription, source) in wanted.iter().zip(sources) {
            let found = match source {
                Source::Clock { id, deadline } => {
                    (self.now(*id) >= *deadline).then_some(Report::PLAIN)
                }
                Source::Descriptor(descriptor, flags) => {
                    let object = &*descriptor.object;
                    let nbytes = match *flags == PollFlags::IN {
                        true => readable_bytes(object),
                        false => 0,
                    };
                    match object.host_fd().and_then(|_| polled.next()) {
                        Some(polled) => fd_report(polled.revents(), nbytes),
                        None => Some(Report { nbytes, ..Report::PLAIN }),
                    }
                }
            };
            if let Some(found) = found {
                report(subscription, found)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// A descriptor that can be waited for.
    fn pollable(&self, fd: u32) -> Result<Cow<'_, Descriptor>, Errno> {
        let descriptor = self.table.get(fd)?;
        if matches!(&*descriptor.object, Object::Directory(_)) {
            return Err(Errno::Badf);
        }
        descriptor.require(Rights::POLL_FD_READWRITE)?;
        Ok(descriptor)
    }
}

/// How many bytes can be read without waiting, at least one: a reader that is told of an
/// event must read to see the end.
fn readable_bytes(object: &Object) -> u64 {
    let count = match object {
        Object::Input(input) => input.remaining() as u64,
        Object::File(file) if file.filetype == FileType::RegularFile => {
            let size = rustix::fs::fstat(&file.fd).map_or(0, |stat| stat.st_size as u64);
            size.saturating_sub(file.seek(SeekFrom::Current(0)).unwrap_or(0))
        }
        object => {
            object.host_fd().and_then(|host| rustix::io::ioctl_fionread(host).ok()).unwrap_or(0)
        }
    };
    count.max(1)
}

fn subscription_size(edition: Edition) -> u64 {
    match edition {
        Edition::Unstable => 56,
        Edition::Preview1 => 48,
    }
}

fn fd_report(found: PollFlags, nbytes: u64) -> Option<Report> {
    if found.is_empty() {
        None
    } else if found.contains(PollFlags::NVAL) {
        Some(Report { error: Errno::Badf.raw(), ..Report::PLAIN })
    } else if found.contains(PollFlags::ERR) {
        Some(Report { error: Errno::Io.raw(), ..Report::PLAIN })
    } else if found.contains(PollFlags::HUP) {
        Some(Report { nbytes, flags: HANGUP, ..Report::PLAIN })
    } else {
        Some(Report { nbytes, ..Report::PLAIN })
    }
}

fn event_bytes(subscription: &Subscription, report: &Report) -> [u8; EVENT_SIZE as usize] {
    let mut bytes = [0; EVENT_SIZE as usize];
    bytes[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
    bytes[8..10].copy_from_slice(&report.error.to_le_bytes());
    bytes[10] = match subscription.event {
        Event::Clock { .. } => 0,
        Event::Read(_) => 1,
        Event::Write(_) => 2,
    };
    bytes[16..24].copy_from_slice(&report.nbytes.to_le_bytes());
    bytes[24..26].copy_from_slice(&report.flags.to_le_bytes());
    bytes
}
