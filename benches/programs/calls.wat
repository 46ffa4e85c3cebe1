;; Calls in both directions, one export for each kind; the `_loop` functions call the host $n times.
(module
  (import "host" "nop" (func $nop))
  (import "host" "add" (func $add (param i32 i64 f64) (result i64)))
  (import "host" "nop_untyped" (func $nop_untyped))
  (import "host" "keep" (func $keep (param externref) (result externref)))

  (func (export "nop"))
  (func (export "add") (param i32 i64 f64) (result i64)
    (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
  (func (export "keep") (param externref) (result externref) (local.get 0))

  (func (export "nop_loop") (param $n i32)
    (loop $again
      (call $nop)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func (export "nop_untyped_loop") (param $n i32)
    (loop $again
      (call $nop_untyped)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func (export "add_loop") (param $n i32)
    (local $sum i64)
    (loop $again
      (local.set $sum (call $add (local.get $n) (local.get $sum) (f64.const 1)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func (export "keep_loop") (param $n i32) (param $value externref)
    (loop $again
      (local.set $value (call $keep (local.get $value)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
