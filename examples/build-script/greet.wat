(module
    (memory (export "memory") 1)
    (data (i32.const 0) "Hello from a plug-in that was compiled with the program")
    (func (export "greet") (result i32 i32) (i32.const 0) (i32.const 55)))
