//! Which wasm functions were active.
#![allow(unsafe_code)] // Reads the stack.

use std::fmt;
use std::sync::OnceLock;

use precast_artifact::index::{DefinedFuncIndex, FuncIndex};

use super::{activation, code_registry};
use crate::arch;
use crate::module::Module;
use crate::store::AsContext;

/// The wasm functions that were active on a thread, newest first, through all calls between
/// wasm and host.
///
/// Names are looked up when someone asks for them.
pub struct WasmBacktrace {
    places: Vec<Place>,
    /// How many frames are shown: a place can stand for several.
    limit: usize,
    frames: OnceLock<Vec<FrameInfo>>,
}

/// One wasm function of a [`WasmBacktrace`].
#[derive(Clone, Debug)]
pub struct FrameInfo {
    module: Module,
    func_index: u32,
    func_name: Option<String>,
    module_offset: Option<usize>,
    aliases: Vec<Alias>,
}

/// Another function with the same code.
#[derive(Clone, Debug)]
struct Alias {
    index: u32,
    name: Option<String>,
}

/// How many of them a printed backtrace names.
const SHOWN_ALIASES: usize = 3;

/// A place in the code of a module.
struct Place {
    module: Module,
    /// In bytes from the start of the text section; of the call, not of the return address.
    offset: u32,
}

impl WasmBacktrace {
    /// The wasm functions that are active on this thread, for a host function that was called
    /// from wasm.
    pub fn capture(_store: impl AsContext) -> WasmBacktrace {
        WasmBacktrace::of_thread(None).unwrap_or_else(|| WasmBacktrace::new(Vec::new(), 0))
    }

    /// The active functions, newest first.
    pub fn frames(&self) -> &[FrameInfo] {
        self.frames
            .get_or_init(|| self.places.iter().flat_map(FrameInfo::of).take(self.limit).collect())
    }

    fn new(places: Vec<Place>, limit: usize) -> WasmBacktrace {
        WasmBacktrace { places, limit, frames: OnceLock::new() }
    }

    /// The backtrace of this thread, from a fault of wasm code at this program counter and
    /// frame pointer, or from where wasm was left last. `None` outside of wasm, and where
    /// backtraces are switched off.
    pub(crate) fn of_thread(fault: Option<(usize, usize)>) -> Option<WasmBacktrace> {
        let limit = activation::newest_store()?.backtrace_frames();
        if limit == 0 {
            return None;
        }
        let mut places = Vec::new();
        let mut fault = fault;
        let mut last_exit = None;
        activation::for_each(|_, registers| {
            let mut visit = |pc: usize| {
                if places.len() < limit
                    && let Some(module) = code_registry::module_at(pc)
                {
                    let offset = (pc - module.inner().text().start) as u32;
                    places.push(Place { module, offset });
                }
                places.len() < limit
            };
            let entry_fp = registers.entry_fp;
            if let Some((pc, fp)) = fault.take() {
                if visit(pc) {
                    walk(fp, entry_fp, visit);
                }
            } else if registers.exit_fp != 0 && last_exit != Some(registers.exit_fp) {
                // A host function that the host called left wasm where the activation
                // below it did: once is enough.
                last_exit = Some(registers.exit_fp);
                walk(registers.exit_fp, entry_fp, visit);
            }
        });
        Some(WasmBacktrace::new(places, limit))
    }
}

/// Visits the call instructions that led to the frame at `fp`, up to the entry trampoline's
/// frame at `entry_fp`, while the visitor wants more.
fn walk(mut fp: usize, entry_fp: usize, mut visit: impl FnMut(usize) -> bool) {
    while fp != entry_fp && fp != 0 {
        // SAFETY: the frame belongs to wasm or a trampoline: those above an entry that
        // has not returned are active.
        let (caller_fp, return_address) = unsafe { arch::caller(fp) };
        // The entry's call of the first wasm function is no frame of interest.
        if caller_fp == entry_fp || !visit(return_address.wrapping_sub(1)) {
            return;
        }
        fp = caller_fp;
    }
}

impl FrameInfo {
    /// The functions that were active at a place, innermost first: its function, after those that
    /// became a part of it.
    fn of(place: &Place) -> Vec<FrameInfo> {
        let module = place.module.inner();
        let sections = module.sections();
        let imported = module.info().imported.functions;
        let name = |index| sections.symbols.function_name(index).map(str::to_owned);
        let alias = |index: DefinedFuncIndex| {
            Some(Alias { index: imported.checked_add(index.0)?, name: name(index) })
        };
        let frame = |(defined, module_offset): (DefinedFuncIndex, _)| {
            let func_index = imported.checked_add(defined.0)?;
            let aliases = sections.functions.sharing(defined).filter_map(alias).collect();
            let (module, func_name) = (place.module.clone(), name(defined));
            Some(FrameInfo { module, func_index, func_name, module_offset, aliases })
        };
        module.frames_at(place.offset).into_iter().filter_map(frame).collect()
    }

    /// The index of the function in its module, imports first.
    pub fn func_index(&self) -> u32 {
        FuncIndex(self.func_index).0
    }

    /// The name of the function, if the module has one for it.
    pub fn func_name(&self) -> Option<&str> {
        self.func_name.as_deref()
    }

    /// Other functions that it may have been: the module defines them with the same body, and they
    /// share their code. Index and name of each.
    pub fn aliases(&self) -> impl ExactSizeIterator<Item = (u32, Option<&str>)> {
        self.aliases.iter().map(|alias| (alias.index, alias.name.as_deref()))
    }

    /// The module of the function.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Where the function was, in bytes from the start of the wasm module.
    pub fn module_offset(&self) -> Option<usize> {
        self.module_offset
    }
}

impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wasm backtrace:")?;
        for (i, frame) in self.frames().iter().enumerate() {
            write!(f, "\n  {i:3}: ")?;
            if let Some(offset) = frame.module_offset {
                write!(f, "{offset:#6x} - ")?;
            }
            write!(f, "{}!", frame.module.name().unwrap_or("<unknown>"))?;
            write_name(f, frame.func_index, frame.func_name())?;
            let separators: [&str; SHOWN_ALIASES] = [" (or ", ", ", ", "];
            for ((index, name), before) in frame.aliases().zip(separators) {
                f.write_str(before)?;
                write_name(f, index, name)?;
            }
            match frame.aliases.len() {
                0 => {}
                1..=SHOWN_ALIASES => f.write_str(")")?,
                count => write!(f, " and {} more)", count - SHOWN_ALIASES)?,
            }
        }
        Ok(())
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, index: u32, name: Option<&str>) -> fmt::Result {
    match name {
        Some(name) => f.write_str(name),
        None => write!(f, "<wasm function {index}>"),
    }
}

impl fmt::Debug for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmBacktrace").field("frames", &self.frames()).finish()
    }
}
