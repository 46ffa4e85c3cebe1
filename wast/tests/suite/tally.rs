//! The numbers that are printed at the end of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use precast_wast::{Outcome, Setup};

/// What ran so far.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    setups: BTreeMap<&'static str, Ran>,
    /// The paths of skipped scripts, by reason.
    skipped: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Default)]
struct Ran {
    files: usize,
    files_passed: usize,
    assertions: usize,
    assertions_passed: usize,
}

impl Tally {
    pub(crate) fn ran(&self, setup: Setup, outcome: &Outcome) {
        let mut numbers = self.lock();
        let ran = numbers.setups.entry(setup.name()).or_default();
        ran.files += 1;
        ran.files_passed += usize::from(outcome.succeeded());
        ran.assertions += outcome.assertions;
        ran.assertions_passed += outcome.passed;
    }

    pub(crate) fn skipped(&self, path: String, reason: &str) {
        self.lock().skipped.entry(reason.to_owned()).or_default().insert(path);
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().expect("no test panics while it counts")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Numbers { setups, skipped } = &*self.lock();
        for (setup, Ran { files, files_passed, assertions, assertions_passed }) in setups {
            writeln!(
                f,
                "{setup}: {files_passed} of {files} files passed, \
                 {assertions_passed} of {assertions} assertions"
            )?;
        }
        let files: usize = skipped.values().map(BTreeSet::len).sum();
        writeln!(f, "skipped: {files} files")?;
        for (reason, paths) in skipped {
            writeln!(f, "  {:4}  {reason}", paths.len())?;
        }
        Ok(())
    }
}
