//! The code generator's flags: which are fixed, and how the user sets the others.

use cranelift_codegen::isa;
use cranelift_codegen::settings::{self, Configurable, SettingKind};
use precast_config::{CompilerSettings, OptLevel};

use super::flag_error;
use crate::CompileError;

const LAYOUT: &str = "the runtime finds frames and results where this flag puts them";
const NO_TABLES: &str = "artifacts have no place for what it adds to the code";
const LINKED: &str = "calls and addresses are resolved when the artifact is made";
const UNUSED: &str = "wasm has no use for it";
const STACK: &str = "functions check the stack limit themselves";
const SETTING: &str = "there is a setting for it";
const SIGNED: &str = "the runtime reads return addresses from frames as they are";

/// Flags with which generated code and runtime would no longer fit together: name, value and
/// the reason. They are never the user's to set.
pub(super) const FIXED: &[(&str, &str, &str)] = &[
    ("enable_verifier", "false", SETTING),
    ("opt_level", "speed", SETTING),
    ("is_pic", "false", LINKED),
    ("use_colocated_libcalls", "false", LINKED),
    ("libcall_call_conv", "isa_default", LINKED),
    ("preserve_frame_pointers", "true", LAYOUT),
    ("enable_multi_ret_implicit_sret", "true", LAYOUT),
    ("enable_llvm_abi_extensions", "false", LAYOUT),
    ("enable_compact_unwind_abi", "false", LAYOUT),
    ("enable_pinned_reg", "false", LAYOUT),
    ("unwind_info", "false", NO_TABLES),
    ("machine_code_cfg_info", "true", "jumps are made shorter with it"),
    ("tls_model", "none", UNUSED),
    ("stack_switch_model", "none", UNUSED),
    ("enable_incremental_compilation_cache_checks", "false", UNUSED),
    // A prologue compares the limit with the lowest address of its whole frame, however large
    // that is, so there is nothing left to probe.
    ("enable_probestack", "false", STACK),
    ("probestack_size_log2", "12", STACK),
    ("probestack_strategy", "outline", STACK),
];

/// The same of the targets' own flags.
pub(super) const FIXED_ISA: &[(&str, &str, &str)] = &[
    ("sign_return_address", "false", SIGNED),
    ("sign_return_address_all", "false", SIGNED),
    ("sign_return_address_with_bkey", "false", SIGNED),
    ("use_bti", "false", "code is not mapped with branch protection"),
];

/// Numbers above these make code that cannot be used, or none at all.
const LARGEST: &[(&str, u8)] =
    &[("log2_min_function_alignment", 12), ("bb_padding_log2_minus_one", 20)];

/// The shared flags before the user sets any.
pub(super) fn base(settings: &CompilerSettings) -> settings::Builder {
    let mut flags = settings::builder();
    for (name, value, _) in FIXED {
        flags.set(name, value).expect("the fixed flags exist");
    }
    flags.set("opt_level", settings.opt_level.name()).expect("the levels exist");
    if settings.opt_level == OptLevel::None {
        // Compiling is to be fast: most of its time would be that of the better allocator.
        flags.set("regalloc_algorithm", "single_pass").expect("the allocators exist");
    }
    let verify = if settings.verify_ir { "true" } else { "false" };
    flags.set("enable_verifier", verify).expect("it is a boolean");
    flags
}

/// Gives the target's own flags their fixed values again.
pub(super) fn fix_isa(isa: &mut isa::Builder) {
    for (name, value, _) in FIXED_ISA {
        // Another target's flags are no error.
        let _ = isa.set(name, value);
    }
}

/// Sets the user's `name[=value]`: of the shared flags first, then of the target's. An empty
/// value switches a boolean on.
pub(super) fn set(
    shared: &mut settings::Builder,
    isa: &mut isa::Builder,
    name: &str,
    value: &str,
) -> Result<(), CompileError> {
    if let Some(&(name, _, reason)) = FIXED.iter().chain(FIXED_ISA).find(|flag| flag.0 == name) {
        return Err(CompileError::FixedFlag { name, reason });
    }
    if let Some((_, largest)) = LARGEST.iter().find(|flag| flag.0 == name)
        && value.parse::<u8>().is_ok_and(|value| value > *largest)
    {
        let reason = format!("it takes a number from 0 to {largest}");
        let (name, value) = (name.to_owned(), value.to_owned());
        return Err(CompileError::FlagValue { name, value, reason });
    }
    let is_shared = shared.iter().any(|flag| flag.name == name);
    let of_isa = isa.iter().find(|flag| flag.name == name);
    match of_isa {
        Some(flag) if flag.kind == SettingKind::Preset => {
            let reason = "it is a processor; choose it with the `cpu` setting";
            return Err(CompileError::FixedFlag { name: flag.name, reason });
        }
        None if !is_shared => {
            let names = shared.iter().chain(isa.iter());
            let names = names.filter(|flag| flag.kind != SettingKind::Preset);
            let nearest = nearest(name, names.map(|flag| flag.name));
            return Err(CompileError::UnknownFlag { name: name.to_owned(), nearest });
        }
        _ => {}
    }
    let target: &mut dyn Configurable = if is_shared { shared } else { isa };
    let result = if value.is_empty() { target.enable(name) } else { target.set(name, value) };
    result.map_err(|error| flag_error(name, value, &error))
}

/// The name that is spelled most like `name`, if any is alike at all.
pub(super) fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let distance = |other: &'static str| (edits(name, other), other);
    let (edits, nearest) = known.map(distance).min()?;
    (edits <= (name.len() / 3).max(2)).then_some(nearest)
}

/// How many characters must be inserted, removed or replaced to turn one name into the other:
/// Levenshtein's distance, by rows.
fn edits(from: &str, to: &str) -> usize {
    // Nobody means a flag by a name that is longer than all flags.
    if from.len() > 128 {
        return from.len();
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("same", "same"), 0);
    }
}
