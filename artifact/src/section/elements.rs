//! The function indices of element segments and table images, as little-endian `u32`s.

use crate::index::FuncIndex;
use crate::module::{ElementRange, NULL_ELEMENT};

/// The element section in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(&'a [u8]);

/// Encodes the section; `None` is null.
pub fn encode(functions: &[Option<FuncIndex>]) -> Vec<u8> {
    functions
        .iter()
        .flat_map(|function| function.map_or(NULL_ELEMENT, |index| index.0).to_le_bytes())
        .collect()
}

impl<'a> Elements<'a> {
    /// The section in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Elements(bytes)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `index` of `range`: a function, or null where the range, the section or the
    /// module's functions end.
    pub fn get(&self, range: ElementRange, index: u32) -> Option<FuncIndex> {
        let position = u64::from(range.start) + u64::from(index);
        let start = usize::try_from(position).ok()?.checked_mul(4)?;
        let bytes = self.0.get(start..)?.first_chunk::<4>()?;
        let function = u32::from_le_bytes(*bytes);
        (index < range.len && function != NULL_ELEMENT).then_some(FuncIndex(function))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_round_trip() {
        let bytes = encode(&[Some(FuncIndex(7)), None, Some(FuncIndex(9))]);
        let elements = Elements::new(&bytes);
        let range = ElementRange { start: 1, len: 2 };
        assert_eq!(elements.len(), 3);
        assert_eq!(elements.get(range, 0), None);
        assert_eq!(elements.get(range, 1), Some(FuncIndex(9)));
        assert_eq!(elements.get(range, 2), None);
        assert_eq!(elements.get(ElementRange { start: u32::MAX, len: 2 }, 1), None);
    }
}
