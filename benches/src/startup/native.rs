//! The floor: a static native program that says hello, from the same source as the module.

use super::Case;
use super::contender::{Candidate, Contender};
use crate::programs;

/// The native program, beside the case that does the same.
pub fn candidates(case: &Case) -> Vec<Candidate> {
    if case.module != "hello" {
        return Vec::new();
    }
    let name = "native, static";
    vec![Candidate::new(name, move || Contender::new(name, [programs::native("hello")?]).try_out())]
}
