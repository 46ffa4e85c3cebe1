//! What the `try`s of the older exception encoding catch.
//!
//! There, the clauses follow the body, but calls in the body must know them. So a function with
//! such a `try` is read twice: once for nothing but its blocks.

use precast_artifact::index::TagIndex;
use precast_artifact::section::exceptions::Catch;
use wasmparser::{FunctionBody, Operator};

/// The `try`s of a function, in the order of its bytes.
#[derive(Default)]
pub(super) struct LegacyTries {
    tries: Vec<LegacyTry>,
    /// How many of them lie before what is being translated.
    passed: usize,
}

/// A `try`.
pub(super) struct LegacyTry {
    /// Where it is in the module.
    offset: usize,
    /// Its clauses, in order.
    pub(super) catches: Vec<Catch>,
    /// The label of its `delegate`, if it ends with one.
    pub(super) delegate: Option<u32>,
}

impl LegacyTries {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.tries.clear();
        self.passed = 0;
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.tries.is_empty()
    }

    /// Reads the blocks of a function. What is not valid is left out: the validator will say so.
    pub(super) fn read(&mut self, body: &FunctionBody<'_>) {
        let Ok(mut reader) = body.get_operators_reader() else { return };
        // Of each open block, the `try` that it is.
        let mut open: Vec<Option<usize>> = vec![None];
        while !reader.eof() {
            let offset = reader.original_position();
            let Ok(operator) = reader.read() else { return };
            let innermost = open.last().copied().flatten();
            let innermost = innermost.and_then(|position| self.tries.get_mut(position));
            match operator {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::TryTable { .. } => open.push(None),
                Operator::Try { .. } => {
                    open.push(Some(self.tries.len()));
                    self.tries.push(LegacyTry { offset, catches: Vec::new(), delegate: None });
                }
                Operator::Catch { .. } | Operator::CatchAll => {
                    let tag = match operator {
                        Operator::Catch { tag_index } => Some(TagIndex(tag_index)),
                        _ => None,
                    };
                    if let Some(innermost) = innermost {
                        innermost.catches.push(Catch { tag, reference: false });
                    }
                }
                Operator::Rethrow { relative_depth } => {
                    let target = open.iter().rev().nth(relative_depth as usize);
                    let target = target.copied().flatten();
                    let target = target.and_then(|position| self.tries.get_mut(position));
                    if let Some(caught) = target.and_then(|it| it.catches.last_mut()) {
                        caught.reference = true;
                    }
                }
                Operator::Delegate { relative_depth } => {
                    if let Some(innermost) = innermost {
                        innermost.delegate = Some(relative_depth);
                    }
                    open.pop();
                }
                Operator::End => {
                    open.pop();
                }
                _ => {}
            }
        }
    }

    /// The `try` at an offset of the module, which comes after those asked for before.
    pub(super) fn at(&mut self, offset: usize) -> Option<&LegacyTry> {
        let rest = self.tries.get(self.passed..)?;
        self.passed += rest.partition_point(|it| it.offset < offset);
        self.tries.get(self.passed).filter(|it| it.offset == offset)
    }
}
