//! How accesses and calls look in the intermediate representation.

use super::{X86_64, settings, translate_with};

#[test]
fn dump() {
    for func in translate_with(
        "(module (memory 1) (table 4 4 funcref) (table 4 funcref) (table 4 externref) (global $g (mut i32) (i32.const 1))
        (import \"a\" \"b\" (func (param i32)))
        (func (param i32 i64) (result i32) (i32.store8 offset=8 (local.get 0) (local.get 0)) (i32.load offset=16 (local.get 0)) )
        (func (param i32 i64) (result i32) (i32.load offset=0x8000000 (local.get 0)) )
        (func (param i32 i64) (result i32) (i32.load (local.get 0)) )
        (func (param i32) (call 0 (global.get $g)) (global.set $g (i32.const -1)))
        (func (param i32) (call_indirect (param i32) (local.get 0) (i32.const 1)))
        (func (param i32) (call_indirect 1 (param i32) (local.get 0) (local.get 0)))
        (func (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (call 0 (local.get 0)))) (loop (br_if 0 (i32.lt_u (local.get 0) (i32.const 9)))) local.get 0)
        )", &settings(X86_64), |_| ()).unwrap() { println!("{}", func.display()); }
}
