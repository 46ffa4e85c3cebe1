//! Positions in a module's index spaces, one type each so that they cannot be mixed up.

use serde::{Deserialize, Serialize};

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a position in a slice.
            pub fn as_usize(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

indices! {
    /// A type of the module's type section.
    TypeIndex
    /// A function, imports first.
    FuncIndex
    /// A function that the module defines: `FuncIndex` less the imported functions.
    DefinedFuncIndex
    /// A table, imports first.
    TableIndex
    /// A linear memory, imports first.
    MemoryIndex
    /// A global, imports first.
    GlobalIndex
    /// An exception tag, imports first.
    TagIndex
    /// An element segment.
    ElemIndex
    /// A data segment.
    DataIndex
    /// A slot of the instance's array of `VMFuncRef`s; only functions whose address
    /// can be taken have one.
    FuncRefIndex
}
