//! How long the stages of a compilation take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

macro_rules! stages {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal)*) => {
        /// A stage of a compilation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Stage {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Stage {
            /// Every stage, in the order in which they begin.
            pub const ALL: &[Stage] = &[$(Stage::$name),*];

            /// What it is called, in lower case.
            pub fn name(self) -> &'static str {
                match self {
                    $(Stage::$name => $text,)*
                }
            }
        }
    };
}

stages! {
    /// The module is hashed.
    Hash "hash"
    /// Everything but the bodies of functions is read and validated, and bodies are looked through.
    Parse "parse"
    /// Functions that are kept are looked for, validated and taken over, and others are put there.
    Reuse "reuse"
    /// Bodies are validated and translated to intermediate representation.
    Translate "translate"
    /// That is optimised.
    Optimize "optimize"
    /// Instructions are chosen, registers allocated, and machine code is written.
    Generate "generate"
    /// The code of functions is put together.
    Link "link"
    /// The artifact is made of code and tables.
    Write "write"
}

/// The time that stages took, added up. Of those in which several threads compile functions, it is the
/// time of all threads together.
#[derive(Debug, Default)]
pub struct Stages([AtomicU64; Stage::ALL.len()]);

impl Stages {
    /// How long a stage took.
    pub fn time(&self, stage: Stage) -> Duration {
        Duration::from_nanos(self.0[stage as usize].load(Ordering::Relaxed))
    }

    fn add(&self, stage: Stage, time: Duration) {
        self.0[stage as usize].fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

/// Measures stages that follow each other, if anybody wants to know.
pub(crate) struct Stopwatch<'a>(Option<(&'a Stages, Instant)>);

impl<'a> Stopwatch<'a> {
    /// Begins the first stage.
    pub(crate) fn start(stages: Option<&'a Stages>) -> Stopwatch<'a> {
        Stopwatch(stages.map(|stages| (stages, Instant::now())))
    }

    /// Ends a stage, and begins the next one.
    pub(crate) fn lap(&mut self, stage: Stage) {
        if let Some((stages, begin)) = &mut self.0 {
            let end = Instant::now();
            stages.add(stage, end.duration_since(*begin));
            *begin = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_are_added_up() {
        let stages = Stages::default();
        let mut stopwatch = Stopwatch::start(Some(&stages));
        std::thread::sleep(Duration::from_millis(2));
        stopwatch.lap(Stage::Link);
        std::thread::sleep(Duration::from_millis(2));
        stopwatch.lap(Stage::Link);
        assert!(stages.time(Stage::Link) >= Duration::from_millis(4));
        assert_eq!(stages.time(Stage::Write), Duration::ZERO);
        Stopwatch::start(None).lap(Stage::Write);
    }
}
