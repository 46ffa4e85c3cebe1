//! Threads that wait at addresses of a shared memory.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use precast_artifact::trap::Trap;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitResult {
    /// Another thread woke this one.
    Ok = 0,
    /// The memory did not hold the expected value, so there was no wait.
    Mismatch = 1,
    /// The time was up.
    TimedOut = 2,
}

/// Who waits where, first come, first woken.
#[derive(Debug, Default)]
pub(super) struct WaitQueues(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    /// By address. None of them is empty.
    waiters: HashMap<u64, VecDeque<Arc<Waiter>>>,
    closed: bool,
}

/// A thread that waits. All of it is used under the lock of the queues.
#[derive(Debug, Default)]
struct Waiter {
    woken: AtomicBool,
    wakeup: Condvar,
}

impl WaitQueues {
    /// Waits at `address` if `unchanged` says so. No thread is notified between that question
    /// and the wait. [`Trap::Interrupt`] when the queues are closed.
    pub(super) fn wait(
        &self,
        address: u64,
        timeout: Option<Duration>,
        unchanged: impl FnOnce() -> bool,
    ) -> Result<WaitResult, Trap> {
        // One that is too far away to be expressed does not come.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut queues = self.lock();
        if queues.closed {
            return Err(Trap::Interrupt);
        }
        if !unchanged() {
            return Ok(WaitResult::Mismatch);
        }
        let waiter = Arc::new(Waiter::default());
        queues.waiters.entry(address).or_default().push_back(waiter.clone());
        loop {
            if queues.closed {
                return Err(Trap::Interrupt);
            }
            if waiter.woken.load(Ordering::Relaxed) {
                return Ok(WaitResult::Ok);
            }
            queues = match deadline {
                None => ignore_poison(waiter.wakeup.wait(queues)),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        queues.remove(address, &waiter);
                        return Ok(WaitResult::TimedOut);
                    }
                    ignore_poison(waiter.wakeup.wait_timeout(queues, left)).0
                }
            };
        }
    }

    /// Wakes up to `count` threads at `address`, and tells how many.
    pub(super) fn notify(&self, address: u64, count: u32) -> u32 {
        let mut queues = self.lock();
        let Some(waiters) = queues.waiters.get_mut(&address) else { return 0 };
        let woken = waiters.len().min(count as usize);
        waiters.drain(..woken).for_each(|waiter| waiter.wake());
        if waiters.is_empty() {
            queues.waiters.remove(&address);
        }
        woken as u32
    }

    /// Ends every wait, and lets none begin any more.
    pub(super) fn close(&self) {
        let mut queues = self.lock();
        queues.closed = true;
        let waiters = std::mem::take(&mut queues.waiters);
        waiters.values().flatten().for_each(|waiter| waiter.wake());
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // No code that can panic runs while the queues are in disorder.
        ignore_poison(self.0.lock())
    }
}

impl Queues {
    fn remove(&mut self, address: u64, waiter: &Arc<Waiter>) {
        if let Some(waiters) = self.waiters.get_mut(&address) {
            waiters.retain(|other| !Arc::ptr_eq(other, waiter));
            if waiters.is_empty() {
                self.waiters.remove(&address);
            }
        }
    }
}

impl Waiter {
    fn wake(&self) {
        self.woken.store(true, Ordering::Relaxed);
        self.wakeup.notify_one();
    }
}

fn ignore_poison<G>(result: Result<G, PoisonError<G>>) -> G {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// Checks an atomic access of `size` bytes, first that it is aligned, then that it ends
/// within `len`.
pub(super) fn check_access(len: u64, address: u64, size: u64) -> Result<(), Trap> {
    if !address.is_multiple_of(size) {
        return Err(Trap::UnalignedAtomic);
    }
    match address.checked_add(size) {
        Some(end) if end <= len => Ok(()),
        _ => Err(Trap::MemoryOutOfBounds),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn waiting(queues: &WaitQueues, address: u64) -> usize {
        queues.lock().waiters.get(&address).map_or(0, VecDeque::len)
    }

    #[test]
    fn a_time_that_is_up_leaves_nothing_behind() {
        let queues = WaitQueues::default();
        let wait = |unchanged| queues.wait(8, Some(Duration::from_millis(1)), || unchanged);
        assert_eq!(wait(true), Ok(WaitResult::TimedOut));
        assert_eq!(wait(false), Ok(WaitResult::Mismatch));
        assert!(queues.lock().waiters.is_empty());
        assert_eq!(queues.notify(8, u32::MAX), 0);
    }

    #[test]
    fn who_came_first_is_woken_first() {
        let queues = WaitQueues::default();
        let order = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..3 {
                let (queues, order) = (&queues, &order);
                scope.spawn(move || {
                    assert_eq!(queues.wait(0, None, || true), Ok(WaitResult::Ok));
                    order.lock().unwrap().push(number);
                });
                while waiting(queues, 0) <= number {
                    thread::yield_now();
                }
            }
            for number in 0..3 {
                assert_eq!(queues.notify(4, 1), 0);
                assert_eq!(queues.notify(0, 1), 1);
                while order.lock().unwrap().len() <= number {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn closing_ends_all_waits() {
        let queues = WaitQueues::default();
        thread::scope(|scope| {
            let waiters = [0, 4].map(|address| {
                let queues = &queues;
                let waiter = scope.spawn(move || queues.wait(address, None, || true));
                while waiting(queues, address) == 0 {
                    thread::yield_now();
                }
                waiter
            });
            queues.close();
            for waiter in waiters {
                assert_eq!(waiter.join().unwrap(), Err(Trap::Interrupt));
            }
        });
        assert_eq!(queues.wait(0, None, || true), Err(Trap::Interrupt));
    }

    #[test]
    fn alignment_is_checked_before_bounds() {
        assert_eq!(check_access(8, 10, 4), Err(Trap::UnalignedAtomic));
        assert_eq!(check_access(8, 8, 4), Err(Trap::MemoryOutOfBounds));
        assert_eq!(check_access(8, u64::MAX - 7, 8), Err(Trap::MemoryOutOfBounds));
        assert_eq!(check_access(8, 4, 4), Ok(()));
    }
}
