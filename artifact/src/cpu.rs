//! Processor features that generated code may need.
//!
//! One table per architecture, from which names and detection derive. The names are those of
//! the code generator's flags without `has_`. The cache key and the loader ask this table, so
//! neither has to start the code generator to know the machine.

macro_rules! features {
    ($arch:literal $list:ident $detect:ident: $($name:literal $detected:tt)*) => {
        const $list: &[&str] = &[$($name),*];

        #[cfg(target_arch = $arch)]
        fn detect_host() -> Vec<&'static str> {
            let mut found = Vec::new();
            $(if std::arch::$detect!($detected) { found.push($name); })*
            found
        }
    };
}

features! { "x86_64" X86_64 is_x86_feature_detected:
    "sse3" "sse3"
    "ssse3" "ssse3"
    "cmpxchg16b" "cmpxchg16b"
    "sse41" "sse4.1"
    "sse42" "sse4.2"
    "avx" "avx"
    "avx2" "avx2"
    "fma" "fma"
    "avx_vnni" "avxvnni"
    "avx512bitalg" "avx512bitalg"
    "avx512dq" "avx512dq"
    "avx512vl" "avx512vl"
    "avx512vbmi" "avx512vbmi"
    "avx512f" "avx512f"
    "avx512vnni" "avx512vnni"
    "popcnt" "popcnt"
    "bmi1" "bmi1"
    "bmi2" "bmi2"
    "lzcnt" "lzcnt"
}

features! { "aarch64" AARCH64 is_aarch64_feature_detected:
    "lse" "lse"
    "pauth" "paca"
    "fp16" "fp16"
    "dotprod" "dotprod"
    "i8mm" "i8mm"
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detect_host() -> Vec<&'static str> {
    Vec::new()
}

/// The names of all features of an architecture (`x86_64`, `aarch64`); none for others.
pub fn features_of(architecture: &str) -> &'static [&'static str] {
    match architecture {
        "x86_64" => X86_64,
        "aarch64" => AARCH64,
        _ => &[],
    }
}

/// The features that this machine's processor has and its system allows.
pub fn host_features() -> Vec<&'static str> {
    detect_host()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_only_known_features() {
        let known = features_of(std::env::consts::ARCH);
        assert!(host_features().iter().all(|feature| known.contains(feature)));
    }
}
