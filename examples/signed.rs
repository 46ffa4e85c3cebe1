//! Loads only what a trusted key has signed, which needs no `unsafe`.

use precast::artifact::container::{self, Container, Part};
use precast::{Engine, Module, Result, SecretKey, SignatureError};

pub(crate) fn main() -> Result<()> {
    let engine = Engine::default();
    let artifact = engine.precompile_module(br#"(module (func (export "f")))"#)?;
    let mut file = container::write(&[Part { cpu: "native", artifact: &artifact }])?;
    // Keys come from `precast keygen` or from openssl, as files; `precast sign` signs files.
    let key = SecretKey::from_bytes(&[7; 32]);
    Container::sign(&mut file, &key)?;

    // What follows is all that a program does which runs artifacts.
    let trusted = [key.public()];
    Module::from_signed(&engine, &trusted, &file)?;

    // One changed bit, another key, no signature: nothing of it becomes executable.
    let last = file.len() - 5000;
    file[last] ^= 1;
    Module::from_signed(&engine, &trusted, &file).unwrap_err();
    file[last] ^= 1;
    let other = [SecretKey::from_bytes(&[8; 32]).public()];
    let error = Module::from_signed(&engine, &other, &file).unwrap_err();
    println!("{error}");
    assert!(matches!(error.downcast_ref(), Some(SignatureError::Untrusted(_))));
    Module::from_signed(&engine, &trusted, &artifact).unwrap_err();
    Ok(())
}
