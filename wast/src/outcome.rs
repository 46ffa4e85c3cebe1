//! What running a script gave.

use std::fmt;

/// What running a script gave.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Outcome {
    /// How many assertions the script makes.
    pub assertions: usize,
    /// How many of them hold.
    pub passed: usize,
    /// Assertions that do not hold, and other directives that failed, in the script's order.
    pub failures: Vec<Failure>,
}

/// A directive that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the directive begins.
    pub location: Location,
    /// The directive in short: its keyword and what it calls.
    pub directive: String,
    /// What should have happened.
    pub expected: String,
    /// What happened.
    pub got: String,
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The script's name, as it was given to the runner.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in bytes, counted from 1.
    pub column: usize,
}

impl Outcome {
    /// Whether every directive did what it should.
    pub fn succeeded(&self) -> bool {
        self.failures.is_empty()
    }

    pub(crate) fn merge(&mut self, other: Outcome) {
        let Outcome { assertions, passed, failures } = other;
        self.assertions += assertions;
        self.passed += passed;
        self.failures.extend(failures);
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.location, self.directive)?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "       got: {}", self.got)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A module that does not compile fails every assertion on it.
        const SHOWN: usize = 10;
        for failure in self.failures.iter().take(SHOWN) {
            writeln!(f, "{failure}")?;
        }
        if let Some(more @ 1..) = self.failures.len().checked_sub(SHOWN) {
            writeln!(f, "and {more} more failures")?;
        }
        write!(f, "{} of {} assertions passed", self.passed, self.assertions)
    }
}
