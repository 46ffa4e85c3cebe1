//! The reasons for which wasm code stops.

use std::fmt;

macro_rules! traps {
    ($($code:literal $(#[$doc:meta])* $name:ident $message:literal)*) => {
        /// Why wasm code trapped.
        ///
        /// The numbers are those of the artifact's trap table. The messages begin with
        /// the words of the specification's test suite.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Trap {
            $($(#[$doc])* $name = $code,)*
        }

        impl Trap {
            /// Every trap.
            pub const ALL: &[Trap] = &[$(Trap::$name),*];

            /// The trap with the number `code`, if there is one.
            pub fn from_code(code: u8) -> Option<Trap> {
                match code {
                    $($code => Some(Trap::$name),)*
                    _ => None,
                }
            }

            /// What went wrong, in the specification's words where it has any.
            pub fn message(self) -> &'static str {
                match self {
                    $(Trap::$name => $message,)*
                }
            }
        }
    };
}

traps! {
    1 /// The stack limit of the store was reached.
      StackOverflow "call stack exhausted"
    2 /// A linear memory was accessed beyond its size.
      MemoryOutOfBounds "out of bounds memory access"
    3 /// An atomic access was not aligned.
      UnalignedAtomic "unaligned atomic"
    4 /// A table was accessed beyond its size.
      TableOutOfBounds "out of bounds table access"
    5 /// An indirect call went through a null element.
      IndirectCallToNull "uninitialized element"
    6 /// An indirect call met a function of another type.
      BadSignature "indirect call type mismatch"
    7 /// A signed division overflowed.
      IntegerOverflow "integer overflow"
    8 /// An integer was divided by zero.
      IntegerDivisionByZero "integer divide by zero"
    9 /// A float without an integer value was converted to an integer.
      BadConversionToInteger "invalid conversion to integer"
    10 /// `unreachable` was executed.
      Unreachable "unreachable"
    11 /// A null reference was used.
      NullReference "null reference"
    12 /// An indirect call used an index beyond its table.
      UndefinedElement "undefined element"
    13 /// The fuel of the store was consumed.
      OutOfFuel "all fuel consumed by WebAssembly"
    14 /// The epoch deadline of the store was reached, or the host ended the call otherwise.
      Interrupt "interrupt"
    15 /// A wait on a memory that is not shared, where nobody could end it.
      AtomicWaitNonShared "expected shared memory"
    16 /// A null reference to a function was called.
      NullFuncReference "null function reference"
    17 /// A field of a null reference was accessed.
      NullStructReference "null structure reference"
    18 /// An element or the length of a null reference was accessed.
      NullArrayReference "null array reference"
    19 /// The integer of a null reference was read.
      NullI31Reference "null i31 reference"
    20 /// A null reference was thrown.
      NullExceptionReference "null exception reference"
    21 /// An array was accessed beyond its length.
      ArrayOutOfBounds "out of bounds array access"
    22 /// A reference was cast to a type that it does not have.
      CastFailure "cast failure"
    23 /// An array was to be larger than any array can be.
      AllocationTooLarge "allocation size too large"
}

impl Trap {
    /// The number of the trap in the artifact's trap table.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Trap {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for &trap in Trap::ALL {
            assert_eq!(Trap::from_code(trap.code()), Some(trap));
        }
        assert_eq!(Trap::from_code(0), None);
    }
}
