//! The custom section that says which way branches usually go.

use std::ops::Range;

use wasmparser::{BinaryReader, BranchHintSectionReader, FunctionBody};

/// Which way a branch usually goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BranchHint {
    /// To its target, or into the first part of an `if`.
    Taken,
    /// Past that.
    NotTaken,
}

/// What a module says about its branches.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct BranchHints(Vec<(u32, BranchHint)>);

impl BranchHints {
    /// Reads the section of a module whose defined functions, behind `imported` others, have
    /// the bodies `bodies`. A malformed section has no hints: the specification makes it no
    /// error.
    pub(crate) fn read(
        section: BinaryReader<'_>,
        imported: u32,
        bodies: &[FunctionBody<'_>],
    ) -> BranchHints {
        try_read(section, imported, bodies).unwrap_or_default()
    }

    /// Whether nothing is said about any branch.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is said about the branch at an offset of the module.
    pub(crate) fn get(&self, offset: u32) -> Option<BranchHint> {
        let position = self.0.binary_search_by_key(&offset, |&(offset, _)| offset).ok()?;
        Some(self.0[position].1)
    }

    /// What is said about the branches in a range of the module, by their offsets.
    pub(crate) fn within(&self, range: Range<usize>) -> &[(u32, BranchHint)] {
        let position = |end: usize| self.0.partition_point(|&(offset, _)| (offset as usize) < end);
        &self.0[position(range.start)..position(range.end)]
    }
}

fn try_read(
    section: BinaryReader<'_>,
    imported: u32,
    bodies: &[FunctionBody<'_>],
) -> Option<BranchHints> {
    let mut hints = Vec::new();
    for function in BranchHintSectionReader::new(section).ok()? {
        let function = function.ok()?;
        let body = bodies.get(function.func.checked_sub(imported)? as usize)?.range();
        for hint in function.hints {
            let hint = hint.ok()?;
            let offset = u32::try_from(body.start).ok()?.checked_add(hint.func_offset)?;
            let hint = if hint.taken { BranchHint::Taken } else { BranchHint::NotTaken };
            hints.push((offset, hint));
        }
    }
    hints.is_sorted_by(|a, b| a.0 < b.0).then_some(BranchHints(hints))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hints for functions behind one import, whose bodies are ten bytes from 100 and from 110.
    fn section(bytes: &[u8]) -> BranchHints {
        let body = |start| FunctionBody::new(BinaryReader::new(&[0; 10], start));
        BranchHints::read(BinaryReader::new(bytes, 0), 1, &[body(100), body(110)])
    }

    #[test]
    fn hints_are_found_by_offset() {
        let hints = section(&[2, 1, 2, 3, 1, 0, 5, 1, 1, 2, 1, 4, 1, 1]);
        assert_eq!(hints.get(103), Some(BranchHint::NotTaken));
        assert_eq!(hints.get(105), Some(BranchHint::Taken));
        assert_eq!(hints.get(114), Some(BranchHint::Taken));
        assert_eq!(hints.get(104), None);
        assert_eq!(hints.within(110..120), [(114, BranchHint::Taken)]);
        assert_eq!(hints.within(100..105).len(), 1);
    }

    #[test]
    fn malformed_sections_have_no_hints() {
        for bytes in [
            [1, 1, 1, 3, 1].as_slice(),
            &[1, 1, 1, 3, 1, 2],
            &[1, 1, 1, 3, 2, 1, 1],
            &[1, 0, 1, 3, 1, 0],
            &[1, 3, 1, 3, 1, 0],
            &[1, 1, 2, 5, 1, 0, 3, 1, 1],
            &[1, 1, 2, 5, 1, 0, 5, 1, 1],
            &[2, 2, 1, 3, 1, 0, 1, 1, 3, 1, 0],
            &[1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 0],
        ] {
            assert_eq!(section(bytes), BranchHints::default(), "{bytes:?}");
        }
    }
}
