//! WebAssembly values as scripts see them.

use std::fmt;

use wast::WastArg;
use wast::core::{AbstractHeapType, HeapType, WastArgCore};

/// A value that is passed to or returned from a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    I32(i32),
    I64(i64),
    /// The bits of an `f32`: NaNs are told apart.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
    V128(u128),
    Null(Family),
    /// A host value as `externref`; the number that a script gave it, if one did.
    Extern(Option<u32>),
    /// A host value as `anyref`, with its number.
    Host(Option<u32>),
    Func,
    I31,
    Struct,
    Array,
}

/// The families of reference types; a null reference belongs to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Func,
    Extern,
    Any,
    Exn,
}

impl Value {
    /// The value of a call's argument, or why scripts cannot use it here.
    pub(crate) fn from_arg(arg: &WastArg<'_>) -> Result<Value, String> {
        let WastArg::Core(arg) = arg else {
            return Err(format!("argument that is not a core value: {arg:?}"));
        };
        Ok(match arg {
            WastArgCore::I32(value) => Value::I32(*value),
            WastArgCore::I64(value) => Value::I64(*value),
            WastArgCore::F32(value) => Value::F32(value.bits),
            WastArgCore::F64(value) => Value::F64(value.bits),
            WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
            WastArgCore::RefNull(ty) => Value::Null(
                Family::of(ty).ok_or_else(|| format!("null of an unknown type: {ty:?}"))?,
            ),
            WastArgCore::RefExtern(number) => Value::Extern(Some(*number)),
            WastArgCore::RefHost(number) => Value::Host(Some(*number)),
        })
    }
}

impl Family {
    /// The family of a heap type; none for types that only a module can resolve, and for
    /// proposals without values in scripts.
    pub(crate) fn of(ty: &HeapType<'_>) -> Option<Family> {
        use AbstractHeapType as Heap;
        let HeapType::Abstract { shared: false, ty } = ty else { return None };
        Some(match ty {
            Heap::Func | Heap::NoFunc => Family::Func,
            Heap::Extern | Heap::NoExtern => Family::Extern,
            Heap::Exn | Heap::NoExn => Family::Exn,
            Heap::Any | Heap::Eq | Heap::Struct | Heap::Array | Heap::I31 | Heap::None => {
                Family::Any
            }
            Heap::Cont | Heap::NoCont => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Func => "func",
            Family::Extern => "extern",
            Family::Any => "any",
            Family::Exn => "exn",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I32(value) => write!(f, "(i32.const {value})"),
            Value::I64(value) => write!(f, "(i64.const {value})"),
            Value::F32(bits) => write!(f, "(f32.const {})", Float32(*bits)),
            Value::F64(bits) => write!(f, "(f64.const {})", Float64(*bits)),
            Value::V128(bits) => write!(f, "(v128.const i64x2 {})", Lanes(*bits)),
            Value::Null(family) => write!(f, "(ref.null {})", family.name()),
            Value::Extern(number) => write_numbered(f, "ref.extern", *number),
            Value::Host(number) => write_numbered(f, "ref.host", *number),
            Value::Func => f.write_str("(ref.func)"),
            Value::I31 => f.write_str("(ref.i31)"),
            Value::Struct => f.write_str("(ref.struct)"),
            Value::Array => f.write_str("(ref.array)"),
        }
    }
}

/// Values as a list, or words for an empty one.
pub(crate) fn list<T: fmt::Display>(values: &[T]) -> String {
    match values {
        [] => "no results".to_owned(),
        _ => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// The bits of an `f32`, as a number where that says it all.
pub(crate) struct Float32(pub(crate) u32);

/// The bits of an `f64`, as a number where that says it all.
pub(crate) struct Float64(pub(crate) u64);

/// The bits of a vector in hexadecimal, low half first.
pub(crate) struct Lanes(pub(crate) u128);

impl fmt::Display for Float32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = f32::from_bits(self.0);
        match value.is_nan() {
            true => {
                let sign = if value.is_sign_negative() { "-" } else { "" };
                write!(f, "{sign}nan:{:#x}", self.0 & 0x007f_ffff)
            }
            false => write!(f, "{value:?}"),
        }
    }
}

impl fmt::Display for Float64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = f64::from_bits(self.0);
        match value.is_nan() {
            true => {
                let sign = if value.is_sign_negative() { "-" } else { "" };
                write!(f, "{sign}nan:{:#x}", self.0 & 0x000f_ffff_ffff_ffff)
            }
            false => write!(f, "{value:?}"),
        }
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x} {:#018x}", self.0 as u64, (self.0 >> 64) as u64)
    }
}

fn write_numbered(f: &mut fmt::Formatter<'_>, keyword: &str, number: Option<u32>) -> fmt::Result {
    match number {
        Some(number) => write!(f, "({keyword} {number})"),
        None => write!(f, "({keyword})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_their_payload_and_sign() {
        assert_eq!(Value::F32(0x7fc0_0000).to_string(), "(f32.const nan:0x400000)");
        assert_eq!(Value::F32(0xff80_0001).to_string(), "(f32.const -nan:0x1)");
        assert_eq!(Value::F64((-0.0f64).to_bits()).to_string(), "(f64.const -0.0)");
    }

    #[test]
    fn values_print_in_the_syntax_of_scripts() {
        assert_eq!(Value::I32(-1).to_string(), "(i32.const -1)");
        assert_eq!(Value::Extern(Some(7)).to_string(), "(ref.extern 7)");
        assert_eq!(Value::Extern(None).to_string(), "(ref.extern)");
        assert_eq!(Value::Null(Family::Any).to_string(), "(ref.null any)");
        assert_eq!(list::<Value>(&[]), "no results");
        assert_eq!(list(&[Value::Func, Value::I64(2)]), "(ref.func) (i64.const 2)");
    }
}
