//! The atomic operators.

use super::operators::{Signature, module_of};
use super::{AARCH64, compile, compile_everywhere, settings};

/// All of them.
pub(super) fn operators() -> Vec<Signature> {
    let mut operators: Vec<Signature> = vec![
        ("atomic.fence".to_owned(), vec![], ""),
        ("memory.atomic.wait32".to_owned(), vec!["i32", "i32", "i64"], "i32"),
        ("memory.atomic.wait64".to_owned(), vec!["i32", "i64", "i64"], "i32"),
        ("memory.atomic.notify offset=4".to_owned(), vec!["i32", "i32"], "i32"),
    ];
    for (ty, widths) in [("i32", ["", "8", "16"].as_slice()), ("i64", &["", "8", "16", "32"])] {
        for width in widths {
            let suffix = if width.is_empty() { "" } else { "_u" };
            let mut add = |name: String, params: &[&'static str], result| {
                for offset in [0, 4, 0x8000_0000u32] {
                    let name = format!("{ty}.atomic.{name} offset={offset}");
                    operators.push((name, params.to_vec(), result));
                }
            };
            add(format!("load{width}{suffix}"), &["i32"], ty);
            add(format!("store{width}"), &["i32", ty], "");
            for op in ["add", "sub", "and", "or", "xor", "xchg"] {
                add(format!("rmw{width}.{op}{suffix}"), &["i32", ty], ty);
            }
            add(format!("rmw{width}.cmpxchg{suffix}"), &["i32", ty, ty], ty);
        }
    }
    operators
}

fn shared_module() -> String {
    module_of(&operators()).replace("(memory 1)", "(memory 1 9 shared)")
}

#[test]
fn accesses_to_shared_memories_compile() {
    compile_everywhere(&shared_module());
}

#[test]
fn aarch64_has_single_instructions_or_loops() {
    let text = shared_module();
    let words = |lse: &str| -> Vec<u32> {
        let mut settings = settings(AARCH64);
        settings.flags.push(("has_lse".to_owned(), lse.to_owned()));
        let code = compile(&text, &settings).concat();
        code.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
    };
    let is_ldaddal = |word: &u32| word & 0xffe0_fc00 == 0xb8e0_0000;
    let is_ldaxr = |word: &u32| word & 0xffff_fc00 == 0x885f_fc00;
    let (single, loops) = (words("true"), words("false"));
    assert!(single.iter().any(is_ldaddal));
    assert!(loops.iter().any(is_ldaxr) && !loops.iter().any(is_ldaddal));
}
