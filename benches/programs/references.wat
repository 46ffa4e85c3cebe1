;; References to values of the host, in the places where they can be.
(module
  (table $kept 1 externref)
  (global $global (mut externref) (ref.null extern))

  (func (export "take") (param externref))

  (func (export "keep") (param $value externref)
    (drop (table.grow $kept (local.get $value) (i32.const 1))))

  (func (export "work") (param $n i32) (param $value externref)
    (table.set $kept (i32.const 0) (local.get $value))
    (loop $again
      (table.set $kept (i32.const 0) (table.get $kept (i32.const 0)))
      (global.set $global (table.get $kept (i32.const 0)))
      (table.set $kept (i32.const 0) (global.get $global))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
