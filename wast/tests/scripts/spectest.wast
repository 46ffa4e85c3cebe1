;; The host module, and what `register` does to names.

(module
  (import "spectest" "print" (func))
  (import "spectest" "print_i32" (func $print_i32 (param i32)))
  (import "spectest" "print_i64" (func (param i64)))
  (import "spectest" "print_f32" (func (param f32)))
  (import "spectest" "print_f64" (func (param f64)))
  (import "spectest" "print_i32_f32" (func (param i32 f32)))
  (import "spectest" "print_f64_f64" (func (param f64 f64)))
  (import "spectest" "global_i32" (global $i32 i32))
  (import "spectest" "global_i64" (global $i64 i64))
  (import "spectest" "global_f32" (global $f32 f32))
  (import "spectest" "global_f64" (global $f64 f64))
  (import "spectest" "table" (table $table 10 20 funcref))
  (import "spectest" "memory" (memory 1 2))

  (export "i32" (global $i32))
  (export "i64" (global $i64))
  (export "f32" (global $f32))
  (export "f64" (global $f64))
  (func (export "print") (call $print_i32 (i32.const 1)))
  (func (export "table") (result i32) (table.size $table))
  (func (export "memory") (result i32) (memory.size)))

(invoke "print")
(assert_return (get "i32") (i32.const 666))
(assert_return (get "i64") (i64.const 666))
(assert_return (get "f32") (f32.const 666.6))
(assert_return (get "f64") (f64.const 666.6))
(assert_return (invoke "table") (i32.const 10))
(assert_return (invoke "memory") (i32.const 1))

(assert_unlinkable
  (module (import "spectest" "print_i32" (func (param i64))))
  "incompatible import type")
(assert_unlinkable
  (module (import "spectest" "nothing" (func)))
  "unknown import")

;; The later instance under a name wins.

(module $one (func (export "number") (result i32) (i32.const 1)))
(module $two (func (export "number") (result i32) (i32.const 2)))
(register "numbers" $one)
(register "numbers" $two)
(module
  (import "numbers" "number" (func $number (result i32)))
  (export "number" (func $number)))
(assert_return (invoke "number") (i32.const 2))
(assert_return (invoke $one "number") (i32.const 1))

;; A definition can be instantiated more than once, and instances have state of their own.

(module definition $counter
  (global $count (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (global.get $count)))
(module instance $a $counter)
(module instance $b $counter)
(assert_return (invoke $a "count") (i32.const 1))
(assert_return (invoke $a "count") (i32.const 2))
(assert_return (invoke $b "count") (i32.const 1))
(assert_return (invoke "count") (i32.const 2))
