//! The functions of an artifact: where their code is and what they can be called as.

use crate::index::{DefinedFuncIndex, FuncRefIndex, TypeIndex};

/// Bytes per function.
const ENTRY: usize = 16;
/// Stored for a function that has no `VMFuncRef`.
const NO_FUNC_REF: u32 = u32::MAX;

/// What the artifact says about one defined function. Stored as four little-endian `u32`, in
/// order of the fields, functions in index order; their code ascends.
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
}

/// The function table in the bytes of an artifact.
#[derive(Clone, Copy, Debug)]
pub struct FunctionTable<'a>(&'a [u8]);

/// Encodes the table.
pub fn encode(entries: &[FunctionEntry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY);
    for entry in entries {
        let func_ref = entry.func_ref.map_or(NO_FUNC_REF, |index| index.0);
        for word in [entry.start, entry.len, entry.ty.0, func_ref] {
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
        let bytes = self.0.get(index.as_usize().checked_mul(ENTRY)?..)?.first_chunk::<ENTRY>()?;
        let word = |i: usize| {
            u32::from_le_bytes([bytes[i * 4], bytes[i * 4 + 1], bytes[i * 4 + 2], bytes[i * 4 + 3]])
        };
        Some(FunctionEntry {
            start: word(0),
            len: word(1),
            ty: TypeIndex(word(2)),
            func_ref: Some(word(3)).filter(|&slot| slot != NO_FUNC_REF).map(FuncRefIndex),
        })
    }

    /// The function whose code holds the offset `pc` of the text section.
    pub fn find(&self, pc: u32) -> Option<(DefinedFuncIndex, FunctionEntry)> {
        let (mut low, mut high) = (0u32, self.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(DefinedFuncIndex(middle))?.start <= pc {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let index = DefinedFuncIndex(low.checked_sub(1)?);
        let entry = self.get(index)?;
        (pc - entry.start < entry.len).then_some((index, entry))
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
}
