//! Artifacts that are a part of the program run from its own pages.
#![allow(unsafe_code)] // Runs code from bytes that were compiled here.

use precast::{
    Engine, Instance, LoadError, Module, PageAligned, Result, StaticArtifact, Store,
    include_artifact,
};

const MODULE: &str = r#"
    (module
        (memory (export "memory") 1)
        (data (i32.const 5000) "image")
        (func (export "first") (result i32) (i32.load8_u (i32.const 5000)))
        (func (export "clear") (i32.store8 (i32.const 5000) (i32.const 0))))
"#;

/// The artifact on pages that stay, as those of a static do.
fn leak(artifact: &[u8]) -> StaticArtifact {
    let pages: &'static mut PageAligned<[u8; 1 << 18]> =
        Box::leak(Box::new(PageAligned([0; 1 << 18])));
    pages.0[..artifact.len()].copy_from_slice(artifact);
    // SAFETY: the pages are wholly the leaked box's, which nobody writes from here on.
    unsafe { StaticArtifact::from_pages(&pages.0[..artifact.len()]) }
}

#[test]
fn modules_of_one_artifact_share_its_code_and_not_their_memories() -> Result<()> {
    let engine = Engine::default();
    let artifact = leak(&engine.precompile_module(MODULE.as_bytes())?);
    for _ in 0..2 {
        // SAFETY: it was compiled above.
        let module = unsafe { Module::from_static(&engine, artifact)? };
        for _ in 0..2 {
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[])?;
            let first = instance.get_typed_func::<(), i32>(&mut store, "first")?;
            assert_eq!(first.call(&mut store, ())?, i32::from(b'i'));
            instance.get_typed_func::<(), ()>(&mut store, "clear")?.call(&mut store, ())?;
            assert_eq!(first.call(&mut store, ())?, 0);
        }
    }
    Ok(())
}

#[test]
fn what_is_included_lies_on_pages_of_its_own_and_must_be_an_artifact() {
    let included = include_artifact!("fixtures/hello.wasm");
    assert!(included.bytes().starts_with(b"\0asm"));
    assert!(included.bytes().as_ptr().addr().is_multiple_of(4096));
    // SAFETY: it holds no code that could run.
    let error = unsafe { Module::from_static(&Engine::default(), included) }.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(LoadError::Image(_))), "{error}");
}
