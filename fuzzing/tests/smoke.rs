//! A little of what the fuzz targets do, the same every time.

/// How many inputs each target gets.
const ROUNDS: u64 = 150;

/// Bytes that look random.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let len = 64 + usize::from(next()) * 4;
    (0..len).map(|_| next()).collect()
}

#[test]
fn references() {
    for seed in 0..ROUNDS {
        let outcome = std::panic::catch_unwind(|| precast_fuzzing::references::check(&bytes(seed)));
        assert!(outcome.is_ok(), "with seed {seed}");
    }
}
