//! Puts finished code into one text section and resolves what it refers to.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::OptLevel;
use cranelift_codegen::{FxHashMap, FxHashSet};
use precast_artifact::section::exceptions::{ExceptionTableBuilder, Handler};
use precast_artifact::section::inline_frames::InlineFrame;
use precast_artifact::section::relocations::{LibCall, Relocation, RelocationKind};
use precast_artifact::section::sites::Site;
use precast_artifact::section::stack_maps::StackMapsBuilder;

use crate::CompileError;
use crate::code::{CompiledFunction, Reference, ReferenceTarget};
use crate::error::FunctionName;
use crate::limits::CODE_SIZE;
use crate::symbol::Symbol;

/// Code begins at multiples of this where it is to be fast.
const FAST_ALIGNMENT: u32 = 16;

/// All code of a module.
#[derive(Debug, Default)]
pub(crate) struct LinkedCode {
    /// The text section.
    pub(crate) text: Vec<u8>,
    /// Where each piece of code is, in the order in which they were given: offset and length
    /// in bytes. `None` for a helper trampoline that nothing refers to.
    pub(crate) places: Vec<Option<Place>>,
    /// Where code can trap and where it calls, ascending.
    pub(crate) sites: Vec<Site>,
    /// The calls whose callee became a part of the caller's code; their ranges ascend.
    pub(crate) inline_frames: Vec<InlineFrame>,
    /// The exception handlers of calls.
    pub(crate) exceptions: ExceptionTableBuilder,
    /// Where frames hold references during calls.
    pub(crate) stack_maps: StackMapsBuilder,
    /// What is left for the loader.
    pub(crate) relocations: Vec<Relocation>,
}

/// Where a piece of code is in the text section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first byte.
    pub(crate) start: u32,
    /// The number of bytes.
    pub(crate) len: u32,
}

/// A reference that the text section builder does not resolve, in the position of `piece`.
struct Patch {
    piece: usize,
    reference: Reference,
    /// The position of the piece that it refers to.
    target: usize,
}

/// Links `code`, which has the order of `pieces` and comes from a module of `module_len` bytes. `name` names a piece in messages.
pub(crate) fn link(
    isa: &dyn TargetIsa,
    pieces: &[Symbol],
    code: Vec<CompiledFunction>,
    module_len: usize,
    name: impl Fn(Symbol) -> FunctionName,
) -> Result<LinkedCode, CompileError> {
    let labels = labels(pieces, &code);
    let size = |code: &CompiledFunction| code.code.len() as u64 + u64::from(code.alignment) + 32;
    if code.iter().map(size).sum::<u64>() > CODE_SIZE {
        let what = "its machine code has too many bytes";
        return Err(CompileError::TooLarge { what, limit: CODE_SIZE, offset: None });
    }
    let link_error = |piece: usize, message: String| CompileError::Link {
        function: name(pieces[piece]),
        message,
    };
    let mut builder = isa.text_section_builder(labels.len());
    let mut control = ControlPlane::default();
    let mut linked = LinkedCode::default();
    let mut patches = Vec::new();
    let mut inlined_len = 0;
    for (position, (&piece, code)) in pieces.iter().zip(code).enumerate() {
        if !labels.contains_key(&piece) {
            linked.places.push(None);
            continue;
        }
        let start = builder.append(true, &code.code, alignment(isa, &code), &mut control) as u32;
        linked.places.push(Some(Place { start, len: code.code.len() as u32 }));
        // Each function counts the offsets of inlined code from the same number.
        let place = |wasm: u32| match (wasm as usize) < module_len {
            true => wasm,
            false => wasm + inlined_len,
        };
        linked.sites.extend(code.sites.iter().map(|site| Site {
            code: start + site.code,
            wasm: place(site.wasm),
            ..*site
        }));
        let seen = seen_frames(&code.inlined.frames, &code.sites);
        linked.inline_frames.extend(seen.map(|frame| InlineFrame {
            start: place(frame.start),
            call: place(frame.call),
            ..*frame
        }));
        inlined_len += code.inlined.len;
        for call in &code.calls {
            let handlers = &code.handlers[call.handlers.start as usize..call.handlers.end as usize];
            let handlers = handlers
                .iter()
                .map(|&Handler { catch, offset }| Handler { catch, offset: start + offset });
            linked.exceptions.push(start + call.return_address, call.frame, handlers);
        }
        for (return_address, map) in &code.stack_maps {
            linked.stack_maps.push(start + return_address, map);
        }
        for &reference in &code.references {
            let Reference { offset, kind, addend, target } = reference;
            match target {
                ReferenceTarget::Symbol(symbol) => {
                    let Some(&Label { label, piece: target }) = labels.get(&symbol) else {
                        return Err(link_error(position, format!("there is no {symbol:?}")));
                    };
                    let at = u64::from(start + offset);
                    if !builder.resolve_reloc(at, kind, addend, label) {
                        patches.push(Patch { piece: position, reference, target });
                    }
                }
                ReferenceTarget::Local(_) => {
                    patches.push(Patch { piece: position, reference, target: position });
                }
                ReferenceTarget::LibCall(call) => {
                    let relocation = for_loader(start + offset, kind, addend, call);
                    linked.relocations.push(relocation.map_err(|m| link_error(position, m))?);
                }
            }
        }
    }
    linked.text = builder.finish(&mut control);
    for patch in &patches {
        apply(&mut linked, patch).map_err(|message| link_error(patch.piece, message))?;
    }
    Ok(linked)
}

/// The inlined calls of a function that a backtrace can show: where one of the sites is, or another such call.
fn seen_frames<'a>(
    frames: &'a [InlineFrame],
    sites: &[Site],
) -> impl Iterator<Item = &'a InlineFrame> {
    let range_of = |place: u32| frames.partition_point(|frame| frame.start <= place).checked_sub(1);
    let mut seen = vec![false; frames.len()];
    for site in sites {
        if let Some(range) = range_of(site.wasm) {
            seen[range] = true;
        }
    }
    // Calls are in earlier ranges.
    for (position, frame) in frames.iter().enumerate().rev() {
        if let (true, Some(range)) = (seen[position], range_of(frame.call)) {
            seen[range] = true;
        }
    }
    frames.iter().zip(seen).filter_map(|(frame, seen)| seen.then_some(frame))
}

/// A piece that is linked: its number for the text section builder, and its position.
struct Label {
    label: usize,
    piece: usize,
}

/// Every piece that is linked: all but the helper trampolines that nothing refers to.
fn labels(pieces: &[Symbol], code: &[CompiledFunction]) -> FxHashMap<Symbol, Label> {
    let references = code.iter().flat_map(|code| &code.references);
    let used: FxHashSet<Symbol> = references
        .filter_map(|reference| match reference.target {
            ReferenceTarget::Symbol(symbol @ Symbol::Helper(_)) => Some(symbol),
            _ => None,
        })
        .collect();
    let linked = |symbol: &Symbol| !matches!(symbol, Symbol::Helper(_)) || used.contains(symbol);
    let pieces = pieces.iter().enumerate().filter(|(_, symbol)| linked(symbol));
    pieces.enumerate().map(|(label, (piece, &symbol))| (symbol, Label { label, piece })).collect()
}

fn alignment(isa: &dyn TargetIsa, code: &CompiledFunction) -> u32 {
    let alignment = code.alignment.max(isa.function_alignment().minimum);
    match isa.flags().opt_level() {
        OptLevel::Speed => alignment.max(FAST_ALIGNMENT),
        OptLevel::None | OptLevel::SpeedAndSize => alignment,
    }
}

/// A reference to a library routine, which only the loader knows.
fn for_loader(
    offset: u32,
    kind: Reloc,
    addend: i64,
    call: ir::LibCall,
) -> Result<Relocation, String> {
    let target = match call {
        ir::LibCall::CeilF32 => LibCall::CeilF32,
        ir::LibCall::CeilF64 => LibCall::CeilF64,
        ir::LibCall::FloorF32 => LibCall::FloorF32,
        ir::LibCall::FloorF64 => LibCall::FloorF64,
        ir::LibCall::TruncF32 => LibCall::TruncF32,
        ir::LibCall::TruncF64 => LibCall::TruncF64,
        ir::LibCall::NearestF32 => LibCall::NearestF32,
        ir::LibCall::NearestF64 => LibCall::NearestF64,
        ir::LibCall::FmaF32 => LibCall::FmaF32,
        ir::LibCall::FmaF64 => LibCall::FmaF64,
        ir::LibCall::X86Pshufb => LibCall::X86Pshufb,
        other => return Err(format!("it needs the library routine {other}")),
    };
    if kind != Reloc::Abs8 {
        return Err(format!("it refers to {call} by a {kind:?}"));
    }
    Ok(Relocation { offset, kind: RelocationKind::Absolute64, target, addend })
}

/// Resolves a reference between two places of the text section.
///
/// Absolute addresses are not among them: the text section can be mapped anywhere. It does
/// begin with a page, so distances between pages do not change.
fn apply(linked: &mut LinkedCode, patch: &Patch) -> Result<(), String> {
    let place = |piece: usize| linked.places[piece].expect("what is referred to is linked");
    let Reference { offset, kind, addend, target } = patch.reference;
    let at = i64::from(place(patch.piece).start + offset);
    let base = i64::from(place(patch.target).start);
    let value = match target {
        ReferenceTarget::Local(offset) => base + i64::from(offset) + addend,
        _ => base + addend,
    };
    let bytes = linked
        .text
        .get_mut(at as usize..)
        .and_then(|text| text.first_chunk_mut::<4>())
        .ok_or("a reference lies outside the code")?;
    let instruction = u32::from_le_bytes(*bytes);
    let patched = match kind {
        Reloc::X86PCRel4 | Reloc::X86CallPCRel4 => {
            i32::try_from(value - at).map_err(|_| "a distance exceeds 2 GiB")? as u32
        }
        Reloc::Aarch64AdrPrelPgHi21 => {
            let pages = (value >> 12) - (at >> 12);
            if !(-(1 << 20)..1 << 20).contains(&pages) {
                return Err("a distance exceeds 4 GiB".into());
            }
            let pages = pages as u32;
            (instruction & 0x9f00_001f) | ((pages & 3) << 29) | (((pages >> 2) & 0x7_ffff) << 5)
        }
        Reloc::Aarch64AddAbsLo12Nc => {
            (instruction & !(0xfff << 10)) | ((value as u32 & 0xfff) << 10)
        }
        other => return Err(format!("references of kind {other:?} are not resolved")),
    };
    *bytes = patched.to_le_bytes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use precast_artifact::helper::Helper;
    use precast_artifact::index::DefinedFuncIndex;
    use precast_artifact::section::exceptions::{Catch, ExceptionTable, Frame};
    use precast_artifact::trap::Trap;
    use precast_config::{CompilerSettings, CpuChoice};

    use precast_artifact::section::stack_maps::StackMap;

    use super::*;
    use crate::code::HandledCall;
    use crate::target::Target;
    use crate::translate::InlinedCalls;

    fn target(name: &str) -> Target {
        let (target, cpu) = (Some(name.to_owned()), CpuChoice::Baseline);
        Target::new(&CompilerSettings { target, cpu, ..CompilerSettings::default() }).unwrap()
    }

    fn function(index: u32) -> Symbol {
        Symbol::Function(DefinedFuncIndex(index))
    }

    fn code(bytes: &[u8], references: &[(u32, Reloc, i64, ReferenceTarget)]) -> CompiledFunction {
        let reference =
            |&(offset, kind, addend, target)| Reference { offset, kind, addend, target };
        CompiledFunction {
            code: bytes.into(),
            alignment: 1,
            references: references.iter().map(reference).collect(),
            sites: [Site { code: 1, wasm: 7, trap: Some(Trap::Unreachable) }].into(),
            calls: [HandledCall {
                return_address: 2,
                frame: Frame { size: 16, vmctx: None },
                handlers: 0..1,
            }]
            .into(),
            handlers: [Handler { catch: Catch { tag: None, reference: false }, offset: 3 }].into(),
            stack_maps: [(2, StackMap { frame_size: 16, references: vec![8] })].into(),
            handles_references: true,
            inlined: InlinedCalls::default(),
        }
    }

    fn linked(name: &str, code: Vec<CompiledFunction>) -> Result<LinkedCode, CompileError> {
        let pieces: Vec<Symbol> = (0..code.len() as u32).map(function).collect();
        let name_of = |_| FunctionName { index: None, name: None };
        link(&*target(name).isa, &pieces, code, 1 << 20, name_of)
    }

    fn word(text: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(text[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn x86_references_are_distances() {
        let call = |kind, addend, symbol| (1, kind, addend, ReferenceTarget::Symbol(symbol));
        let zeros = [0; 20];
        let linked = linked(
            "x86_64",
            vec![
                code(&zeros, &[call(Reloc::X86CallPCRel4, -4, function(1))]),
                code(&zeros, &[call(Reloc::X86CallPCRel4, 12, function(0))]),
                code(&zeros, &[call(Reloc::X86PCRel4, 0, function(2))]),
                code(&zeros, &[(8, Reloc::X86PCRel4, 0, ReferenceTarget::Local(3))]),
            ],
        )
        .unwrap();
        let starts: Vec<u32> = linked.places.iter().map(|place| place.unwrap().start).collect();
        assert_eq!(starts, [0, 32, 64, 96]);
        assert_eq!(word(&linked.text, 1) as i32, 32 - 5);
        assert_eq!(word(&linked.text, 33) as i32, 12 - 33);
        assert_eq!(word(&linked.text, 65) as i32, -1);
        assert_eq!(word(&linked.text, 104) as i32, 3 - 8);
        let site = Site { code: 97, wasm: 7, trap: Some(Trap::Unreachable) };
        assert_eq!(linked.sites[3], site);
        let exceptions = linked.exceptions.finish();
        let call = ExceptionTable::new(&exceptions).find(34).unwrap();
        assert_eq!(call.frame.size, 16);
        assert_eq!(call.handlers().next().unwrap().offset, 35);
    }

    #[test]
    fn aarch64_addresses_are_pages_and_offsets() {
        let symbol = ReferenceTarget::Symbol(function(1));
        let mut instructions = Vec::new();
        // adrp x3, 0; add x3, x3, #0
        instructions.extend(0x9000_0003_u32.to_le_bytes());
        instructions.extend(0x9100_0063_u32.to_le_bytes());
        instructions.resize(0x5004, 0);
        let references = [
            (0, Reloc::Aarch64AdrPrelPgHi21, 0, symbol),
            (4, Reloc::Aarch64AddAbsLo12Nc, 8, symbol),
        ];
        let back = [(0, Reloc::Aarch64AdrPrelPgHi21, 0, ReferenceTarget::Symbol(function(0)))];
        let linked = linked(
            "aarch64",
            vec![code(&instructions, &references), code(&0x9000_0003_u32.to_le_bytes(), &back)],
        )
        .unwrap();
        assert_eq!(linked.places[1].unwrap().start, 0x5010);
        // Five pages on: two bits low, the rest high.
        assert_eq!(word(&linked.text, 0), 0x9000_0003 | (1 << 29) | (1 << 5));
        assert_eq!(word(&linked.text, 4), 0x9100_0063 | (0x18 << 10));
        // Five pages back.
        let pages = (-5_i32) as u32;
        let high = ((pages >> 2) & 0x7_ffff) << 5;
        assert_eq!(word(&linked.text, 0x5010), 0x9000_0003 | ((pages & 3) << 29) | high);
    }

    #[test]
    fn library_routines_are_left_to_the_loader() {
        let call = ReferenceTarget::LibCall(ir::LibCall::FloorF32);
        let linked = linked("x86_64", vec![code(&[0; 16], &[(2, Reloc::Abs8, 0, call)])]).unwrap();
        let kind = RelocationKind::Absolute64;
        let expected = Relocation { offset: 2, kind, target: LibCall::FloorF32, addend: 0 };
        assert_eq!(linked.relocations, [expected]);
    }

    #[test]
    fn what_cannot_be_resolved_is_an_error() {
        let message = |reference| {
            linked("x86_64", vec![code(&[0; 16], &[reference])]).unwrap_err().to_string()
        };
        let itself = ReferenceTarget::Symbol(function(0));
        assert!(message((0, Reloc::Abs8, 0, itself)).contains("Abs8"));
        assert!(message((14, Reloc::X86PCRel4, 0, itself)).contains("outside the code"));
        let missing = ReferenceTarget::Symbol(function(1));
        assert!(message((0, Reloc::X86PCRel4, 0, missing)).contains("there is no"));
        let routine = ReferenceTarget::LibCall(ir::LibCall::Memcpy);
        assert!(message((0, Reloc::Abs8, 0, routine)).contains("Memcpy"));
    }

    #[test]
    fn unused_helpers_are_left_out() {
        let target = target("x86_64");
        let used = ReferenceTarget::Symbol(Symbol::Helper(Helper::DataDrop));
        let pieces =
            [function(0), Symbol::Helper(Helper::MemoryGrow), Symbol::Helper(Helper::DataDrop)];
        let code = vec![
            code(&[0; 16], &[(1, Reloc::X86CallPCRel4, -4, used)]),
            code(&[1; 16], &[]),
            code(&[2; 16], &[]),
        ];
        let name = |_| FunctionName { index: None, name: None };
        let linked = link(&*target.isa, &pieces, code, 1 << 20, name).unwrap();
        let places: Vec<_> = linked.places.iter().map(|place| place.map(|at| at.start)).collect();
        assert_eq!(places, [Some(0), None, Some(16)]);
        assert_eq!(word(&linked.text, 1), 16 - 5);
    }
}
