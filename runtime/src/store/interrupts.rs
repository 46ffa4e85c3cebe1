//! How long wasm of a store may run: fuel and epochs.

use std::sync::atomic::Ordering;

use precast_artifact::trap::Trap;

use super::{Store, StoreContext, StoreContextMut, StoreInner, StoreOpaque};
use crate::Caller;
use crate::error::{Error, Result};

/// What happens when the epoch of an engine has reached the deadline of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpdateDeadline {
    /// Wasm goes on, with a deadline that is so many epochs ahead.
    Continue(u64),
    /// Wasm traps with [`Trap::Interrupt`].
    Interrupt,
}

/// What a store asks when its deadline was reached.
pub(super) type EpochCallback<T> =
    Box<dyn FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync>;

impl<T: 'static> Store<T> {
    /// Gives the store this much fuel, instead of what it has.
    ///
    /// # Errors
    ///
    /// When the engine does not count fuel: see
    /// [`Config::consume_fuel`](crate::Config::consume_fuel).
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.inner.opaque.set_fuel(fuel)
    }

    /// What is left of the fuel. After a trap that wasm code itself ran into, this is what was left
    /// at the function's last call or loop.
    ///
    /// # Errors
    ///
    /// When the engine does not count fuel: see
    /// [`Config::consume_fuel`](crate::Config::consume_fuel).
    pub fn get_fuel(&self) -> Result<u64> {
        self.inner.opaque.fuel()
    }

    /// Lets wasm run until the engine's epoch was incremented `ticks` times from now. At first
    /// the deadline of a store is the engine's first epoch: wasm stops at once.
    ///
    /// This matters only when code looks at epochs: see
    /// [`Config::epoch_interruption`](crate::Config::epoch_interruption).
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.inner.opaque.set_epoch_deadline(ticks);
    }

    /// Lets wasm trap with [`Trap::Interrupt`] when the deadline was reached. Stores do so unless
    /// told otherwise.
    pub fn epoch_deadline_trap(&mut self) {
        self.inner.epoch_callback = None;
    }

    /// Asks `callback` what to do when the deadline was reached. Its error ends the call that
    /// entered wasm. It is not asked about wasm that it calls itself: that traps.
    pub fn epoch_deadline_callback(
        &mut self,
        callback: impl FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync + 'static,
    ) {
        self.inner.epoch_callback = Some(Box::new(callback));
    }
}

impl<T: 'static> StoreContext<'_, T> {
    /// What is left of the store's fuel, as [`Store::get_fuel`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn get_fuel(&self) -> Result<u64> {
        self.0.opaque.fuel()
    }
}

macro_rules! as_the_store_does {
    ($($context:ident . $field:tt;)*) => {$(
        impl<T: 'static> $context<'_, T> {
            /// What is left of the store's fuel, as [`Store::get_fuel`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn get_fuel(&self) -> Result<u64> {
                self.$field.opaque.fuel()
            }

            /// Gives the store this much fuel, as [`Store::set_fuel`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
                self.$field.opaque.set_fuel(fuel)
            }

            /// Moves the store's deadline, as [`Store::set_epoch_deadline`].
            pub fn set_epoch_deadline(&mut self, ticks: u64) {
                self.$field.opaque.set_epoch_deadline(ticks);
            }
        }
    )*};
}

as_the_store_does! {
    StoreContextMut.0;
    Caller.store;
}

impl StoreOpaque {
    fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.check_fuel()?;
        self.shared().set_fuel(fuel);
        Ok(())
    }

    fn fuel(&self) -> Result<u64> {
        self.check_fuel()?;
        Ok(self.shared().fuel())
    }

    fn check_fuel(&self) -> Result<()> {
        match self.engine().config().compiler_settings().consume_fuel {
            true => Ok(()),
            false => Err(Error::msg("the engine does not count fuel (`consume_fuel` is off)")),
        }
    }

    fn set_epoch_deadline(&mut self, ticks: u64) {
        let epoch = self.epoch();
        self.shared().set_epoch_deadline(epoch.saturating_add(ticks));
    }

    fn epoch(&self) -> u64 {
        self.engine().epoch().load(Ordering::Relaxed)
    }
}

impl<T: 'static> StoreInner<T> {
    /// Decides what happens to wasm that has found the deadline reached.
    pub(super) fn update_deadline(&mut self) -> Result<()> {
        // A function goes by the deadline that there was when it began.
        if self.opaque.epoch() < self.opaque.shared().epoch_deadline() {
            return Ok(());
        }
        let Some(mut callback) = self.epoch_callback.take() else {
            return Err(Trap::Interrupt.into());
        };
        // Its handles are its own, as those of a host function are.
        let handles = self.opaque.roots.height();
        let decision = callback(StoreContextMut(self));
        self.opaque.end_scope(handles);
        self.epoch_callback = Some(callback);
        match decision? {
            UpdateDeadline::Continue(ticks) => {
                self.opaque.set_epoch_deadline(ticks);
                Ok(())
            }
            UpdateDeadline::Interrupt => Err(Trap::Interrupt.into()),
        }
    }
}
