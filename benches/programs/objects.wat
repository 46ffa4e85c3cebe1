;; Structures, which are lost at once or kept in a list.
(module
  (type $node (struct (field i32) (field (ref null $node))))
  (global $list (mut (ref null $node)) (ref.null $node))

  (func (export "keep") (param $n i32)
    (loop $again
      (global.set $list (struct.new $node (local.get $n) (global.get $list)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func (export "work") (param $n i32)
    (loop $again
      (drop (struct.new $node (local.get $n) (ref.null $node)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
