//! How much the cache is used.
//!
//! A hit writes nothing. Each process counts in memory and adds one line to the file `stats` when it
//! is done, which is after the run; a process that is killed is not counted. Lines are added with one
//! write at the end of the file, so processes need no lock, and a torn line is not a line.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::CacheError;
use crate::root::{Facts, Root};
use crate::{Cache, Entry, Origin, Outcome, Tier};

const LOG: &str = "stats";
/// The log while its lines are added up into one.
const FOLDING: &str = "stats.folding";
/// The length of the log at which that is done, in bytes.
const FOLD_AT: u64 = 64 << 10;
/// How long a process may take from opening the log to writing its line.
const WRITERS_DONE: Duration = Duration::from_secs(60);

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// What happened in a cache since it was made or cleared.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Statistics {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Tally {
            $($name: AtomicU64,)*
        }

        impl Tally {
            fn take(&self) -> Statistics {
                Statistics { $($name: self.$name.swap(0, Ordering::Relaxed),)* }
            }
        }

        impl Statistics {
            fn add(&mut self, other: &Statistics) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }

            fn line(&self) -> String {
                let mut line = String::new();
                $(line.push_str(&format!("{} ", self.$name));)*
                line
            }

            fn parse(line: &str) -> Option<Statistics> {
                let mut numbers = line.split(' ');
                let statistics = Statistics { $($name: numbers.next()?.parse().ok()?,)* };
                (numbers.next() == Some(END)).then_some(statistics)
            }
        }
    };
}

/// What ends a line's numbers, so that a cut number is none.
const END: &str = ".";

counters! {
    /// Artifacts that were mapped.
    hot_hits
    /// Artifacts that were decompressed.
    packed_hits
    /// Modules that were not there.
    misses
    /// Files that were identified without being read.
    known_files
    /// Files that had to be read.
    unknown_files
    /// Artifacts that were added.
    puts
    /// Entries that were found damaged.
    damaged
    /// Bytes of artifacts that hits have served.
    bytes_served
    /// Bytes of artifacts that were added, before compression.
    bytes_added
    /// Milliseconds that the served artifacts had taken to compile.
    saved_ms
    /// Functions of modules that were compiled that were there already.
    function_hits
    /// Functions that had to be compiled.
    function_misses
}

impl Statistics {
    /// Look-ups that found an artifact.
    pub fn hits(&self) -> u64 {
        self.hot_hits.saturating_add(self.packed_hits)
    }

    /// The part of the look-ups that found one, from 0 to 1; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let total = self.hits().saturating_add(self.misses);
        (total > 0).then(|| self.hits() as f64 / total as f64)
    }
}

impl Tally {
    pub(crate) fn count(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Hit(entry) => self.hit(entry),
            Outcome::Miss(_) => self.miss(),
        }
    }

    pub(crate) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hit(&self, entry: &Entry) {
        let hits = match entry.tier {
            Tier::Hot => &self.hot_hits,
            Tier::Packed => &self.packed_hits,
        };
        hits.fetch_add(1, Ordering::Relaxed);
        self.bytes_served.fetch_add(entry.len, Ordering::Relaxed);
        self.saved_ms.fetch_add(entry.compile_time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn index(&self, known: bool) {
        let counter = if known { &self.known_files } else { &self.unknown_files };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn put(&self, len: u64) {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.bytes_added.fetch_add(len, Ordering::Relaxed);
    }

    pub(crate) fn functions(&self, hits: u64, misses: u64) {
        self.function_hits.fetch_add(hits, Ordering::Relaxed);
        self.function_misses.fetch_add(misses, Ordering::Relaxed);
    }

    pub(crate) fn damaged(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }
}

impl Cache {
    /// What happened in the user's cache, this process included.
    ///
    /// # Errors
    ///
    /// When the cache is off or its directory cannot be used.
    pub fn statistics(&self) -> Result<Statistics, CacheError> {
        self.flush_statistics();
        let reading = CacheError::system("read the statistics");
        let mut statistics = Statistics::default();
        for (origin, root) in self.open_all()? {
            if origin == Origin::User {
                let (log, folding) = (Log::read(&root, LOG), Log::read(&root, FOLDING));
                let (log, folding) = (log.map_err(&reading)?, folding.map_err(&reading)?);
                statistics.add(&log.sum());
                if !log.has_folded(&folding) {
                    statistics.add(&folding.sum());
                }
            }
        }
        Ok(statistics)
    }

    /// Forgets what this process has counted: for one that leaves its work to another.
    pub fn discard_statistics(&self) {
        self.tally.take();
    }

    /// Writes down what this process has counted. Happens by itself when the cache is dropped; a
    /// process that ends otherwise calls it after its run.
    pub fn flush_statistics(&self) {
        let statistics = self.tally.take();
        if statistics == Statistics::default() || !self.is_writable() {
            return;
        }
        // Nothing is made for this: without a directory there is nothing to count.
        if let Some(root) = self.open_layer(Origin::User)
            && let Ok(mut log) = root.append(LOG)
        {
            let _ = log.write_all(format!("{}{END}\n", statistics.line()).as_bytes());
        }
    }
}

/// Adds the lines of a long log up. For whoever holds the lock of housekeeping.
///
/// A process may have opened the log before it got its other name; what it writes counts as
/// long as it writes within a minute.
pub(crate) fn fold(root: &Root) -> io::Result<()> {
    match root.stat(FOLDING)? {
        None => match root.stat(LOG)? {
            Some(facts) if facts.len > FOLD_AT => root.rename(LOG, FOLDING),
            _ => Ok(()),
        },
        Some(facts) => {
            let settled = facts.changed.age().is_none_or(|age| age > WRITERS_DONE);
            if settled {
                let folding = Log::read(root, FOLDING)?;
                if !Log::read(root, LOG)?.has_folded(&folding) {
                    let line = folding.sum().line();
                    let line = format!("{line}{END} {}\n", folding.identity());
                    root.append(LOG)?.write_all(line.as_bytes())?;
                }
                root.unlink(FOLDING)?;
            }
            Ok(())
        }
    }
}

/// Forgets everything.
pub(crate) fn reset(root: &Root) {
    for name in [LOG, FOLDING] {
        let _ = root.unlink(name);
    }
}

#[derive(Default)]
struct Log {
    text: String,
    facts: Option<Facts>,
}

impl Log {
    fn read(root: &Root, name: &str) -> io::Result<Log> {
        let file = match root.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Log::default()),
            file => file?,
        };
        let facts = Some(Facts::of(&file)?);
        let bytes = {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(file, 64 << 20), &mut bytes)?;
            bytes
        };
        Ok(Log { text: String::from_utf8_lossy(&bytes).into_owned(), facts })
    }

    fn sum(&self) -> Statistics {
        let mut sum = Statistics::default();
        self.text.lines().filter_map(Statistics::parse).for_each(|line| sum.add(&line));
        sum
    }

    /// What a line that sums this log up is known by.
    fn identity(&self) -> String {
        let (inode, changed) = self.facts.map_or((0, 0), |facts| (facts.inode, facts.changed.0));
        format!("{inode}-{changed}")
    }

    /// Whether one of the lines is the other log's sum: then a process ended before it could
    /// remove that.
    fn has_folded(&self, other: &Log) -> bool {
        let identity = other.identity();
        other.facts.is_some() && self.text.lines().any(|line| line.ends_with(&identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;

    #[test]
    fn lines_round_trip_and_torn_ones_do_not_count() {
        let statistics = Statistics { hot_hits: 1, saved_ms: 23, ..Statistics::default() };
        let line = format!("{}{END}", statistics.line());
        assert_eq!(Statistics::parse(&line), Some(statistics));
        for len in 0..line.len() {
            assert_eq!(Statistics::parse(&line[..len]), None);
        }
    }

    #[test]
    fn folding_loses_and_doubles_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = Layer::below(directory.path()).create().unwrap();
        let one = Statistics { misses: 1, ..Statistics::default() };
        let line = format!("{}{END}\n", one.line());
        let lines = FOLD_AT as usize / line.len() + 10;
        std::fs::write(root.path_of(LOG), line.repeat(lines)).unwrap();
        let total = |root: &Root| {
            let (log, folding) = (Log::read(root, LOG).unwrap(), Log::read(root, FOLDING).unwrap());
            let mut sum = log.sum();
            if !log.has_folded(&folding) {
                sum.add(&folding.sum());
            }
            sum.misses
        };
        fold(&root).unwrap();
        assert_eq!(total(&root), lines as u64);
        // Writers may still be at it.
        fold(&root).unwrap();
        assert!(root.stat(FOLDING).unwrap().is_some());
        // A process that wrote the sum and ended before it removed what it had summed up.
        let folding = Log::read(&root, FOLDING).unwrap();
        let sum = format!("{}{END} {}\n", folding.sum().line(), folding.identity());
        root.append(LOG).unwrap().write_all(sum.as_bytes()).unwrap();
        assert_eq!(total(&root), lines as u64);
    }
}
