//! Finished machine code, before it is linked.

use std::ops::Range;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::{self, ExternalName, LibCall};
use cranelift_codegen::{
    CompiledCode, ExceptionContextLoc, FinalizedMachExceptionHandler, FinalizedMachReloc,
    FinalizedRelocTarget,
};
use precast_artifact::section::exceptions::{Catch, Frame, Handler};
use precast_artifact::section::sites::Site;
use precast_artifact::section::stack_maps::StackMap;

use crate::symbol::Symbol;
use crate::translate::InlinedCalls;
use crate::trap::from_trap_code;

/// The machine code of one function or trampoline, and what else is kept of it.
#[derive(Debug)]
pub(crate) struct CompiledFunction {
    /// The code, with constants behind it.
    pub(crate) code: Box<[u8]>,
    /// What the code must be aligned to, in bytes.
    pub(crate) alignment: u32,
    /// Where the code refers to other code.
    pub(crate) references: Box<[Reference]>,
    /// The instructions that can trap and the calls, ascending.
    pub(crate) sites: Box<[Site]>,
    /// The calls that have exception handlers, ascending.
    pub(crate) calls: Box<[HandledCall]>,
    /// The handlers of those calls.
    pub(crate) handlers: Box<[Handler]>,
    /// Where the frame holds references, by the return address of the call as an offset in the
    /// code, ascending.
    pub(crate) stack_maps: Box<[(u32, StackMap)]>,
    /// Whether it handles references into the heap, so that it depends on the collector.
    pub(crate) handles_references: bool,
    /// The calls whose callee became a part of the code.
    pub(crate) inlined: InlinedCalls,
}

/// A call that has exception handlers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandledCall {
    /// Where it returns to, in bytes from the start of the code.
    pub(crate) return_address: u32,
    /// The frame of the function.
    pub(crate) frame: Frame,
    /// Which handlers it has. Their offsets are from the start of the code.
    pub(crate) handlers: Range<u32>,
}

/// A place in the code that depends on where something else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The place, in bytes from the start of the code.
    pub(crate) offset: u32,
    /// How the place is to be filled.
    pub(crate) kind: Reloc,
    /// What to add to the address of the target.
    pub(crate) addend: i64,
    /// Where the other thing is.
    pub(crate) target: ReferenceTarget,
}

/// What code refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReferenceTarget {
    /// Other code of the module.
    Symbol(Symbol),
    /// A routine that stands in for an instruction.
    LibCall(LibCall),
    /// An offset in the same code.
    Local(u32),
}

/// What is known of a function that was translated from wasm.
#[derive(Debug)]
pub(crate) struct Translated {
    /// Where its body begins in the module: what its code stands for where nothing better is known.
    pub(crate) wasm_offset: u32,
    /// Whether it handles references into the heap.
    pub(crate) handles_references: bool,
    /// The calls whose callee became a part of it.
    pub(crate) inlined: InlinedCalls,
}

impl CompiledFunction {
    /// What lies among the code and is not executed.
    pub(crate) fn data(bytes: Vec<u8>, alignment: u32, references: Vec<Reference>) -> Self {
        CompiledFunction {
            code: bytes.into(),
            alignment,
            references: references.into(),
            sites: Box::default(),
            calls: Box::default(),
            handlers: Box::default(),
            stack_maps: Box::default(),
            handles_references: false,
            inlined: InlinedCalls::default(),
        }
    }

    /// Keeps of Cranelift's result what the artifact needs. Trampolines are not translated from
    /// wasm, and nothing of them is looked up, so they keep neither sites nor handlers.
    pub(crate) fn new(
        compiled: &CompiledCode,
        func: &ir::Function,
        translated: Option<Translated>,
    ) -> Result<CompiledFunction, String> {
        let buffer = &compiled.buffer;
        let references: Result<_, _> =
            buffer.relocs().iter().map(|reloc| reference(reloc, func)).collect();
        let (calls, handlers) =
            if translated.is_some() { handled_calls(compiled)? } else { Default::default() };
        Ok(CompiledFunction {
            code: buffer.data().into(),
            alignment: buffer.alignment,
            references: references?,
            sites: match &translated {
                Some(of) => sites(compiled, of.wasm_offset)?,
                None => Box::default(),
            },
            calls,
            handlers,
            stack_maps: stack_maps(compiled)?,
            handles_references: translated.as_ref().is_some_and(|of| of.handles_references),
            inlined: translated.map(|of| of.inlined).unwrap_or_default(),
        })
    }
}

fn reference(reloc: &FinalizedMachReloc, func: &ir::Function) -> Result<Reference, String> {
    let target = match &reloc.target {
        FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
            let name = &func.params.user_named_funcs()[*name];
            let symbol = Symbol::from_user_name(name);
            ReferenceTarget::Symbol(symbol.ok_or_else(|| format!("unknown name {name:?}"))?)
        }
        FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => {
            ReferenceTarget::LibCall(*call)
        }
        FinalizedRelocTarget::ExternalName(name) => {
            return Err(format!("reference to {name:?}"));
        }
        FinalizedRelocTarget::Func(offset) => ReferenceTarget::Local(*offset),
    };
    Ok(Reference { offset: reloc.offset, kind: reloc.kind, addend: reloc.addend, target })
}

/// Code before the first place that is known, the prologue, stands for the function itself.
fn sites(compiled: &CompiledCode, wasm_offset: u32) -> Result<Box<[Site]>, String> {
    let buffer = &compiled.buffer;
    let mut sites = Vec::with_capacity(buffer.traps().len());
    for trap in buffer.traps() {
        let reason =
            from_trap_code(trap.code).ok_or_else(|| format!("unknown trap code {}", trap.code))?;
        sites.push(Site { code: trap.offset, wasm: wasm_offset, trap: Some(reason) });
    }
    let calls = buffer.call_sites().map(|call| call.ret_addr - 1);
    sites.extend(calls.map(|code| Site { code, wasm: wasm_offset, trap: None }));
    sites.sort_by_key(|site| site.code);
    sites.dedup_by_key(|site| site.code);
    let located = buffer.get_srclocs_sorted().iter();
    let mut places = located.filter(|place| !place.loc.is_default()).peekable();
    let mut wasm = wasm_offset;
    for site in &mut sites {
        while let Some(place) = places.next_if(|place| place.start <= site.code) {
            wasm = place.loc.bits();
        }
        site.wasm = wasm;
    }
    Ok(sites.into())
}

type HandledCalls = (Box<[HandledCall]>, Box<[Handler]>);

fn handled_calls(compiled: &CompiledCode) -> Result<HandledCalls, String> {
    let (mut calls, mut handlers) = (Vec::new(), Vec::new());
    for site in compiled.buffer.call_sites().filter(|site| !site.exception_handlers.is_empty()) {
        let size = site.frame_offset.ok_or("a call with handlers in a frame of unknown size")?;
        let mut frame = Frame { size, vmctx: None };
        let start = handlers.len() as u32;
        for handler in site.exception_handlers {
            match *handler {
                FinalizedMachExceptionHandler::Tag(tag, offset) => {
                    handlers.push(Handler { catch: Catch::from_code(tag.as_u32()), offset });
                }
                FinalizedMachExceptionHandler::Context(ExceptionContextLoc::SPOffset(offset)) => {
                    frame.vmctx = Some(offset);
                }
                ref other => return Err(format!("an exception handler of the form {other:?}")),
            }
        }
        let (return_address, end) = (site.ret_addr, handlers.len() as u32);
        calls.push(HandledCall { return_address, frame, handlers: start..end });
    }
    Ok((calls.into(), handlers.into()))
}

fn stack_maps(compiled: &CompiledCode) -> Result<Box<[(u32, StackMap)]>, String> {
    let maps = compiled.buffer.user_stack_maps().iter();
    maps.map(|(return_address, frame_size, map)| {
        let mut references = Vec::new();
        for (ty, place) in map.entries() {
            if ty != ir::types::I32 {
                return Err(format!("a reference of type {ty}"));
            }
            references.push(place);
        }
        references.sort_unstable();
        Ok((*return_address, StackMap { frame_size: *frame_size, references }))
    })
    .collect()
}
