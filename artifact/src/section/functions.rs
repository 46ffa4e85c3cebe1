//! The functions of an artifact: where their code is and what they can be called as.

use crate::index::{DefinedFuncIndex, FuncRefIndex, TypeIndex};

/// Bytes per function.
const ENTRY: usize = 16;
/// Stored for a function that has no `VMFuncRef`.
const NO_FUNC_REF: u32 = u32::MAX;
/// Set in the length of a function that shares another's code, beside the other's index. Code is
/// shorter than 2 GiB.
const SHARED: u32 = 1 << 31;

/// What the artifact says about one defined function. Stored as four little-endian `u32`, functions in
/// index order: start, length, type and slot. The code of functions that have their own ascends. One
/// that shares another's has, in place of its start, the end of the code before it, and in place of its
/// length the index of the other with the highest bit set. One that became a part of all its callers has
/// no code: its length is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Where the code begins in the text section, in bytes.
    pub start: u32,
    /// The length of the code, in bytes.
    pub len: u32,
    /// The function's type.
    pub ty: TypeIndex,
    /// Its slot among the instance's `VMFuncRef`s, if its address can be taken.
    pub func_ref: Option<FuncRefIndex>,
    /// The function before it whose code it shares, because their bodies and types are equal.
    pub same_as: Option<DefinedFuncIndex>,
}

/// The function table in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct FunctionTable<'a>(&'a [u8]);

/// Encodes the table.
pub fn encode(entries: &[FunctionEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY);
    let mut end = 0;
    for &FunctionEntry { start, len, ty, func_ref, same_as } in entries {
        let func_ref = func_ref.map_or(NO_FUNC_REF, |index| index.0);
        let (start, len) = match same_as {
            Some(other) => (end, SHARED | other.0),
            None => (start, len),
        };
        if same_as.is_none() {
            end = start + len;
        }
        for word in [start, len, ty.0, func_ref] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}

impl<'a> FunctionTable<'a> {
    /// The table in `bytes`; what exceeds a whole number of entries is ignored.
    pub fn new(bytes: &'a [u8]) -> Self {
        FunctionTable(bytes)
    }

    /// The number of functions.
    pub fn len(&self) -> usize {
        self.0.len() / ENTRY
    }

    /// Whether the module defines no function.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of a function.
    pub fn get(&self, index: DefinedFuncIndex) -> Option<FunctionEntry> {
        let [mut start, mut len, ty, func_ref] = self.words(index)?;
        let same_as = (len & SHARED != 0).then_some(DefinedFuncIndex(len & !SHARED));
        if let Some(other) = same_as {
            [start, len, ..] = self.words(other).filter(|[_, len, ..]| len & SHARED == 0)?;
        }
        let func_ref = Some(func_ref).filter(|&slot| slot != NO_FUNC_REF).map(FuncRefIndex);
        Some(FunctionEntry { start, len, ty: TypeIndex(ty), func_ref, same_as })
    }

    /// The functions that share the code of `index`. Looks at all functions.
    pub fn sharing(&self, index: DefinedFuncIndex) -> impl Iterator<Item = DefinedFuncIndex> + 'a {
        let table = *self;
        let all = (0..table.len() as u32).map(DefinedFuncIndex);
        let shared = SHARED | index.0;
        all.filter(move |&other| table.words(other).is_some_and(|[_, len, ..]| len == shared))
    }

    fn words(&self, index: DefinedFuncIndex) -> Option<[u32; 4]> {
        let bytes = self.0.get(index.as_usize().checked_mul(ENTRY)?..)?.first_chunk::<ENTRY>()?;
        Some(
            [0, 4, 8, 12]
                .map(|i| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]])),
        )
    }

    /// The function whose code holds the offset `pc` of the text section: of those that share it,
    /// the first.
    pub fn find(&self, pc: u32) -> Option<(DefinedFuncIndex, FunctionEntry)> {
        let (mut low, mut high) = (0u32, self.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.words(DefinedFuncIndex(middle))?[0] <= pc {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let index = DefinedFuncIndex(low.checked_sub(1)?);
        let entry = self.get(index)?;
        let inside = pc.checked_sub(entry.start).is_some_and(|offset| offset < entry.len);
        (inside && entry.same_as.is_none()).then_some((index, entry))
    }

    /// All entries, in function order.
    pub fn iter(&self) -> impl Iterator<Item = FunctionEntry> + 'a {
        let table = *self;
        (0..table.len() as u32).filter_map(move |index| table.get(DefinedFuncIndex(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_code_offset() {
        let entry = |start, len, slot: Option<u32>| FunctionEntry {
            start,
            len,
            ty: TypeIndex(start / 8),
            func_ref: slot.map(FuncRefIndex),
            same_as: None,
        };
        let entries = [entry(0, 10, None), entry(16, 4, Some(0)), entry(32, 8, Some(1))];
        let bytes = encode(&entries);
        let table = FunctionTable::new(&bytes);
        assert_eq!(table.iter().collect::<Vec<_>>(), entries);
        assert_eq!(table.find(0), Some((DefinedFuncIndex(0), entries[0])));
        assert_eq!(table.find(9), Some((DefinedFuncIndex(0), entries[0])));
        assert_eq!(table.find(10), None);
        assert_eq!(table.find(19), Some((DefinedFuncIndex(1), entries[1])));
        assert_eq!(table.find(39), Some((DefinedFuncIndex(2), entries[2])));
        assert_eq!(table.find(40), None);
        assert_eq!(table.get(DefinedFuncIndex(3)), None);
    }

    #[test]
    fn shared_code_is_the_first_functions() {
        let entry = |start, len, same_as: Option<u32>| FunctionEntry {
            start,
            len,
            ty: TypeIndex(0),
            func_ref: None,
            same_as: same_as.map(DefinedFuncIndex),
        };
        // The code of the third follows that of the first at once.
        let entries = [
            entry(0, 16, None),
            entry(0, 16, Some(0)),
            entry(16, 4, None),
            entry(0, 16, Some(0)),
            entry(32, 8, None),
            entry(16, 4, Some(2)),
        ];
        let bytes = encode(&entries);
        let table = FunctionTable::new(&bytes);
        assert_eq!(table.iter().collect::<Vec<_>>(), entries);
        let found = |pc| table.find(pc).map(|(index, _)| index.0);
        assert_eq!(
            [0, 15, 16, 19, 20, 31, 32, 39, 40].map(found),
            [Some(0), Some(0), Some(2), Some(2), None, None, Some(4), Some(4), None]
        );
        let sharing = |index| table.sharing(DefinedFuncIndex(index)).map(|other| other.0);
        assert_eq!(sharing(0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(sharing(4).count(), 0);
    }

    #[test]
    fn sharing_with_one_that_shares_is_damage() {
        let shared = |start, other| FunctionEntry {
            start,
            len: 1,
            ty: TypeIndex(0),
            func_ref: None,
            same_as: Some(DefinedFuncIndex(other)),
        };
        let bytes = encode(&[shared(0, 1), shared(0, 0), shared(0, 9)]);
        let table = FunctionTable::new(&bytes);
        assert_eq!([0, 1, 2].map(|index| table.get(DefinedFuncIndex(index))), [None; 3]);
        assert_eq!(table.find(0), None);
    }
}
