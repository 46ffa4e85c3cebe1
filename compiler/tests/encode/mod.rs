//! Modules as bytes, for sizes that nobody wants to write or read as text.
#![allow(dead_code)] // Each test file uses its own part of it.

/// The type `i32`.
pub(crate) const I32: u8 = 0x7f;
/// The type `externref`.
pub(crate) const EXTERNREF: u8 = 0x6f;
/// What begins a function type.
pub(crate) const FUNC: u8 = 0x60;
/// The type `funcref`.
pub(crate) const FUNCREF: u8 = 0x70;
/// `nop`.
pub(crate) const NOP: u8 = 0x01;
/// `block` without parameters and results.
pub(crate) const BLOCK: [u8; 2] = [0x02, 0x40];
/// `end`.
pub(crate) const END: u8 = 0x0b;
/// A function type without parameters and results.
pub(crate) const PLAIN: &[u8] = &[FUNC, 0, 0];

/// An unsigned LEB128 number.
pub(crate) fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Bytes behind their number.
pub(crate) fn sized(bytes: Vec<u8>) -> Vec<u8> {
    [number(bytes.len() as u64), bytes].concat()
}

/// The same item so many times.
pub(crate) fn vector(count: usize, item: &[u8]) -> Vec<u8> {
    [number(count as u64), item.repeat(count)].concat()
}

/// A section of a module.
pub(crate) fn section(id: u8, content: Vec<u8>) -> Vec<u8> {
    [vec![id], sized(content)].concat()
}

/// A module of these sections.
pub(crate) fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// A module with one function, of the type `ty`, with these locals and operators.
pub(crate) fn function(ty: &[u8], locals: &[u8], operators: &[u8]) -> Vec<u8> {
    module(&function_sections(ty, locals, operators))
}

/// The sections of a module with one function: types, functions and code.
pub(crate) fn function_sections(ty: &[u8], locals: &[u8], operators: &[u8]) -> [Vec<u8>; 3] {
    let body = sized([locals, operators, &[END]].concat());
    [section(1, vector(1, ty)), section(3, vector(1, &[0])), section(10, [vec![1], body].concat())]
}
