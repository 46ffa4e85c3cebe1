//! Compares the messages in scripts with those of the engine.

/// Whether a trap's or link error's message is the expected one: it begins with it, or says
/// the same in this engine's words.
pub(crate) fn matches(expected: &str, got: &str) -> bool {
    got.starts_with(expected) || says_the_same(MESSAGES, expected, got)
}

/// Whether a message that refuses a module holds the expected one, or says the same in the
/// validator's words.
pub(crate) fn refusal_matches(expected: &str, got: &str) -> bool {
    got.contains(expected) || says_the_same(REFUSALS, expected, got)
}

/// The beginning of an expected message, and what messages hold that say the same.
type Synonyms = (&'static str, &'static [&'static str]);

/// Scripts name the index of a null element, which a trap does not know.
const MESSAGES: &[Synonyms] = &[("uninitialized element ", &["uninitialized element"])];

const END_OF_INPUT: &str = "unexpected end-of-file";
const END_OF_FUNCTION: &str = "control frames remain at end of function";
const NOT_WASM: &str = "this is not a WebAssembly binary";
const TOO_LARGE: &str = "invalid var_u32: integer too large";
const OUT_OF_ORDER: &str = "section out of order";

/// The suite uses the words of the reference interpreter. The validator finds some faults
/// earlier or later in the bytes than that, and so sees another one of them first.
const REFUSALS: &[Synonyms] = &[
    ("alignment must not be larger than natural", &["alignment too large"]),
    ("END opcode expected", &[END_OF_FUNCTION]),
    ("constant expression required", &["type mismatch"]),
    (
        "data count and data section have inconsistent lengths",
        &["data count is non-zero but data section is absent"],
    ),
    (
        "function and code section have inconsistent lengths",
        &[
            "function section has non-zero count but code section is absent",
            "function section is absent but code section has non-zero count",
        ],
    ),
    ("i32 constant", &["table size must be at most", TOO_LARGE]),
    ("illegal opcode", &["illegal opcode", "constant expression required", END_OF_INPUT]),
    ("immutable array", &["array is immutable"]),
    ("immutable field", &["field is immutable"]),
    ("immutable global", &["global is immutable"]),
    (
        "integer representation too long",
        &[
            "invalid leading byte",
            "limits flags",
            "malformed section id",
            "trailing bytes at end of section",
            END_OF_INPUT,
        ],
    ),
    (
        "integer too large",
        &["limits flags", "malformed section id", "trailing bytes at end of section", END_OF_INPUT],
    ),
    ("invalid UTF-8 encoding", &["malformed UTF-8 encoding"]),
    ("invalid lane index", &["SIMD index out of bounds"]),
    ("invalid mutability", &["malformed global flags", "shared globals require", END_OF_INPUT]),
    ("invalid section id", &["malformed section id"]),
    ("invalid value type", &[END_OF_INPUT]),
    ("junk after last section", &[OUT_OF_ORDER]),
    ("length out of bounds", &["expected section, got wasm magic number", END_OF_INPUT]),
    ("magic header not detected", &[NOT_WASM]),
    ("malformed elements segment kind", &[END_OF_INPUT]),
    ("malformed import kind", &["for external kind", END_OF_INPUT]),
    ("malformed limits flags", &["limits flags", END_OF_INPUT]),
    ("malformed memop flags", &["malformed memop alignment"]),
    ("malformed mutability", &["malformed global flags", "shared globals require"]),
    ("malformed section id", &[END_OF_INPUT]),
    ("memory size", &["memory size must be at most", TOO_LARGE]),
    ("multiple start sections", &[OUT_OF_ORDER]),
    ("offset out of range", &[TOO_LARGE, "invalid var_u32: integer representation too long"]),
    ("section size mismatch", &[END_OF_FUNCTION]),
    ("table size", &[TOO_LARGE]),
    ("type mismatch: instruction requires", &["type mismatch: expected"]),
    (
        "unexpected content after last section",
        &[OUT_OF_ORDER, "function and code section have inconsistent lengths"],
    ),
    ("unexpected end", &[END_OF_FUNCTION, END_OF_INPUT, NOT_WASM, "branch depth too large"]),
    // The text of the older exceptions is read, and refused for where it stands.
    ("unexpected token", &["found outside `LegacyTry` block"]),
    ("unknown binary version", &["this is a WebAssembly component"]),
    ("zero byte expected", &["unknown memory 1"]),
    (
        "zero flag expected",
        &["zero byte expected", "unknown table 1", "trailing bytes at end of section"],
    ),
];

fn says_the_same(synonyms: &[Synonyms], expected: &str, got: &str) -> bool {
    let known = |(beginning, messages): &Synonyms| {
        expected.starts_with(beginning) && messages.iter().any(|message| got.contains(message))
    };
    synonyms.iter().any(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_message_is_a_prefix() {
        assert!(matches("indirect call", "indirect call type mismatch"));
        assert!(matches("uninitialized", "uninitialized element"));
        assert!(!matches("indirect call type mismatch", "indirect call"));
        assert!(!matches("unreachable", "out of bounds memory access"));
    }

    #[test]
    fn a_trap_need_not_know_the_index() {
        assert!(matches("uninitialized element 7", "uninitialized element"));
        assert!(!matches("null function reference", "null reference"));
        assert!(!matches("uninitialized element 7", "undefined element"));
    }

    #[test]
    fn refusals_are_compared_with_the_validators_words() {
        assert!(refusal_matches("type mismatch", "type mismatch: expected i32, found i64"));
        assert!(refusal_matches("unexpected end of section or function", END_OF_INPUT));
        assert!(!refusal_matches("type mismatch", "SIMD support is not enabled"));
        assert!(!refusal_matches("unknown local", END_OF_INPUT));
    }
}
