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
    /// Pieces, by their sizes and positions, for so many threads: the largest piece at a time, and for each thread but
    /// one a quarter of it.
    pub(crate) fn new(pieces: impl Iterator<Item = (usize, u32)>, jobs: usize) -> Backlog {
        let left: BTreeSet<_> = pieces.map(|(size, position)| (size, Reverse(position))).collect();
        let largest = left.last().map_or(0, |&(size, _)| size);
        let limit = largest.saturating_add((largest / 4).saturating_mul(jobs.saturating_sub(1)));
        Backlog { left, under_way: 0, limit }
    }

    /// Adds a piece.
    pub(crate) fn add(&mut self, size: usize, position: u32) {
        self.left.insert((size, Reverse(position)));
    }

    /// Notes that a piece is not under way any more.
    pub(crate) fn finish(&mut self, done: Taken) {
        self.under_way -= done.size;
    }

    /// The largest piece that there is room for, or else the smallest.
    pub(crate) fn next(&mut self) -> Option<Taken> {
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

    fn backlog(sizes: &[usize], jobs: usize) -> Backlog {
        Backlog::new(sizes.iter().copied().zip(0..), jobs)
    }

    #[test]
    fn alone_the_largest_comes_first() {
        let mut backlog = backlog(&[3, 5, 0, 5, 9], 1);
        let mut order = Vec::new();
        while let Some(taken) = backlog.next() {
            if taken.position == 4 {
                backlog.add(4, 5);
            }
            order.push(taken.position);
            backlog.finish(taken);
        }
        assert_eq!(order, [4, 1, 3, 5, 0, 2]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn beside_the_largest_there_is_room_for_smaller_ones() {
        let mut backlog = backlog(&[100, 90, 80, 26, 25, 1], 2);
        let first = backlog.next().unwrap();
        assert_eq!(first.position, 0);
        assert_eq!(backlog.next().unwrap().position, 4);
        // Nothing fits any more, but nobody waits.
        assert_eq!(backlog.next().unwrap().position, 5);
        backlog.finish(first);
        assert_eq!(backlog.next().unwrap().position, 1);
    }
}
