//! Calls whose callee is translated in place of the call.
//!
//! The callee's body becomes a block of the caller, with the callee's parameters and locals as variables of
//! their own. Whether that happens depends on nothing but the bodies of the caller and of what it
//! calls, so that the order in which functions are compiled makes no difference.
//!
//! Backtraces show such a call as a call: see [`precast_artifact::section::inline_frames`].

use cranelift_codegen::FxHashMap;
use cranelift_codegen::ir::{InstBuilder, Opcode, Type};
use cranelift_frontend::Variable;
use precast_artifact::index::{DefinedFuncIndex, FuncIndex};
use precast_artifact::section::inline_frames::InlineFrame;
use smallvec::SmallVec;
use wasmparser::BlockType;

use crate::callees::{self, Inlining};
use crate::parsed::ParsedModule;

use super::body::Body;
use super::control::FrameKind;

/// How many such calls may be inside of each other.
pub(crate) const DEPTH: usize = 6;
/// How many instructions are looked at for a load before it is taken for granted that there is one.
const LOOK_BACK: usize = 32;

/// The calls of a function that are translated in place.
pub(super) struct Inlined {
    /// The function whose code it all becomes.
    function: DefinedFuncIndex,
    /// Those that are being translated, outermost first.
    open: SmallVec<[Open; 4]>,
    /// All of them, in order.
    frames: Vec<InlineFrame>,
    /// How many more bytes of other bodies may be taken in.
    room: usize,
    /// The next offset that stands for such code.
    next_offset: u32,
    /// Variables that are free again, by type and by whether they are references into the heap: each
    /// costs memory for every block.
    free: FxHashMap<(Type, bool), Vec<Variable>>,
}

/// The calls whose callee became a part of a function.
#[derive(Debug, Default)]
pub(crate) struct InlinedCalls {
    /// Which they are. Their ranges ascend from the size of the module.
    pub(crate) frames: Box<[InlineFrame]>,
    /// The length of their ranges together.
    pub(crate) len: u32,
}

/// A callee that is being translated in place of a call.
struct Open {
    function: DefinedFuncIndex,
    /// Its parameters and locals.
    locals: Vec<Local>,
    /// What to add to an offset in the wasm file.
    shift: u32,
    /// Whether the call is inlined nowhere else.
    once: bool,
    /// How many operands there are below its results.
    height: usize,
}

/// A parameter or local of a callee.
#[derive(Clone, Copy)]
struct Local {
    variable: Variable,
    /// What other one can have the variable afterwards.
    kind: (Type, bool),
}

impl Inlined {
    /// For a function of which nothing has been translated.
    pub(super) fn new(module: &ParsedModule<'_>, function: DefinedFuncIndex) -> Inlined {
        Inlined {
            function,
            open: SmallVec::new(),
            frames: Vec::new(),
            room: callees::budget(module.bodies[function.as_usize()].range().len()),
            // Sizes of modules have 32 bits.
            next_offset: module.len as u32,
            free: FxHashMap::default(),
        }
    }

    /// A local of the innermost callee, if the code is in one.
    pub(super) fn local(&self, index: u32) -> Option<Variable> {
        self.open.last().map(|open| open.locals[index as usize].variable)
    }

    /// Whether nothing of the function comes from a callee.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the code is in a callee.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What to add to an offset in the wasm file, to make the place in the code.
    pub(super) fn shift(&self) -> u32 {
        self.open.last().map_or(0, |open| open.shift)
    }

    /// The calls that were translated in place, for a module of `module_len` bytes.
    pub(super) fn finish(self, module_len: usize) -> InlinedCalls {
        let frames = self.frames.into();
        InlinedCalls { frames, len: self.next_offset.saturating_sub(module_len as u32) }
    }
}

/// The function to translate in place of a call of `index` that comes next, if there is to be one.
pub(super) fn callee(body: &Body<'_>, index: FuncIndex) -> Option<DefinedFuncIndex> {
    let module = body.instance.module;
    let Inlined { function: caller, open, room, .. } = &body.inlined;
    let function = module.representative(module.defined(index)?);
    let choice = module.callees.get(function);
    let len = module.bodies[function.as_usize()].range().len();
    let fits = match choice {
        Inlining::Never => false,
        Inlining::Always => len <= *room,
        Inlining::InLoops => len <= *room && body.control.is_in_loop(),
        // Nothing grows when code is only moved.
        Inlining::Once => open.iter().all(|open| open.once),
    };
    let recursive = function == *caller || open.iter().any(|open| open.function == function);
    let useful = body.control.is_reachable() && !body.control.is_cold();
    let small = open.len() < DEPTH && body.extent.has_room(&body.builder.func.dfg);
    (fits && useful && small && !recursive).then_some(function)
}

/// Begins to translate a callee in place of its call: its arguments become its parameters.
pub(super) fn enter(body: &mut Body<'_>, function: DefinedFuncIndex) {
    keep_load_apart(body);
    let module: &ParsedModule<'_> = body.instance.module;
    let range = module.bodies[function.as_usize()].range();
    let start = body.inlined.next_offset;
    let place = body.builder.srcloc().bits();
    body.inlined.frames.push(InlineFrame {
        start,
        function,
        body: range.start as u32,
        call: place,
    });
    // One more, so that the end of the body is in it.
    body.inlined.next_offset += range.len() as u32 + 1;
    let once = module.callees.get(function) == Inlining::Once;
    if !once {
        body.inlined.room -= range.len();
    }
    let shift = start.wrapping_sub(range.start as u32);
    let ty = module.function_types[module.function_index(function).as_usize()];
    let params = &module.func_type(ty).params;
    let args: SmallVec<[_; 8]> = body.values.top(params.len()).into();
    body.values.drop(params.len());
    let height = body.values.len();
    body.inlined.open.push(Open { function, locals: Vec::new(), shift, once, height });
    for (value, &ty) in args.into_iter().zip(params) {
        body.define_param(value, ty);
    }
    body.control.push(FrameKind::Inlined, BlockType::FuncType(ty.0), height);
}

/// Goes on in the caller, after the callee's last operator.
pub(super) fn leave(body: &mut Body<'_>) {
    if body.control.is_reachable() {
        keep_load_apart(body);
    }
    let open = body.inlined.open.pop().expect("it was entered");
    // What they are is for the caller to say.
    body.values.renew(open.height);
    for Local { variable, kind } in open.locals {
        body.inlined.free.entry(kind).or_default().push(variable);
    }
}

/// Keeps the code generator from making a load that came last a part of an instruction that comes next:
/// where it traps would then be known only as the place of that, which is in another function.
fn keep_load_apart(body: &mut Body<'_>) {
    let (func, block) = (&body.builder.func, body.builder.current_block());
    let mut last = block.and_then(|block| func.layout.last_inst(block));
    for _ in 0..LOOK_BACK {
        let Some(inst) = last else { return };
        let opcode = func.dfg.insts[inst].opcode();
        if opcode.can_load() {
            break;
        }
        // Loads do not pass what is certain to stay: other instructions may be optimised away.
        if opcode.is_call() || opcode == Opcode::SequencePoint {
            return;
        }
        last = func.layout.prev_inst(inst);
    }
    body.ins().sequence_point();
}

/// A variable of this kind that no callee needs any more.
pub(super) fn free_variable(body: &mut Body<'_>, kind: (Type, bool)) -> Option<Variable> {
    body.inlined.free.get_mut(&kind)?.pop()
}

/// Makes a variable the next local of the innermost callee, if the code is in one.
pub(super) fn declare_local(body: &mut Body<'_>, variable: Variable, kind: (Type, bool)) {
    if let Some(open) = body.inlined.open.last_mut() {
        open.locals.push(Local { variable, kind });
    }
}
