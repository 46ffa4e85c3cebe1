//! Compares results with what a script expects.

use std::fmt;

use wast::WastRet;
use wast::core::{NanPattern, V128Pattern, WastRetCore};
use wast::token::{F32, F64};

use crate::value::{Family, Float32, Float64, Value};

/// What an `assert_return` expects of one result.
pub(crate) struct Pattern<'script>(&'script WastRetCore<'script>);

impl<'script> Pattern<'script> {
    /// The pattern of one result, or what it is if it is not for core values.
    pub(crate) fn new(expected: &'script WastRet<'script>) -> Result<Pattern<'script>, String> {
        match expected {
            WastRet::Core(expected) => Ok(Pattern(expected)),
            other => Err(format!("result that is not a core value: {other:?}")),
        }
    }

    /// Whether `value` is one that the script accepts.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        matches(self.0, value)
    }
}

fn matches(expected: &WastRetCore<'_>, value: &Value) -> bool {
    use WastRetCore as Expected;
    match (expected, value) {
        (Expected::I32(expected), Value::I32(value)) => expected == value,
        (Expected::I64(expected), Value::I64(value)) => expected == value,
        (Expected::F32(expected), Value::F32(bits)) => f32_matches(expected, *bits),
        (Expected::F64(expected), Value::F64(bits)) => f64_matches(expected, *bits),
        (Expected::V128(expected), Value::V128(bits)) => v128_matches(expected, *bits),
        (Expected::RefNull(None), Value::Null(_)) => true,
        (Expected::RefNull(Some(ty)), Value::Null(family)) => Family::of(ty) == Some(*family),
        (Expected::RefExtern(None), Value::Extern(_)) => true,
        (Expected::RefExtern(Some(expected)), Value::Extern(number)) => Some(*expected) == *number,
        (Expected::RefHost(expected), Value::Host(number)) => Some(*expected) == *number,
        (Expected::RefFunc(None), Value::Func) => true,
        (Expected::RefAny, Value::Host(_)) => true,
        (Expected::RefAny | Expected::RefEq, Value::I31 | Value::Struct | Value::Array) => true,
        (Expected::RefI31, Value::I31) => true,
        (Expected::RefStruct, Value::Struct) => true,
        (Expected::RefArray, Value::Array) => true,
        (Expected::Either(cases), value) => cases.iter().any(|case| matches(case, value)),
        _ => false,
    }
}

/// A canonical NaN has the quiet bit alone in its payload, an arithmetic one at least that
/// bit; the sign is free.
fn f32_matches(expected: &NanPattern<F32>, bits: u32) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(expected) => expected.bits == bits,
    }
}

fn f64_matches(expected: &NanPattern<F64>, bits: u64) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(expected) => expected.bits == bits,
    }
}

fn v128_matches(expected: &V128Pattern, bits: u128) -> bool {
    let lanes = |width: u32| (0..128 / width).map(move |lane| bits >> (lane * width));
    match expected {
        V128Pattern::I8x16(expected) => lanes(8).zip(expected).all(|(lane, &e)| lane as i8 == e),
        V128Pattern::I16x8(expected) => lanes(16).zip(expected).all(|(lane, &e)| lane as i16 == e),
        V128Pattern::I32x4(expected) => lanes(32).zip(expected).all(|(lane, &e)| lane as i32 == e),
        V128Pattern::I64x2(expected) => lanes(64).zip(expected).all(|(lane, &e)| lane as i64 == e),
        V128Pattern::F32x4(expected) => {
            lanes(32).zip(expected).all(|(lane, expected)| f32_matches(expected, lane as u32))
        }
        V128Pattern::F64x2(expected) => {
            lanes(64).zip(expected).all(|(lane, expected)| f64_matches(expected, lane as u64))
        }
    }
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_pattern(f, self.0)
    }
}

fn write_pattern(f: &mut fmt::Formatter<'_>, expected: &WastRetCore<'_>) -> fmt::Result {
    use WastRetCore as Expected;
    match expected {
        Expected::I32(value) => write!(f, "(i32.const {value})"),
        Expected::I64(value) => write!(f, "(i64.const {value})"),
        Expected::F32(value) => write!(f, "(f32.const {})", f32_text(value)),
        Expected::F64(value) => write!(f, "(f64.const {})", f64_text(value)),
        Expected::V128(value) => write!(f, "(v128.const {})", v128_text(value)),
        Expected::RefNull(None) => f.write_str("(ref.null)"),
        Expected::RefNull(Some(ty)) => match Family::of(ty) {
            Some(family) => write!(f, "(ref.null {})", family.name()),
            None => write!(f, "(ref.null {ty:?})"),
        },
        Expected::RefExtern(None) => f.write_str("(ref.extern)"),
        Expected::RefExtern(Some(number)) => write!(f, "(ref.extern {number})"),
        Expected::RefHost(number) => write!(f, "(ref.host {number})"),
        Expected::RefFunc(None) => f.write_str("(ref.func)"),
        Expected::RefFunc(Some(index)) => {
            write!(f, "(ref.func {index:?}), which only the module could tell")
        }
        Expected::RefAny => f.write_str("(ref.any)"),
        Expected::RefEq => f.write_str("(ref.eq)"),
        Expected::RefArray => f.write_str("(ref.array)"),
        Expected::RefStruct => f.write_str("(ref.struct)"),
        Expected::RefI31 => f.write_str("(ref.i31)"),
        Expected::RefI31Shared => f.write_str("(ref.i31_shared)"),
        Expected::Either(cases) => {
            f.write_str("(either")?;
            for case in cases {
                f.write_str(" ")?;
                write_pattern(f, case)?;
            }
            f.write_str(")")
        }
    }
}

fn f32_text(expected: &NanPattern<F32>) -> String {
    match expected {
        NanPattern::CanonicalNan => "nan:canonical".to_owned(),
        NanPattern::ArithmeticNan => "nan:arithmetic".to_owned(),
        NanPattern::Value(value) => Float32(value.bits).to_string(),
    }
}

fn f64_text(expected: &NanPattern<F64>) -> String {
    match expected {
        NanPattern::CanonicalNan => "nan:canonical".to_owned(),
        NanPattern::ArithmeticNan => "nan:arithmetic".to_owned(),
        NanPattern::Value(value) => Float64(value.bits).to_string(),
    }
}

fn v128_text(expected: &V128Pattern) -> String {
    fn lanes<T>(shape: &str, lanes: &[T], text: impl Fn(&T) -> String) -> String {
        let lanes: Vec<_> = lanes.iter().map(text).collect();
        format!("{shape} {}", lanes.join(" "))
    }
    match expected {
        V128Pattern::I8x16(values) => lanes("i8x16", values, |lane| format!("{lane:#04x}")),
        V128Pattern::I16x8(values) => lanes("i16x8", values, |lane| format!("{lane:#06x}")),
        V128Pattern::I32x4(values) => lanes("i32x4", values, |lane| format!("{lane:#010x}")),
        V128Pattern::I64x2(values) => lanes("i64x2", values, |lane| format!("{lane:#018x}")),
        V128Pattern::F32x4(values) => lanes("f32x4", values, f32_text),
        V128Pattern::F64x2(values) => lanes("f64x2", values, f64_text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(pattern: &str, value: Value) -> bool {
        let buffer = wast::parser::ParseBuffer::new(pattern).unwrap();
        let expected = wast::parser::parse::<Parenthesized<'_>>(&buffer).unwrap().0;
        Pattern::new(&expected).unwrap().matches(&value)
    }

    struct Parenthesized<'a>(WastRet<'a>);

    impl<'a> wast::parser::Parse<'a> for Parenthesized<'a> {
        fn parse(parser: wast::parser::Parser<'a>) -> wast::parser::Result<Self> {
            parser.parens(|inner| inner.parse()).map(Parenthesized)
        }
    }

    #[test]
    fn nan_patterns_look_at_the_payload() {
        let canonical = "(f32.const nan:canonical)";
        assert!(accepts(canonical, Value::F32(0x7fc0_0000)));
        assert!(accepts(canonical, Value::F32(0xffc0_0000)));
        assert!(!accepts(canonical, Value::F32(0x7fc0_0001)));
        assert!(!accepts(canonical, Value::F32(0x7f80_0000)));
        let arithmetic = "(f64.const nan:arithmetic)";
        assert!(accepts(arithmetic, Value::F64(0x7ff8_0000_0000_0001)));
        assert!(!accepts(arithmetic, Value::F64(0x7ff0_0000_0000_0001)));
        assert!(!accepts(arithmetic, Value::F64(0)));
    }

    #[test]
    fn floats_are_compared_by_their_bits() {
        assert!(accepts("(f32.const nan:0x1)", Value::F32(0x7f80_0001)));
        assert!(!accepts("(f32.const nan:0x1)", Value::F32(0x7f80_0002)));
        assert!(!accepts("(f64.const 0)", Value::F64((-0.0f64).to_bits())));
    }

    #[test]
    fn every_lane_counts() {
        let ones = "(v128.const i8x16 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1)";
        let bits = u128::from_le_bytes([1; 16]);
        assert!(accepts(ones, Value::V128(bits)));
        for lane in 0..16 {
            assert!(!accepts(ones, Value::V128(bits ^ (2 << (8 * lane)))));
        }
        let floats = "(v128.const f32x4 nan:canonical 1 2 nan:arithmetic)";
        let lanes = [0x7fc0_0000, 1f32.to_bits(), 2f32.to_bits(), 0x7fc0_1234];
        let bits = lanes.iter().rev().fold(0u128, |bits, &lane| bits << 32 | u128::from(lane));
        assert!(accepts(floats, Value::V128(bits)));
        assert!(!accepts(floats, Value::V128(bits ^ 1)));
        assert!(!accepts(floats, Value::V128(bits ^ (1 << 118))));
    }

    #[test]
    fn references_match_by_kind_and_number() {
        assert!(accepts("(ref.null)", Value::Null(Family::Exn)));
        assert!(accepts("(ref.null nofunc)", Value::Null(Family::Func)));
        assert!(!accepts("(ref.null extern)", Value::Null(Family::Func)));
        assert!(!accepts("(ref.null)", Value::Func));
        assert!(accepts("(ref.extern 3)", Value::Extern(Some(3))));
        assert!(!accepts("(ref.extern 3)", Value::Extern(Some(4))));
        assert!(!accepts("(ref.extern 3)", Value::Extern(None)));
        assert!(accepts("(ref.extern)", Value::Extern(Some(4))));
        assert!(!accepts("(ref.extern)", Value::Null(Family::Extern)));
        assert!(accepts("(ref.func)", Value::Func));
        assert!(!accepts("(ref.func)", Value::Null(Family::Func)));
        assert!(accepts("(ref.host 1)", Value::Host(Some(1))));
        assert!(accepts("(ref.any)", Value::Host(Some(1))));
        assert!(!accepts("(ref.eq)", Value::Host(Some(1))));
        for (pattern, value) in [
            ("(ref.i31)", Value::I31),
            ("(ref.struct)", Value::Struct),
            ("(ref.array)", Value::Array),
        ] {
            assert!(accepts(pattern, value.clone()));
            assert!(accepts("(ref.eq)", value.clone()));
            assert!(accepts("(ref.any)", value));
            assert!(!accepts(pattern, Value::Func));
        }
    }

    #[test]
    fn either_accepts_each_of_its_cases() {
        let either = "(either (i32.const 1) (i32.const 2))";
        assert!(accepts(either, Value::I32(1)));
        assert!(accepts(either, Value::I32(2)));
        assert!(!accepts(either, Value::I32(3)));
        assert!(!accepts(either, Value::I64(1)));
    }
}
