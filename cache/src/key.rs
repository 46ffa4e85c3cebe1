//! What an entry is found by, and what goes into it.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The begin of every encoding that is hashed into a key.
const CONTEXT: &[u8; 16] = b"precast key v1\0\0";
/// The name of the part that holds the digest of the WebAssembly module.
pub(crate) const WASM_PART: &str = "wasm-sha256";

/// The name of an entry: the SHA-256 of everything that decides what an artifact contains.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(crate) [u8; 32]);

/// One thing that decides what an artifact contains, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// What it is, such as `opt-level` or `wasm.bulk-memory`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// All parts of a key, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyParts {
    parts: Vec<Part>,
    key: Key,
}

/// A part that two keys do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The part's name.
    pub name: String,
    /// Its value in the first key; `None` when that has no such part.
    pub left: Option<String>,
    /// Its value in the second key.
    pub right: Option<String>,
}

/// A text that is not a key: 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 64 hexadecimal digits in lower case")]
pub struct NotAKey;

impl Key {
    /// The first two digits of the name, by which entries are spread over directories.
    pub(crate) fn shard(&self) -> String {
        format!("{:02x}", self.0[0])
    }
}

impl KeyParts {
    /// The key of these parts. Their order does not matter; of two with one name both count.
    pub fn new(mut parts: Vec<Part>) -> KeyParts {
        parts.sort();
        let mut sha = Sha256::new();
        sha.update(CONTEXT);
        sha.update(encode(&parts));
        let key = Key(sha.finalize().into());
        KeyParts { parts, key }
    }

    /// The key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// What went into the key, sorted by name.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The value of a part.
    pub fn get(&self, name: &str) -> Option<&str> {
        let position = self.parts.binary_search_by(|part| part.name.as_str().cmp(name)).ok()?;
        Some(&self.parts[position].value)
    }

    /// The parts that `other` does not have or has with another value, and the other way round.
    pub fn differences(&self, other: &KeyParts) -> Vec<Difference> {
        let mut differences = Vec::new();
        let (mut left, mut right) = (self.parts.iter().peekable(), other.parts.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return differences,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(left), Some(right)) => left.name.cmp(&right.name),
            };
            let left = if order.is_le() { left.next() } else { None };
            let right = if order.is_ge() { right.next() } else { None };
            let value = |part: Option<&Part>| part.map(|part| part.value.clone());
            let Some(name) = left.or(right).map(|part| part.name.clone()) else { continue };
            let (left, right) = (value(left), value(right));
            if left != right {
                differences.push(Difference { name, left, right });
            }
        }
    }
}

/// The canonical encoding of names and values: how many there are, then each of both with its
/// length in front, as 32-bit little-endian numbers.
pub(crate) fn encode(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + parts.len() * 32);
    bytes.extend((parts.len() as u32).to_le_bytes());
    for Part { name, value } in parts {
        for text in [name, value] {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// Takes what [`encode`] wrote off the front of `bytes`; `None` when they hold something else.
pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Vec<Part>> {
    fn number(bytes: &mut &[u8]) -> Option<usize> {
        let (number, rest) = bytes.split_first_chunk::<4>()?;
        *bytes = rest;
        usize::try_from(u32::from_le_bytes(*number)).ok()
    }
    fn text(bytes: &mut &[u8]) -> Option<String> {
        let len = number(bytes)?;
        let (text, rest) = bytes.split_at_checked(len)?;
        *bytes = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }
    let count = number(bytes)?;
    // The count is not trusted with memory: each part is there before the next is asked for.
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push(Part { name: text(bytes)?, value: text(bytes)? });
    }
    Some(parts)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Part {
    /// A part.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Part {
        Part { name: name.into(), value: value.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(NotAKey),
        };
        let digits = <&[u8; 64]>::try_from(text.as_bytes()).map_err(|_| NotAKey)?;
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(digits[0])? << 4 | digit(digits[1])?;
        }
        Ok(Key(key))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".into());
        write!(f, "{}: {} instead of {}", self.name, value(&self.left), value(&self.right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: &[(&str, &str)]) -> KeyParts {
        KeyParts::new(parts.iter().map(|(name, value)| Part::new(*name, *value)).collect())
    }

    #[test]
    fn the_encoding_is_what_it_always_was() {
        let parts = parts(&[("target", "t"), ("cpu", "")]);
        let expected = b"\x02\0\0\0\x03\0\0\0cpu\0\0\0\0\x06\0\0\0target\x01\0\0\0t";
        assert_eq!(encode(parts.parts()), expected);
        // sha256sum of the context and these bytes.
        let key = "2e2303155bce1da3aa1c7d64b41da5f6c4476cf5b8211ea601955491c95cc07b";
        assert_eq!(parts.key().to_string(), key);
    }

    #[test]
    fn names_and_values_cannot_run_into_each_other() {
        assert_ne!(parts(&[("ab", "c")]).key(), parts(&[("a", "bc")]).key());
        assert_ne!(parts(&[("a", "b"), ("c", "d")]).key(), parts(&[("a", "bcd")]).key());
        assert_eq!(parts(&[("a", "1"), ("b", "2")]).key(), parts(&[("b", "2"), ("a", "1")]).key());
    }

    #[test]
    fn encodings_round_trip_and_damaged_ones_are_refused() {
        let parts = parts(&[("a", "1"), ("b", ""), ("ü", "ß")]);
        let bytes = encode(parts.parts());
        assert_eq!(decode(&mut bytes.as_slice()).as_deref(), Some(parts.parts()));
        for len in 0..bytes.len() {
            assert_eq!(decode(&mut &bytes[..len]), None);
        }
        assert_eq!(decode(&mut [255; 64].as_slice()), None);
    }

    #[test]
    fn differences_name_what_differs_and_nothing_else() {
        let left = parts(&[("a", "1"), ("b", "2"), ("d", "4")]);
        let right = parts(&[("a", "1"), ("b", "3"), ("c", "5")]);
        let found: Vec<String> = left.differences(&right).iter().map(|d| d.to_string()).collect();
        let expected = ["b: 2 instead of 3", "c: (none) instead of 5", "d: 4 instead of (none)"];
        assert_eq!(found, expected);
        assert!(left.differences(&left).is_empty());
        assert_eq!(left.get("d"), Some("4"));
        assert_eq!(left.get("c"), None);
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = parts(&[("a", "b")]).key();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("12".parse::<Key>(), Err(NotAKey));
        assert_eq!("Z".repeat(64).parse::<Key>(), Err(NotAKey));
        assert_eq!(key.to_string().to_uppercase().parse::<Key>(), Err(NotAKey));
    }
}
