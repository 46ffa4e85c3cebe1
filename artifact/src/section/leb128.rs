//! LEB128 numbers, of which the compressed tables consist.

/// Appends a number.
pub(super) fn write(into: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Takes a number off the front; `None` when the bytes end before it does.
pub(super) fn read(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a number as its difference from the one before, zigzag-encoded.
pub(super) fn write_difference(into: &mut Vec<u8>, before: u32, value: u32) {
    let difference = value.wrapping_sub(before) as i32;
    write(into, ((difference << 1) ^ (difference >> 31)) as u32);
}

/// Takes a number off the front that was written as its difference from `before`.
pub(super) fn read_difference(bytes: &mut &[u8], before: u32) -> Option<u32> {
    let zigzag = read(bytes)?;
    Some(before.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg()))
}
