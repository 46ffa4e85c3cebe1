//! The functions, as imports of modules.

use precast_runtime::{Caller, Error, IntoFunc, Linker, MemoryView, Module, Trap};

use crate::{Errno, I32Exit, RaiseError, WasiCtx, WasiUnstable, for_each_function};

const PREVIEW1: &str = "wasi_snapshot_preview1";
const UNSTABLE: &str = "wasi_unstable";

/// Defines each row of the table in each of its editions.
macro_rules! define {
    ($definitions:ident, $get:ident, $(
        $ending:ident $name:ident($($argument:ident: $type:ty),*) [$($edition:ident)*];
    )*) => {$(
        let function = move |mut caller: Caller<'_, T>, $($argument: $type),*| {
            enter(&mut caller, $get, |wasi, memory| wasi.$name(memory, $($argument),*))
        };
        $($definitions.add(define!(@ $edition), stringify!($name), function)?;)*
    )*};
    (@ preview1) => { PREVIEW1 };
    (@ unstable) => { UNSTABLE };
}

/// Defines all functions of `wasi_snapshot_preview1` and of its predecessor
/// `wasi_unstable` in a linker; `get` finds the context in the data of a store.
///
/// A function reaches the memory that the calling instance exports as `memory`. To an
/// instance without one, every address is outside of it. When the guest exits, the
/// call that entered it returns an error that holds an [`I32Exit`].
///
/// ```
/// use precast_runtime::{Engine, Linker};
/// use precast_wasi::{WasiCtx, add_to_linker};
///
/// let mut linker: Linker<WasiCtx> = Linker::new(&Engine::default());
/// add_to_linker(&mut linker, |wasi| wasi)?;
/// # Ok::<(), precast_runtime::Error>(())
/// ```
///
/// # Errors
///
/// When one of the names is defined already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Send + Sync + Copy + 'static,
) -> Result<(), Error> {
    define_all(Definitions { linker, wanted: None }, get)
}

/// As [`add_to_linker`], but defines only what `module` imports: for a linker that serves this module
/// alone, since all functions together take longer to define than a small program takes to run.
///
/// # Errors
///
/// As [`add_to_linker`].
pub fn add_imports_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    module: &Module,
    get: impl Fn(&mut T) -> &mut WasiCtx + Send + Sync + Copy + 'static,
) -> Result<(), Error> {
    let wanted = module.imports().map(|import| (import.module(), import.name())).collect();
    define_all(Definitions { linker, wanted: Some(wanted) }, get)
}

/// Where functions are defined, and which.
struct Definitions<'a, T> {
    linker: &'a mut Linker<T>,
    /// Module and field names; all functions when there is no such list.
    wanted: Option<Vec<(&'a str, &'a str)>>,
}

impl<T: 'static> Definitions<'_, T> {
    fn add<Params, Results>(
        &mut self,
        module: &str,
        name: &str,
        function: impl IntoFunc<T, Params, Results>,
    ) -> Result<(), Error> {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&(module, name))) {
            self.linker.func_wrap(module, name, function)?;
        }
        Ok(())
    }
}

fn define_all<T: 'static>(
    mut definitions: Definitions<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Send + Sync + Copy + 'static,
) -> Result<(), Error> {
    for_each_function!(define, definitions, get);

    definitions.add(UNSTABLE, "fd_filestat_get", {
        move |mut caller: Caller<'_, T>, fd: u32, stat: u32| {
            enter(&mut caller, get, |wasi, memory| {
                WasiUnstable(wasi).fd_filestat_get(memory, fd, stat)
            })
        }
    })?;
    definitions.add(UNSTABLE, "path_filestat_get", {
        move |mut caller: Caller<'_, T>, fd: u32, flags: u32, path: u32, len: u32, stat: u32| {
            enter(&mut caller, get, |wasi, memory| {
                WasiUnstable(wasi).path_filestat_get(memory, fd, flags, path, len, stat)
            })
        }
    })?;
    definitions.add(UNSTABLE, "fd_seek", {
        move |mut caller: Caller<'_, T>, fd: u32, offset: i64, whence: u32, position: u32| {
            enter(&mut caller, get, |wasi, memory| {
                WasiUnstable(wasi).fd_seek(memory, fd, offset, whence, position)
            })
        }
    })?;
    definitions.add(UNSTABLE, "poll_oneoff", {
        move |mut caller: Caller<'_, T>, from: u32, events: u32, count: u32, happened: u32| {
            enter(&mut caller, get, |wasi, memory| {
                WasiUnstable(wasi).poll_oneoff(memory, from, events, count, happened)
            })
        }
    })?;
    Ok(())
}

/// Calls a function with the memory of its caller, again as long as it is interrupted by signals
/// that are no business of the guest.
fn enter<T: 'static, E: Ending>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    call: impl Fn(&mut WasiCtx, MemoryView<'_>) -> E,
) -> Result<E::Value, Error> {
    loop {
        let ending = match caller.memory_and_data_mut() {
            Some((memory, data)) => call(get(data), memory),
            None => call(get(caller.data_mut()), MemoryView::from_slice(&mut [])),
        };
        if !ending.was_interrupted() {
            return ending.end();
        }
        if get(caller.data_mut()).is_interrupted() {
            return Err(Trap::Interrupt.into());
        }
    }
}

/// What a function returns, in terms of wasm.
trait Ending {
    type Value;

    /// Whether a signal arrived before anything was done.
    fn was_interrupted(&self) -> bool {
        false
    }

    fn end(self) -> Result<Self::Value, Error>;
}

impl Ending for Result<(), Errno> {
    type Value = u32;

    #[inline]
    fn was_interrupted(&self) -> bool {
        *self == Err(Errno::Intr)
    }

    #[inline]
    fn end(self) -> Result<u32, Error> {
        Ok(self.map_or_else(|errno| errno.raw().into(), |()| 0))
    }
}

impl Ending for Result<(), RaiseError> {
    type Value = u32;

    fn end(self) -> Result<u32, Error> {
        match self {
            Err(RaiseError::Exit(exit)) => Err(exit.into()),
            Err(RaiseError::Errno(errno)) => Err(errno).end(),
            Ok(()) => Ok(0),
        }
    }
}

impl Ending for I32Exit {
    type Value = ();

    fn end(self) -> Result<(), Error> {
        Err(self.into())
    }
}
