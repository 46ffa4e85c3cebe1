//! The code of a function as bytes that mean the same in other modules.
//!
//! Numbers are LEB128, signed ones zigzag-encoded. Lists begin with their length. In their order: the code;
//! its alignment; what it refers to; where it can trap and where it calls; calls with handlers; the
//! handlers; stack maps; whether it handles references; the calls that were inlined.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::LibCall;
use precast_artifact::helper::Helper;
use precast_artifact::index::TableIndex;
use precast_artifact::section::exceptions::{Catch, Frame, Handler};
use precast_artifact::section::inline_frames::InlineFrame;
use precast_artifact::section::sites::Site;
use precast_artifact::section::stack_maps::StackMap;
use precast_artifact::trap::Trap;

use crate::code::{CompiledFunction, HandledCall, Reference, ReferenceTarget};
use crate::symbol::Symbol;
use crate::translate::InlinedCalls;

use super::{Anchor, Callee};

/// The kinds of references that code has, by their numbers in records.
const KINDS: &[Reloc] = &[
    Reloc::Abs8,
    Reloc::X86PCRel4,
    Reloc::X86CallPCRel4,
    Reloc::Arm64Call,
    Reloc::Aarch64AdrPrelPgHi21,
    Reloc::Aarch64AddAbsLo12Nc,
];

/// The library routines that code refers to, by their numbers in records.
const LIB_CALLS: &[LibCall] = &[
    LibCall::CeilF32,
    LibCall::CeilF64,
    LibCall::FloorF32,
    LibCall::FloorF64,
    LibCall::TruncF32,
    LibCall::TruncF64,
    LibCall::NearestF32,
    LibCall::NearestF64,
    LibCall::FmaF32,
    LibCall::FmaF64,
    LibCall::X86Pshufb,
];

/// Writes the record of a function into `bytes`, which is empty. None when the code refers to what records
/// do not know.
pub(crate) fn encode(
    code: &CompiledFunction,
    anchor: &Anchor<'_>,
    bytes: &mut Vec<u8>,
) -> Option<()> {
    let CompiledFunction {
        code,
        alignment,
        references,
        sites,
        calls,
        handlers,
        stack_maps,
        handles_references,
        inlined,
    } = code;
    let mut out = Writer(bytes);
    out.length(code.len());
    out.0.extend(code);
    out.number(*alignment);
    out.length(references.len());
    for Reference { offset, kind, addend, target } in references {
        out.number(*offset);
        out.length(KINDS.iter().position(|known| known == kind)?);
        out.signed(*addend);
        let (code, number) = match *target {
            ReferenceTarget::Symbol(Symbol::Function(index)) => {
                (0, anchor.callees.number(index)? as u32)
            }
            ReferenceTarget::Symbol(Symbol::Helper(helper)) => (1, helper as u32),
            ReferenceTarget::Symbol(Symbol::Table(table)) => (2, table.0),
            ReferenceTarget::Symbol(_) => return None,
            ReferenceTarget::LibCall(call) => {
                (3, LIB_CALLS.iter().position(|&known| known == call)? as u32)
            }
            ReferenceTarget::Local(offset) => (4, offset),
        };
        out.number(code);
        out.number(number);
    }
    out.length(sites.len());
    let (mut last_code, mut last_wasm) = (0, 0);
    for &Site { code, wasm, trap } in sites {
        out.number(code - last_code);
        let wasm = anchor.distance(wasm);
        out.signed(wasm - last_wasm);
        out.number(trap.map_or(0, |trap| trap.code().into()));
        (last_code, last_wasm) = (code, wasm);
    }
    out.length(calls.len());
    for HandledCall { return_address, frame, handlers } in calls {
        out.number(*return_address);
        out.number(frame.size);
        out.optional(frame.vmctx);
        out.number(handlers.start);
        out.number(handlers.end);
    }
    out.length(handlers.len());
    for Handler { catch, offset } in handlers {
        out.number(catch.code());
        out.number(*offset);
    }
    out.length(stack_maps.len());
    for (return_address, StackMap { frame_size, references }) in stack_maps {
        out.number(*return_address);
        out.number(*frame_size);
        out.length(references.len());
        references.iter().for_each(|&place| out.number(place));
    }
    out.number((*handles_references).into());
    let InlinedCalls { frames, len } = inlined;
    out.number(*len);
    out.length(frames.len());
    for &InlineFrame { start, function, body: _, call } in frames {
        out.signed(anchor.distance(start));
        out.length(anchor.callees.number(function)?);
        out.signed(anchor.distance(call));
    }
    Some(())
}

/// The function whose record this is. None when it is not one.
pub(crate) fn decode(bytes: &[u8], anchor: &Anchor<'_>) -> Option<CompiledFunction> {
    let mut from = Reader(bytes);
    let len = from.number()? as usize;
    let (code, rest) = from.0.split_at_checked(len)?;
    from.0 = rest;
    let alignment = from.number()?;
    let references = from.list(|from| {
        let offset = from.number()?;
        let kind = *KINDS.get(from.number()? as usize)?;
        let addend = from.signed()?;
        let (code, number) = (from.number()?, from.number()?);
        let target = match code {
            0 => {
                let callee = anchor.callees.get(number as usize)?;
                ReferenceTarget::Symbol(Symbol::Function(callee.function))
            }
            1 => ReferenceTarget::Symbol(Symbol::Helper(*Helper::ALL.get(number as usize)?)),
            2 => ReferenceTarget::Symbol(Symbol::Table(TableIndex(number))),
            3 => ReferenceTarget::LibCall(*LIB_CALLS.get(number as usize)?),
            4 => ReferenceTarget::Local(number),
            _ => return None,
        };
        Some(Reference { offset, kind, addend, target })
    })?;
    let (mut last_code, mut last_wasm) = (0u32, 0i64);
    let sites = from.list(|from| {
        let code = last_code.checked_add(from.number()?)?;
        let wasm = last_wasm.checked_add(from.signed()?)?;
        let trap = match u8::try_from(from.number()?).ok()? {
            0 => None,
            trap => Some(Trap::from_code(trap)?),
        };
        (last_code, last_wasm) = (code, wasm);
        Some(Site { code, wasm: anchor.place(wasm)?, trap })
    })?;
    let calls = from.list(|from| {
        Some(HandledCall {
            return_address: from.number()?,
            frame: Frame { size: from.number()?, vmctx: from.optional()? },
            handlers: from.number()?..from.number()?,
        })
    })?;
    let handlers = from.list(|from| {
        Some(Handler { catch: Catch::from_code(from.number()?), offset: from.number()? })
    })?;
    let stack_maps = from.list(|from| {
        let return_address = from.number()?;
        let frame_size = from.number()?;
        let references = from.list(Reader::number)?.into();
        Some((return_address, StackMap { frame_size, references }))
    })?;
    let handles_references = from.number()? != 0;
    let len = from.number()?;
    let frames = from.list(|from| {
        let start = anchor.place(from.signed()?)?;
        let Callee { function, body, .. } = anchor.callees.get(from.number()? as usize)?;
        Some(InlineFrame { start, function, body, call: anchor.place(from.signed()?)? })
    })?;
    let inlined = InlinedCalls { frames, len };
    let in_handlers = |call: &HandledCall| {
        call.handlers.start <= call.handlers.end && call.handlers.end as usize <= handlers.len()
    };
    if !from.0.is_empty() || !calls.iter().all(in_handlers) {
        return None;
    }
    Some(CompiledFunction {
        code: code.into(),
        alignment,
        references,
        sites,
        calls,
        handlers,
        stack_maps,
        handles_references,
        inlined,
    })
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn wide(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(&mut self, number: u32) {
        self.wide(number.into());
    }

    fn signed(&mut self, number: i64) {
        self.wide((number << 1 ^ number >> 63).cast_unsigned());
    }

    fn length(&mut self, length: usize) {
        self.wide(length as u64);
    }

    /// A number, or nothing.
    fn optional(&mut self, number: Option<u32>) {
        self.wide(number.map_or(0, |number| u64::from(number) + 1));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn wide(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn number(&mut self) -> Option<u32> {
        self.wide()?.try_into().ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.wide()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn optional(&mut self) -> Option<Option<u32>> {
        match self.wide()? {
            0 => Some(None),
            number => Some(Some(u32::try_from(number - 1).ok()?)),
        }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Box<[T]>> {
        let length = self.number()? as usize;
        // Every item has a byte at least, so that the length is not trusted with memory.
        let mut items = Vec::with_capacity(length.min(self.0.len()));
        for _ in 0..length {
            items.push(item(self)?);
        }
        Some(items.into())
    }
}

#[cfg(test)]
mod tests {
    use precast_artifact::index::{DefinedFuncIndex, TagIndex};

    use super::*;
    use crate::reuse::Callees;

    const FUNCTIONS: [u32; 2] = [7, 3];

    fn callees(functions: &[u32]) -> Callees {
        let mut callees = Callees::default();
        for &function in functions {
            let (function, body) = (DefinedFuncIndex(function), 10 * function);
            callees.add(Callee { function, body, depth: None });
        }
        callees
    }

    fn called(function: u32) -> ReferenceTarget {
        ReferenceTarget::Symbol(Symbol::Function(DefinedFuncIndex(function)))
    }

    fn function() -> CompiledFunction {
        let reference = |offset, kind, addend, target| Reference { offset, kind, addend, target };
        let symbol = ReferenceTarget::Symbol;
        CompiledFunction {
            code: (0..200).collect(),
            alignment: 16,
            references: [
                reference(1, Reloc::X86CallPCRel4, -4, called(FUNCTIONS[1])),
                reference(9, Reloc::Arm64Call, 0, symbol(Symbol::Helper(Helper::MemoryGrow))),
                reference(300, Reloc::X86PCRel4, -4, symbol(Symbol::Table(TableIndex(2)))),
                reference(400, Reloc::Abs8, 1 << 40, ReferenceTarget::LibCall(LibCall::FmaF64)),
                reference(500, Reloc::X86PCRel4, i64::MIN, ReferenceTarget::Local(160)),
            ]
            .into(),
            sites: [
                Site { code: 3, wasm: 1005, trap: None },
                Site { code: 500, wasm: 9005, trap: None },
                Site { code: 700, wasm: 1001, trap: Some(Trap::MemoryOutOfBounds) },
            ]
            .into(),
            calls: [HandledCall {
                return_address: 4,
                frame: Frame { size: 32, vmctx: Some(0) },
                handlers: 0..2,
            }]
            .into(),
            handlers: [Some(TagIndex(1)), None]
                .map(|tag| Handler { catch: Catch { tag, reference: true }, offset: 90 })
                .into(),
            stack_maps: [(4, StackMap { frame_size: 32, references: vec![8, 16] })].into(),
            handles_references: true,
            inlined: InlinedCalls {
                frames: [(9000, 1007), (9021, 9003)]
                    .map(|(start, call)| {
                        let function = DefinedFuncIndex(FUNCTIONS[0]);
                        InlineFrame { start, function, body: 10 * FUNCTIONS[0], call }
                    })
                    .into(),
                len: 42,
            },
        }
    }

    fn record() -> Vec<u8> {
        let mut bytes = Vec::new();
        let anchor = Anchor { body: 1000..1100, module_len: 9000, callees: &callees(&FUNCTIONS) };
        encode(&function(), &anchor, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn records_follow_the_function_to_another_place() {
        let anchor = Anchor { body: 5000..5100, module_len: 7000, callees: &callees(&[1, 30]) };
        let moved = decode(&record(), &anchor).unwrap();
        let mut expected = function();
        expected.references[0].target = called(30);
        for site in &mut expected.sites {
            site.wasm = if site.wasm < 9000 { site.wasm + 4000 } else { site.wasm - 2000 };
        }
        let frame =
            |start, call| InlineFrame { start, function: DefinedFuncIndex(1), body: 10, call };
        expected.inlined.frames = [frame(7000, 5007), frame(7021, 7003)].into();
        assert_eq!(format!("{moved:?}"), format!("{expected:?}"));
    }

    #[test]
    fn what_is_no_record_is_none() {
        let bytes = record();
        let anchor = Anchor { body: 1000..1100, module_len: 9000, callees: &callees(&FUNCTIONS) };
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], &anchor).is_none(), "length {len}");
        }
        assert!(decode(&[&bytes[..], &[0]].concat(), &anchor).is_none());
        assert!(decode(&bytes, &Anchor { callees: &callees(&[]), ..anchor.clone() }).is_none());
        for position in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[position] = value;
                // Whatever it is, it is looked at without a panic.
                let _ = decode(&changed, &Anchor { module_len: u32::MAX, ..anchor.clone() });
            }
        }
    }

    #[test]
    fn what_records_do_not_know_is_not_kept() {
        let anchor =
            Anchor { body: 1000..1100, module_len: 9000, callees: &callees(&FUNCTIONS[..1]) };
        assert!(encode(&function(), &anchor, &mut Vec::new()).is_none());
    }
}
