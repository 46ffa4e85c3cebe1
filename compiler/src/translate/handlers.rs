//! The exception handlers that are active where the translation is.

use cranelift_codegen::ir::Block;
use precast_artifact::section::exceptions::Catch;
use smallvec::SmallVec;

use crate::limits::FUNCTION_HANDLERS;

/// The clauses of the open `try`s of a function.
///
/// They are in the reverse of the order in which an exception meets them: those of outer `try`s
/// first, and of each its last one first.
#[derive(Default)]
pub(super) struct Handlers {
    clauses: Vec<Clause>,
    tries: Vec<Try>,
    looks: usize,
}

/// What happens to exceptions that come this far.
#[derive(Clone, Copy, Debug)]
enum Clause {
    /// Some are caught.
    Catch(Landing),
    /// All go on to the first this many clauses.
    Delegate(usize),
}

/// A clause that catches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Landing {
    /// Which exceptions.
    pub(super) catch: Catch,
    /// The block that a `try_table` branches to, as a depth from the outside.
    pub(super) label: u32,
    /// Where they arrive. Made when a call first mentions it.
    pub(super) block: Option<Block>,
}

/// An open `try`.
struct Try {
    /// How many blocks are open around it.
    depth: usize,
    /// How many clauses there are of the `try`s around it.
    start: usize,
}

/// The handlers of a call, by their position, in the order in which an exception meets them.
pub(super) type Active = SmallVec<[usize; 4]>;

impl Handlers {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.clauses.clear();
        self.tries.clear();
        self.looks = 0;
    }

    /// Whether the calls of the function have looked at more clauses than they may.
    pub(super) fn is_exhausted(&self) -> bool {
        self.looks > FUNCTION_HANDLERS
    }

    /// Whether a call has mentioned a clause of the innermost `try`.
    pub(super) fn are_used(&self) -> bool {
        let mut landings = self.clauses[self.innermost()..].iter().filter_map(Clause::landing);
        landings.any(|landing| landing.block.is_some())
    }

    /// Opens a `try` inside of `depth` blocks.
    pub(super) fn open(
        &mut self,
        depth: usize,
        catches: impl DoubleEndedIterator<Item = (Catch, u32)>,
    ) {
        self.tries.push(Try { depth, start: self.clauses.len() });
        let clauses = catches.rev();
        self.clauses.extend(
            clauses.map(|(catch, label)| Clause::Catch(Landing { catch, label, block: None })),
        );
    }

    /// Opens a `try` inside of `depth` blocks whose exceptions go to the `target`th of these,
    /// counted from the outside, as if they were thrown there.
    pub(super) fn open_delegate(&mut self, depth: usize, target: usize) {
        let start = self.clauses.len();
        let inner = self.tries.partition_point(|open| open.depth <= target);
        let active = self.tries.get(inner).map_or(start, |open| open.start);
        self.tries.push(Try { depth, start });
        self.clauses.push(Clause::Delegate(active));
    }

    /// Exceptions no longer meet the clauses of the innermost `try`; they still can be asked for.
    pub(super) fn leave_body(&mut self) {
        let start = self.innermost();
        self.clauses.push(Clause::Delegate(start));
    }

    /// The clause of the innermost `try` with this number.
    pub(super) fn landing(&mut self, number: usize) -> Landing {
        self.looks += number;
        let catches = self.clauses[self.innermost()..].iter().rev().filter_map(Clause::landing);
        catches.copied().nth(number).expect("validation matches blocks")
    }

    /// Closes the innermost `try`, and returns its clauses.
    pub(super) fn close(&mut self) -> SmallVec<[Landing; 4]> {
        let start = self.innermost();
        self.tries.pop();
        self.clauses.drain(start..).rev().filter_map(|clause| clause.landing().copied()).collect()
    }

    /// The handlers of a call at this place: those that can still meet an exception.
    pub(super) fn active(&mut self) -> Active {
        let mut active = Active::new();
        let mut next = self.clauses.len();
        while let Some(position) = next.checked_sub(1) {
            self.looks += 1 + active.len();
            next = position;
            match self.clauses[position] {
                Clause::Delegate(to) => next = to,
                Clause::Catch(Landing { catch, .. }) => {
                    let mut before = active.iter().map(|&position| self.at(position).catch.tag);
                    if before.all(|tag| tag != catch.tag) {
                        active.push(position);
                    }
                    if catch.tag.is_none() {
                        break;
                    }
                }
            }
        }
        active
    }

    /// The handler at a position.
    pub(super) fn at(&self, position: usize) -> &Landing {
        self.clauses[position].landing().expect("active clauses catch")
    }

    /// Notes where the exceptions of the handler at a position arrive.
    pub(super) fn set_block(&mut self, position: usize, to: Block) {
        if let Clause::Catch(landing) = &mut self.clauses[position] {
            landing.block = Some(to);
        }
    }

    /// Where the clauses of the innermost `try` begin.
    fn innermost(&self) -> usize {
        self.tries.last().expect("validation matches blocks").start
    }
}

impl Clause {
    fn landing(&self) -> Option<&Landing> {
        match self {
            Clause::Catch(landing) => Some(landing),
            Clause::Delegate(_) => None,
        }
    }
}
