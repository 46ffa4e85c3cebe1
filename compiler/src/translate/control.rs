//! The blocks of wasm that are open, and whether what comes next can be reached.

use cranelift_codegen::ir::{Block, Value};
use precast_artifact::index::TypeIndex;
use wasmparser::BlockType;

use super::computed::Computed;
use super::dispatch::Dispatches;
use super::handlers::Handlers;
use super::legacy_tries::LegacyTries;

/// The open blocks of the function that is being translated, outermost first.
#[derive(Default)]
pub(super) struct ControlStack {
    frames: Vec<Frame>,
    /// How many of them are loops.
    loops: usize,
    unreachable: bool,
    /// Whether the code, by what hints say of branches, hardly ever runs.
    cold: bool,
    /// How many blocks have been opened in code that cannot be reached: nothing of them is
    /// translated, they are only counted.
    skipped: usize,
    /// The addresses that have been computed.
    pub(super) computed: Computed,
    /// The loops that choose where their body goes on.
    pub(super) dispatches: Dispatches,
    /// The exception handlers of those that have any.
    pub(super) handlers: Handlers,
    /// What the blocks of the older exception encoding catch.
    pub(super) legacy_tries: LegacyTries,
}

/// An open block.
pub(super) struct Frame {
    /// What it is.
    pub(super) kind: FrameKind,
    /// Its parameters and results.
    pub(super) ty: BlockType,
    /// How many operands there are below its parameters.
    pub(super) height: usize,
    /// How many addresses had been computed where it begins, and are wherever it goes on.
    pub(super) computed: usize,
    /// The code behind its end, with its results as parameters. Made when something first
    /// branches to it.
    pub(super) next: Option<Block>,
    /// Whether something branches to its end that is not cold.
    pub(super) warm: bool,
    /// Whether more branches to its end can follow behind it, up to the end of a loop around it.
    pub(super) is_dispatched: bool,
}

/// What an open block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The body of the function.
    Function,
    /// The body of a function in place of its call.
    Inlined,
    /// A `block`.
    Block,
    /// A `loop`.
    Loop {
        /// Its first code, with its parameters.
        header: Block,
    },
    /// An `if`, before its `else`. The operand stack holds its parameters twice, once for
    /// each branch.
    If {
        /// What runs when the condition does not hold.
        otherwise: Block,
        /// Whether that is cold.
        cold: bool,
    },
    /// An `if` after its `else`.
    Else,
    /// A `try_table`.
    TryTable,
    /// A `try` of the older encoding, before its first `catch`.
    LegacyTry,
    /// A `try` of the older encoding, in a `catch`.
    LegacyCatch {
        /// Which one.
        number: usize,
        /// What it caught, when it can be reached and rethrows.
        exception: Option<Value>,
    },
}

impl ControlStack {
    /// Forgets everything but the body of a function of the type `ty`.
    pub(super) fn clear(&mut self, ty: TypeIndex) {
        self.frames.clear();
        self.loops = 0;
        self.unreachable = false;
        self.cold = false;
        self.skipped = 0;
        self.computed.truncate(0);
        self.dispatches.clear();
        self.handlers.clear();
        self.legacy_tries.clear();
        self.push(FrameKind::Function, BlockType::FuncType(ty.0), 0);
    }

    /// Whether the next operator can be reached.
    pub(super) fn is_reachable(&self) -> bool {
        !self.unreachable
    }

    /// Notes that the code was left: what follows is skipped up to the next label.
    pub(super) fn set_unreachable(&mut self) {
        self.unreachable = true;
    }

    /// Notes that code is entered again.
    pub(super) fn set_reachable(&mut self) {
        self.unreachable = false;
    }

    /// Counts a block that cannot be reached.
    pub(super) fn skip_block(&mut self) {
        self.skipped += 1;
    }

    /// Whether the innermost block is one that was skipped.
    pub(super) fn is_in_skipped(&self) -> bool {
        self.skipped != 0
    }

    /// Closes the innermost skipped block.
    pub(super) fn end_skipped(&mut self) {
        self.skipped -= 1;
    }

    /// Whether the code hardly ever runs.
    pub(super) fn is_cold(&self) -> bool {
        self.cold
    }

    /// Notes whether what follows hardly ever runs.
    pub(super) fn set_cold(&mut self, cold: bool) {
        self.cold = cold;
    }

    /// Whether a loop is open.
    pub(super) fn is_in_loop(&self) -> bool {
        self.loops != 0
    }

    /// How many blocks are open.
    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Opens a block with `height` operands below its parameters.
    pub(super) fn push(&mut self, kind: FrameKind, ty: BlockType, height: usize) {
        self.loops += usize::from(matches!(kind, FrameKind::Loop { .. }));
        let computed = self.computed.len();
        self.frames.push(Frame {
            kind,
            ty,
            height,
            computed,
            next: None,
            warm: false,
            is_dispatched: false,
        });
    }

    /// Closes the innermost block.
    pub(super) fn pop(&mut self) -> Frame {
        let frame = self.frames.pop().expect("validation matches blocks");
        self.loops -= usize::from(matches!(frame.kind, FrameKind::Loop { .. }));
        frame
    }

    /// The innermost block.
    pub(super) fn innermost(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("validation matches blocks")
    }

    /// The depth of a branch that leaves the innermost callee that is translated in place.
    pub(super) fn inlined_depth(&self) -> u32 {
        let depth = self.frames.iter().rev().position(|frame| frame.kind == FrameKind::Inlined);
        depth.expect("the code is in a callee") as u32
    }

    /// Goes on where nothing is certain to have been computed since the innermost block began.
    pub(super) fn forget_computed(&mut self) {
        let computed = self.innermost().computed;
        self.computed.truncate(computed);
    }

    /// The open blocks, outermost first.
    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The block that a branch with the given depth leaves or, for a loop, repeats.
    pub(super) fn target(&mut self, depth: u32) -> &mut Frame {
        let index = self.frames.len() - 1 - depth as usize;
        &mut self.frames[index]
    }
}
