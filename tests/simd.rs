//! Vectors: across the border to the host, and with every kind of processor.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::instance;
use precast::{
    Config, CpuChoice, Engine, Func, Global, GlobalType, Mutability, OptLevel, Store, Val, ValType,
};

const PATTERN: u128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;

/// The configurations that differ in the instructions that they use for vectors.
fn engines() -> impl Iterator<Item = Engine> {
    [
        (CpuChoice::Native, OptLevel::Speed, false),
        (CpuChoice::Native, OptLevel::None, true),
        (CpuChoice::Baseline, OptLevel::Speed, false),
        (CpuChoice::Baseline, OptLevel::None, true),
    ]
    .into_iter()
    .map(|(cpu, level, deterministic)| {
        let mut config = Config::new();
        config.cpu(cpu).cranelift_opt_level(level).relaxed_simd_deterministic(deterministic);
        config.cranelift_debug_verifier(true);
        Engine::new(&config).unwrap()
    })
}

#[test]
fn vectors_cross_the_border_both_ways() {
    let mut store = Store::<()>::default();
    let swap = Func::wrap(&mut store, |a: u128, n: i32, b: u128| (b, n + 1, a));
    let instance = instance(
        &mut store,
        r#"(module
            (import "" "swap" (func $swap (param v128 i32 v128) (result v128 i32 v128)))
            (func (export "f") (param v128 i32 v128) (result v128 i32 v128)
                (call $swap
                    (i16x8.add (local.get 0) (i16x8.splat (i32.const 1)))
                    (local.get 1) (local.get 2))))"#,
        &[swap.into()],
    );
    let f =
        instance.get_typed_func::<(u128, i32, u128), (u128, i32, u128)>(&mut store, "f").unwrap();
    let ones = 0x0001_0001_0001_0001_0001_0001_0001_0001;
    assert_eq!(f.call(&mut store, (PATTERN, 5, 7)).unwrap(), (7, 6, PATTERN + ones));

    let mut results = [Val::I32(0); 3];
    let params = [Val::V128(1), Val::I32(2), Val::V128(u128::MAX)];
    f.func().call(&mut store, &params, &mut results).unwrap();
    assert_eq!(results[0].unwrap_v128(), u128::MAX);
    assert_eq!(results[2].unwrap_v128(), ones + 1);
}

#[test]
fn vectors_live_in_globals_and_constants() {
    let mut store = Store::<()>::default();
    let ty = GlobalType::new(ValType::V128, Mutability::Var);
    let shared = Global::new(&mut store, ty, Val::V128(PATTERN)).unwrap();
    let instance = instance(
        &mut store,
        r#"(module
            (import "" "g" (global $g (mut v128)))
            (global $const v128 (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
            (global $own (export "own") (mut v128) (v128.const i64x2 1 2))
            (func (export "f") (result v128)
                (global.set $own (v128.xor (global.get $own) (global.get $g)))
                (global.set $g (v128.not (global.get $const)))
                (global.get $const)))"#,
        &[shared.into()],
    );
    let f = instance.get_typed_func::<(), u128>(&mut store, "f").unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), PATTERN);
    let own = instance.get_global(&mut store, "own").unwrap();
    assert_eq!(own.get(&mut store).unwrap_v128(), PATTERN ^ (2 << 64 | 1));
    assert_eq!(shared.get(&mut store).unwrap_v128(), !PATTERN);
}

#[test]
fn vectors_go_through_branches_with_any_lanes() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let instance = instance(
            &mut store,
            r#"(module (func (export "f") (param $n i32) (result v128) (local $sum v128)
                (loop $again (result v128)
                    (local.set $sum
                        (if (result v128) (i32.and (local.get $n) (i32.const 1))
                            (then (i8x16.add (local.get $sum) (i8x16.splat (local.get $n))))
                            (else (f32x4.add (local.get $sum) (f32x4.splat (f32.const 1))))))
                    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                    (select (i32x4.neg (local.get $sum)) (local.get $sum) (i32.const 0))
                    (br_if $again (local.get $n))
                    (i64x2.add (local.get $sum)))))"#,
            &[],
        );
        let f = instance.get_typed_func::<i32, u128>(&mut store, "f").unwrap();
        let mut lanes = [0u8; 16];
        for n in (1..=5u8).rev() {
            if n % 2 == 1 {
                lanes = lanes.map(|lane| lane.wrapping_add(n));
            } else {
                for lane in lanes.as_chunks_mut::<4>().0 {
                    *lane = (f32::from_le_bytes(*lane) + 1.0).to_le_bytes();
                }
            }
        }
        for lane in lanes.as_chunks_mut::<8>().0 {
            *lane = u64::from_le_bytes(*lane).wrapping_mul(2).to_le_bytes();
        }
        assert_eq!(f.call(&mut store, 5).unwrap(), u128::from_le_bytes(lanes));
    }
}

#[test]
fn shuffles_choose_bytes_on_every_processor() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let instance = instance(
            &mut store,
            r#"(module
                (func (export "shuffle") (param v128 v128) (result v128)
                    (i8x16.shuffle 31 0 30 1 29 2 28 3 27 4 26 5 25 6 24 7
                        (local.get 0) (local.get 1)))
                (func (export "swizzle") (param v128 v128) (result v128)
                    (i8x16.swizzle (local.get 0) (local.get 1))))"#,
            &[],
        );
        let mut call = |name: &str, a: [u8; 16], b: [u8; 16]| {
            let f = instance.get_typed_func::<(u128, u128), u128>(&mut store, name).unwrap();
            let result = f.call(&mut store, (u128::from_le_bytes(a), u128::from_le_bytes(b)));
            result.unwrap().to_le_bytes()
        };
        let low: [u8; 16] = std::array::from_fn(|lane| lane as u8 + 100);
        let high: [u8; 16] = std::array::from_fn(|lane| lane as u8 + 200);
        let shuffled = std::array::from_fn(|lane| match lane % 2 {
            0 => high[15 - lane / 2],
            _ => low[lane / 2],
        });
        assert_eq!(call("shuffle", low, high), shuffled);
        let choice = [0, 15, 16, 17, 127, 128, 129, 255, 7, 7, 1, 2, 3, 4, 5, 143];
        let swizzled = choice.map(|at| low.get(usize::from(at)).copied().unwrap_or(0));
        assert_eq!(call("swizzle", low, choice), swizzled);
    }
}

/// What the deterministic results are is laid down; they must not depend on the processor.
#[test]
fn relaxed_operators_can_be_fixed() {
    let text = r#"(module
        (func (export "swizzle") (param v128 v128 v128) (result v128)
            (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))
        (func (export "madd") (param v128 v128 v128) (result v128)
            (f64x2.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))
        (func (export "nmadd") (param v128 v128 v128) (result v128)
            (f32x4.relaxed_nmadd (local.get 0) (local.get 1) (local.get 2)))
        (func (export "laneselect") (param v128 v128 v128) (result v128)
            (i32x4.relaxed_laneselect (local.get 0) (local.get 1) (local.get 2)))
        (func (export "min") (param v128 v128 v128) (result v128)
            (f32x4.relaxed_min (local.get 0) (local.get 1)))
        (func (export "trunc") (param v128 v128 v128) (result v128)
            (i32x4.relaxed_trunc_f32x4_s (local.get 0)))
        (func (export "q15") (param v128 v128 v128) (result v128)
            (i16x8.relaxed_q15mulr_s (local.get 0) (local.get 1)))
        (func (export "dot") (param v128 v128 v128) (result v128)
            (i16x8.relaxed_dot_i8x16_i7x16_s (local.get 0) (local.get 1)))
        (func (export "dot_add") (param v128 v128 v128) (result v128)
            (i32x4.relaxed_dot_i8x16_i7x16_add_s
                (local.get 0) (local.get 1) (local.get 2))))"#;
    let splat32 =
        |bits: u32| u128::from_le_bytes([bits.to_le_bytes(); 4].concat().try_into().unwrap());
    let splat64 = |value: f64| u128::from(value.to_bits()) << 64 | u128::from(value.to_bits());
    let (one, nan) = (1f32.to_bits(), f32::NAN.to_bits());
    let tiny = f64::EPSILON / 2.0;
    let cases = [
        // An index from 16 to 127 is no index.
        ("swizzle", splat32(0x0403_0201), splat32(0x1111_1111), 0, 0),
        // The product is not rounded before the sum.
        (
            "madd",
            splat64(1.0 + tiny * 2.0),
            splat64(1.0 - tiny),
            splat64(-1.0),
            splat64((1.0 + tiny * 2.0).mul_add(1.0 - tiny, -1.0)),
        ),
        ("nmadd", splat32(one), splat32(one), splat32(one), 0),
        // Every bit chooses.
        (
            "laneselect",
            splat32(0xffff_0000),
            splat32(0x0000_ffff),
            splat32(0x8000_0001),
            splat32(0x8000_fffe),
        ),
        ("min", splat32(0), splat32(1 << 31), 0, splat32(1 << 31)),
        ("trunc", splat32(nan), 0, 0, 0),
        ("trunc", splat32(3e9f32.to_bits()), 0, 0, splat32(i32::MAX as u32)),
        ("q15", splat32(0x8000_8000), splat32(0x8000_8000), 0, splat32(0x7fff_7fff)),
        // Both sides are signed, and sums of products wrap.
        ("dot", splat32(0x0202_0202), splat32(0xffff_ffff), 0, splat32(0xfffc_fffc)),
        ("dot_add", splat32(0x0202_0202), splat32(0xffff_ffff), splat32(3), splat32(-5i32 as u32)),
    ];
    for cpu in [CpuChoice::Native, CpuChoice::Baseline] {
        let mut config = Config::new();
        config.cpu(cpu).relaxed_simd_deterministic(true);
        let mut store = Store::new(&Engine::new(&config).unwrap(), ());
        let instance = instance(&mut store, text, &[]);
        for (name, a, b, c, expected) in cases {
            let f = instance.get_typed_func::<(u128, u128, u128), u128>(&mut store, name).unwrap();
            let result = f.call(&mut store, (a, b, c)).unwrap();
            assert_eq!(result, expected, "{name}: {result:#x} is not {expected:#x}");
        }
    }
}
