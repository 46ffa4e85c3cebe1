//! The clocks.

use precast_runtime::MemoryView;
use rustix::time::{ClockId as HostClock, Timespec, clock_getres, clock_gettime};

use crate::abi::ClockId;
use crate::{Errno, WasiCtx};

impl WasiCtx {
    /// Stores the resolution of a clock, in nanoseconds, at `resolution`.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] for a clock that does not exist.
    pub fn clock_res_get(
        &mut self,
        memory: MemoryView<'_>,
        id: u32,
        resolution: u32,
    ) -> Result<(), Errno> {
        let found = nanoseconds(clock_getres(ClockId::parse(id)?.host()));
        Ok(memory.write(u64::from(resolution), &found.to_le_bytes())?)
    }

    /// Stores the time of a clock, in nanoseconds, at `time`.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] for a clock that does not exist.
    pub fn clock_time_get(
        &mut self,
        memory: MemoryView<'_>,
        id: u32,
        _precision: u64,
        time: u32,
    ) -> Result<(), Errno> {
        let now = self.now(ClockId::parse(id)?);
        Ok(memory.write(u64::from(time), &now.to_le_bytes())?)
    }

    /// What a clock shows the guest.
    pub(crate) fn now(&self, id: ClockId) -> u64 {
        let now = nanoseconds(clock_gettime(id.host()));
        match id {
            ClockId::Monotonic => now.saturating_sub(self.monotonic_start),
            _ => now,
        }
    }
}

impl ClockId {
    fn host(self) -> HostClock {
        match self {
            ClockId::Realtime => HostClock::Realtime,
            ClockId::Monotonic => HostClock::Monotonic,
            ClockId::ProcessCpuTime => HostClock::ProcessCPUTime,
            ClockId::ThreadCpuTime => HostClock::ThreadCPUTime,
        }
    }
}

/// Where a new context's monotonic clock counts from, so that a guest does not learn
/// how long the machine has been up.
pub(crate) fn monotonic_start() -> u64 {
    nanoseconds(clock_gettime(HostClock::Monotonic))
}

/// Times before 1970 cannot be expressed and become 0.
fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}
