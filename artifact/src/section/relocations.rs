//! What the loader must patch in the text section before the code can run.
//!
//! Calls between functions are resolved when an artifact is made, so most artifacts have no
//! relocations. What remains are addresses of library routines that a processor without some
//! instruction needs.

/// Bytes per relocation.
const ENTRY: usize = 24;

macro_rules! libcalls {
    ($($code:literal $(#[$doc:meta])* $name:ident $symbol:literal)*) => {
        /// A routine that stands in for an instruction which the target lacks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum LibCall {
            $($(#[$doc])* $name = $code,)*
        }

        impl LibCall {
            /// Every routine.
            pub const ALL: &[LibCall] = &[$(LibCall::$name),*];

            /// The routine with the number `code`.
            pub fn from_code(code: u16) -> Option<LibCall> {
                match code {
                    $($code => Some(LibCall::$name),)*
                    _ => None,
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(LibCall::$name => $symbol,)* }
            }
        }
    };
}

libcalls! {
    1 /// Round up, `f32`.
      CeilF32 "ceil_f32"
    2 /// Round up, `f64`.
      CeilF64 "ceil_f64"
    3 /// Round down, `f32`.
      FloorF32 "floor_f32"
    4 /// Round down, `f64`.
      FloorF64 "floor_f64"
    5 /// Round towards zero, `f32`.
      TruncF32 "trunc_f32"
    6 /// Round towards zero, `f64`.
      TruncF64 "trunc_f64"
    7 /// Round to nearest, ties to even, `f32`.
      NearestF32 "nearest_f32"
    8 /// Round to nearest, ties to even, `f64`.
      NearestF64 "nearest_f64"
    9 /// Fused multiply and add, `f32`.
      FmaF32 "fma_f32"
    10 /// Fused multiply and add, `f64`.
      FmaF64 "fma_f64"
    11 /// x86-64's `pshufb`: the bytes of the first vector that the second one's low four bits
       /// choose, or zero where its highest bit is set.
      X86Pshufb "x86_pshufb"
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RelocationKind {
    /// Target plus addend as 64 bits.
    Absolute64 = 1,
}

/// One place in the text section to patch. Stored as little-endian `u32` offset, `u16` kind,
/// `u16` target, `i64` addend, and eight bytes that are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where to write, in bytes from the start of the text section.
    pub offset: u32,
    /// How to write.
    pub kind: RelocationKind,
    /// Whose address.
    pub target: LibCall,
    /// Added to the address.
    pub addend: i64,
}

/// Why a relocation table cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelocationError {
    /// The table does not end with a whole entry.
    #[error("the relocation table is cut short")]
    CutShort,
    /// A number that names no kind of relocation.
    #[error("unknown relocation kind {0}")]
    UnknownKind(u16),
    /// A number that names no library routine.
    #[error("unknown relocation target {0}")]
    UnknownTarget(u16),
    /// The place to patch is not inside the text section.
    #[error("relocation at {0:#x} lies outside the code")]
    OutOfRange(u32),
}

/// Encodes the table.
pub fn encode(relocations: &[Relocation]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(relocations.len() * ENTRY);
    for relocation in relocations {
        bytes.extend_from_slice(&relocation.offset.to_le_bytes());
        bytes.extend_from_slice(&(relocation.kind as u16).to_le_bytes());
        bytes.extend_from_slice(&(relocation.target as u16).to_le_bytes());
        bytes.extend_from_slice(&relocation.addend.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
    }
    bytes
}

/// Decodes the table for a text section of `text_len` bytes.
///
/// # Errors
///
/// The first entry that is not known or not in range.
pub fn decode(
    bytes: &[u8],
    text_len: u64,
) -> impl Iterator<Item = Result<Relocation, RelocationError>> {
    let (entries, rest) = bytes.as_chunks::<ENTRY>();
    let cut_short = (!rest.is_empty()).then_some(Err(RelocationError::CutShort));
    cut_short.into_iter().chain(entries.iter().map(move |entry| {
        let half = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        let offset = u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let kind = match half(4) {
            1 => RelocationKind::Absolute64,
            unknown => return Err(RelocationError::UnknownKind(unknown)),
        };
        let target = LibCall::from_code(half(6)).ok_or(RelocationError::UnknownTarget(half(6)))?;
        let mut addend = [0; 8];
        addend.copy_from_slice(&entry[8..16]);
        if u64::from(offset) + 8 > text_len {
            return Err(RelocationError::OutOfRange(offset));
        }
        Ok(Relocation { offset, kind, target, addend: i64::from_le_bytes(addend) })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELOCATION: Relocation = Relocation {
        offset: 24,
        kind: RelocationKind::Absolute64,
        target: LibCall::FloorF64,
        addend: -4,
    };

    #[test]
    fn relocations_round_trip() {
        for &target in LibCall::ALL {
            let relocation = Relocation { target, ..RELOCATION };
            let bytes = encode(&[relocation]);
            assert_eq!(decode(&bytes, 32).collect::<Vec<_>>(), [Ok(relocation)]);
        }
    }

    #[test]
    fn bad_relocations_are_errors() {
        let bytes = encode(&[RELOCATION]);
        let first = |bytes: &[u8], text_len| decode(bytes, text_len).next().unwrap().unwrap_err();
        assert_eq!(first(&bytes, 31), RelocationError::OutOfRange(24));
        assert_eq!(first(&bytes[..23], 32), RelocationError::CutShort);
        let mut unknown = bytes.clone();
        unknown[4] = 9;
        assert_eq!(first(&unknown, 32), RelocationError::UnknownKind(9));
        let mut unknown = bytes;
        unknown[6] = 99;
        assert_eq!(first(&unknown, 32), RelocationError::UnknownTarget(99));
    }
}
