//! What is left to compile, and who gets what next.
//!
//! The largest pieces come first, so that no thread is left alone with one at the end. Yet compiling a function takes
//! memory by its size, or worse, and the largest ones at the same time would take several times what one does.
//! So next to a large piece, other threads get smaller ones.

use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Pieces by size.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// Sizes and positions; of the same size, the first comes last in this order.
    left: BTreeSet<(usize, Reverse<u32>)>,
    /// How large the pieces together are that are being compiled.
    under_way: usize,
    /// How large they should be at most.
    limit: usize,
}

/// A piece that somebody compiles.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Its position among all pieces.
    pub(crate) position: u32,
    /// How large it is.
    pub(crate) size: usize,
}

impl Backlog {
    /// All pieces, of these sizes, for so many threads: the largest piece, and for each thread but one a quarter of it.
    pub(crate) fn new(sizes: impl Iterator<Item = usize>, jobs: usize) -> Backlog {
        let left: BTreeSet<_> = sizes.zip((0..).map(Reverse)).collect();
        let largest = left.last().map_or(0, |&(size, _)| size);
        let limit = largest.saturating_add((largest / 4).saturating_mul(jobs.saturating_sub(1)));
        Backlog { left, under_way: 0, limit }
    }

    /// The largest piece that there is room for, or else the smallest, for one who has done `done`.
    pub(crate) fn next(&mut self, done: Option<Taken>) -> Option<Taken> {
        self.under_way -= done.map_or(0, |done| done.size);
        let room = self.limit.saturating_sub(self.under_way);
        let fitting = self.left.range(..=(room, Reverse(0))).next_back().copied();
        let (size, Reverse(position)) = fitting.or_else(|| self.left.first().copied())?;
        self.left.remove(&(size, Reverse(position)));
        self.under_way += size;
        Some(Taken { position, size })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_the_largest_comes_first() {
        let mut backlog = Backlog::new([3, 5, 0, 5, 9].into_iter(), 1);
        let mut taken = None;
        let mut order = Vec::new();
        while let Some(next) = backlog.next(taken.take()) {
            order.push(next.position);
            taken = Some(next);
        }
        assert_eq!(order, [4, 1, 3, 0, 2]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn beside_the_largest_there_is_room_for_smaller_ones() {
        let mut backlog = Backlog::new([100, 90, 80, 26, 25, 1].into_iter(), 2);
        let first = backlog.next(None);
        assert_eq!(first.as_ref().map(|taken| taken.position), Some(0));
        let second = backlog.next(None);
        assert_eq!(second.as_ref().map(|taken| taken.position), Some(4));
        // Nothing fits any more, but nobody waits.
        let third = backlog.next(None);
        assert_eq!(third.map(|taken| taken.position), Some(5));
        let fourth = backlog.next(first);
        assert_eq!(fourth.map(|taken| taken.position), Some(1));
    }
}
